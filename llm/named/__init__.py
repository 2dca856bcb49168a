"""Names and addresses, whole, as they stand in documents; what agreements say of themselves. Asks no model."""

from llm.named.asked import answer_from_names
from llm.named.candidates import Candidate, Strength

__all__ = ["Candidate", "Strength", "answer_from_names"]
