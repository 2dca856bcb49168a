"""Evidence: which passages a question is about, which sentences to quote, and whether the documents hold an answer.

store = EvidenceStore(folder, Embedder())       # one index a leaf document, built once
searcher = Searcher([store.load(leaf) for leaf in leaves], embedder)
ranked = searcher.rank(question, top_k=8)       # passages, best first, with the numbers that ranked them
quotes(ranked, answer)                          # sentences that carry the answer, as exact ranges
is_found(probability_of_answer(question, ranked, answer))
"""

from llm.evidence.calibration import is_found, probability_of_answer
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceIndex, EvidenceStore
from llm.evidence.locating import Found, locate
from llm.evidence.passages import Passage, cut
from llm.evidence.quoting import Quote, quotes
from llm.evidence.ranking import Ranked, Searcher
from llm.evidence.sentences import Unit, sentences

__all__ = [
    "Embedder",
    "EvidenceIndex",
    "EvidenceStore",
    "Found",
    "Passage",
    "Quote",
    "Ranked",
    "Searcher",
    "Unit",
    "cut",
    "is_found",
    "locate",
    "probability_of_answer",
    "quotes",
    "sentences",
]
