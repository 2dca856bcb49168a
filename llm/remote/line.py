"""A connection that another thread can cut at any moment, also while nothing comes through it.

Closing a socket does not wake a thread that waits to read from it; shutting it down does, and tells the server.
"""

import socket
from typing import Any

import httpx2


class CallCut(BaseException):
    """The call was cut. No Exception, for what catches those would try again, and a person has stopped it."""


class Line(httpx2.HTTPTransport):
    """The way to the server for one call. Keeps no connection for another."""

    def __init__(self) -> None:
        super().__init__(limits=httpx2.Limits(max_keepalive_connections=0))
        self._stream: Any = None
        self._is_cut = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._is_cut:
            raise CallCut
        request.extensions = {**request.extensions, "trace": self._note}
        return super().handle_request(request)

    def cut(self) -> None:
        """Ends what is on the way, and refuses what would begin now. Safe from any thread, and twice."""
        self._is_cut = True
        connection = self._stream.get_extra_info("socket") if self._stream is not None else None
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was over already

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._stream = info["return_value"]
