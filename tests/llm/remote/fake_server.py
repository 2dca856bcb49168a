"""A server of OpenAI's protocol that misbehaves as it is told; it speaks as much of it as the tests need."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]


@dataclass
class Log:
    """What the server saw."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    cut: threading.Event = field(default_factory=threading.Event)  # the client went away in mid-answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    replies: list[Reply]
    log: Log
    model: dict[str, Any]
    listing: int  # status of the list of models

    def do_GET(self) -> None:
        self.log.keys.append(self.headers.get("Authorization"))
        if self.path == "/v1/models" and self.listing != 200:
            return self.send_json({"error": {"message": "no list"}}, self.listing)
        if self.path == "/v1/models":
            return self.send_json({"object": "list", "data": [self.model]})
        return self.send_json({"error": {"message": "no such path"}}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            return self.send_json({"count": len(body["prompt"].split())})
        self.log.bodies.append(body)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(self)

    def send_json(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def send_event(self, data: str) -> None:
        self.send_line(f"data: {data}")

    def send_line(self, line: str) -> None:
        try:
            self.wfile.write(f"{line}\n\n".encode())
            self.wfile.flush()
        except OSError:
            self.log.cut.set()

    def send_piece(self, text: str, **delta: str) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        self.send_event(json.dumps(chunk | {"choices": [{"index": 0, "delta": {"content": text} | delta}]}))

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def says(*pieces: str, reused: int = 0, reasoning: str = "") -> Reply:
    """A whole answer in pieces, with token counts at its end."""

    def reply(handler: Handler) -> None:
        handler.begin_stream()
        if reasoning:
            handler.send_piece("", reasoning_content=reasoning)
        for piece in pieces:
            handler.send_piece(piece)
        usage = {
            "prompt_tokens": 100, "completion_tokens": len(pieces), "total_tokens": 100 + len(pieces),
            "prompt_tokens_details": {"cached_tokens": reused},
        }  # fmt: skip
        last = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [], "usage": usage}
        handler.send_event(json.dumps(last))
        handler.send_event("[DONE]")

    return reply


def calls(name: str, arguments: str) -> Reply:
    """A call of a tool, its arguments in two pieces, as servers stream them."""
    half = len(arguments) // 2
    pieces = (
        {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments[:half]}},
        {"function": {"arguments": arguments[half:]}},
    )

    def reply(handler: Handler) -> None:
        handler.begin_stream()
        for piece in pieces:
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            delta = {"tool_calls": [{"index": 0} | piece]}
            handler.send_event(json.dumps(chunk | {"choices": [{"index": 0, "delta": delta}]}))
        handler.send_event("[DONE]")

    return reply


def refuses(status: int, message: str) -> Reply:
    return lambda handler: handler.send_json({"error": {"message": message, "type": "x"}}, status)


def breaks_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.send_piece("Ireland and then")
    handler.close_connection = True


def sends_nonsense(handler: Handler) -> None:
    handler.begin_stream()
    handler.send_piece("Ireland")
    handler.send_event('{"choices": [{"delta":')


def is_silent(seconds: float) -> Reply:
    """Before the first byte of an answer."""
    return lambda handler: time.sleep(seconds)


def stalls(handler: Handler) -> None:
    """Begins to answer, then waits for the client to go away."""
    handler.begin_stream()
    handler.send_piece("Ireland ")
    for _ in range(600):
        time.sleep(0.02)
        handler.send_line(": still here")
        if handler.log.cut.is_set():
            return


@contextmanager
def serving(*replies: Reply, max_model_len: int | None = 4096, listing: int = 200) -> Iterator[tuple[str, Log]]:
    """The server's base URL, and what it sees. Replies are given in order; the last one again and again."""
    model: dict[str, Any] = {"id": "m", "object": "model", "created": 0, "owned_by": "test"}
    if max_model_len is not None:
        model["max_model_len"] = max_model_len
    log = Log()
    handler = type("Told", (Handler,), {"replies": list(replies), "log": log, "model": model, "listing": listing})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", log
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
