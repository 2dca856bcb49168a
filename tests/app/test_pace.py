"""Rates and remaining times, and silence while too little is known."""

import pytest

from app.pace import pace


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "expected"),
    [
        (0, 10, 3.0, (0.0, None)),
        (1, 261, 26.0, (0.0, None)),
        (1, 2, 4.0, (0.25, 4.0)),
        (5, 1000, 10.0, (0.5, 1990.0)),
        (12, 10, 3.0, (4.0, 0.0)),
        (3, 10, 0.0, (0.0, None)),
    ],
)
def test_pace(done: int, total: int, elapsed_s: float, expected: tuple[float, float | None]) -> None:
    assert pace(done, total, elapsed_s) == expected
