"""What the panels work with: the library, the background work, the uploads, the samples, the tables."""

from dataclasses import dataclass
from functools import cached_property

from app.jobs import Jobs
from app.service import Longleaf
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
    banner: str = ""

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.longleaf)
