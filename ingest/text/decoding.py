"""Bytes to text: byte order marks first, then UTF-8, then a guess (charset-normalizer), and what was doubtful.

Guarantees "\\n" line ends and otherwise every character of the file, so that line numbers are the file's own.
"""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from ingest.document import Problem, Severity
from ingest.errors import UnreadableSource
from ingest.page_text import with_plain_line_ends

MARKS = (  # the longer first: UTF-32's mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
GUESS_BYTES = 256 * 1024  # of a file; more does not make the guess better, only slower
GUESSES = (  # the likelier first, since short texts fit several
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "mac_roman", "cp866", "cp437"),
)
MAX_CONTROL_SHARE = 0.03  # of characters; random bytes have 0.1
_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_MOJIBAKE = re.compile(r"[ÃÂ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[\x80-\xbf™œž˜”“–—¦]")


@dataclass(frozen=True, slots=True)
class Decoded:
    text: str
    encoding: str
    problem: Problem | None = None


def read_decoded(path: Path, name: str) -> Decoded:
    """The file as text. Raises UnreadableSource for an empty or binary one."""
    return decoded(path.read_bytes(), name)


def decoded(data: bytes, name: str, declared: str | None = None) -> Decoded:
    """`declared`: what the file itself says (an HTML charset); believed when it fits."""
    if not data:
        raise UnreadableSource(f"{name} is empty (0 bytes); hand over a file with text")
    text, encoding, doubt = _decode(data, declared)
    controls = len(_CONTROLS.findall(text))
    if controls > MAX_CONTROL_SHARE * len(text):
        raise UnreadableSource(f"{name} holds binary data, not text; give it the ending of its real format")
    text = with_plain_line_ends(text)
    damaged = text.count("\ufffd")
    if damaged:
        doubt = f"{damaged} characters could not be decoded as {encoding} and stand as \ufffd."
    elif not doubt and len(_MOJIBAKE.findall(text)) > 2:
        doubt = "Letters look as if they had been decoded wrongly before the file was saved (Ã¤ instead of ä)."
    return Decoded(text, encoding, Problem(name, 1, "broken encoding", doubt, Severity.DEGRADED) if doubt else None)


def _decode(data: bytes, declared: str | None) -> tuple[str, str, str]:
    """Text, encoding, and a sentence when the encoding was guessed badly."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding, ""
    for encoding in filter(None, ("utf-8", _wide_encoding(data), declared)):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text, encoding, ""
    if _is_damaged_utf8(data):
        return data.decode("utf-8", "replace"), "utf-8", ""
    return _guessed(data)


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: in most scripts every other byte is the same few values, and in Latin ones it is 0."""
    head = data[:4096]
    if len(head) < 4 or len(data) % 2:
        return None
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[offset::2].count(0) > 0.4 * len(head) / 2 and head[1 - offset :: 2].count(0) < 0.05 * len(head) / 2:
            return encoding
    return None


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether most of the bytes over 127 make good UTF-8 all the same: a broken file, not another encoding."""
    text = data.decode("utf-8", "replace")
    good = sum(1 for character in text if character > "\x7f" and character != "\ufffd")
    return good > 4 * text.count("\ufffd")


def _guessed(data: bytes) -> tuple[str, str, str]:
    """The likeliest of GUESSES; among equals the first."""
    rank = {encoding: place for place, encoding in enumerate(GUESSES)}
    found = [
        (round(match.chaos, 2), -round(match.coherence, 1), rank[encoding])
        for match in from_bytes(data[:GUESS_BYTES], cp_isolation=list(GUESSES))
        for encoding in {match.encoding, *match.could_be_from_charset} & rank.keys()
    ]
    encoding = GUESSES[min(found)[2]] if found else "cp1252"
    text = data.decode(encoding, "replace")
    return text, encoding, f"The file does not say its encoding; it was read as {encoding}, a guess."
