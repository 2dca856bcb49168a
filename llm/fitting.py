"""How documents fit a model and the machine that it runs on, said before anything is asked: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the device that the model runs on."""

    held_bytes: int  # what a question opens of what was read, about
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pages that a model sees as pictures, too, and what that costs."""

    num_pages: int
    page_px: int  # their longer side, as it is now
    tokens: Mapping[int, int]  # of all of them, by size in pixels; the one that they have now among them
