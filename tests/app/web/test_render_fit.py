"""How documents fit: the line before a question, each one's share, and what other choices would change."""

from dataclasses import replace

from app.service.values import Room
from app.web.render.fit import fit
from llm.fitting import Memory, Pictures
from tests.app.web.test_render_library import entry

GB = 1024**3
ROOM = Room(7552, Memory(34 * 1024**2, 6 * GB), 5 * GB)


def test_what_fits_is_said_and_one_document_has_no_shares() -> None:
    shown = fit([entry(tokens=1550)], ROOM)
    assert "1,550 of the 7,552 tokens that the model can take in at once" in shown
    assert "Once read, a question opens about 34 MB of it in memory; 6.0 GB are free there." in shown
    assert "ll-fit-shares" not in shown
    assert "ll-fit-over" not in shown
    assert "pixels" not in shown
    assert "memory" not in fit([entry(tokens=1550)], replace(ROOM, memory=None))  # a server's


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
    shown = fit([small, large], ROOM)
    assert "10,000 tokens, not all read yet: answered from the best passages" in shown
    assert "Without <bdi>&lt;large&gt;.pdf</bdi>: 1,000 tokens, all of it can be seen at once." in shown
    assert "about 25 pages fit at once" in shown
    assert "Still to be read: 4,500 tokens. That takes about 43 MB on the disk. 5.0 GB of the disk are free." in shown
    assert shown.index("90 %") < shown.index("10 %")


def test_other_sizes_of_pictures_are_offered_where_they_change_something() -> None:
    pictures = Pictures(12, 1024, {512: 2400, 768: 4800, 1024: 8400, 1536: 8400})
    shown = fit([entry(tokens=10_000)], replace(ROOM, pictures=pictures))
    assert "The model sees 12 pages as pictures of 1,024 pixels, of 700 tokens each." in shown
    assert 'data-act="pictures" data-arg="512">512 pixels</button> 4,000 tokens in all, all of it can be seen' in shown
    assert 'data-arg="768">768 pixels</button> 6,400 tokens in all, all of it can be seen at once' in shown
    assert 'data-arg="1024"' not in shown  # what it is already
    assert 'data-arg="1536"' not in shown  # a choice that does nothing
    alike = fit([entry(tokens=10_000)], replace(ROOM, pictures=Pictures(12, 1024, {512: 8400, 1024: 8400})))
    assert "700 tokens each" in alike
    assert "Fewer pixels" not in alike


def test_nothing_is_said_before_it_is_known() -> None:
    assert fit([entry(tokens=10)], None) == ""
    assert fit([], ROOM) == ""
