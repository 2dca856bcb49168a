"""What a server is sent: the documents first and unchanged, so that its prefix cache knows them, then the question."""

from collections.abc import Sequence

from ingest.document import Document
from llm.prompt import INSTRUCTION, NEXT_QUESTION, REFUSING
from llm.remote.client import Message
from llm.stream import page_text


def messages_of(document_text: str, question: str, pictures: Sequence[str] = ()) -> list[Message]:
    """The one message of a request. Everything up to the question is the same for every question.

    `pictures`: data URLs of page images, which go before the text.
    """
    text = f"{INSTRUCTION} {REFUSING}\n\nDocument:\n{document_text}{NEXT_QUESTION} {question.strip()}"
    if not pictures:
        return [{"role": "user", "content": text}]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


def text_of(documents: Sequence[Document]) -> str:
    """All documents whole, page by page behind their labels."""
    return "".join(leaf_text(leaf) for document in documents for leaf in document.leaves())


def leaf_text(leaf: Document) -> str:
    return "".join(page_text(leaf, page) for page in leaf.pages)
