"""The library's fragments: what is being read, what went wrong, what a deletion removed."""

import re
from dataclasses import replace

from app.jobs import JobStatus
from app.service import Entry, Receipt
from app.web.render import library as fragments
from ingest.document import Kind, Problem, Severity


def entry(**changes: object) -> Entry:
    values: dict[str, object] = {
        "id": "a" * 64, "name": "lease.pdf", "kind": Kind.PDF, "pages": 12, "tokens": 8120, "size_bytes": 5,
        "is_read": True, "kv_bytes": 0, "added_at": "2026-01-01T00:00:00Z", "problems": (),
    }  # fmt: skip
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def test_a_document_shows_kind_pages_and_tokens() -> None:
    def seen(shown: Entry) -> str:
        return re.sub(r"</?span[^>]*>", "", fragments.document_list([shown], (), None))

    assert "PDF · 12 pages · 8,120 tokens · 5 bytes</p>" in seen(entry())
    unread = seen(entry(pages=1, tokens=None, is_read=False))
    assert "PDF · 1 page · 5 bytes</p>" in unread
    assert "not read whole yet" in unread
    assert "3.0 MB kept" in seen(entry(kv_bytes=3 * 1024**2))


def test_chosen_documents_are_ticked() -> None:
    shown = fragments.document_list([entry(id="a1"), entry(id="b2")], {"b2"}, None)
    assert "1 of 2 chosen" in shown
    assert 'data-arg="b2" aria-label="Ask about lease.pdf" checked>' in shown
    assert 'data-arg="a1" aria-label="Ask about lease.pdf">' in shown


def test_problems_have_a_badge_with_their_count_and_open_into_a_list() -> None:
    problems = (
        Problem("lease.pdf", 3, "page not read", "it is damaged"),
        Problem("lease.pdf", None, "likely secret", "a key <b>", Severity.NOTICE),
    )
    shown = fragments.problems(problems)
    assert "<summary>2 problems</summary>" in shown
    assert "ll-severity-left_out" in shown
    assert "<b><bdi>lease.pdf</bdi>, page 3</b>" in shown
    assert "page not read: it is damaged" in shown
    assert "a key &lt;b&gt;" in shown
    assert "<summary>1 note</summary>" in fragments.problems(problems[1:])
    assert fragments.problems(()) == ""


def test_a_job_says_what_it_does_how_fast_and_how_long_still() -> None:
    job = JobStatus("j1", "lease.pdf", "read", 2048, 8120, "tokens", 310.0, 19.6)
    assert fragments.job_facts(job) == "Reading 2,048 of 8,120 tokens · 310 tokens/s · about 20 s left"
    assert fragments.job_facts(JobStatus("j1", "lease.pdf", "waiting")) == "Waiting for its turn"
    assert fragments.job_facts(JobStatus("j1", "lease.pdf", "parse", rate_per_s=3.0)) == "Opening"
    assert fragments.job_facts(JobStatus("j1", "lease.pdf", "parse", entry_id="e")) == "Getting the model ready"
    assert 'aria-label="Cancel lease.pdf"' in fragments.job_list([job])
    stopping = fragments.document_list([entry()], (), None, {"a" * 64: replace(job, stopping=True)})
    assert "Stopping after this step" in stopping
    assert 'data-act="cancel"' not in stopping


def test_a_failed_job_keeps_its_reason() -> None:
    shown = fragments.job_list([JobStatus("j1", "<b>.pdf", "failed", error="<b>.pdf is empty; hand over another")])
    assert '<p class="ll-error">&lt;b&gt;.pdf is empty; hand over another</p>' in shown
    assert 'aria-label="Dismiss &lt;b&gt;.pdf"' in shown
    assert "progressbar" not in shown


def test_deleting_asks_first_and_gives_a_receipt() -> None:
    assert "This cannot be undone" in fragments.document_list([entry()], (), "a" * 64)
    assert "This cannot be undone" not in fragments.document_list([entry()], (), None)
    receipt = fragments.receipt(Receipt("a", "lease.pdf", 1, 2, 1, 2048, 10, 3 * 1024**2, 4))
    for text in ("Deleted <bdi>lease.pdf</bdi>", "1 original", "2.0 kB", "3.0 MB", "4 answers", "2 files stay"):
        assert text in receipt


def test_a_hostile_name_is_only_shown() -> None:
    shown = fragments.document_list([entry(name='"><script>alert(1)</script>')], (), "a" * 64)
    assert "<script" not in shown
    assert "&quot;&gt;&lt;script&gt;" in shown
