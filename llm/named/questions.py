"""How people ask for what an agreement says of itself, as plain words: no punctuation, no capitals, no "'s".

A question counts only if all of it is understood; anything more that it says is left to the model.
"""

import re
from collections.abc import Callable, Iterator

from ingest.document import Document
from llm.named.provisions import governing_law, lasting, lasting_secrecy, made_on, notice_period, ways_to_end
from llm.named.signatures import signers
from llm.named.wording import Provision

AGREEMENT = r"(?:the|this|that) (?:\w+ ){0,3}?(?:agreement|contract|lease|nda|deed|amendment|document|license)"
_IT = rf"(?:it|this|{AGREEMENT})"
_OF_IT = rf"(?: (?:of|in|to|under|for) {_IT})?"
_GOVERNS = rf"(?:governs?|applies|apply|(?:is|are) applicable|rules?|controls?)(?: (?:to )?{_IT})?"
_MADE = r"(?:made|concluded|entered into|executed|dated)"
_IN_FORCE = r"(?:valid|binding|in (?:force|effect))"
_ENDED = r"(?:terminated?|end(?:ed)?|cancel(?:l?ed)?|quit)"
_SECRET = r"(?:confidential(?:ity)?|non ?disclosure|secrecy|secret)"
_DUTY = r"(?:obligations?|dut(?:y|ies))"
_SOMEBODY = r"(?:i|we|one|you|they|either party|a party|the parties)"
_GIVEN = r"(?:is|must be|has to be|needs to be) (?:needed|required|given)"

Finder = Callable[[Document], Provision | None]
_ASKED: tuple[tuple[Finder, tuple[str, ...]], ...] = (
    (
        governing_law,
        (
            rf"(?:what|which|whose)(?: (?:state|country|jurisdiction))? laws? {_GOVERNS}",
            rf"(?:the )?law of (?:what|which) \w+ {_GOVERNS}",
            rf"(?:what|which) (?:is|are) the (?:governing|applicable) laws?{_OF_IT}",
            rf"(?:by|under) (?:what|which|whose)(?: \w+)? laws? (?:is|was) {_IT} (?:governed|made)",
        ),
    ),
    (
        made_on,
        (
            rf"when (?:was|is) {_IT} {_MADE}",
            rf"(?:what is|give|state) the (?:effective )?date{_OF_IT}",
            rf"(?:on|of) (?:what|which) date (?:was|is) {_IT}(?: {_MADE})?",
            rf"(?:when|on (?:what|which) date) (?:does|did|will) {_IT} "
            r"(?:(?:take|come into|go into) effect|become effective|come into force)",
        ),
    ),
    (
        lasting,
        (
            rf"(?:when|on (?:what|which) date) (?:does|will|would|is) {_IT} (?:going to )?"
            r"(?:end|expire|terminate|lapse|run out|be over|over)",
            rf"how long (?:does|will|is|shall|would) {_IT} (?:last|run|go on|continue|(?:be |remain )?{_IN_FORCE})",
            rf"(?:what is|give|state) the (?:term|duration|length|(?:end|expir\w+|termination) date){_OF_IT}",
            rf"for how long (?:is|does|will) {_IT} (?:last|run|{_IN_FORCE})",
        ),
    ),
    (
        lasting_secrecy,
        (
            rf"how long (?:do|does|will|must|shall) the (?:\w+ ){{0,2}}?{_DUTY} (?:of|to) (?:\w+ ){{0,2}}?{_SECRET} "
            r"(?:last|continue|run|survive)",
            rf"how long (?:do|does|will) (?:the )?{_SECRET} (?:{_DUTY} |period |clause )?(?:last|continue|survive)",
            r"how long (?:must|shall|should|does|do|has|have) (?:\w+ ){1,4}?(?:be kept|keep|stay|remain|to be kept)"
            rf"(?: \w+){{0,2}}? {_SECRET}",
        ),
    ),
    (
        notice_period,
        (
            r"(?:what|how long) is the (?:\w+ )?notice period"
            rf"(?: (?:for|of) (?:\w+ )?(?:termination|cancellation|ending it))?{_OF_IT}",
            rf"(?:what|which|how much) notice {_GIVEN}(?: to {_ENDED} {_IT})?",
            r"how (?:much|long a) (?:\w+ )?notice (?:must|do|does|should) (?:\w+ ){1,2}?(?:(?:have|need) to )?give"
            rf"(?: to {_ENDED} {_IT})?",
        ),
    ),
    (
        ways_to_end,
        (
            rf"how (?:can|may|could) {_IT} be {_ENDED}(?: early)?",
            rf"how (?:can|may|do|could) {_SOMEBODY} {_ENDED} {_IT}(?: early)?",
            rf"(?:who|which party) (?:can|may|could) {_ENDED} {_IT}(?: early)?",
        ),
    ),
    (
        signers,
        (
            rf"(?:who|which (?:people|persons)) (?:has |have )?(?:signed|signs|executed)(?: {_IT})?",
            rf"(?:who|which people) (?:is|are|were) the (?:signator(?:y|ies)|signers?){_OF_IT}",
            rf"(?:by whom|who) (?:is|was) {_IT} signed(?: by)?",
        ),
    ),
)
_WAYS = tuple((find, re.compile("|".join(f"(?:{way})" for way in ways))) for find, ways in _ASKED)


def finders(asked: str) -> Iterator[Finder]:
    """What looks up the answer to a question in plain words; none where it is not understood."""
    return (find for find, way in _WAYS if way.fullmatch(asked))
