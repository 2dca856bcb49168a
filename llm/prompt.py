"""The one prompt of the house: what stands before a document, between its parts, and around a question.

Training and answering use the same token ids, made from each model's own chat template; so a reading of the document
is a prefix of every later question about it. Document and question are encoded with special tokens switched off:
a file that contains "<|im_end|>" is text, not an instruction. What was recognised on page images is encoded with its
doubts, into patch tokens.
"""

from collections.abc import Sequence
from functools import cached_property

from transformers import BatchEncoding, PreTrainedTokenizerBase

from ingest.document import Doubt
from llm.patches import projector_of
from llm.thinking import OPEN
from llm.tokens import Tokens
from vision import Projector, Seen

INSTRUCTION = "Answer from the document only."
NOT_FOUND = "Not found in the document."  # the refusal that the packaged model is trained to give
REFUSING = f"If it does not hold the answer, write only: {NOT_FOUND}"  # is said to models that were not trained to
NEXT_QUESTION = "\n\nQuestion:"  # what stands between a document and a question
_DOCUMENT, _QUESTION = "\u241edocument\u241e", "\u241equestion\u241e"  # split marks; never encoded
_CONTENT = f"{INSTRUCTION}\n\nDocument:\n{_DOCUMENT}{NEXT_QUESTION} {_QUESTION}"


class Prompt:
    """The prompt's fixed parts as token ids of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises ValueError when the tokenizer's chat template loses the document or the question."""
        self._tokenizer = tokenizer
        rendered = self._render()
        before, found_document, rest = rendered.partition(_DOCUMENT)
        between, found_question, after = rest.partition(_QUESTION)
        if not (found_document and found_question):
            raise ValueError(
                f"the chat template of {tokenizer.name_or_path} drops the user's message; no prompt can be made"
            )
        self.prefix = self._encode_template(before)  # read once, before the document
        self._before_question = self._encode_template(between)
        self._after_question = self._encode_template(after)
        self.opens_thinking = after.rstrip().endswith(OPEN)  # as DeepSeek-R1's template does

    def suffix(self, question: str) -> list[int]:
        """Token ids of a question behind a document, up to where the answer begins."""
        return self._before_question + self.encode(question.strip()) + self._after_question

    def question_range(self, question: str) -> range:
        """Which tokens of `suffix(question)` are the question's own."""
        start = len(self._before_question)
        return range(start, start + len(self.encode(question.strip())))

    def encode(self, text: str) -> list[int]:
        """Token ids of a person's text. Special tokens written in it stay plain characters."""
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """`encode` of each text; for many, in half the time."""
        if not texts:
            return []
        encoded: list[list[int]] = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True).input_ids
        return encoded

    def encode_seen(self, text: str, doubts: Sequence[Doubt]) -> tuple[Tokens, list[tuple[int, int]]]:
        """Tokens of a text of which some characters come from pixels and may be others, and their characters in it.

        Doubts are in order. Without a projector for this tokenizer they are of no use, and the text stands as it is.
        """
        seen = self.seen(text, doubts)
        encoded = self._encoded(seen.text)
        ids, chars = encoded.input_ids, [(int(start), int(end)) for start, end in encoded["offset_mapping"]]
        mixtures = (
            (at, mixture)
            for at, (token, (start, end)) in enumerate(zip(ids, chars, strict=True))
            if (mixture := seen.mixture(start, end, token))
        )
        return Tokens(ids, mixtures), chars

    def seen(self, text: str, doubts: Sequence[Doubt]) -> Seen:
        """The text as its pixels read best; see `encode_seen`."""
        return self._projector.seen(text, doubts) if doubts and self._projector else Seen(text)

    @cached_property
    def patches_identity(self) -> str:
        """Names what patch tokens depend on; empty where there are none."""
        return self._projector.identity() if self._projector else ""

    @cached_property
    def _projector(self) -> Projector | None:
        return projector_of(self._tokenizer)

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Characters [start, end) of `text` that each token of `encode(text)` stands for."""
        return [(int(start), int(end)) for start, end in self._encoded(text)["offset_mapping"]]

    def _encoded(self, text: str) -> BatchEncoding:
        encoded: BatchEncoding = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        return encoded

    def _render(self) -> str:
        if not self._tokenizer.chat_template:
            return f"{self._tokenizer.bos_token or ''}{_CONTENT}\nAnswer:"
        messages = [{"role": "user", "content": _CONTENT}]
        rendered = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert isinstance(rendered, str), "apply_chat_template(tokenize=False) gives text"
        return rendered

    def _encode_template(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)


def label(name: str, page_no: int | None = None, page_label: str | None = None) -> str:
    """The line that introduces a part of the document: "[contract.pdf, page 3]" and a line end."""
    if page_no is None:
        return f"[{name}]\n"
    printed = f" ({page_label})" if page_label and page_label != str(page_no) else ""
    return f"[{name}, page {page_no}{printed}]\n"
