"""A server under people: twenty ask over ten documents for ten minutes, then two hundred visitors open the page.

    python -m tests.bench.people_asking --work-dir WORK [--documents FILE...] [--minutes 10]

Starts `serve --auth-file` with the packaged model; everybody signs in, has a library of their own with the same ten
documents (read once, copied), and asks one question after another of one document after another, over HTTP as a stream.
Before that, the first page of each document is fetched as a picture, twice. Prints, as JSON: answers, errors, p50 and
p95 of the first word and of the whole answer (waiting in the line included), how many answers the one with the fewest
and the one with the most got, the server's memory over the first and the last tenth, and how long visitors waited for
the page with all that it loads.
"""

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.people import Accounts
from app.service import Longleaf
from app.settings import Settings
from app.web.host.shelf import copy_shelf

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT.parent / "shared" / "data" / "documents"
PASSWORD = "a password for the load"
QUESTIONS = ("Which law governs this agreement?", "What was the total?", "When does it begin?", "Who are the parties?")


@dataclass
class Person:
    """What one of those who ask got."""

    name: str
    first_s: list[float] = field(default_factory=list)
    total_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--documents", type=Path, nargs="+", default=None)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    contracts, receipts = sorted(DOCUMENTS.glob("contracts/*.pdf")), sorted(DOCUMENTS.glob("receipts/*.jpg"))
    documents = options.documents or [*contracts[:6], *receipts[:4]]
    if not documents:
        parser.error(f"there are no documents in {DOCUMENTS}; name some with --documents")
    people = [Person(f"person{number:02}") for number in range(options.people)]
    auth_file, ids = prepare(options.work_dir, documents, people)
    with server(options.work_dir / "data", auth_file) as (address, process):
        clients = [signed_in(address, person.name) for person in people]
        images = page_images(clients[0], ids)
        memory: list[int] = []
        over = threading.Event()
        watching = threading.Thread(target=watch, args=(process, over, memory))
        watching.start()
        began = time.monotonic()
        with ThreadPoolExecutor(len(people)) as pool:
            asking = [
                pool.submit(ask_on, person, client, ids, number, began + 60 * options.minutes)
                for number, (person, client) in enumerate(zip(people, clients, strict=True))
            ]
        for asked in asking:
            asked.result()  # raises what went wrong outside of a question
        asked_s = time.monotonic() - began
        opened_s, refused = visits(clients, options.visitors)
        over.set()
        watching.join()
    print(
        json.dumps({**report(people, asked_s, memory, opened_s, refused, len(ids)), "page_image_s": images}, indent=1)
    )


def prepare(work: Path, documents: Sequence[Path], people: Sequence[Person]) -> tuple[Path, list[str]]:
    """The accounts, and a library for each with the documents read; their ids."""
    work.mkdir(parents=True, exist_ok=True)
    shelf = Longleaf(Settings(data_dir=work / "shelf"))
    ids = []
    for path in documents:
        entry = shelf.add(path)
        for _ in shelf.read([entry.id]):
            pass
        ids.append(entry.id)
        print(f"read {entry.name}", file=sys.stderr, flush=True)
    shelf.close()
    accounts = Accounts(work / "team.json")
    for person in people:
        if accounts.find(person.name) is None:
            accounts.add(person.name, PASSWORD)
        account = accounts.find(person.name)
        assert account is not None, "it was added just now"
        (work / "data" / "people").mkdir(parents=True, exist_ok=True)
        copy_shelf(work / "shelf", work / "data" / "people" / account.id)
    return accounts.path, ids


@contextmanager
def server(data_dir: Path, auth_file: Path) -> Iterator[tuple[str, psutil.Process]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "serve", "--port", str(port), "--data-dir", str(data_dir)]
    with subprocess.Popen([*command, "--auth-file", str(auth_file)], cwd=ROOT) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}/healthz").read()
                    break
                except OSError:
                    time.sleep(0.5)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(60)


def signed_in(address: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=address, timeout=600, headers={"origin": address})
    entered = client.post("/login", data={"name": name, "password": PASSWORD})
    assert entered.status_code == 303, entered.text
    return client


def page_images(client: httpx.Client, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Seconds for the first page of each document as a picture, made and once more; nobody else is at work."""
    found: dict[str, list[float]] = {"made": [], "again": []}
    for times in found.values():
        for document in ids:
            began = time.monotonic()
            client.get(f"/page/{document}/0.png").raise_for_status()
            times.append(time.monotonic() - began)
    return {which: quantiles(times) for which, times in found.items()}


def ask_on(person: Person, client: httpx.Client, ids: Sequence[str], number: int, until: float) -> None:
    """One question after another, each person beginning elsewhere."""
    while time.monotonic() < until:
        question = QUESTIONS[number % len(QUESTIONS)]
        document = ids[number % len(ids)]
        number += 1
        began, first = time.monotonic(), None
        try:
            body = {"documents": [document], "question": question}
            with client.stream("POST", "/api/questions", json=body, headers={"accept": "text/event-stream"}) as events:
                ended = False
                for line in events.iter_lines():
                    if line in ("event: draft", "event: answer") and first is None:
                        first = time.monotonic() - began
                    ended = ended or line == "event: answer"
            if not ended or first is None:
                person.errors.append(f"status {events.status_code}, and no answer")
                continue
            person.first_s.append(first)
            person.total_s.append(time.monotonic() - began)
        except httpx.HTTPError as error:
            person.errors.append(f"{type(error).__name__}: {error}")


def watch(process: psutil.Process, over: threading.Event, memory: list[int]) -> None:
    while not over.wait(2):
        memory.append(process.memory_info().rss)


def visits(clients: Sequence[httpx.Client], number: int) -> tuple[list[float], list[str]]:
    """Seconds until each of so many visitors, all at once, has the page and all that it names; and what went wrong."""

    def visit(index: int) -> float | str:
        source = clients[index % len(clients)]
        began = time.monotonic()
        try:
            with httpx.Client(base_url=source.base_url, cookies=source.cookies, timeout=600) as own:
                page = own.get("/")
                page.raise_for_status()
                named = set(re.findall(r'(?:src|href)="(\./assets/[^"]+|/?theme\.css[^"]*)"', page.text))
                for path in ["/config", *sorted(named)]:
                    own.get(path).raise_for_status()
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return time.monotonic() - began

    with ThreadPoolExecutor(number) as pool:
        found = list(pool.map(visit, range(number)))
    return [each for each in found if isinstance(each, float)], [each for each in found if isinstance(each, str)]


def report(
    people: Sequence[Person], asked_s: float, memory: Sequence[int], opened_s: Sequence[float], refused: Sequence[str],
    num_documents: int,
) -> dict[str, Any]:  # fmt: skip
    tenth = max(1, len(memory) // 10)
    counts = [len(person.total_s) for person in people]
    errors = [error for person in people for error in person.errors]
    return {
        "people": len(people), "documents": num_documents, "minutes": round(asked_s / 60, 1), "answers": sum(counts),
        "errors": len(errors), "first_errors": errors[:5],
        "first_word_s": quantiles([each for person in people for each in person.first_s]),
        "answer_s": quantiles([each for person in people for each in person.total_s]),
        "answers_a_person": {"fewest": min(counts), "most": max(counts)},
        "memory_mb": {"first_tenth": max(memory[:tenth]) / 1e6, "last_tenth": max(memory[-tenth:]) / 1e6},
        "visitors": len(opened_s), "visitors_refused": len(refused), "first_refusals": list(refused[:5]),
        "page_s": quantiles(opened_s),
    }  # fmt: skip


def quantiles(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {"p50": values[0], "p95": values[0]} if values else {}
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 2), "p95": round(cuts[18], 2), "max": round(max(values), 2)}


if __name__ == "__main__":
    main()
