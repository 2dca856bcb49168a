"""The entrance of a public demo: whoever comes is told the terms and gets a library of their own for some hours.

Owns who visits. Guarantees: no more visitors at once than there are places, and few visits a day from one address; a
visit ends on time whether or not the server was restarted meanwhile.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from app.people import Sessions
from app.service.allowance import Caps
from app.web.host.entrance import Guest, Refused
from app.web.host.guard import is_loopback
from app.web.render import entrance as fragments
from app.web.texts import t

KEEP_S = 3 * 3600.0
PLACES = 40
VISITS_A_DAY = 8  # from one address
DAY_S = 24 * 3600.0
MAX_ADDRESSES = 10_000


class Visits:
    """The entrance for visitors without accounts."""

    def __init__(
        self, sessions: Sessions, caps: Caps, *, places: int = PLACES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sessions, self._places, self._clock = sessions, places, clock
        self._caps = caps
        self._came: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def terms(self) -> str:
        """What every visitor must know, in a few sentences."""
        return t(
            "Public demo: you may add {files} files of {pages} pages in all and ask {questions} questions. What you "
            "add is shown to no other visitor, and deleted {hours} hours after you came, or when you sign out; what "
            "you asked stays in this browser until you forget it there. Add nothing confidential: whoever runs this "
            "server could read it.",
            files=self._caps.files, pages=self._caps.pages, questions=self._caps.questions, hours=round(KEEP_S / 3600),
        )  # fmt: skip

    def guest(self, token: str) -> Guest | None:
        session = self._sessions.find(token)
        return Guest(session.who, "visitor") if session else None

    def program(self, secret: str) -> Guest | None:
        """Visitors have no tokens."""
        return None

    def vouched(self, headers: Mapping[str, str]) -> Guest | None:
        """A visit is nobody's."""
        return None

    def page(self, refused: Refused | None, to: str) -> str:
        return fragments.welcome(refused.sentence if refused else None, self.terms)

    def enter(self, form: Mapping[str, str], address: str) -> str | Refused:
        with self._lock:
            if len(self._sessions.everybody()) >= self._places:
                return Refused(t("All places of this demo are taken; come back in an hour."), 503, 3600)
            now = self._clock()
            came = [at for at in self._came.pop(address, []) if now - at < DAY_S]
            self._came[address] = came
            while len(self._came) > MAX_ADDRESSES:
                self._came.popitem(last=False)
            if len(came) >= VISITS_A_DAY and not is_loopback(address):  # a tunnel's visitors all come from here
                return Refused(t("You have been here often today; come back tomorrow."), 429, DAY_S - (now - came[0]))
            came.append(now)
            return self._sessions.open(secrets.token_hex(8))

    def leave(self, token: str) -> None:
        self._sessions.end(token)

    def is_over(self, home: str) -> bool:
        """Whether nobody may come into that home any more."""
        return home.partition(".")[0] not in self._sessions.everybody()  # "….partial" is being made
