"""What Prometheus may know of a running server: counts, times and sizes; never a name, a question or a text.

Owns one registry for each server. A `Watcher`: libraries tell it what happened; what goes on now is looked up when
somebody asks.
"""

import threading
import weakref
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.jobs import Jobs
from app.service import Entry, Longleaf, Receipt
from llm.answer import Answer, ExpertUse

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
WORKING = ("waiting", "parse", "index", "read")


class Metrics:
    """The figures of one server. Safe to use from several threads."""

    def __init__(self, num_waiting: Callable[[], int] = lambda: 0) -> None:
        """`num_waiting`: questions that wait or are being answered now."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._answers = Counter("longleaf_answers", "Questions that ended", ["outcome"], registry=self.registry)
        self._first_s = Histogram(
            "longleaf_first_word_seconds", "From a question's turn to its first word", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._total_s = Histogram(
            "longleaf_answer_seconds", "From a question's turn to its answer", buckets=SECONDS, registry=self.registry
        )  # fmt: skip
        self._tokens = Counter("longleaf_tokens", "Tokens of documents for answers", ["source"], registry=self.registry)
        self._added = Counter("longleaf_documents_added", "Sources that came in", registry=self.registry)
        self._deleted = Counter("longleaf_documents_deleted", "Documents that were deleted", registry=self.registry)
        self._requests = Counter("longleaf_http_requests", "Requests by status", ["status"], registry=self.registry)
        self.registry.register(_Now(num_waiting, self._jobs_of))
        self.registry.register(_Experts(self._uses))
        self._followed: weakref.WeakSet[Jobs] = weakref.WeakSet()
        self._libraries: weakref.WeakSet[Longleaf] = weakref.WeakSet()
        self._lock = threading.Lock()

    def follow(self, jobs: Jobs) -> None:
        """Counts these jobs, too, as long as they live."""
        with self._lock:
            self._followed.add(jobs)

    def watch(self, library: Longleaf) -> Longleaf:
        """Counts what its models do, too, as long as it lives; one model of several libraries once."""
        with self._lock:
            self._libraries.add(library)
        return library

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def responded(self, status: int) -> None:
        self._requests.labels(f"{status // 100}xx").inc()

    def added(self, entry: Entry) -> None:
        self._added.inc()

    def deleted(self, receipt: Receipt) -> None:
        self._deleted.inc()

    def answered(self, document_ids: Sequence[str], answer: Answer) -> None:
        outcome = "stopped" if answer.stopped else "found" if answer.found else "not_found"
        self._answers.labels(outcome).inc()
        self._first_s.observe(answer.timing.first_token_s)
        self._total_s.observe(answer.timing.total_s)
        self._tokens.labels("reused").inc(answer.timing.reused_tokens)
        self._tokens.labels("read").inc(answer.timing.new_tokens)

    def _jobs_of(self) -> Counted[str]:
        with self._lock:
            followed = list(self._followed)
        return Counted(status.stage for jobs in followed for status in jobs.jobs())

    def _uses(self) -> list[ExpertUse]:
        with self._lock:
            libraries = list(self._libraries)
        return list({name: use for library in libraries for name, use in library.expert_uses().items()}.values())


class _Now:
    """What goes on at the moment of asking."""

    def __init__(self, num_waiting: Callable[[], int], stages: Callable[[], Counted[str]]) -> None:
        self._num_waiting, self._stages = num_waiting, stages

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "longleaf_questions_now", "Questions that wait or are being answered", value=self._num_waiting()
        )
        stages = self._stages()
        jobs = GaugeMetricFamily("longleaf_jobs_now", "Sources on their way in, by stage", labels=["stage"])
        for stage in WORKING:
            jobs.add_metric([stage], stages[stage])
        yield jobs


class _Experts:
    """How routed experts were fetched, where a model's are, since it was loaded."""

    def __init__(self, uses: Callable[[], Sequence[ExpertUse]]) -> None:
        self._uses = uses

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        uses = self._uses()
        if not uses:
            return
        needed = CounterMetricFamily("longleaf_experts", "Routed experts that tokens needed", labels=["outcome"])
        needed.add_metric(["in_place"], sum(use.hits for use in uses))
        needed.add_metric(["fetched"], sum(use.misses for use in uses))
        yield needed
        fetched_bytes = sum(use.fetched_bytes for use in uses)
        yield CounterMetricFamily("longleaf_experts_fetched_bytes", "Of routed experts", value=fetched_bytes)
