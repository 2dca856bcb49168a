"""What is too old goes, with every trace; what is not stays; and the sweeper looks again after a failure."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from app.service import Longleaf
from app.service.retention import Expired, Sweeper, expire

HOUR_S = 3600.0


def test_old_documents_and_old_answers_go(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    entry = longleaf.add(texts.lease)
    for _ in longleaf.ask([entry.id], "When does the lease begin?", conversation="c1"):
        pass
    now = datetime.now(UTC)
    assert expire(longleaf, HOUR_S, now + timedelta(minutes=59)) == Expired()
    assert longleaf.history.conversations() != []
    with longleaf._library.catalogue.transaction() as rows:
        rows.execute("UPDATE entries SET added_at = ?", ((now + timedelta(hours=1)).isoformat(),))
    assert expire(longleaf, HOUR_S, now + timedelta(minutes=90)) == Expired(0, 1)
    assert longleaf.history.conversations() == []
    assert expire(longleaf, HOUR_S, now + timedelta(hours=3)) == Expired(1, 0)
    assert longleaf.entries() == []
    assert not list((longleaf.settings.data_dir / "originals").iterdir())


def test_the_sweeper_looks_again_after_a_failure() -> None:
    looks, twice = [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("the disk was away")
        twice.set()

    sweeper = Sweeper(look, every_s=0.01)
    assert twice.wait(10)
    sweeper.close()
