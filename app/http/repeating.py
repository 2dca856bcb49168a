"""`Idempotency-Key`: a POST that is sent again, because its answer was lost on the way, is not done again.

Answers are kept in memory for a day, by caller and key. Guarantees: the same key gives the same answer; with another
request it is refused; while the first is still running, it is refused as well. Streamed answers are not kept.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app.errors import BadRequest
from app.http.guard import Door

HEADER = "idempotency-key"
KEPT, KEPT_BYTES, KEPT_S = 1000, 1 << 20, 24 * 3600.0
MAX_KEY = 200  # characters
Handle = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(slots=True)
class _Done:
    fingerprint: bytes
    since: float
    answer: tuple[int, bytes, dict[str, str]] | None = None  # None: still running


class Repeats:
    """What was answered to which key. Safe to call from several threads."""

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[str, str], _Done] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, caller: str, key: str, fingerprint: bytes) -> Response | None:
        """The answer that was given before; None: it is the caller's to do now. Raises BadRequest, HTTPException."""
        if not 0 < len(key) <= MAX_KEY:
            raise BadRequest(f"the Idempotency-Key has {len(key)} characters; it must have 1 to {MAX_KEY}")
        with self._lock:
            self._forget_old()
            done = self._done.get((caller, key))
            if done is None:
                self._done[caller, key] = _Done(fingerprint, time.monotonic())
                return None
        if done.fingerprint != fingerprint:
            raise BadRequest("this Idempotency-Key came with another request before; take a new key")
        if done.answer is None:
            raise HTTPException(409, "the first request with this Idempotency-Key is still running; wait for it")
        status, body, headers = done.answer
        return Response(body, status, {**headers, "idempotent-replayed": "true"})

    def end(self, caller: str, key: str, response: Response | None) -> None:
        """Keeps the answer, or forgets the key where there is none to keep."""
        body = getattr(response, "body", None)
        with self._lock:
            if response is None or response.status_code >= 500 or body is None or len(body) > KEPT_BYTES:
                self._done.pop((caller, key), None)
            else:
                headers = {name: value for name, value in response.headers.items() if name != "content-length"}
                self._done[caller, key].answer = (response.status_code, bytes(body), headers)

    def _forget_old(self) -> None:
        began = time.monotonic() - KEPT_S
        while self._done and (len(self._done) >= KEPT or next(iter(self._done.values())).since < began):
            self._done.popitem(last=False)


def repeatable(repeats: Repeats, door: Door) -> type[APIRoute]:
    """The class of routes that look for the header."""

    class Repeatable(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()

            async def once(request: Request) -> Response:
                key = request.headers.get(HEADER)
                if request.method != "POST" or key is None:
                    return await handle(request)
                caller = door.person_of(request).name
                before = repeats.begin(caller, key, await _fingerprint(request))
                if before is not None:
                    return before
                response = None
                try:
                    response = await handle(request)
                finally:
                    repeats.end(caller, key, response)
                return response

            return once

    return Repeatable


async def _fingerprint(request: Request) -> bytes:
    """Of an upload only address and length: its body is read once, on the way to the disk."""
    digest = hashlib.sha256(str(request.url).encode())
    if request.headers.get("content-type", "").startswith("application/json"):
        digest.update(await request.body())
    digest.update(request.headers.get("content-length", "").encode())
    return digest.digest()
