"""What our structure costs: pages per second of `read_pdf` against plain PyMuPDF text extraction.

Run as `python -m tests.bench.pdf_speed [--repeats N] [FOLDER]`. Both sides read the same manuals in one process, in
alternating pairs, so that a busy machine slows both alike; the ratio of each pair is reported beside its median, and
that of processor time beside that of wall time.
Recognition is off: it is no extraction of text. Prints one JSON object.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pymupdf

from ingest.options import ReadOptions
from ingest.pdf import read_pdf
from ingest.reader import SourceFile

MANUALS = Path(__file__).parents[3] / "shared" / "data" / "documents" / "manuals"


def read_ours(path: Path) -> int:
    document, _ = read_pdf(SourceFile.of(path), ReadOptions(ocr=False), lambda done, total: None)
    return len(document.pages)


def read_plain(path: Path) -> int:
    with pymupdf.open(path) as pdf:
        for page in pdf:
            page.get_text()
        return len(pdf)


class Timing(NamedTuple):
    wall_s: float
    cpu_s: float
    pages: int


def timed(read: Callable[[Path], int], paths: list[Path]) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    pages = sum(read(path) for path in paths)
    return Timing(time.perf_counter() - wall, time.process_time() - cpu, pages)


def measure(paths: list[Path], repeats: int) -> dict[str, object]:
    timed(read_plain, paths[:1])
    timed(read_ours, paths[:1])
    pairs = []
    for index in range(repeats):
        order = (read_ours, read_plain) if index % 2 else (read_plain, read_ours)
        timings = {read: timed(read, paths) for read in order}
        pairs.append((timings[read_ours], timings[read_plain]))
    num_pages = pairs[0][0].pages
    ratios = [ours.wall_s / plain.wall_s for ours, plain in pairs]
    cpu_ratios = [ours.cpu_s / plain.cpu_s for ours, plain in pairs]
    return {
        "pages": num_pages,
        "files": [path.name for path in paths],
        "read_pdf_pages_per_s": round(num_pages / statistics.median(ours.wall_s for ours, _ in pairs), 1),
        "get_text_pages_per_s": round(num_pages / statistics.median(plain.wall_s for _, plain in pairs), 1),
        "time_ratio_median": round(statistics.median(ratios), 2),
        "time_ratios": [round(ratio, 2) for ratio in ratios],
        "cpu_time_ratio_median": round(statistics.median(cpu_ratios), 2),
        "load_average_1min": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "pymupdf": pymupdf.VersionBind,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=MANUALS)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.pdf"))
    if not paths:
        parser.error(f"no PDF files in {arguments.folder}; give a folder that holds some")
    print(json.dumps(measure(paths, arguments.repeats), indent=2))


if __name__ == "__main__":
    main()
