"""Names and addresses, whole: where they stand in documents, and which of them an answer means. Asks no model."""

from app.extraction.whole.candidates import Candidate, Strength
from app.extraction.whole.completing import candidates_of, meant_by, sure_ones, with_places

__all__ = ["Candidate", "Strength", "candidates_of", "meant_by", "sure_ones", "with_places"]
