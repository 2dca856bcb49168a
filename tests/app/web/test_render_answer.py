"""What an answer says about itself: marks, evidence, coverage, cost; and that nothing in it can run."""

from dataclasses import replace

from app.service import Conversation, KeptAnswer
from app.service.values import Room
from app.web.render import answer as fragments
from app.web.render.basics import duration, escape, size
from app.web.texts import speaking
from llm.answer import Answer, Citation, Coverage, LeftOut, ReadingProgress
from llm.asking import NOTHING_FOUND
from tests.app.web.test_render_library import entry

HOSTILE = "<img src=x onerror=alert(1)>\"'</q>"


def test_a_mark_becomes_a_button_and_the_rest_of_the_text_stays(answer: Answer) -> None:
    shown = fragments.answered(answer)
    assert 'It is 900 crowns <button type="button" class="ll-mark" data-act="cite" data-arg="0"' in shown
    assert "[1]" not in shown


def test_a_mark_without_a_citation_stays_text_and_a_citation_without_a_mark_is_named(answer: Answer) -> None:
    shown = fragments.answered(replace(answer, answer="As in [2] and a[0]."))
    assert "As in [2] and a[0]. <button" in shown
    assert shown.count('class="ll-mark"') == 1


def test_verified_and_unverified_are_told_apart_in_words(answer: Answer, cite: Citation) -> None:
    shown = fragments.answered(replace(answer, citations=(cite, replace(cite, verified=False))))
    assert shown.count("quote checked") == 1
    assert shown.count("quote not confirmed") == 1
    assert shown.count("ll-citation-unverified") == 1


def test_cost_is_one_line(answer: Answer) -> None:
    assert fragments.timing_line(answer) == (
        '<p class="ll-meta ll-timing">38,211 tokens reused, 0 read; first word after 0.8 s; 5.1 s in all, '
        "12.4 tokens/s; LeafMoE-135M.</p>"
    )


def test_whole_reading_is_said_plainly(answer: Answer) -> None:
    assert fragments.coverage_line(replace(answer, coverage=Coverage(1, 12, 12, 900, 900))) == (
        '<p class="ll-coverage">Read 12 of 12 pages, all 900 tokens.</p>'
    )


def test_partial_reading_is_said_as_plainly_with_what_was_left_out(answer: Answer) -> None:
    part = Coverage(1, 300, 4, 90_000, 900, (LeftOut("<b>.pdf", 7, "too long & wide"),))
    shown = fragments.coverage_line(replace(answer, coverage=part))
    assert "Only the best passages were shown to the model: 900 of 90,000 tokens, from 4 of 300 pages." in shown
    assert "1 thing left out" in shown
    assert "<bdi>&lt;b&gt;.pdf</bdi>, page 7: too long &amp; wide" in shown


def test_an_answer_that_no_model_wrote_says_so_and_names_none(answer: Answer) -> None:
    unseen = Coverage(1, 300, 1, 90_000, 0, (LeftOut("a.pdf", None, "the model read nothing for it"),))
    looked_up = replace(answer, derived=True, coverage=unseen)
    assert fragments.coverage_line(looked_up) == (
        '<p class="ll-coverage">Looked up in the document, not written by the model.</p>'
    )
    assert fragments.timing_line(looked_up) == '<p class="ll-meta ll-timing">5.1 s in all, 12.4 tokens/s.</p>'
    computed = replace(looked_up, how="number of rows", coverage=replace(unseen, left_out=(*unseen.left_out,) * 2))
    assert "Worked out from a table, not written by the model. 1 thing left out<" in fragments.coverage_line(computed)
    with speaking("de"):
        assert "Im Dokument nachgeschlagen, nicht vom Modell geschrieben." in fragments.coverage_line(looked_up)


def test_a_model_that_looked_and_did_not_write_has_read_what_it_read(answer: Answer) -> None:
    shown = fragments.coverage_line(replace(answer, derived=True))
    assert "Looked up in the document, not written by the model. Read 12 of 12 pages, all 38,211 tokens." in shown
    assert "LeafMoE-135M" in fragments.timing_line(replace(answer, derived=True))


def test_nothing_shown_to_the_model_is_not_called_its_best_passages(answer: Answer) -> None:
    shown = fragments.coverage_line(replace(answer, coverage=Coverage(1, 12, 0, 900, 0)))
    assert shown == '<p class="ll-coverage ll-coverage-part">Nothing of 12 pages was shown to the model.</p>'


def test_the_map_of_a_folder_is_named_and_is_no_page_of_it(answer: Answer, cite: Citation) -> None:
    mapped = replace(cite, source="(map)", page=None, lines=(43, 43))
    shown = fragments.answered(replace(answer, citations=(mapped,), coverage=Coverage(1, 23, 0, 900, 80)))
    assert "<bdi>Map of the files</bdi>, line 43" in shown
    assert "Only the map of the files was shown to the model: 80 of 900 tokens." in shown


