"""What an answer may be: one of given choices, or a stretch of the text shown that fits a pattern. Plain values.

Where the model sees nothing that fits, only the refusal is left; so what is written is a choice, or stands in the
document.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MAX_STRINGS = 400  # of one document; a grammar of more takes longer than the answer


@dataclass(frozen=True)
class Form:
    """Raises ValueError unless there are choices or a pattern that compiles, and not both."""

    choices: tuple[str, ...] = ()
    pattern: str | None = None  # of `re`; flags stand in it: "(?i)…"
    barred: tuple[str, ...] = ()  # what fits the pattern, and was wrong

    def __post_init__(self) -> None:
        if bool(self.choices) == (self.pattern is not None):
            raise ValueError(f"a form has choices or a pattern; got {self.choices!r} and {self.pattern!r}")
        if not all(choice.strip() for choice in self.choices):
            raise ValueError(f"the choices are {self.choices!r}; each must be text that is not empty")
        if self.pattern is not None:
            re.compile(self.pattern)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        assert self.pattern is not None, "choices need no pattern"
        return re.compile(self.pattern)

    def strings(self, shown: Iterable[str]) -> list[str]:
        """What an answer may be, where these texts are shown: each once, at most MAX_STRINGS, in their order."""
        if self.choices:
            return list(dict.fromkeys(self.choices))
        barred = {"", *(" ".join(string.split()) for string in self.barred)}
        found: dict[str, None] = {}
        for text in shown:
            for match in self._compiled.finditer(text):
                string = " ".join(match[0].split())
                if string not in barred:
                    found.setdefault(string)
                if len(found) == MAX_STRINGS:
                    return list(found)
        return list(found)
