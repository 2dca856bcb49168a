"""An answer's Markdown: what is drawn, and that nothing of it runs, loads or leads anywhere."""

import re

import pytest

from app.web.render.markup import rendered


def test_lists_tables_and_code_are_drawn() -> None:
    shown = rendered("Two:\n\n- **one**\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nreturn 1\n```\n")
    assert "<li><strong>one</strong></li>" in shown
    assert "<td>2</td>" in shown
    assert '<span class="k">return</span>' in shown


def test_formulas_become_mathml_and_sums_of_money_stay() -> None:
    assert "<mfrac>" in rendered(r"It is $\frac{a}{b}$.")
    assert 'display="block"' in rendered("$$\nx^2\n$$")
    assert "<msup>" in rendered(r"So \(x^2\) holds.")
    assert "<math" not in rendered("It costs $900 and later $1,200 or $5-$10.")
    assert r"<code>\frac{</code>" in rendered(r"$\frac{$")


def test_a_formula_leads_nowhere() -> None:
    shown = rendered(r"$\href{https://evil.example}{x}$")
    assert "href=" not in shown
    assert "<code>" in shown


@pytest.mark.parametrize(
    "text",
    [
        "[click](https://evil.example/?q=secret)",
        "![x](https://evil.example/pixel.png)",
        "<https://evil.example>",
        "[a]: https://evil.example\n\n[a]",
        "<a href='https://evil.example'>x</a>",
        "<script>alert(1)</script>",
        "`<img src=x onerror=alert(1)>`",
        "```\n<img src=x onerror=alert(1)>\n```",
        '```"><img src=x onerror=alert(1)>\nx\n```',
        "| <img src=x> | b |\n|---|---|\n| <svg onload=alert(1)> | 2 |",
        "<iframe src=//evil.example>",
    ],
)
def test_nothing_runs_loads_or_leads_anywhere(text: str) -> None:
    shown = rendered(text)
    assert not re.search(r"<(a|img|script|svg|iframe)\b|<[^>]*\b(href|src|on\w+)=", shown)
    assert "evil.example" in shown or "alert(1)" in shown or "&lt;img" in shown


def test_names_of_code_are_left_as_they_are() -> None:
    assert rendered("Call __init__ of my_long_name and &amp; too.") == (
        "<p>Call __init__ of my_long_name and &amp;amp; too.</p>"
    )


def test_marks_are_buttons_but_not_in_code() -> None:
    shown = rendered("Yes [1], see `a[1]`.", 2, lambda index: f"<b>{index}</b>")
    assert shown == "<p>Yes <b>0</b>, see <code>a[1]</code>. <b>1</b></p>"


def test_what_comes_last_stands_in_the_last_paragraph() -> None:
    assert rendered("One.\n\nTwo", last="<i></i>").endswith("<p>Two<i></i></p>")
    assert rendered("- One", last="<i></i>").endswith("</ul><p><i></i></p>")
