"""HTML and mail as a person reads them."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest

from ingest.document import Heading, Link, Role, Severity
from ingest.errors import UnreadableSource

HTML = """<!DOCTYPE html><html><head><title>Price  list</title><meta name="author" content="Ann">
<style>p {}</style></head><body><script>var x = 1;</script><!-- hidden -->
<h1>Prices <em>2024</em></h1><p>First <b>para</b>graph<br>second line</p><div style="display: none">ghost</div>
<ul><li>apple<ol><li>red</li><li><p>green</p></li></ol></li><li>pear</li></ul>
<table><tr><th>name</th><th>price</th></tr><tr><td>apple</td><td>1<b>.20</b></td></tr><tr><td></td><td></td></tr></table>
<pre>x = 1
  y = 2</pre><p>See <a href="https://example.org/">here</a> <a href="#top">top</a> <img alt="a chart">
</body></html>"""


def test_a_page_reads_as_shown(read: Callable) -> None:
    document, problems = read("a.html", HTML)
    (page,) = document.pages
    assert page.text == (
        "Prices 2024\n\nFirst paragraph\nsecond line\n\n- apple\n  1. red\n  2. green\n- pear\n\n"
        "name | price\napple | 1.20\n\nx = 1\n  y = 2\n\nSee here top [a chart]"
    )
    roles = [(page.text[span.start : span.end], span.role) for span in page.spans]
    assert roles == [
        ("Prices 2024", Role.HEADING),
        ("name | price", Role.TABLE),
        ("apple | 1.20", Role.TABLE),
        ("x = 1", Role.CODE),
        ("  y = 2", Role.CODE),
    ]
    assert document.headings == (Heading(1, "Prices 2024", 1),)
    assert document.links == (Link(1, None, "https://example.org/"),)
    assert document.metadata == {"title": "Price list", "author": "Ann"}
    assert problems == []


def test_the_declared_charset_is_believed(read: Callable) -> None:
    html = '<meta charset="iso-8859-2"><p>Łódź, ósmy</p>'
    document, problems = read("a.html", html.encode("iso-8859-2"))
    assert (document.pages[0].text, problems) == ("Łódź, ósmy", [])


def test_deep_nesting_is_no_obstacle(read: Callable) -> None:
    document, _ = read("a.html", "<div>" * 5000 + "deep" + "</div>" * 5000 + "<p>after")
    assert document.pages[0].text == "deep\n\nafter"


def test_tables_for_layout_are_walked(read: Callable) -> None:
    document, _ = read(
        "a.html", "<table><tr><td><h2>Left</h2>text</td><td><table><tr><td>1<td>2</table></td></tr></table>"
    )
    assert document.pages[0].text == "Left\n\ntext\n\n1 | 2"


def test_a_page_made_by_scripts_is_a_problem(read: Callable) -> None:
    _, problems = read("a.html", "<html><body><div id=app></div><script>start()</script></body></html>")
    assert [problem.what for problem in problems] == ["no text found"]


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    return message


def test_a_mail_has_headers_body_and_left_out_attachments(read: Callable) -> None:
    message = mail(
        From="Jörg <j@example.org>", To="ann@example.org", Subject="Offer", Date="Wed, 1 May 2024 10:00:00 +0200"
    )
    message.set_content("Dear Ann,\n\n  the price is 5 €.\n")
    message.add_alternative("<p>Dear <b>Ann</b></p>", subtype="html")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="offer.pdf")
    document, problems = read("a.eml", bytes(message))
    assert document.pages[0].text == (
        "From: Jörg <j@example.org>\nTo: ann@example.org\nDate: Wed, 01 May 2024 10:00:00 +0200\nSubject: Offer\n\n"
        "Dear Ann,\n\n  the price is 5 €."
    )
    assert document.metadata == {
        "title": "Offer",
        "author": "Jörg <j@example.org>",
        "created": "2024-05-01T10:00:00+02:00",
    }
    assert [(problem.severity, problem.why) for problem in problems] == [
        (
            Severity.LEFT_OUT,
            "The attachment 'offer.pdf' (application/pdf, 8 bytes) was not read; save it and add it by itself.",
        )
    ]


def test_a_mail_of_html_alone_is_read(read: Callable) -> None:
    message = mail(Subject="Hi")
    message.set_content("<h1>News</h1><p>Rain.</p>", subtype="html")
    assert read("a.eml", bytes(message))[0].pages[0].text == "Subject: Hi\n\nNews\n\nRain."


@pytest.mark.parametrize("data", [b"", b"no headers at all\n", b"\x00\x01\x02\x03" * 50])
def test_what_is_no_mail_is_refused(read: Callable, data: bytes) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.eml is (empty|not a mail)"):
        read("a.eml", data)


def test_a_mail_in_an_unknown_charset_is_read_all_the_same(read: Callable) -> None:
    document, _ = read("a.eml", b"Subject: x\nContent-Type: text/plain; charset=nonsense\n\nna\xefve caf\xe9\n")
    assert document.pages[0].text == "Subject: x\n\nnaïve café"
