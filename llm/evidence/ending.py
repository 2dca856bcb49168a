"""Answers that break off: "protection, and" goes on to where its clause ends in the document.

A small model stops in mid-clause now and then. Only what stands in the document behind the very words of the answer is
put there, so that the answer still reads word for word as the document does.
"""

import re
from collections.abc import Sequence

from llm.evidence.locating import locate
from llm.evidence.passages import flowing
from llm.evidence.ranking import Ranked

_FEWEST_WORDS = 3  # of an answer that may be a clause
_LONGEST = 160  # characters that are put behind one
_OPEN = frozenset(
    re.findall(
        r"\w+",
        "a an the and or but nor of to from with without within into onto upon at as than that which who whose may "
        "might can could shall should will would must is are was were be been being has have had their its our your my "
        "his these those any such each every not either neither including",
    )
)
_CLAUSE_END = re.compile(r"[.;:!?](?=\s|$)|,(?=\s(?:and|but|which|who|where|unless|except|provided|if|as|so)\b)")


def ended(answer: str, ranked: Sequence[Ranked]) -> str:
    """The answer up to the end of its clause, if it breaks off and stands in a passage; else as it is.

    What cannot be completed within 160 characters loses the words that lead nowhere.
    """
    if not _breaks_off(answer):
        return answer
    places = locate(answer, ranked)
    for found in places:
        item = next(item for item in ranked if found.inside(item))
        unit_end = next((end for start, end in item.passage.units if start < found.end <= end), found.end)
        rest = found.document.pages[found.page_index].text[found.end : unit_end]
        clause_end = _CLAUSE_END.search(rest)
        more = rest[: clause_end.start()] if clause_end else rest
        if more.strip() and len(more) <= _LONGEST:
            return flowing(f"{answer.rstrip(' .,;:')}{more}").rstrip(" ,")
    words = answer.split()
    while places and len(words) > _FEWEST_WORDS and _is_open(words[-1]):
        words.pop()
    return " ".join(words).rstrip(" ,;:") if places else answer


def _breaks_off(answer: str) -> bool:
    words = answer.split()
    return len(words) >= _FEWEST_WORDS and answer.rstrip()[-1] not in ".!?" and _is_open(words[-1])


def _is_open(word: str) -> bool:
    return word.strip(" ,;:\"'”’)").lower() in _OPEN
