"""/api/documents: hand over, list, show, look at a page, read whole, delete."""

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.errors import BadRequest
from app.http.failing import Missing
from app.http.guard import Door
from app.http.shapes import (
    DocumentBody,
    DocumentList,
    DocumentWithFiles,
    FileBody,
    JobBody,
    PageBody,
    ReceiptBody,
)
from app.service import Entry, Longleaf
from ingest.document import Kind
from ingest.options import PageRange, ReadOptions

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from app.web.services import Services

MAX_LISTED = 500
DocumentId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The document's id, whole.")]
PageNo = Annotated[int, Path(ge=1, lt=10**9, description="From 1; a text or code file is one page.")]
Name = Annotated[str, Query(min_length=1, max_length=240, description="The file's name with its ending; never a path.")]
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": _BYTES}}}


def document_routes(services: "Services", door: Door, route_class: "type[APIRoute]") -> APIRouter:
    router = APIRouter(prefix="/api/documents", tags=["documents"], route_class=route_class)
    _upload_route(router, services, door)
    _library_routes(router, services, door)
    _page_routes(router, services.longleaf, door)
    return router


def _upload_route(router: APIRouter, services: "Services", door: Door) -> None:
    jobs, uploads = services.jobs, services.uploads

    @router.post(
        "", status_code=202, response_model=JobBody, dependencies=[Depends(door.lets("write"))], openapi_extra=_UPLOAD,
        summary="Hand over a file or archive, and have it read",
    )  # fmt: skip
    async def add_document(
        request: Request,
        response: Response,
        name: Name,
        pages: Annotated[str | None, Query(max_length=200, description="Read only these: 3-7,12")] = None,
        ocr: Annotated[bool, Query(description="Recognise text on scans and pictures.")] = True,
        document_password: Annotated[
            str | None, Header(max_length=200, description="Opens encrypted PDFs; never stored.")
        ] = None,
    ) -> JobBody:
        """The body is the file itself. The same bytes again cost nothing, and give the same document."""
        options = ReadOptions(password=document_password, pages=_page_range(pages), ocr=ocr)
        if "/" in name or "\\" in name:
            raise BadRequest(f"the name is {name!r}; it must be the name of a file, without folders")
        batch_id = uploads.open()
        try:
            if not await uploads.write(batch_id, name, request.stream(), request.headers.get("content-length")):
                raise BadRequest(f"{name} is empty: the body of the request must be the file")
            (job_id,) = jobs.submit(uploads.hand_over(batch_id), options)
        except BaseException:
            await run_in_threadpool(uploads.discard, batch_id)
            raise
        uploads.discard_when(batch_id, lambda: not _runs(services, job_id))
        response.headers["location"] = f"/api/jobs/{job_id}"
        return JobBody.of(jobs.job(job_id))


def _library_routes(router: APIRouter, services: "Services", door: Door) -> None:
    longleaf, jobs = services.longleaf, services.jobs
    may_read, may_write = Depends(door.lets("read")), Depends(door.lets("write"))

    @router.get("", dependencies=[may_read], summary="List the documents, oldest first")
    def list_documents(
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
        cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
    ) -> DocumentList:
        after = None if cursor is None else _decoded(cursor)
        entries = sorted(longleaf.entries(), key=_place)
        rest = [entry for entry in entries if after is None or _place(entry) > after]
        shown = rest[:limit]
        return DocumentList(
            documents=[DocumentBody.of(entry) for entry in shown],
            next=_encoded(_place(shown[-1])) if len(rest) > limit else None,
        )

    @router.get("/{document_id}", dependencies=[may_read], summary="Show one document and its files")
    def show_document(document_id: DocumentId) -> DocumentWithFiles:
        entry = longleaf.entry(document_id)
        leaves = longleaf.document(entry.id).leaves()
        files = [FileBody(id=leaf.id, name=leaf.name, kind=leaf.kind, pages=len(leaf.pages)) for leaf in leaves]
        return DocumentWithFiles.model_validate({**entry.as_json(), "files": files})

    @router.delete("/{document_id}", dependencies=[may_write], summary="Delete a document and every trace of it")
    def delete_document(document_id: DocumentId) -> ReceiptBody:
        """Says what was removed. What another document of the library holds too is kept for it."""
        return ReceiptBody.model_validate(longleaf.delete(document_id).as_json())

    @router.post(
        "/{document_id}/reading", status_code=202, dependencies=[may_write],
        summary="Read a document whole, or go on where its reading stopped",
    )  # fmt: skip
    def read_document(document_id: DocumentId, response: Response) -> JobBody:
        job_id = jobs.read(document_id)
        response.headers["location"] = f"/api/jobs/{job_id}"
        return JobBody.of(jobs.job(job_id))


def _page_routes(router: APIRouter, longleaf: Longleaf, door: Door) -> None:
    may_read = Depends(door.lets("read"))

    @router.get("/{document_id}/pages/{page}", dependencies=[may_read], summary="The text of one page of a file")
    def show_page(document_id: DocumentId, page: PageNo) -> PageBody:
        document = longleaf.document(document_id)
        if page > len(document.pages):
            raise Missing(f"{document.name} has no page {page}; it has {len(document.pages)}")
        has_image = document.kind in (Kind.PDF, Kind.IMAGE)
        return PageBody(
            document=document.id, name=document.name, page=page, pages=len(document.pages),
            text=document.pages[page - 1].text,
            image=f"/api/documents/{document.id}/pages/{page}/image" if has_image else None,
        )  # fmt: skip

    @router.get(
        "/{document_id}/pages/{page}/image", dependencies=[may_read], summary="The picture of one page, upright",
        response_class=Response, responses=_PICTURE,
    )  # fmt: skip
    def draw_page(document_id: DocumentId, page: PageNo, dpi: Annotated[int, Query(ge=36, le=300)] = 110) -> Response:
        png = longleaf.page_image(document_id, page - 1, dpi)
        return Response(png, media_type="image/png", headers={"cache-control": "private, no-store"})


def _page_range(pages: str | None) -> PageRange | None:
    try:
        return None if pages is None else PageRange.parse(pages)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _runs(services: "Services", job_id: str) -> bool:
    try:
        status = services.jobs.job(job_id)
    except BadRequest:
        return False
    return not status.is_finished and status.entry_id is None


def _place(entry: Entry) -> tuple[str, str]:
    """Where an entry stands in the list, whatever is added or deleted meanwhile."""
    return entry.added_at, entry.id


def _encoded(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(" ".join(place).encode()).decode()


def _decoded(cursor: str) -> tuple[str, str]:
    try:
        added_at, _, entry_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(" ")
    except (binascii.Error, ValueError):
        raise BadRequest(f"the cursor {cursor[:40]!r} is not one; take `next` of the page before") from None
    return added_at, entry_id
