"""What one question has cost so far, in seconds and tokens."""

import time
from dataclasses import dataclass, field

from llm.answer import Timing


@dataclass(slots=True)
class Cost:
    """Seconds and tokens of one question, as they become known."""

    started: float = field(default_factory=time.perf_counter)
    read_s: float = 0.0  # indexing and reading the documents
    reused_tokens: int = 0
    read_tokens: int = 0  # of the documents, now
    new_tokens: int = 0
    question_s: float = 0.0  # from the first token of the question to the first of the answer
    first_token_s: float | None = None
    decoded_tokens: int = 0
    decode_s: float = 0.0

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started

    def timing(self) -> Timing:
        total_s = self.elapsed_s()
        prefill_s = self.read_s + self.question_s
        return Timing(
            read_s=round(prefill_s, 3),
            reused_tokens=self.reused_tokens,
            new_tokens=self.new_tokens,
            first_token_s=round(total_s if self.first_token_s is None else self.first_token_s, 3),
            total_s=round(total_s, 3),
            prefill_tokens_per_s=round(self.new_tokens / prefill_s, 1) if prefill_s else 0.0,
            decode_tokens_per_s=round(self.decoded_tokens / self.decode_s, 1) if self.decode_s else 0.0,
        )
