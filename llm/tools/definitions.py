"""What a model may call, as JSON Schemas, and what a call is. Plain values, without torch."""

from dataclasses import dataclass
from typing import Any

MAX_ROUNDS = 6  # of calls; then the model must answer
LINES = 120  # that one call of read_page gives
HINT = "These are the passages that fit the question best, not all there is; the tools search the rest.\n"


@dataclass(slots=True)
class ToolCall:
    """One that a model asks for."""

    id: str = ""
    name: str = ""
    arguments: str = ""  # JSON, if the model wrote any


def _function(name: str, description: str, **parameters: Any) -> dict[str, Any]:
    required = [key for key, value in parameters.items() if "default" not in value]
    schema = {"type": "object", "properties": parameters, "required": required, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


_WHOLE_NUMBER = {"type": "integer", "minimum": 1}
TOOLS = (
    _function("list_documents", "Names all documents, with their numbers of pages."),
    _function(
        "search", "Finds the passages of all documents that fit a query best.",
        query={"type": "string", "description": "What to look for, in words that may stand there."},
    ),
    _function(
        "read_page", f"Reads {LINES} lines of a page of a document; a text or code file is one page.",
        document={"type": "string", "description": "Its name, as passages and list_documents show it."},
        page=_WHOLE_NUMBER, first_line={**_WHOLE_NUMBER, "default": 1},
    ),
)  # fmt: skip
