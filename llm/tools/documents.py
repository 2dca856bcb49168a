"""What the tools do: they list the documents of a question, search them and read on in them.

A tool reads the documents that were asked about and nothing else, whatever a model, or a text that it read, puts into a
call; what it gives back is text of the documents, cut to the room that is left, or a sentence why it cannot. What was
shown this way is evidence like any other: quotes are checked in it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest.document import Document
from llm.close_reading import Excerpt, choose, joined
from llm.errors import LongleafModelError
from llm.evidence.locating import locate
from llm.evidence.ranking import Ranked
from llm.stream import page_label
from llm.tools.definitions import LINES, ToolCall

_PASSAGES = 5  # a search gives
_MAX_LISTED = 200  # documents
_AROUND = 40  # tokens of a page's label and of what is said of further lines


def resting_on(answer: str, ranked: Sequence[Ranked]) -> list[Ranked]:
    """The passages in which an answer stands, if there are any: one that a tool showed fits its question badly."""
    return [one for one in ranked if locate(answer, [one])] or list(ranked)


@dataclass(slots=True)
class DocumentTools:
    """Over the leaves of one question."""

    leaves: Sequence[Document]
    rank: Callable[[Sequence[Document], str, int], list[Ranked]]
    question: str
    count_tokens: Callable[[str], int]
    room: int  # tokens that results may still take
    found: list[Ranked] = field(default_factory=list)  # passages that were shown, each once
    shown: list[Excerpt] = field(default_factory=list)

    def result(self, call: ToolCall) -> str:
        """What goes back to the model for a call; of one that cannot be done, or fails, it is told why."""
        try:
            done = self._done(call)
        except (LongleafModelError, OSError) as error:
            done = f"The tool {call.name} failed ({str(error).rstrip('.')}); answer from what was shown."
        text = self._fitting(done)
        self.room -= self.count_tokens(text)
        return text

    def beside(self, ranked: Sequence[Ranked]) -> list[Ranked]:
        """Ranked passages, and those that tools showed."""
        known = {(one.document.id, one.passage) for one in ranked}
        return [*ranked, *(one for one in self.found if (one.document.id, one.passage) not in known)]

    def _done(self, call: ToolCall) -> str:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            return "The arguments are not JSON."
        if not isinstance(arguments, dict):
            return "The arguments are no JSON object."
        if call.name == "list_documents":
            return self._listed()
        if call.name == "search":
            return self._searched(str(arguments.get("query", "")))
        if call.name == "read_page":
            return self._read(arguments.get("document"), arguments.get("page"), arguments.get("first_line", 1))
        return f"There is no tool {call.name!r}; use list_documents, search or read_page."

    def _listed(self) -> str:
        lines = [f"{leaf.name}: {len(leaf.pages)} pages" for leaf in self.leaves[:_MAX_LISTED]]
        more = len(self.leaves) - len(lines)
        return "\n".join([*lines, *([f"and {more} more; search finds what is in them"] if more else [])])

    def _searched(self, query: str) -> str:
        if not query.strip():
            return "The query is empty."
        ranked = self.rank(self.leaves, query, _PASSAGES)
        excerpts = [
            self._excerpt(one.document, one.passage.page_index, one.passage.start, one.passage.end) for one in ranked
        ]
        shown = choose(excerpts, self.count_tokens, self.room)
        self._note([one for one, excerpt in zip(ranked, excerpts, strict=True) if excerpt in shown], shown)
        return joined(shown)

    def _read(self, name: object, page_no: object, first_line: object) -> str:
        leaf = next((leaf for leaf in self.leaves if leaf.name == name), None)
        if leaf is None:
            return f"No document is called {name!r}; list_documents names them."
        if not isinstance(page_no, int) or not 1 <= page_no <= len(leaf.pages):
            return f"{leaf.name} has pages 1 to {len(leaf.pages)}."
        page = leaf.pages[page_no - 1]
        lines = page.text.splitlines(keepends=True)
        first = first_line if isinstance(first_line, int) and first_line >= 1 else 1
        if first > len(lines):
            return f"The page has {len(lines)} lines."
        chosen = self._fitting_lines(lines[first - 1 : first - 1 + LINES])
        if not chosen:
            return ""
        start = sum(map(len, lines[: first - 1]))
        excerpt = self._excerpt(leaf, page_no - 1, start, start + sum(map(len, chosen)))
        within = [
            one
            for one in self.rank([leaf], self.question, len(leaf.pages) * 8)
            if one.passage.page_index == excerpt.page_index
            and one.passage.start < excerpt.end
            and excerpt.start < one.passage.end
        ]
        self._note(within, [excerpt])
        left = len(lines) - (first - 1 + len(chosen))
        more = f"\n({left} more lines; the next is {first + len(chosen)})" if left else ""
        return page_label(leaf, page) + excerpt.text + more

    def _excerpt(self, leaf: Document, page_index: int, start: int, end: int) -> Excerpt:
        order = next(index for index, known in enumerate(self.leaves) if known.id == leaf.id)
        return Excerpt(leaf, order, page_index, start, end)

    def _note(self, ranked: Sequence[Ranked], excerpts: Sequence[Excerpt]) -> None:
        known = {(one.document.id, one.passage.page_index, one.passage.start) for one in self.found}
        for one in ranked:
            if (one.document.id, one.passage.page_index, one.passage.start) not in known:
                self.found.append(one)
        self.shown += [excerpt for excerpt in excerpts if excerpt not in self.shown]

    def _fitting_lines(self, lines: list[str]) -> list[str]:
        """The first of them that fit into the room that is left."""
        while lines and self.count_tokens("".join(lines)) > self.room - _AROUND:
            lines = lines[: len(lines) * 3 // 4]
        return lines

    def _fitting(self, text: str) -> str:
        """Of a text that is longer than the room that is left, its beginning."""
        while text and (needed := self.count_tokens(text)) > max(0, self.room):
            text = text[: int(len(text) * max(0, self.room) / needed * 0.9)]
        return text or "There is no room for more; answer from what was shown."
