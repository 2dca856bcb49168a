"""What the panels work with: library, background work, uploads, samples, questions, tables, comparisons."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from app.jobs import Jobs
from app.service import Longleaf
from app.service.sharing import Sharing
from app.web.asking import Questions
from app.web.comparing import Comparisons
from app.web.host.uploads import Uploads
from app.web.samples import Sample
from app.web.tabling import Tables


@dataclass(frozen=True)
class Services:
    """What the panels work with. `paths_allowed`: a path on this computer's disk may be typed.

    `person`: who is signed in; None where nobody need be. `banner`: what everyone must know who uses this page.
    """

    longleaf: Longleaf
    jobs: Jobs
    uploads: Uploads
    samples: tuple[Sample, ...]
    paths_allowed: bool
    person: str | None = None
    is_admin: bool = False
    banner: Callable[[], str] = str
    sharing: Sharing | None = None  # with others on the same server; None where there are none
    visit: str | None = None  # under which a visitor's browser keeps what was asked; None: the library alone keeps it

    @property
    def is_busy(self) -> bool:
        """Whether something goes on for which nobody need look."""
        return (
            any(not job.is_finished for job in self.jobs.jobs())
            or self.questions.latest() is not None
            or self.tables.are_filling
            or self.comparisons.are_running
        )

    @cached_property
    def questions(self) -> Questions:
        return Questions(self.longleaf)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.longleaf)

    @cached_property
    def comparisons(self) -> Comparisons:
        return Comparisons(self.longleaf)
