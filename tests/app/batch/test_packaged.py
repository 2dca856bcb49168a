"""A batch through the packaged model: fields become values with the places where they stand, or are not found."""

import io
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from app.batch import Batch, BatchOptions, Counts, Question, Row, RowJournal, find_sources
from app.batch.reducing import reduce_rows
from app.extraction import load_schema
from app.service import Longleaf
from app.settings import Settings
from ingest.options import Limits, ReadOptions
from llm.answer import AskOptions

SCHEMA = """
law # Which law governs the lease?
registered date # When was the lease registered?
rent number # How much is the rent?
pets bool # Are pets allowed?
landlord # Who is the landlord?
address # Where does the landlord live?
"""
LEASE = (
    "The lease was signed on 3 March 2019 and registered on 9 April 2019.\n\n"
    "The law of Oregon governs this lease.\n\nThe tenant pays a rent of EUR 1,250.50 on the third day of a month.\n\n"
    "Pets are allowed in the flat if the landlord agrees in writing.\n\n"
    "The landlord is Harbour Tools Ltd, 14 Quay Street, Bristol BS1 4DD.\n"
)


@pytest.fixture
def rows(tmp_path: Path, settings: Settings) -> dict[tuple[str, str], Row]:
    (tmp_path / "lease.txt").write_text(LEASE, encoding="utf-8")
    (tmp_path / "recipe.txt").write_text("Boil the carrots in salted water.\n", encoding="utf-8")
    questions = [Question.for_field(field) for field in load_schema(SCHEMA)]
    longleaf = Longleaf(Settings(data_dir=settings.data_dir, cache_dir=user_cache_path("longleaf")))
    sources = find_sources(
        [str(tmp_path / "*.txt")], stdin=io.StringIO(), find_entry=longleaf.entry, limits=Limits(),
        on_problem=lambda _: None,
    )  # fmt: skip
    options = BatchOptions(AskOptions(max_new_tokens=24), ReadOptions())
    with RowJournal(tmp_path / "rows.jsonl", tmp_path) as journal:
        batch = Batch(longleaf, sources, questions, journal, options)
        batch.run(lambda _: None, lambda *_: None)
        assert batch.counts() == Counts(ok=12)
        reduced = reduce_rows(longleaf, list(batch.rows()), "Which documents have no governing law?", options.ask)
        assert [row["source"] for row in reduced.rows] == ["recipe.txt"]
        longleaf.close()
        return {(row["source"], row["field"]): row for row in batch.rows()}


def test_fields_of_a_lease_and_of_something_else(rows: dict[tuple[str, str], Row]) -> None:
    values = {field: row["value"] for (source, field), row in rows.items() if source == "lease.txt"}
    assert "Oregon" in values["law"]
    assert (values["registered"], values["rent"], values["pets"]) == ("2019-04-09", 1250.5, True)
    assert (values["landlord"], values["address"]) == ("Harbour Tools Ltd", "14 Quay Street, Bristol BS1 4DD")
    assert rows["lease.txt", "address"]["citations"][0]["quote"] == "14 Quay Street, Bristol BS1 4DD"
    assert "9 April 2019" in rows["lease.txt", "registered"]["citations"][0]["quote"]
    assert {row["value"] for (source, _), row in rows.items() if source == "recipe.txt"} == {None}
    assert rows["lease.txt", "rent"]["confidence"] > rows["recipe.txt", "rent"]["confidence"]
