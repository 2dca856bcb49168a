"""/api/jobs: sources on their way in, watched and stopped."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from app.errors import BadRequest
from app.http.asking import sse, streamed
from app.http.failing import Missing
from app.http.guard import Door
from app.http.paging import MAX_LISTED, Cursor, Limit, paged
from app.http.shapes import JobBody, JobList
from app.jobs import JobStatus

if TYPE_CHECKING:
    from app.web.services import Services

LOOK_EVERY_S = 0.25
STILL_AFTER = 40  # looks without news: ten seconds
JobId = Annotated[str, Path(pattern="^[0-9a-f]{12}$")]
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


def job_routes(services: "Services", door: Door, route_class: type[APIRoute]) -> APIRouter:
    router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=route_class)
    jobs = services.jobs
    may_read, may_write = Depends(door.lets("read")), Depends(door.lets("write"))

    def found(job_id: str) -> JobStatus:
        try:
            return jobs.job(job_id)
        except BadRequest as error:
            raise Missing(str(error)) from None

    @router.get("", dependencies=[may_read], summary="List the jobs that are remembered, oldest first")
    def list_jobs(limit: Limit = MAX_LISTED, cursor: Cursor = None) -> JobList:
        """All that run or wait, and the last 200 that are over. Jobs live as long as the process."""
        shown, following = paged(jobs.jobs(), lambda status: status.id, limit, cursor)
        return JobList(jobs=[JobBody.of(status) for status in shown], next=following)

    @router.get("/{job_id}", dependencies=[may_read], summary="How far a job is")
    def show_job(job_id: JobId) -> JobBody:
        return JobBody.of(found(job_id))

    @router.get(
        "/{job_id}/events", dependencies=[may_read], summary="Follow a job until it is over",
        response_class=StreamingResponse, responses=_STREAM,
    )  # fmt: skip
    async def follow_job(job_id: JobId, request: Request) -> Response:
        """An event `job` whenever something changed; the last one has the stage `done`, `failed` or `cancelled`."""
        found(job_id)

        async def look() -> tuple[bytes, bool]:
            status = found(job_id)
            return sse("job", JobBody.of(status).model_dump(mode="json")), status.is_finished

        return streamed(changes(look, request))

    @router.post("/{job_id}/cancel", dependencies=[may_write], summary="Stop a job; what was read is kept")
    def cancel_job(job_id: JobId) -> JobBody:
        """It is `cancelled` soon after, unless it was over already."""
        found(job_id)
        jobs.cancel(job_id)
        return JobBody.of(found(job_id))

    return router


async def changes(look: Callable[[], Awaitable[tuple[bytes, bool]]], request: Request) -> AsyncIterator[bytes]:
    """What `look` gives, whenever it is something else, until it says that it was the last."""
    shown, is_over, still = b"", False, 0
    while not is_over and not await request.is_disconnected():
        now, is_over = await look()
        still = 0 if now != shown else still + 1
        if now != shown or still % STILL_AFTER == 0:
            yield now if now != shown else b": nothing new\n\n"
        shown = now
        if not is_over:
            await asyncio.sleep(LOOK_EVERY_S)
