"""Lists in pages: `limit` items, and a cursor that names the last one, so that nothing that is added shifts a page."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from app.errors import BadRequest

MAX_LISTED = 500
Limit = Annotated[int, Query(ge=1, le=MAX_LISTED)]
Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]
Item = TypeVar("Item")


def paged(
    items: Sequence[Item], id_of: Callable[[Item], str], limit: int, cursor: str | None
) -> tuple[Sequence[Item], str | None]:
    """The items behind the cursor, and the cursor of the page that follows. Raises BadRequest."""
    start = 0
    if cursor is not None:
        ids = [id_of(item) for item in items]
        if cursor not in ids:
            raise BadRequest(f"the cursor {cursor[:40]!r} is not known any more; begin again without one")
        start = ids.index(cursor) + 1
    shown = items[start : start + limit]
    return shown, id_of(shown[-1]) if start + limit < len(items) else None
