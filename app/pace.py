"""How fast something goes and how long it will take, from what is done so far."""

SURE_AFTER = 5  # units, or a twentieth of the whole: the first page says little about the next


def pace(done: int, total: int, elapsed_s: float) -> tuple[float, float | None]:
    """(units a second, seconds left); (0, None) while too little is done to tell."""
    if done <= 0 or elapsed_s <= 0 or (done < SURE_AFTER and done * 20 < total):
        return 0.0, None
    rate_per_s = done / elapsed_s
    return rate_per_s, max(0, total - done) / rate_per_s
