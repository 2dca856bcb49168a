"""Questions about tables, answered by computing: grids of cells, programs over them, and a choice among programs."""

from llm.tables.answering import answer_from_statements, answer_from_tables

__all__ = ["answer_from_statements", "answer_from_tables"]
