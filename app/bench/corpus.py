"""Real text for measurements, from a data folder that a person names, as one document of a wanted number of tokens.

Owns the order of the texts (essays, manuals, question-answering contexts, each text once) and how they are cut into
pages; makes nothing up and repeats nothing. A smaller document is the beginning of every larger one.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from app.errors import BadRequest
from ingest.document import Document, Kind, Page
from llm.kv.layout import BLOCK_TOKENS
from llm.prompt import label
from llm.training.sources import Passage, read_set

PAGE_CHARS = 2000
QA_SETS = ("squadshifts-new_wiki", "squadshifts-reddit", "squadshifts-amazon_reviews")

CountTokens = Callable[[str], int]


def check_data(data: Path, *, qa_sets: Sequence[str] = QA_SETS, texts: bool = False, scans: bool = False) -> None:
    """Raises BadRequest, with what is missing, unless the folder holds the sets, and the texts and scans if asked."""
    wanted = [f"qa/{name}.jsonl.gz" for name in qa_sets]
    wanted += ["documents/essays", "documents/manuals"] if texts else []
    wanted += ["documents/receipts", "documents/forms"] if scans else []
    missing = [name for name in wanted if not (data / name).exists()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadRequest(
            f"the data folder {data} has no {missing[0]}{more}; "
            f"name with --data a folder that holds {', '.join(wanted)}"
        )


def contexts(data: Path) -> list[Passage]:
    """Every context of SQuADShifts with its questions, each context once."""
    passages: dict[str, Passage] = {}
    for name in QA_SETS:
        for passage in read_set(data / "qa", name):
            before = passages.get(passage.context)
            asked = (*before.questions, *passage.questions) if before else passage.questions
            passages[passage.context] = Passage(passage.kind, passage.context, asked)
    return list(passages.values())


def real_texts(data: Path) -> Iterator[str]:
    """Essays, then manuals, then contexts."""
    for folder in ("essays", "manuals"):
        for path in sorted((data / "documents" / folder).glob("*.txt")):
            yield path.read_text("utf-8")
    yield from (passage.context for passage in contexts(data))


def pages_of(texts: Iterable[str]) -> Iterator[str]:
    """Texts as pages of at most PAGE_CHARS characters, cut at the ends of paragraphs, lines, sentences or words."""
    for text in texts:
        start = 0
        while start < len(text):
            end = _page_end(text, start)
            if page := text[start:end].strip():
                yield page
            start = end


def take(pages: Iterable[str], name: str, num_tokens: int, count_tokens: CountTokens) -> list[str]:
    """The first pages that together have `num_tokens` tokens as the document `name`; the last is cut between words.

    Raises BadRequest where the pages do not reach that many.
    """
    taken: list[str] = []
    done = 0
    for page in pages:
        tokens = page_tokens(name, len(taken) + 1, page, count_tokens)
        if done + tokens >= num_tokens:
            return [*taken, _shortened(page, name, len(taken) + 1, num_tokens - done, count_tokens)]
        taken.append(page)
        done += tokens
    raise BadRequest(f"the texts have {done:,} tokens, and {num_tokens:,} were asked for; choose a smaller size")


def page_tokens(name: str, page_no: int, text: str, count_tokens: CountTokens) -> int:
    """What a page costs in the token stream of a document of several pages."""
    return count_tokens(label(name, page_no) + text + "\n\n")


def document(name: str, pages: Sequence[str]) -> Document:
    """A text document with these pages, as a reader would hand it over."""
    text = "\f".join(pages).encode()
    made = tuple(Page(page_no, page) for page_no, page in enumerate(pages, 1))
    return Document(hashlib.sha256(text).hexdigest(), name, Kind.TEXT, made, size_bytes=len(text))


def count_repeated_blocks(token_ids: Sequence[int]) -> int:
    """How many blocks of a stream say word for word what an earlier one says."""
    whole = range(0, len(token_ids) - BLOCK_TOKENS + 1, BLOCK_TOKENS)
    return len(whole) - len({tuple(token_ids[start : start + BLOCK_TOKENS]) for start in whole})


def _page_end(text: str, start: int) -> int:
    limit = start + PAGE_CHARS
    if len(text) <= limit:
        return len(text)
    for mark in ("\n\n", "\n", ". ", " "):
        if (at := text.rfind(mark, start + PAGE_CHARS // 2, limit - len(mark))) != -1:
            return at + len(mark)
    return limit


def _shortened(page: str, name: str, page_no: int, num_tokens: int, count_tokens: CountTokens) -> str:
    """The shortest beginning of the page, in whole words, that still costs `num_tokens`."""
    ends = [at for at, char in enumerate(page) if char.isspace()] + [len(page)]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if page_tokens(name, page_no, page[: ends[middle]], count_tokens) >= num_tokens:
            high = middle
        else:
            low = middle + 1
    return page[: ends[low]]