def test_not_found_is_calm_and_shows_where_was_looked(answer: Answer) -> None:
    shown = fragments.answered(replace(answer, found=False, answer="Not found: the lease does not say."))
    assert "Not found in the document" in shown
    assert "<p>The lease does not say.</p>" in shown
    assert "The nearest passages" in shown
    assert "Read 12 of 12 pages" in shown
    assert "ll-error" not in shown


def test_what_the_title_says_is_not_said_again(answer: Answer) -> None:
    shown = fragments.answered(replace(answer, found=False, answer=NOTHING_FOUND))
    assert '<p class="ll-not-found-title">Not found in the document</p></div>' in shown


def test_nothing_of_a_document_or_a_model_runs(answer: Answer, cite: Citation) -> None:
    hostile = replace(cite, source=HOSTILE, quote=HOSTILE)
    every = replace(answer, question=HOSTILE, answer=HOSTILE, citations=(hostile,))
    kept = KeptAnswer(1, "", "c", (), every, "wrong", HOSTILE)
    fragments_made = (
        fragments.answered(every),
        fragments.answered(replace(every, found=False)),
        fragments.in_progress(HOSTILE, HOSTILE, None, HOSTILE, 1),
        fragments.failed(HOSTILE, HOSTILE, HOSTILE),
        fragments.earlier([kept], None, None),
        fragments.answered(every, kept),
        fragments.scope([entry(name=HOSTILE)], None),
        fragments.scope([entry(name=HOSTILE), entry(name=HOSTILE)], None),
        fragments.suggestions([HOSTILE]),
        fragments.welcome([(HOSTILE, "PDF", HOSTILE)]),
    )
    for shown in fragments_made:
        assert "<img" not in shown
        assert "&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&lt;/q&gt;" in shown


def test_a_name_cannot_turn_the_reading_direction_around() -> None:
    assert escape("invoice\u202efdp.exe\x00") == "invoice\ufffdfdp.exe\ufffd"


def test_progress_has_rate_time_left_and_reuse() -> None:
    reading = ReadingProgress("read", 2048, 8120, "tokens", 310.4, 19.6, 512)
    shown = fragments.in_progress("Q", "", reading, "", 0)
    assert "Reading 2,048 of 8,120 tokens · 310 tokens/s · about 20 s left · 512 were read earlier" in shown
    assert 'aria-valuenow="25"' in shown
    assert "about 4 s left" in fragments.in_progress("Q", "", replace(reading, eta_s=4.2), "", 0)


def test_what_is_stopping_says_so_below_the_words_that_came() -> None:
    reading = ReadingProgress("read", 2048, 8120, "tokens", 310.4, 19.6, 512)
    shown = fragments.in_progress("Q", "", reading, "It is", 0, stopping=True)
    assert shown.index("It is") < shown.index('role="status">Stopping</p>')
    assert "2,048" not in shown
    assert "Stopping" not in fragments.in_progress("Q", "", None, "It is", 0)


def test_earlier_answers_are_newest_first_without_the_shown_one(answer: Answer) -> None:
    kept = [KeptAnswer(number, "", "c", (), replace(answer, question=f"Q{number}")) for number in range(3)]
    shown = fragments.earlier(kept, kept[1], None)
    assert "Q1" not in shown
    assert shown.index("Q2") < shown.index("Q0")
    assert 'data-arg="2"' in shown
    talk = Conversation("c", "Q0", 3, "", "")
    assert "Earlier in this conversation" in fragments.earlier(kept, kept[1], talk)
    assert "New conversation" in fragments.earlier(kept[:1], kept[0], talk)
    assert fragments.earlier(kept[:1], kept[0], None) == ""


def test_how_documents_fit_the_window_is_said_before_asking() -> None:
    def fit(window: int | None, **changes: object) -> str:
        return fragments.scope([entry(**changes)], None if window is None else Room(window))

    assert "8,120 of the 10,000 tokens that the model can take in at once" in fit(10_000)
    assert "8,120 tokens, all read: the question goes to all of them" in fit(5_000)
    assert "8,120 tokens, not all read yet: answered from the best passages" in fit(5_000, is_read=False)
    assert "More than the 5,000 that the model can take in at once" in fit(5_000, is_read=False)
    assert "ll-fit" not in fit(None) + fragments.scope([], Room(5_000))
    assert '<p class="ll-error" role="alert">because &lt;' in fragments.scope([entry()], None, "because <")


def test_durations_and_sizes_read_like_speech() -> None:
    assert [duration(seconds) for seconds in (0.84, 9.96, 95, 7260)] == ["0.8 s", "10 s", "1 min 35 s", "2 h 1 min"]
    assert [size(num) for num in (0, 999, 2048, 52_428_800, 3 * 1024**3)] == [
        "0 bytes", "999 bytes", "2.0 kB", "50 MB", "3.0 GB",
    ]  # fmt: skip


def test_how_an_answer_was_computed_stands_below_it(answer: Answer) -> None:
    computed = replace(answer, how="sum of <Amount> over all rows")
    assert "From the table: sum of &lt;Amount&gt; over all rows." in fragments.answered(computed)
    assert "From the table: sum of <Amount> over all rows." in fragments.as_text(computed)
    assert "From the table" not in fragments.answered(answer)
