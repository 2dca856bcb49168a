"""The mixture: endless examples, drawn from every kind of document in fixed shares.

Most are close readings (`llm.training.close`): passages with the answers, alone or among others like them. The rest are
whole contexts, alone or with contexts of other kinds before and after. Of half of the documents with several pages or
files, each page or file was read without the others. About a third of the questions have no answer in the document.
Everything is drawn from one random generator, so a run can be continued exactly.
"""

import random
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from llm.prompt import NOT_FOUND, label
from llm.training.close import CloseReadings
from llm.training.confusions import Confusions
from llm.training.examples import FILE_NAMES, Asked, Example, is_unanswered, num_unanswered, taught, words
from llm.training.forms import form_passage
from llm.training.sources import AskedTogether, Passage

# How often a document's first passage is of a kind.
KIND_SHARES: Mapping[str, float] = {
    "squadshifts-new_wiki": 0.25,
    "squadshifts-reddit": 0.07,
    "squadshifts-amazon_reviews": 0.07,
    "wtq": 0.03,  # most of its questions are computed (llm.tables)
    "qamr": 0.12,
    "policyqa": 0.24,
    "tatqa": 0.03,
    "friendsqa": 0.02,
    "fairytaleqa": 0.03,
    "fetaqa": 0.01,
    "form": 0.09,
    "code": 0.04,
}
_KEPT_FOR_UNANSWERED = 0.3  # of the most questions of a document
_SEVERAL_PASSAGES_SHARE = 0.45
_CLOSE_SHARE = 0.75  # of every kind but forms, which ask the same of every document and so must stand alone
_CLOSE_QUESTIONS = 6  # of a context, at most
_SECOND_SHARE = 0.6  # of close readings with two contexts to ask about, where both fit half of the document
_APART_SHARE = 0.5  # of documents of several pages or files
_WRAPPED_SHARE = 0.4  # a PDF's pages keep the lines of the paper
_LINE_CHARS = (45, 110)
_SCANNED_SHARE = 0.2
_PROSE_SHARE = 0.1
_LINE_KINDS = ("code", "form", "wtq", "tatqa", "fetaqa")
_PROSE_KINDS = ("squadshifts-new_wiki", "squadshifts-reddit", "squadshifts-amazon_reviews", "fairytaleqa")
# Tokens of close readings: mostly one passage alone, as it is read first, or several.
_CLOSE_TOKENS = ((0, 250), (300, 1_100), (1_100, 2_000))
_CLOSE_SHARES = (0.72, 0.22, 0.06)


