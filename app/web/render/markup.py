"""An answer's text as HTML: Markdown with tables, code and formulas, and the numbers of citations as buttons.

Guarantees: nothing in it runs, is loaded, or leads anywhere: raw HTML, links and pictures stay the text they are, since
a document may have told the model to write them. Names with underscores (`__init__`) and entities are left as written.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from app.web.render.basics import escape

MARK = re.compile(r"\[(\d{1,2})\]")
MAX_FORMULA = 2000  # characters; a longer one is shown as it was written
# Left as text: what would lead somewhere or load something, and what would change a document's own characters.
OFF = ("link", "image", "autolink", "reference", "entity", "html_inline", "html_block", "lheading")
MATHML = "{http://www.w3.org/1998/Math/MathML}"
MATHML_TAGS = frozenset(
    {
        "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
        "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd", "mstyle",
        "mpadded", "mphantom", "menclose", "merror",
    }
)  # fmt: skip
MATHML_ATTRIBUTES = frozenset(
    {
        "display", "displaystyle", "scriptlevel", "stretchy", "fence", "separator", "form", "accent", "accentunder",
        "lspace", "rspace", "largeop", "movablelimits", "minsize", "maxsize", "symmetric", "mathvariant", "columnalign",
        "columnspacing", "rowspacing", "columnlines", "rowlines", "linethickness", "width", "height", "depth",
        "notation",
    }
)  # fmt: skip
ShowMark = Callable[[int], str]


def rendered(text: str, num_citations: int = 0, show_mark: ShowMark = str, last: str = "") -> str:
    """The text; [n] becomes `show_mark(n - 1)` where citation n exists, and those not named come after the text.

    `last` is HTML that stands at the very end of the text, in its last paragraph.
    """
    named: set[int] = set()

    def mark(match: re.Match[str]) -> str:
        number = int(match[1])
        if not 1 <= number <= num_citations:
            return match[0]
        named.add(number)
        return show_mark(number - 1)

    body = _markdown().render(text.strip(), {"mark": mark}).strip()
    rest = [show_mark(index) for index in range(num_citations) if index + 1 not in named]
    return _with_end(body, " ".join(rest), last)


def _with_end(body: str, rest: str, last: str) -> str:
    end = (f" {rest}" if rest else "") + last
    if not end:
        return body
    return f"{body.removesuffix('</p>')}{end}</p>" if body.endswith("</p>") else f"{body}<p>{end.strip()}</p>"


@lru_cache(maxsize=1)  # making one takes longer than using it
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _coloured})
    made.enable(["table", "strikethrough"]).disable(list(OFF))
    made.inline.ruler.at("emphasis", _emphasis)
    # Sums of money are no formulas: no space inside the dollars, no digit beside them.
    dollarmath_plugin(made, allow_labels=False, allow_space=False, allow_digits=False, renderer=_formula)
    texmath_plugin(made, delimiters="brackets")
    made.add_render_rule("math_inline", lambda _, tokens, at, *__: _formula(tokens[at].content, {}))
    made.add_render_rule(
        "math_block", lambda _, tokens, at, *__: f"<p>{_formula(tokens[at].content, {'display_mode': True})}</p>"
    )
    made.add_render_rule("text", _text)
    return made


def _text(_: object, tokens: Sequence[Token], at: int, __: object, env: Any) -> str:
    return MARK.sub(env["mark"], escape(tokens[at].content))


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Stars alone emphasise: underscores are parts of names."""
    return state.src[state.pos] == "*" and tokenize(state, silent)


def _coloured(code: str, language: str, _: str) -> str:
    """Empty where nothing is known of the language: then it is only escaped."""
    try:
        return str(highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return ""


def _formula(latex: str, options: dict[str, Any]) -> str:
    """MathML, which browsers draw by themselves; a formula that is none, as it was written."""
    as_written = f"<code>{escape(latex)}</code>"
    if len(latex) > MAX_FORMULA:
        return as_written
    try:
        made = str(convert(latex.strip(), display="block" if options.get("display_mode") else "inline"))
        parts = list(ET.fromstring(made).iter())
    except Exception:  # noqa: BLE001  whatever a half-written formula does to the converter, it is shown as written
        return as_written
    is_plain = all(
        part.tag.removeprefix(MATHML) in MATHML_TAGS and set(part.attrib) <= MATHML_ATTRIBUTES for part in parts
    )
    return made if is_plain else as_written
