"""Needles: single sentences that state an invented fact, each with a question whose answer stands nowhere else.

Seeded. Every needle has its own names and its own value, so that no two are alike; no value could be guessed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Needle:
    sentence: str
    question: str
    value: str  # what a right answer holds, character for character


_CITIES = (
    "Lisbon", "Bergen", "Tallinn", "Porto", "Ghent", "Verona", "Cork", "Split", "Uppsala", "Basel", "Gdansk",
    "Malaga", "Leiden", "Trieste", "Turku", "Bath",
)  # fmt: skip
_FIRST = (
    "Oda", "Ivo", "Marit", "Bruno", "Selma", "Tomas", "Agnes", "Rufus", "Linnea", "Casper", "Petra", "Anselm",
    "Greta", "Matteo", "Ylva", "Hugo",
)  # fmt: skip
_LAST = (
    "Vantongeren", "Okafor", "Lindqvist", "Marchetti", "Delacroix", "Hrubes", "Ashdown", "Korhonen", "Saldanha",
    "Pemberton", "Brandt", "Ferreira", "Halloran", "Novotny", "Quist", "Zamora",
)  # fmt: skip
_ANIMALS = (
    "marten", "heron", "lynx", "otter", "puffin", "badger", "ibex", "weasel", "plover", "stoat", "curlew", "gannet",
)  # fmt: skip
_COLOURS = (
    "amber", "crimson", "indigo", "olive", "scarlet", "teal", "violet", "ochre", "maroon", "silver", "ivory",
    "copper",
)  # fmt: skip
_THINGS = (
    "kettle", "lantern", "barrel", "ladder", "clock", "trunk", "anvil", "mirror", "basket", "stove", "wheelbarrow",
    "flowerpot",
)  # fmt: skip
_SPICES = (
    "juniper", "saffron", "caraway", "fennel", "tarragon", "sumac", "cardamom", "nutmeg", "lovage", "marjoram",
    "aniseed", "sorrel",
)  # fmt: skip


class _Draw:
    """Words and numbers of one seed, none of them twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._left: dict[tuple[str, ...], list[str]] = {}
        self._numbers: set[int] = set()

    def word(self, words: tuple[str, ...]) -> str:
        left = self._left.setdefault(words, self._rng.sample(words, len(words)))
        if not left:
            left += self._rng.sample(words, len(words))
        return left.pop()

    def number(self, digits: int) -> str:
        while (number := self._rng.randrange(10 ** (digits - 1), 10**digits)) in self._numbers:
            pass
        self._numbers.add(number)
        return str(number)


def _code(draw: _Draw) -> Needle:
    city, value = draw.word(_CITIES), draw.number(5)
    return Needle(
        f"The access code of the archive in {city} is {value}.",
        f"What is the access code of the archive in {city}?",
        value,
    )


def _keeper(draw: _Draw) -> Needle:
    city, value = draw.word(_CITIES), f"{draw.word(_FIRST)} {draw.word(_LAST)}"
    return Needle(
        f"For eleven winters the lighthouse near {city} was kept by {value}.",
        f"Who kept the lighthouse near {city}?",
        value,
    )


def _password(draw: _Draw) -> Needle:
    city, value = draw.word(_CITIES), f"{draw.word(_ANIMALS)}-{draw.number(3)}"
    return Needle(
        f"Visitors of the reading room in {city} must give the password {value}.",
        f"Which password must visitors of the reading room in {city} give?",
        value,
    )


def _key(draw: _Draw) -> Needle:
    person, value = draw.word(_LAST), f"{draw.word(_COLOURS)} {draw.word(_THINGS)}"
    return Needle(
        f"Professor {person} hides the spare key of the greenhouse under the {value}.",
        f"Under what does Professor {person} hide the spare key of the greenhouse?",
        value,
    )


def _recipe(draw: _Draw) -> Needle:
    person, value = draw.word(_FIRST), draw.word(_SPICES)
    return Needle(
        f"The secret ingredient of Aunt {person}'s fish soup has always been {value}.",
        f"What is the secret ingredient of Aunt {person}'s fish soup?",
        value,
    )


def _bell(draw: _Draw) -> Needle:
    city, value = draw.word(_CITIES), draw.number(4)
    return Needle(
        f"The great bell of the cathedral in {city} weighs {value} kilograms.",
        f"How many kilograms does the great bell of the cathedral in {city} weigh?",
        value,
    )


def _telephone(draw: _Draw) -> Needle:
    person, value = draw.word(_LAST), f"{draw.number(3)}-{draw.number(4)}"
    return Needle(
        f"To order bread from the {person} bakery, people dial {value} before noon.",
        f"Which number do people dial to order bread from the {person} bakery?",
        value,
    )


def _ferry(draw: _Draw) -> Needle:
    colour, city = draw.word(_COLOURS), draw.word(_CITIES)
    value = f"{draw.word(_FIRST)} {draw.word(_ANIMALS).capitalize()}"
    return Needle(
        f"The {colour} ferry that crosses to {city} on Sundays is named the {value}.",
        f"What is the {colour} ferry that crosses to {city} on Sundays named?",
        value,
    )


def _invoice(draw: _Draw) -> Needle:
    person, value = draw.word(_LAST), f"{draw.number(2)},{draw.number(3)}"
    return Needle(
        f"The invoice of the clockmaker {person} came to {value} crowns.",
        f"How many crowns did the invoice of the clockmaker {person} come to?",
        value,
    )


def _room(draw: _Draw) -> Needle:
    city, value = draw.word(_CITIES), f"{draw.word(_COLOURS).capitalize()} {draw.number(3)}"
    return Needle(
        f"The chess club of {city} meets every Thursday in room {value}.",
        f"In which room does the chess club of {city} meet?",
        value,
    )


_FORMS: tuple[Callable[[_Draw], Needle], ...] = (
    _code, _keeper, _password, _key, _recipe, _bell, _telephone, _ferry, _invoice, _room,
)  # fmt: skip
MAX_NEEDLES = 40  # beyond, the names repeat and two questions could mean one needle


def needles(number: int, seed: int) -> list[Needle]:
    """Needles in the order in which they stand in a document. Raises BadRequest for more than MAX_NEEDLES."""
    if number > MAX_NEEDLES:
        raise BadRequest(f"{number} needles were asked for, and at most {MAX_NEEDLES} differ enough; lower --needles")
    rng = random.Random(f"{seed} needles")
    draw = _Draw(rng)
    forms = [form for _ in range(0, number, len(_FORMS)) for form in rng.sample(_FORMS, len(_FORMS))]
    made: list[Needle] = []
    for form in forms[:number]:
        needle = form(draw)
        while any(_confusable(needle, other) for other in made):
            needle = form(draw)
        made.append(needle)
    return made


def _confusable(one: Needle, other: Needle) -> bool:
    """Whether one question could mean both, or one value stands in both."""
    return one.question == other.question or one.value in other.sentence or other.value in one.sentence