class Mixture:
    """Endless examples of one part of the data. `state`/`restore` continue exactly where a run stopped."""

    def __init__(
        self,
        passages: Mapping[str, list[Passage]],
        count_tokens: Callable[[str], int],
        *,
        seed: int,
        max_tokens: int,
        confusions: Confusions | None = None,
        prose: bool = False,
    ) -> None:
        """`max_tokens` bounds a document of whole contexts: a longer one is left out, others fill what is free.

        With `confusions`, some documents look like recognised scans; with `prose`, some are plain text and nothing
        is asked of them, so that the model does not unlearn to write.
        """
        self._passages = {kind: found for kind, found in passages.items() if found and kind in KIND_SHARES}
        self._kinds = [*self._passages, "form"]
        self._shares = [KIND_SHARES[kind] for kind in self._kinds]
        self._count_tokens, self._max_tokens = count_tokens, max_tokens
        self._together = {kind: AskedTogether(found) for kind, found in self._passages.items()}
        self._close = CloseReadings(self._passages, count_tokens)
        self._prose = [passage for kind in _PROSE_KINDS for passage in self._passages.get(kind, [])] if prose else []
        self._confusions = confusions
        self._rng = random.Random(seed)

    def state(self) -> Any:
        """What `restore` needs; JSON can hold it."""
        return self._rng.getstate()

    def restore(self, state: Any) -> None:
        """Continue as the mixture that gave `state`."""
        version, numbers, gauss = state
        self._rng.setstate((version, tuple(numbers), gauss))

    def draw(self, max_questions: int = 12) -> Example:
        """The next example."""
        if self._prose and self._rng.random() < _PROSE_SHARE:
            return self._draw_prose()
        while True:
            kind = self._rng.choices(self._kinds, self._shares)[0]
            first = self._draw(kind)
            if kind != "form" and self._rng.random() < _CLOSE_SHARE:
                example = self._draw_close(first)
            elif self._count_tokens(first.context) < self._max_tokens:
                example = self._draw_whole(first, max_questions)
            else:
                example = None
            if example is not None:
                return self._scanned(self._wrapped(example))

    def _draw_prose(self) -> Example:
        """Contexts one behind the other, as many as an ordinary document may have tokens."""
        text, free = "", self._rng.randint(self._max_tokens // 4, self._max_tokens)
        while free > 0:
            context = self._rng.choice(self._prose).context
            text += context + "\n\n"
            free -= self._count_tokens(context)
        return Example(text.strip(), ())

    def _wrapped(self, example: Example) -> Example:
        """In lines of a width, as paper has them; code, tables and forms, of one line a row, stay as they are."""
        if self._rng.random() >= _WRAPPED_SHARE or any(item.kind in _LINE_KINDS for item in example.asked):
            return example
        width = self._rng.randint(*_LINE_CHARS)
        wrap = partial(textwrap.fill, width=width, break_long_words=False)
        parts = ["\n".join(map(wrap, part.split("\n"))) for part in example.parts]
        return Example.of_parts(parts, example.asked, apart=bool(example.apart))

    def _scanned(self, example: Example) -> Example:
        if self._confusions is None or self._rng.random() >= _SCANNED_SHARE:
            return example
        document, doubts = self._confusions.blurred(example.document, self._rng)
        return replace(example, document=document, doubts=doubts)

    def _draw(self, kind: str) -> Passage:
        return form_passage(self._rng) if kind == "form" else self._rng.choice(self._passages[kind])

    def _draw_close(self, first: Passage) -> Example | None:
        """A close reading about one context, or about two that are near to each other."""
        budget = self._rng.randint(*self._rng.choices(_CLOSE_TOKENS, _CLOSE_SHARES)[0])
        asked_of = [(first, self._some(taught(first)))]
        near = self._close.near(first, asked_of[0][1])
        if near and self._rng.random() < _SECOND_SHARE:
            second = self._rng.choice(near)
            if self._count_tokens(first.context + second.context) < budget / 2:
                asked_of.append((second, self._some(taught(second))))
        return self._close.example(asked_of, budget, self._rng, apart=self._rng.random() < _APART_SHARE)

    def _some(self, known: list[Asked]) -> list[Asked]:
        return self._rng.sample(known, min(_CLOSE_QUESTIONS, len(known)))

    def _draw_whole(self, first: Passage, max_questions: int) -> Example:
        passages = self._with_others(first)
        known = list({asked.question: asked for passage in passages for asked in taught(passage)}.values())
        self._rng.shuffle(known)
        foreign = round(max_questions * _KEPT_FOR_UNANSWERED)
        asked = known[: max_questions - foreign]
        already = sum(item.answer == NOT_FOUND for item in asked)
        for _ in range(num_unanswered(asked, self._rng) - already):
            swapped = self.foreign_question(self._rng.choice(passages), passages)
            if swapped and all(swapped.question != item.question for item in (*known, *asked)):
                asked.append(swapped)
        self._rng.shuffle(asked)
        parts = self._parts(passages)
        return Example.of_parts(parts, asked, apart=self._rng.random() < _APART_SHARE)

    def _with_others(self, first: Passage) -> list[Passage]:
        """The first passage among others, mostly of other kinds, so that its questions stay clear."""
        passages, left = [first], self._max_tokens - self._count_tokens(first.context)
        wanted = self._rng.choice((1, 1, 2, 3)) if self._rng.random() < _SEVERAL_PASSAGES_SHARE else 0
        if first.kind in ("qamr", "code"):
            wanted = self._rng.randint(2, 5)  # short passages with clear questions: several of a kind
        for _ in range(wanted):
            same = first.kind in ("qamr", "code") and self._rng.random() < 0.8
            other = self._draw(first.kind if same else self._rng.choices(self._kinds, self._shares)[0])
            cost = self._count_tokens(other.context) + 12
            clash = not same and any(other.kind == passage.kind for passage in passages)
            if cost <= left and not clash and other not in passages:
                passages.append(other)
                left -= cost
        self._rng.shuffle(passages)
        return passages

    def _parts(self, passages: list[Passage]) -> list[str]:
        """Passages as `llm.stream` shows pages, each under its label; a lone one often bare, but code never."""
        if len(passages) == 1 and passages[0].kind != "code" and self._rng.random() < 0.5:
            return [passages[0].context]
        parts = []
        for passage in passages:
            name = passage.name or self._rng.choice(FILE_NAMES)
            page_no = None if passage.kind == "code" else self._rng.choice((None, 1, self._rng.randint(1, 400)))
            parts.append(label(name, page_no) + passage.context + "\n\n")
        return parts

    def foreign_question(self, passage: Passage, shown: list[Passage]) -> Asked | None:
        """A question of the same kind that shares words with the passage but asks about something it lacks."""
        if passage.kind == "form":
            return None  # forms ask the same of every document and bring their own unanswered questions
        text = "\n".join(item.context for item in shown)
        seen = words(text)
        best: tuple[int, str] | None = None
        for _ in range(self._rng.choice((4, 12, 30))):
            other = self._draw(passage.kind)
            if other in shown or not other.questions:
                continue
            question = self._rng.choice(other.questions)
            if any(self._together[passage.kind].may_answer(question.text, item) for item in shown):
                continue
            shared = len(words(question.text) & seen)
            if (best is None or shared > best[0]) and is_unanswered(question, passage.kind, [text]):
                best = (shared, question.text)
        return Asked(best[1], NOT_FOUND, passage.kind) if best else None
