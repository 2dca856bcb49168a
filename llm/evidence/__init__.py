"""Evidence: which passages a question is about, which sentences to quote, and whether the documents hold an answer."""

from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceIndex, EvidenceStore
from llm.evidence.passages import Passage, cut
from llm.evidence.ranking import Ranked, Searcher
from llm.evidence.sentences import Unit, sentences

__all__ = ["Embedder", "EvidenceIndex", "EvidenceStore", "Passage", "Ranked", "Searcher", "Unit", "cut", "sentences"]
