"""Bytes to text, in encodings that say what they are and in those that do not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Severity
from ingest.errors import UnreadableSource
from ingest.text.decoding import decoded

SAMPLES = {
    "cp1252": "“Smart quotes” – and the naïve café’s résumé cost €5.",
    "latin-1": "Der Bürgermeister spricht über die Größe der Äpfel. Das Café schließt früh.",
    "cp1251": "Съешь же ещё этих мягких французских булок, да выпей чаю. Договор вступает в силу.",
    "koi8-r": "Съешь же ещё этих мягких французских булок, да выпей чаю. Договор вступает в силу.",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy. Smlouva nabývá účinnosti.",
    "iso8859-7": "Αυτό είναι ένα ελληνικό κείμενο. Η σύμβαση αρχίζει το 2024.",
    "shift_jis": "これは日本語の文書です。契約は二〇二四年に始まります。",
    "gb18030": "这是一个中文文件。合同从二〇二四年开始生效。",
    "euc-kr": "이것은 한국어 문서입니다. 계약은 내년에 시작됩니다.",
}
plain_text = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn"), exclude_characters="\ufeff\ufffd"), min_size=1
)


@given(plain_text, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_text_that_says_its_encoding_comes_back(text: str, encoding: str) -> None:
    found = decoded(text.encode(encoding), "a.txt")
    assert found.text == text


@given(plain_text.map(lambda text: "The 3 terms of this agreement: " + text))
def test_utf8_needs_no_mark(text: str) -> None:
    assert decoded(text.encode(), "a.txt").text == text


@pytest.mark.parametrize("encoding", SAMPLES)
def test_a_guess_is_right_and_says_that_it_is_one(encoding: str) -> None:
    found = decoded(SAMPLES[encoding].encode(encoding), "a.txt")
    assert found.text == SAMPLES[encoding]
    assert found.problem is not None
    assert found.problem.severity is Severity.DEGRADED
    assert found.problem.why == f"The file does not say its encoding; it was read as {found.encoding}, a guess."


@pytest.mark.parametrize("word", ["café", "Müller", "naïve façade", "prix: 5€"])
def test_short_western_text_is_not_taken_for_chinese(word: str) -> None:
    assert decoded(word.encode("cp1252"), "a.txt").text == word


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_without_a_mark(encoding: str) -> None:
    assert decoded("Windows wrote this".encode(encoding), "a.txt").text == "Windows wrote this"


def test_one_broken_byte_does_not_change_the_encoding() -> None:
    found = decoded("Größe, Äpfel, Öl, über".encode() + b"\xff!", "a.txt")
    assert found.text == "Größe, Äpfel, Öl, über\ufffd!"
    assert found.problem is not None
    assert found.problem.why == "1 characters could not be decoded as utf-8 and stand as \ufffd."


def test_text_that_was_spoilt_before_says_so() -> None:
    spoilt = "Ã¼ber die GrÃ¶ÃŸe der Ã„pfel".encode()
    problem = decoded(spoilt, "a.txt").problem
    assert problem is not None
    assert problem.why.startswith("Letters look as if they had been decoded wrongly before")
    assert decoded("über die Größe der Äpfel".encode(), "a.txt").problem is None


def test_line_ends_are_plain() -> None:
    assert decoded(b"a\r\nb\rc\n", "a.txt").text == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "a.txt is empty (0 bytes); hand over a file with text"),
        (random.Random(1).randbytes(5000), "a.txt holds binary data, not text; give it the ending of its real format"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00" * 9, "a.txt holds binary data"),
    ],
)
def test_what_is_not_text_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        decoded(data, "a.txt")
    assert str(caught.value).startswith(sentence)
