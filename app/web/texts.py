"""What the page says, in the language of who looks: English as the code has it, others from `assets/texts/*.po`.

Owns the catalogues, and the one value of the page that is ambient: the language of the words that are made now. It is
set where a request or an event comes in (`speaking`, `spoken`) and never anywhere else; without that it is English.
Every text of `app/web` goes through `t` or `tn` (a test looks for others). Names of values stand in braces: {name}.
"""

import functools
import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

TEXTS_DIR = Path(__file__).parents[2] / "assets" / "texts"
ENGLISH = "en"
COOKIE = "longleaf_language"
_language: ContextVar[str] = ContextVar("longleaf_language", default=ENGLISH)


@functools.cache
def languages() -> tuple[str, ...]:
    """What the page can speak, English first."""
    return (ENGLISH, *sorted(path.stem for path in TEXTS_DIR.glob("*.po")))


def language() -> str:
    """Of the words that are made now."""
    return _language.get()


def own_name(of: str) -> str:
    """What a language calls itself: "Deutsch"."""
    return (Locale.parse(of).get_display_name() or of).capitalize()


def t(message: str, **values: object) -> str:
    """The message in the language of who looks, with the values in it. They are put in as they are: escape them."""
    text = _catalogue(language()).gettext(message)
    return text.format(**values) if values else text


def tn(one: str, many: str, number_of: int, **values: object) -> str:
    """The same for a number of things, which is {n} in the message: `tn("{n} page", "{n} pages", 12)`."""
    return _catalogue(language()).ngettext(one, many, number_of).format(n=number(number_of), **values)


def noted(message: str) -> str:
    """A message that is translated later, where it is shown."""
    return message


def number(value: float, digits: int = 0) -> str:
    """As the language writes it: 38211 -> "38,211" or "38.211"."""
    return format_decimal(round(value, digits), f"#,##0{'.' if digits else ''}{'0' * digits}", locale=language())


@contextmanager
def speaking(of: str) -> Iterator[None]:
    """Words made inside are of that language."""
    token = _language.set(of)
    try:
        yield
    finally:
        _language.reset(token)


def spoken(function: Callable[..., Any], of: str) -> Callable[..., Any]:
    """The function, or generator function, with its words in that language."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            made = function(*args, **kwargs)
            try:
                while True:
                    with speaking(of):  # each step may come in a thread of its own
                        step = next(made, _OVER)
                    if step is _OVER:
                        return
                    yield step
            finally:
                made.close()

        return steps

    @functools.wraps(function)
    def once(*args: Any, **kwargs: Any) -> Any:
        with speaking(of):
            return function(*args, **kwargs)

    return once


def wanted(cookies: Mapping[str, str], accepted: str) -> str:
    """What a browser asks for: by the cookie that a person's choice set, else by its `Accept-Language`."""
    known = languages()
    if cookies.get(COOKIE) in known:
        return cookies[COOKIE]
    return negotiate_locale(_in_order(accepted), known, sep="-") or ENGLISH


_OVER = object()


def _in_order(accepted: str) -> list[str]:
    """The languages of an `Accept-Language`, the most wanted first."""
    named = []
    for part in accepted[:400].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            named.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(named, key=lambda one: one[0]) if tag and weight < 0]


@functools.cache
def _catalogue(of: str) -> NullTranslations:
    """English is what stands in the code."""
    if of == ENGLISH:
        return NullTranslations()
    with (TEXTS_DIR / f"{of}.po").open("rb") as file:
        catalogue = read_po(file, locale=of)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
