"""The server behind the board: GET /api/next for the board, POST /api/delay for the skippers."""

import argparse
import json
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ferryboard.delays import DelayBook
from ferryboard.timetable import Crossing, load_timetable, next_departures

DEFAULT_PORT = 8085
WEB_FOLDER = Path(__file__).parent.parent / "web"


def board(timetable: list[Crossing], delays: DelayBook, now: datetime) -> list[dict[str, Any]]:
    """The rows that the board shows."""
    delays.start_day(now.date())
    rows = []
    for departure, crossing in next_departures(timetable, now):
        is_today = departure.date() == now.date()
        rows.append(
            {
                "number": crossing.number,
                "departs": departure.isoformat(timespec="minutes"),
                "pier": crossing.pier,
                "vessel": crossing.vessel,
                "status": delays.status(crossing.number) if is_today else "on time",
            }
        )
    return rows


class BoardHandler(SimpleHTTPRequestHandler):
    """Serves the web folder, and the two addresses of the API."""

    def __init__(self, *args: Any, timetable: list[Crossing], delays: DelayBook, **kwargs: Any) -> None:
        self.timetable = timetable
        self.delays = delays
        super().__init__(*args, directory=str(WEB_FOLDER), **kwargs)

    def do_GET(self) -> None:
        if self.path == "/api/next":
            self.answer(200, board(self.timetable, self.delays, datetime.now()))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        try:
            report = json.loads(self.rfile.read(length))
            self.delays.report(int(report["number"]), int(report["minutes"]))
        except (ValueError, KeyError, TypeError) as error:
            self.answer(400, {"error": str(error)})
        else:
            self.answer(200, {"status": self.delays.status(int(report["number"]))})

    def answer(self, code: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the ferry board.")
    parser.add_argument("--timetable", type=Path, required=True)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    options = parser.parse_args()
    timetable = load_timetable(options.timetable)
    delays = DelayBook(frozenset(crossing.number for crossing in timetable), datetime.now().date())
    handler = partial(BoardHandler, timetable=timetable, delays=delays)
    ThreadingHTTPServer(("", options.port), handler).serve_forever()


if __name__ == "__main__":
    main()
