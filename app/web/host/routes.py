"""The routes beside Gradio: page images and uploads. Nothing here is cached by the browser or listed anywhere."""

import json
import logging

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.errors import NotInLibrary, sentence_of
from app.service.masking import masked_answer
from app.web.services import Services
from app.web.texts import t
from ingest.errors import SourceTooLarge

log = logging.getLogger(__name__)
NOT_STORED = {"cache-control": "private, no-store"}
EXPORT_TYPES = {"md": "text/markdown", "html": "text/html", "json": "application/json"}
TABLE_TYPES = {
    "jsonl": "application/jsonl", "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
MIN_DPI, MAX_DPI = 36, 300
READ_ONLY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def page_routes(services: Services) -> APIRouter:
    """GET /page/<leaf id>/<page index>.png?dpi=N; POST /uploads, then PUT ?path=… and DELETE /uploads/<batch>;
    GET /export/<conversation>.<md, html or json>?mask=1, /export/feedback.json, /answer/<permalink>,
    /table/<id>.<xlsx, csv or jsonl>?mask=1."""
    router = APIRouter(include_in_schema=False)
    longleaf, uploads = services.longleaf, services.uploads

    @router.get("/page/{leaf_id}/{page_index}.png")
    def page_image(leaf_id: str, page_index: int, dpi: int = 110) -> Response:
        if not MIN_DPI <= dpi <= MAX_DPI:
            raise HTTPException(
                400, t("dpi is {dpi}; it must be {least} to {most}", dpi=dpi, least=MIN_DPI, most=MAX_DPI)
            )
        try:
            png = longleaf.page_image(leaf_id, page_index, dpi)
        except Exception as error:
            raise _as_http(error, 404) from error
        return Response(png, media_type="image/png", headers=NOT_STORED)

    @router.post("/uploads")
    def open_upload() -> JSONResponse:
        return JSONResponse({"batch": uploads.open()}, headers=NOT_STORED)

    @router.put("/uploads/{batch_id}")
    async def upload(batch_id: str, path: str, request: Request) -> JSONResponse:
        try:
            written = await uploads.write(batch_id, path, request.stream(), request.headers.get("content-length"))
        except Exception as error:
            raise _as_http(error, 413 if isinstance(error, SourceTooLarge) else 400) from error
        return JSONResponse({"bytes": written}, headers=NOT_STORED)

    @router.delete("/uploads/{batch_id}")
    async def give_up(batch_id: str) -> Response:
        await run_in_threadpool(uploads.discard, batch_id)
        return Response(status_code=204)

    _add_downloads(router, services)
    return router


def _add_downloads(router: APIRouter, services: Services) -> None:
    """What is kept as a file, and one answer as a page to be read only."""
    longleaf = services.longleaf

    @router.get("/export/{name}.{form}")
    def export(name: str, form: str, mask: bool = False) -> Response:
        history = longleaf.history
        try:
            if (name, form) == ("feedback", "json"):
                judged = [masked_answer(kept) if mask else kept for kept in history.judged()]
                text = json.dumps([kept.as_json() for kept in judged], ensure_ascii=False, indent=2)
            else:
                text = history.export(name, form, is_masked=mask)
        except Exception as error:
            raise _as_http(error, 404) from error
        return _download(f"{name}.{form}", text, EXPORT_TYPES[form])

    @router.get("/answer/{permalink}")
    def answer(permalink: str) -> Response:
        try:
            text = longleaf.history.page_of(permalink)
        except Exception as error:
            raise _as_http(error, 404) from error
        return Response(text, media_type="text/html", headers={**NOT_STORED, **READ_ONLY})

    @router.get("/table/{table_id}.{form}")
    def table(table_id: str, form: str, mask: bool = False) -> Response:
        try:
            data = services.tables.exported(table_id, form, is_masked=mask)
        except Exception as error:
            raise _as_http(error, 404) from error
        return _download(f"table-{table_id}.{form}", data, TABLE_TYPES[form])


def _download(name: str, content: str | bytes, media_type: str) -> Response:
    """To be kept as a file, never shown: nothing in it can run."""
    headers = {**NOT_STORED, "content-disposition": f'attachment; filename="longleaf-{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _as_http(error: Exception, status: int) -> HTTPException:
    """The sentence of an error that a person can cause; anything else is logged and says only that it failed."""
    sentence = sentence_of(error)
    if sentence is None:
        log.exception("a request failed")
        return HTTPException(500, t("Longleaf failed at this; its log says more."))
    return HTTPException(404 if isinstance(error, NotInLibrary) else status, sentence)
