"""The administration of a server for several people: how much everybody stores and does, and for how long it is kept.

Owns the page /admin and what its forms do. Guarantees: only people whose account says so get here; no name of a
document, no question and no answer of anybody is shown, not even to them.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app.errors import BadRequest
from app.jobs import FINISHED
from app.people import Account, Accounts, Sessions, SharedShelf
from app.service.audit import AuditLog
from app.settings import Settings
from app.web.host.entrance import Guest
from app.web.host.homes import Homes
from app.web.render import admin as fragments
from app.web.texts import noted, t

NOT_STORED = {"cache-control": "no-store"}
ROOMS = {"originals": noted("copies"), "state": noted("readings"), "catalogue.sqlite": noted("texts and answers")}
REST = noted("other")
FOR_ADMINS = noted("This page is for administrators of this server.")


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What the administration may know of one library."""

    home: str
    account: Account | None  # None: of somebody who was removed
    documents: int = 0
    answers: int = 0
    sizes: Mapping[str, int] | None = None  # bytes on the disk by what they are for
    jobs: Mapping[str, int] | None = None  # stage -> how many; None: nobody has opened it since the start
    sessions: int = 0

    @property
    def total_bytes(self) -> int:
        return sum((self.sizes or {}).values())


class Administration:
    """Answers for /admin."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        sessions: Sessions,
        homes: Homes,
        folder: Path,
        audit: AuditLog | None,
        shelf: SharedShelf,
    ) -> None:
        """`folder` has the homes."""
        self._settings, self._accounts, self._sessions = settings, accounts, sessions
        self._homes, self._folder, self._audit, self._shelf = homes, folder, audit, shelf

    def lets(self, guest: Guest) -> bool:
        account = self._accounts.find(guest.name)
        return account is not None and account.is_admin

    async def page(self, guest: Guest, said: str = "") -> Response:
        if not self.lets(guest):
            return PlainTextResponse(t(FOR_ADMINS), 403, NOT_STORED)
        facts = await run_in_threadpool(self._facts)
        shown = fragments.page(guest.name, facts, self._settings, has_audit=self._audit is not None, said=said)
        return HTMLResponse(shown, headers=NOT_STORED)

    async def act(self, guest: Guest, form: Mapping[str, str]) -> Response:
        """One form of the page: keep, sign-out, delete-home."""
        if not self.lets(guest):
            return PlainTextResponse(t(FOR_ADMINS), 403, NOT_STORED)
        try:
            await self._done(form)
        except BadRequest as error:
            return await self.page(guest, str(error))
        return RedirectResponse("/admin", 303, NOT_STORED)

    async def export(self, guest: Guest) -> Response:
        """The audit log as JSON lines."""
        if not self.lets(guest) or self._audit is None:
            return PlainTextResponse(t("There is no audit log for you here."), 403, NOT_STORED)
        text = await run_in_threadpool(self._audit.as_jsonl)
        headers = {**NOT_STORED, "content-disposition": 'attachment; filename="longleaf-audit.jsonl"'}
        return Response(text, media_type="application/jsonl", headers=headers)

    async def _done(self, form: Mapping[str, str]) -> None:
        name = form.get("name", "")
        match form.get("act", ""):
            case "keep":
                self._accounts.set_keep_hours(name, _hours(form.get("hours", "")))
            case "sign-out":
                self._sessions.end_all(name)
            case "delete-home":
                home = form.get("home", "")
                if home not in self._homes.there() or any(each.id == home for each in self._accounts.all()):
                    raise BadRequest(t("only the library of somebody who was removed can be deleted here"))
                await run_in_threadpool(self._shelf.forget, home)
                await self._homes.remove(home)
            case act:
                raise BadRequest(t("the form says {act}, which this page does not do", act=repr(act[:20])))

    def _facts(self) -> list[HomeFacts]:
        """The largest first; libraries of removed people too."""
        accounts = {account.id: account for account in self._accounts.all()}
        homes = [*accounts, *(home for home in sorted(self._homes.there()) if home not in accounts)]
        return sorted((self._fact(home, accounts.get(home)) for home in homes), key=lambda one: -one.total_bytes)

    def _fact(self, home: str, account: Account | None) -> HomeFacts:
        folder = self._folder / home
        documents, answers = _counts(folder / "catalogue.sqlite")
        opened = self._homes.opened(home)
        stages = None if opened is None else Counter(job.stage for job in opened.jobs.jobs())
        working = None if stages is None else {str(stage): n for stage, n in stages.items() if stage not in FINISHED}
        sessions = self._sessions.count(account.name) if account is not None else 0
        return HomeFacts(home, account, documents, answers, _sizes(folder), working, sessions)


def _hours(text: str) -> float | None:
    """Empty: as long as the server says. Raises BadRequest."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise BadRequest(
            t("{text} is no number of hours; write one, or nothing for the server’s own", text=repr(text[:20]))
        ) from None


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes below a library's folder, by what they are for."""
    sizes = Counter[str]()
    for base, _, names in os.walk(folder):
        room = Path(base).relative_to(folder).parts[:1]
        for name in names:
            label = ROOMS.get(room[0] if room else name, REST)
            try:
                sizes[label] += (Path(base) / name).lstat().st_size
            except FileNotFoundError:  # removed meanwhile
                continue
    return dict(sizes)


def _counts(catalogue: Path) -> tuple[int, int]:
    """Documents and answers; nothing is opened that would be made by that."""
    if not catalogue.is_file():
        return 0, 0
    with closing(sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True)) as rows:
        return tuple(rows.execute("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM answers)").fetchone())
