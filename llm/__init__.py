"""The backbone and its runtime: readings, evidence, answers with checked citations. `Engine` is the door.

`Engine` is imported when it is first named, so that the plain values of `llm.answer` cost no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from llm.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
