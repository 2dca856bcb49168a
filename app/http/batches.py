"""/api/batches: the same questions or fields of many documents, as rows.

The rows are those of the command `batch`, made as the page's tables are, and kept as long as the process lives; for
work that must survive a restart there is the command.
"""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, model_validator

from app.errors import BadRequest
from app.http.asking import sse, streamed
from app.http.failing import Missing
from app.http.guard import Door
from app.http.jobs import changes
from app.http.paging import MAX_LISTED, Cursor, Limit, paged
from app.http.shapes import MAX_QUESTION, DocumentKeys, Given, RowBody

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.web.services import Services
    from app.web.tabling import Table

MAX_ROWS = 1000
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Line = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION, pattern=r"^[^\r\n]+$")]
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


class BatchAsked(Given):
    documents: DocumentKeys
    questions: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    fields: Annotated[
        str | None, Field(max_length=MAX_QUESTION, description="Fields in the short form: `party, amounts: number[]`")
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "BatchAsked":
        if bool(self.questions) == bool((self.fields or "").strip()):
            raise ValueError("give either questions or fields")
        return self


class BatchBody(BaseModel):
    """How far a batch is."""

    id: str
    documents: int
    columns: list[str] = Field(description="The questions, or the names of the fields.")
    total: int = Field(description="Rows that there will be.")
    done: int = Field(description="Rows that there are.")
    doing: str
    error: str | None
    over: bool

    @classmethod
    def of(cls, batch_id: str, table: "Table") -> "BatchBody":
        return cls(
            id=batch_id, documents=len(table.documents), columns=[name for _, name in table.columns],
            total=table.total, done=len(table.rows), doing=table.doing, error=table.error, over=table.over,
        )  # fmt: skip


class BatchList(BaseModel):
    batches: list[BatchBody]
    next: str | None = Field(description="The `cursor` of the page that follows; null on the last.")


class Rows(BaseModel):
    rows: list[RowBody]
    next: str | None = Field(description="The `cursor` to go on with; null when the batch is over and all were given.")


def batch_routes(services: "Services", door: Door, route_class: type[APIRoute]) -> APIRouter:
    router = APIRouter(prefix="/api/batches", tags=["batches"], route_class=route_class)
    longleaf, tables = services.longleaf, services.tables
    may_read, may_write = Depends(door.lets("read")), Depends(door.lets("write"))

    def found(batch_id: str) -> "Table":
        try:
            return tables.table(batch_id)
        except BadRequest:
            raise Missing(f"there is no batch {batch_id}; it may have been of an earlier run: start it again") from None

    @router.post("", status_code=202, dependencies=[may_write], summary="Put the same questions to many documents")
    def start_batch(asked: BatchAsked, response: Response) -> BatchBody:
        ids = list(dict.fromkeys(longleaf.entry(key).id for key in asked.documents))
        text = "\n".join(asked.questions) or asked.fields or ""
        batch_id = tables.start(ids, text, are_fields=not asked.questions)
        response.headers["location"] = f"/api/batches/{batch_id}"
        return BatchBody.of(batch_id, found(batch_id))

    @router.get("", dependencies=[may_read], summary="List the batches that are remembered, oldest first")
    def list_batches(limit: Limit = MAX_LISTED, cursor: Cursor = None) -> BatchList:
        """All that run, and the last eight that are over."""
        shown, following = paged(tables.ids(), str, limit, cursor)
        return BatchList(batches=[BatchBody.of(batch_id, found(batch_id)) for batch_id in shown], next=following)

    @router.get("/{batch_id}", dependencies=[may_read], summary="How far a batch is")
    def show_batch(batch_id: BatchId) -> BatchBody:
        return BatchBody.of(batch_id, found(batch_id))

    _row_routes(router, found, may_read)

    @router.post("/{batch_id}/cancel", dependencies=[may_write], summary="Stop a batch; its rows so far are kept")
    def cancel_batch(batch_id: BatchId) -> BatchBody:
        """The row that is being made is the last one."""
        found(batch_id)
        tables.stop(batch_id)
        return BatchBody.of(batch_id, found(batch_id))

    return router


def _row_routes(router: APIRouter, found: "Callable[[str], Table]", may_read: Any) -> None:
    @router.get(
        "/{batch_id}/rows", dependencies=[may_read], response_model_exclude_unset=True,
        summary="The rows that there are, in order",
    )  # fmt: skip
    def list_rows(
        batch_id: BatchId,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 100,
        cursor: Annotated[str, Query(pattern="^[0-9]{1,9}$", description="`next` of the page before.")] = "0",
    ) -> Rows:
        table, start = found(batch_id), int(cursor)
        shown = table.rows[start : start + limit]
        end = start + len(shown)
        following = None if table.over and end >= len(table.rows) else str(end)
        return Rows(rows=[RowBody.model_validate(row) for row in shown], next=following)

    @router.get(
        "/{batch_id}/events", dependencies=[may_read], summary="Follow a batch until it is over",
        response_class=StreamingResponse, responses=_STREAM,
    )  # fmt: skip
    async def follow_batch(batch_id: BatchId, request: Request) -> Response:
        """An event `batch` whenever something changed."""
        await run_in_threadpool(found, batch_id)

        async def look() -> tuple[bytes, bool]:
            table = await run_in_threadpool(found, batch_id)
            return sse("batch", BatchBody.of(batch_id, table).model_dump()), table.over

        return streamed(changes(look, request))
