"""Handing over, listing, showing and deleting documents as a program does."""

import time
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from app.web.services import Services
from tests.app.http.conftest import finished, handed_over


def test_a_file_is_handed_over_shown_and_deleted(client: TestClient, lease: str, services: Services) -> None:
    shown = client.get(f"/api/documents/{lease}").json()
    assert (shown["name"], shown["is_read"], shown["files"][0]["id"]) == ("lease.txt", True, lease)
    page = client.get(f"/api/documents/{lease}/pages/1").json()
    assert (page["text"], page["image"]) == ("The lease begins in March.\nThe rent is 900 crowns.\n", None)
    receipt = client.delete(f"/api/documents/{lease}").json()
    assert (receipt["name"], receipt["originals"]) == ("lease.txt", 1)
    assert receipt["total_bytes"] > 0
    gone = client.get(f"/api/documents/{lease}")
    assert gone.status_code == 404
    assert gone.json()["error"]["type"] == "NotInLibrary"


def test_the_upload_is_gone_when_the_library_has_its_copy(client: TestClient, lease: str, services: Services) -> None:
    root = services.longleaf.settings.data_dir / "uploads"
    deadline = time.monotonic() + 10
    while left := list(root.rglob("*.txt")):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["../evil.txt", "a/b.txt", "a\\b.txt", "..", "tab\tname.txt"])
def test_a_name_is_never_a_path(client: TestClient, name: str) -> None:
    refused = client.post("/api/documents", params={"name": name}, content=b"x")
    assert refused.status_code == 400
    assert "name" in refused.json()["error"]["message"]
    assert client.get("/api/jobs").json() == {"jobs": [], "next": None}


def test_an_empty_file_bad_pages_and_a_missing_name_are_one_sentence(client: TestClient) -> None:
    empty = client.post("/api/documents", params={"name": "a.txt"})
    assert empty.json()["error"]["message"] == "a.txt is empty: the body of the request must be the file"
    bad = client.post("/api/documents", params={"name": "a.txt", "pages": "7-3"}, content=b"x")
    assert bad.status_code == 400
    assert "runs from 7 to 3" in bad.json()["error"]["message"]
    missing = client.post("/api/documents", content=b"x")
    assert (missing.status_code, missing.json()["error"]["message"]) == (422, "query.name is missing; give it")


def test_a_file_that_cannot_be_read_is_a_failed_job(client: TestClient) -> None:
    answer = client.post("/api/documents", params={"name": "a.xyz"}, content=bytes(range(256)))
    job = finished(client, answer.json()["id"])
    assert job["stage"] == "failed"
    assert "a.xyz" in str(job["error"])


def test_lists_go_page_by_page_while_documents_are_deleted(client: TestClient) -> None:
    ids = [handed_over(client, f"{number}.txt", f"Text {number}.\n".encode()) for number in range(5)]
    first = client.get("/api/documents", params={"limit": 2}).json()
    assert [entry["id"] for entry in first["documents"]] == ids[:2]
    for each in ids[:2]:
        client.delete(f"/api/documents/{each}")
    second = client.get("/api/documents", params={"limit": 3, "cursor": first["next"]}).json()
    assert [entry["id"] for entry in second["documents"]] == ids[2:]
    assert second["next"] is None
    bad = client.get("/api/documents", params={"cursor": "%%%"})
    assert (bad.status_code, "take `next` of the page before" in bad.text) == (400, True)


def test_pages_that_are_not_there(client: TestClient, lease: str) -> None:
    missing = client.get(f"/api/documents/{lease}/pages/2")
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "lease.txt has no page 2; it has 1")
    assert client.get(f"/api/documents/{lease}/pages/0").status_code == 422
    no_image = client.get(f"/api/documents/{lease}/pages/1/image")
    assert (no_image.status_code, "has no page images" in no_image.text) == (400, True)
    assert client.get("/api/documents/abc").status_code == 422


def test_a_body_that_is_too_long_is_refused(client: TestClient) -> None:
    refused = client.post("/api/questions", content=b'{"question": "' + b"x" * (1 << 20) + b'"}')
    assert refused.status_code == 413
    assert refused.json()["error"]["type"] == "SourceTooLarge"


def test_reading_goes_on(client: TestClient, lease: str) -> None:
    answer = client.post(f"/api/documents/{lease}/reading")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/jobs/{answer.json()['id']}"
    assert finished(client, answer.json()["id"])["stage"] == "done"


def test_jobs_are_followed_and_cancelled(client: TestClient, texts: SimpleNamespace) -> None:
    answer = client.post("/api/documents", params={"name": "notes.txt"}, content=texts.notes.read_bytes())
    events = client.get(f"/api/jobs/{answer.json()['id']}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert '"stage": "done"' in events.text.strip().splitlines()[-1]
    assert client.post(f"/api/jobs/{answer.json()['id']}/cancel").json()["stage"] == "done"
    assert client.get("/api/jobs/000000000000").status_code == 404
    assert client.get("/api/jobs/000000000000/events").status_code == 404
