"""What runs beside the pages of one server: the line of questions, metrics, the audit log, and what is kept how long.

Owns them for as long as the server lives; libraries that are opened through it tell it what happens in them.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from app.errors import LongleafAppError
from app.jobs import Jobs
from app.service import Longleaf
from app.service.allowance import Allowance
from app.service.audit import AuditLog
from app.service.engine import LoadEngine
from app.service.line import Line
from app.service.page_images import PageImages
from app.service.retention import HOUR_S, Sweeper, expire
from app.service.watching import Watcher
from app.settings import Settings
from app.web.host.metrics import Metrics

SWEEP_EVERY_S = 300.0
_log = logging.getLogger(__name__)
# (folder of a library, its library if it is open, how long it keeps things; None: for good)
Kept = tuple[Path, Longleaf | None, float | None]


class Operations:
    """Of one server. Raises LibraryUnusable where the audit log cannot be used."""

    def __init__(self, settings: Settings, on_text: Callable[[str], None], load: LoadEngine) -> None:
        self._settings, self._on_text, self._load = settings, on_text, load
        self._ending = ExitStack()
        self.line = Line()
        self._page_images = PageImages()
        self.metrics = Metrics(lambda: len(self.line))
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.audit = self._ending.enter_context(closing(AuditLog(settings.data_dir))) if settings.audit else None

    def close(self) -> None:
        self._ending.close()

    def library(
        self, folder: Path, who: str, allowance: Allowance | None = None, watcher: Watcher | None = None
    ) -> Longleaf:
        """A library whose questions stand in the server's line. Raises LibraryUnusable."""
        watchers: list[Watcher] = [self.metrics] if watcher is None else [self.metrics, watcher]
        if self.audit is not None:
            watchers.append(self.audit.of(who))
        library = Longleaf(
            replace(self._settings, data_dir=folder), on_text=self._on_text, load=self._load, allowance=allowance,
            watchers=watchers, line=self.line, page_images=self._page_images,
        )  # fmt: skip
        return self.metrics.watch(library)

    def follow(self, jobs: Jobs) -> Jobs:
        """Counts them in the metrics."""
        self.metrics.follow(jobs)
        return jobs

    def keep(self, libraries: Callable[[], Iterable[Kept]]) -> None:
        """Deletes, from now on and again and again, what is older than its library keeps it."""
        sweeper = Sweeper(lambda: self._sweep(libraries()), SWEEP_EVERY_S)
        self._ending.callback(sweeper.close)

    def _sweep(self, libraries: Iterable[Kept]) -> None:
        for folder, opened, keep_hours in libraries:
            if keep_hours is None or not (folder / "catalogue.sqlite").is_file():
                continue
            try:
                self._expire(folder, opened, keep_hours * HOUR_S)
            except LongleafAppError as error:
                _log.warning("a library could not be looked through for what is too old: %s", error)

    def _expire(self, folder: Path, opened: Longleaf | None, keep_s: float) -> None:
        if opened is not None:
            expire(opened, keep_s)
            return
        with closing(self.library(folder, "retention")) as longleaf:
            expire(longleaf, keep_s)
