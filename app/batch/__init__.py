"""Many questions of many documents, unattended: one row for each document and question, in a file that can be resumed.

`find_sources` and `load_questions` say what is asked of what, `RowJournal` keeps the rows, `Batch` makes those that are
missing, `estimate` says beforehand what that takes. Knows no command line; no torch until a model is needed.
"""

from app.batch.estimate import Estimate, estimate
from app.batch.journal import RowJournal
from app.batch.making import BatchOptions
from app.batch.questions import Question, load_questions
from app.batch.rows import Row, Status
from app.batch.running import Batch, Counts
from app.batch.sources import Source, find_sources

__all__ = [
    "Batch", "BatchOptions", "Counts", "Estimate", "Question", "Row", "RowJournal", "Source", "Status", "estimate",
    "find_sources", "load_questions",
]  # fmt: skip
