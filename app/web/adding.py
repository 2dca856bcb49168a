"""Adding sources: dropped or chosen files and folders, a path on this computer, a sample.

Owns its components and their events. What is added becomes jobs, which go on when the tab is closed; the page's
`shelf` state remembers which jobs are its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from app.errors import BadRequest
from app.jobs import Jobs
from app.web.events import act_of, arg_of, sentence
from app.web.render import library as fragments
from app.web.render.answer import in_progress
from app.web.services import Services
from app.web.state import PageState, Shelf, Starter
from app.web.texts import t
from app.web.theme import HIDDEN, fragment
from ingest.options import PageRange, ReadOptions

MAX_NAMED = 8  # jobs in an address
BUSY_S, IDLE_S = 1.0, 5.0  # how often the page looks for news


class AddPanel:
    """Built inside the page's layout; `wire` connects it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.drop = fragment("ll-drop", fragments.drop_zone(services.uploads.limits))
        with gr.Accordion(t("Options for what is added"), open=False, elem_id="ll-options"):
            self.pages = gr.Textbox(label=t("Pages"), placeholder=t("all, or 3-7,12"), max_lines=1)
            self.password = gr.Textbox(
                label=t("Password"), type="password", placeholder=t("of an encrypted file"), max_lines=1
            )
            self.ocr = gr.Checkbox(True, label=t("Recognise text on scans and pictures"))
            with gr.Column(visible=services.paths_allowed, elem_id="ll-path"):
                self.path = gr.Textbox(label=t("Path on this computer"), placeholder="/home/you/papers", max_lines=1)
                self.add_path = gr.Button(t("Add this path"), size="sm", elem_id="ll-add-path")

    def wire(
        self,
        state: PageState,
        notice: gr.HTML,
        timer: gr.Timer,
        answer: gr.HTML,
        samples: Sequence[gr.HTML],
        failed: gr.HTML,
    ) -> None:
        """`samples` offer samples, `failed` to try again; `answer` says that a sample's question still waits."""
        options = [self.pages, self.password, self.ocr]
        added = [state.shelf, notice, timer, self.password]
        self.drop.select(self.add_upload, [state.shelf, *options], added, **HIDDEN)
        gr.on(
            [self.add_path.click, self.path.submit], self.add_typed, [state.shelf, self.path, *options], added, **HIDDEN
        )
        for panel in samples:
            panel.select(self.add_sample, [state.shelf], [*added, answer], **HIDDEN)
        failed.select(self.retry, [state.shelf, *options], added, **HIDDEN)

    def add_upload(self, event: gr.EventData, shelf: Shelf, pages: str, password: str, ocr: bool) -> tuple[Any, ...]:
        """A batch of files that the browser has finished sending; a refusal when it reports one."""
        act, arg = act_of(event), arg_of(event)
        if act == "refused":
            return gr.skip(), fragments.refusal(arg), gr.skip(), gr.skip()
        if act != "upload":
            return (gr.skip(),) * 4

        def submit() -> list[str]:
            options = _options(pages, password, ocr)
            sources = self._services.uploads.hand_over(arg)
            return self._submit(sources, options, batch_id=arg)

        return self._added(shelf, submit)

    def add_typed(self, shelf: Shelf, path: str, pages: str, password: str, ocr: bool) -> tuple[Any, ...]:
        """A path on the disk of the computer that Longleaf runs on."""

        def submit() -> list[str]:
            if not self._services.paths_allowed:
                raise BadRequest(t("paths can be typed only on the computer that Longleaf runs on; upload the files"))
            if not path.strip():
                raise BadRequest(t("the path is empty; type where the file or folder is"))
            source = Path(path.strip()).expanduser().absolute()
            return self._submit([(source, source.name)], _options(pages, password, ocr))

        return self._added(shelf, submit)

    def add_sample(self, event: gr.EventData, shelf: Shelf) -> tuple[Any, ...]:
        """A sample that ships with Longleaf; its first question is asked as soon as it is read."""
        sample = next((sample for sample in self._services.samples if sample.path.name == arg_of(event)), None)
        if act_of(event) != "sample" or sample is None:
            return (gr.skip(),) * 5
        name, question = sample.path.name, sample.questions[0]
        shelf_after, *rest = self._added(shelf, lambda: self._submit([(sample.path, name)], ReadOptions()))
        if not isinstance(shelf_after, Shelf):
            return shelf_after, *rest, gr.skip()
        shelf_after = replace(shelf_after, starter=Starter(next(iter(shelf_after.fresh)), question))
        return shelf_after, *rest, in_progress(question, t("Reading {document} first", document=name), None, "", 0)

    def retry(self, event: gr.EventData, shelf: Shelf, pages: str, password: str, ocr: bool) -> tuple[Any, ...]:
        """Once more what failed, with the options as they are now: a password, say."""
        job_id = arg_of(event)
        if act_of(event) != "retry":
            return (gr.skip(),) * 4

        def again() -> list[str]:
            self._services.jobs.retry(job_id, _options(pages, password, ocr))
            return [job_id]

        return self._added(shelf, again)

    def _added(self, shelf: Shelf, submit: Callable[[], list[str]]) -> tuple[Any, ...]:
        try:
            job_ids = submit()
        except Exception as error:  # noqa: BLE001  `sentence` logs what nobody can be blamed for
            return gr.skip(), fragments.refusal(sentence(error)), gr.skip(), gr.skip()
        return (
            replace(shelf, fresh=frozenset(job_ids), jobs=tuple(job_ids[:MAX_NAMED]), starter=None),
            "",
            gr.Timer(BUSY_S),
            "",
        )

    def _submit(
        self, sources: Sequence[tuple[Path, str]], options: ReadOptions, batch_id: str | None = None
    ) -> list[str]:
        jobs = self._services.jobs
        job_ids = jobs.submit(sources, options)
        if batch_id is not None:
            self._services.uploads.discard_when(batch_id, lambda: all(_is_copied(jobs, job_id) for job_id in job_ids))
        return job_ids


def _options(pages: str, password: str, ocr: bool) -> ReadOptions:
    return ReadOptions(
        password=password or None, pages=PageRange.parse(pages) if (pages or "").strip() else None, ocr=bool(ocr)
    )


def _is_copied(jobs: Jobs, job_id: str) -> bool:
    """The library holds its own copy, or will never make one; what failed may be tried again until it is dismissed."""
    try:
        status = jobs.job(job_id)
    except BadRequest:
        return True
    return status.stage in ("done", "cancelled") or status.entry_id is not None
