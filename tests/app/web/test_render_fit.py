"""How documents fit: the line before a question, each one's share, and what other choices would change."""

from dataclasses import replace

from app.web.render.fit import fit
from tests.app.web.test_render_library import entry


def test_what_fits_is_said_and_one_document_has_no_shares() -> None:
    shown = fit([entry(tokens=1550)], 7552, 10**9)
    assert "1,550 of the 7,552 tokens that the model can take in at once" in shown
    assert "ll-fit-shares" not in shown
    assert "ll-fit-over" not in shown


def test_too_much_names_shares_and_what_would_help() -> None:
    large = replace(
        entry(tokens=9000),
        id="l" * 64,
        name="<large>.pdf",
        pages=30,
        tokens_read=4500,
        kv_bytes=45_000_000,
        is_read=False,
    )
    small = replace(
        entry(tokens=1000), id="s" * 64, name="small.pdf", is_read=True, tokens_read=1000, kv_bytes=10_000_000
    )
    shown = fit([small, large], 7552, 5 * 1024**3)
    assert "10,000 tokens, not all read yet: answered from the best passages" in shown
    assert "Without <bdi>&lt;large&gt;.pdf</bdi>: 1,000 tokens, all of it can be seen at once." in shown
    assert "about 25 pages fit at once" in shown
    assert "Still to be read: 4,500 tokens. That takes about 43 MB on the disk. 5.0 GB are free." in shown
    assert shown.index("90 %") < shown.index("10 %")


def test_nothing_is_said_before_it_is_known() -> None:
    assert fit([entry(tokens=None)], 7552) == ""
    assert fit([entry(tokens=10)], None) == ""
    assert fit([], 7552) == ""
