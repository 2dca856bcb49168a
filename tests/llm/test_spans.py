"""Spans of a text as answers, against a distribution that is known exactly: one whole answer, drawn from a list."""

import math
from collections.abc import Mapping, Sequence

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from llm.backbone import Backbone
from llm.spans import Scored, Span, consensus, likely_spans, normalised, overlap

TEXT = "The heavy\n rain of (May) 1901 flooded the lower town, and the rain of 1902 did not."
STOP = 1  # of the tiny tokenizer
MOST_TOKENS = 48


class Drawn:
    """A model that says each of some answers with its probability; anything else hardly ever."""

    def __init__(self, answers: Mapping[str, float], tokenizer: PreTrainedTokenizerBase) -> None:
        self._coded = {(*tokenizer(text).input_ids, STOP): share for text, share in answers.items()}
        self._num_tokens = len(tokenizer)
        self.asked: list[list[Sequence[int]]] = []  # in each round

    def after(self, prefix: Sequence[int]) -> torch.Tensor:
        """(V,)"""
        after = torch.full((self._num_tokens,), 1e-12)
        for answer, share in self._coded.items():
            if answer[: len(prefix)] == tuple(prefix) and len(prefix) < len(answer):
                after[answer[len(prefix)]] += share
        return (after / after.sum()).log()

    def __call__(self, sequences: Sequence[Sequence[int]]) -> list[Scored]:
        self.asked.append(list(sequences))
        return [
            Scored(
                [float(self.after(ids[:at])[token]) for at, token in enumerate(ids)],
                [float(self.after(ids[: at + 1])[STOP]) for at in range(len(ids))],
            )
            for ids in sequences
        ]


def spans_of(tiny: Backbone, drawn: Drawn, least: float, text: str = TEXT) -> list[Span]:
    return likely_spans(
        text, tiny.tokenizer, drawn.after(()), drawn, least_logprob=math.log(least), max_tokens=MOST_TOKENS
    )


def found(tiny: Backbone, answers: Mapping[str, float], least: float = 0.001, text: str = TEXT) -> dict[str, float]:
    spans = spans_of(tiny, Drawn(answers, tiny.tokenizer), least, text)
    assert [span.logprob for span in spans] == sorted((span.logprob for span in spans), reverse=True)
    return {span.text: round(math.exp(span.logprob), 3) for span in spans}


def test_each_span_has_the_probability_of_the_whole_answer(tiny: Backbone) -> None:
    answers = {"the lower town": 0.5, "lower town": 0.3, "town": 0.1, "the sea": 0.1}
    assert found(tiny, answers) == {"the lower town": 0.5, "lower town": 0.3, "town": 0.1}


def test_only_words_of_the_text_one_behind_the_other_are_spans(tiny: Backbone) -> None:
    assert found(tiny, {"heavy rain": 0.4, "rain 1901": 0.3, "flood": 0.2, "rain of 1902": 0.1}) == {
        "heavy rain": 0.4, "rain of 1902": 0.1,
    }  # fmt: skip


def test_a_span_begins_behind_a_bracket_and_with_a_small_letter_where_the_text_has_a_capital(tiny: Backbone) -> None:
    assert found(tiny, {"May": 0.6, "the heavy rain": 0.4}) == {"May": 0.6, "the heavy rain": 0.4}


def test_what_may_be_no_answer_does_not_count_even_where_it_is_likeliest(tiny: Backbone) -> None:
    drawn = Drawn({"the sea": 0.05, "1901": 0.94, "1902": 0.01}, tiny.tokenizer)
    spans = likely_spans(
        TEXT,
        tiny.tokenizer,
        drawn.after(()),
        drawn,
        least_logprob=math.log(0.001),
        max_tokens=MOST_TOKENS,
        may_answer=lambda said: said != "1901",
    )
    assert [span.text for span in spans] == ["1902"]


def test_nothing_is_scored_where_no_beginning_is_likely_enough_and_no_more_than_tells_it(tiny: Backbone) -> None:
    unlikely = Drawn({"1901": 0.6, "the heavy rain": 0.4}, tiny.tokenizer)
    assert spans_of(tiny, unlikely, least=0.7) == []
    assert unlikely.asked == []
    long = Drawn({TEXT[:MOST_TOKENS]: 0.5, "the sea": 0.3, TEXT[:6] + "x": 0.2}, tiny.tokenizer)
    assert spans_of(tiny, long, least=0.65) == []
    assert len(long.asked) == 1


def test_what_is_far_less_likely_than_the_likeliest_or_than_asked_for_is_left_out(tiny: Backbone) -> None:
    assert found(tiny, {"1901": 0.989, "1902": 0.011}) == {"1901": 0.989}
    assert found(tiny, {"1901": 0.6, "1902": 0.4}, least=0.5) == {"1901": 0.6, "1902": 0.4}
    assert found(tiny, {"1901": 0.6, "1902": 0.4}, least=0.7) == {}
    assert found(tiny, {"the sea": 1.0}) == {}
    assert found(tiny, {"1901": 1.0}, text=" \n") == {}


def test_no_more_is_scored_than_is_needed(tiny: Backbone) -> None:
    drawn = Drawn({"1901": 1.0}, tiny.tokenizer)
    spans_of(tiny, drawn, 0.001)
    assert len(drawn.asked) == 1, "what follows the digits is all but impossible"
    firsts = [tiny.tokenizer.decode(ids) for ids in drawn.asked[0]]
    assert 0 < len(firsts) <= 3  # of fifteen words
    assert all(text.startswith("1") for text in firsts)


def test_a_long_answer_is_followed_to_its_end(tiny: Backbone) -> None:
    drawn = Drawn({"rain of (May) 1901 flooded the lower town": 0.9, "The heavy": 0.1}, tiny.tokenizer)
    spans = spans_of(tiny, drawn, 0.001)
    assert [span.text for span in spans] == ["rain of (May) 1901 flooded the lower town", "The heavy"]
    assert [len(ids) for ids in drawn.asked[-1]] == [MOST_TOKENS]
    assert len(drawn.asked) == 3


def test_the_likeliest_beginnings_alone_are_followed(tiny: Backbone) -> None:
    digits = "123456789"
    shares = {digit * 12: 0.2 - 0.02 * number for number, digit in enumerate(digits)}
    drawn = Drawn(shares, tiny.tokenizer)
    spans = spans_of(tiny, drawn, 0.01, text=" ".join(reversed(shares)))
    assert [span.text for span in spans] == [digit * 12 for digit in digits[:6]]
    assert len(drawn.asked[0]) == 9
    assert len(drawn.asked[1]) == 6


def test_the_consensus_shares_most_words_with_what_counts() -> None:
    spans = [Span("Pitt", math.log(0.3)), Span("the rain of May", math.log(0.25)), Span("rain of May", math.log(0.2))]
    scores = [span.logprob for span in spans]
    assert consensus(spans, scores).text == "the rain of May"
    assert consensus(spans, [scores[0] + 1, *scores[1:]]).text == "Pitt"
    assert consensus(spans[:1], scores[:1]).text == "Pitt"
    assert consensus([Span("rain", -1.0), Span("The rain!", -1.0)], [-1.0, -1.0]).text == "rain"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("the rain", "Rain!", 1.0), ("rain of May", "May", 0.5), ("rain", "sun", 0.0), ("the", "", 1.0), ("", "sun", 0.0)],
)
def test_overlap_is_f1_of_the_words_that_count(one: str, other: str, expected: float) -> None:
    assert overlap(normalised(one), normalised(other)) == pytest.approx(expected)
