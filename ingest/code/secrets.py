"""Likely secrets in text and code, found by the detectors of detect-secrets, reported without the secret itself.

Only detectors of a fixed shape (keys, tokens, passwords in addresses) run, and the keyword detector only where a
quoted value looks like a key; the entropy detectors are off, since on source code nearly all they say is wrong. No
detector is ever asked to verify a secret, so no connection is opened.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from detect_secrets.filters import heuristic
from detect_secrets.plugins import (
    aws,
    azure_storage_key,
    basic_auth,
    discord,
    github_token,
    gitlab_token,
    jwt,
    keyword,
    npm,
    openai,
    private_key,
    pypi_token,
    sendgrid,
    slack,
    square_oauth,
    stripe,
    telegram_token,
    twilio,
)  # fmt: skip
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector

from ingest.document import Document, Kind, Problem, Severity

MAX_PROBLEMS = 20  # a file, before the rest is told as a number
MAX_LINE_CHARS = 2_000  # longer lines are data
_SHAPES: tuple[tuple[type[RegexBasedDetector], str, tuple[str, ...]], ...] = (
    # detector, what it finds, one of which every match holds (a search for it is a hundred times faster)
    (aws.AWSKeyDetector, "an AWS access key", ("A3T", "ABIA", "ACCA", "AKIA", "ASIA", "aws")),
    (azure_storage_key.AzureStorageKeyDetector, "an Azure storage key", ("AccountKey=",)),
    (basic_auth.BasicAuthDetector, "a password in an address", ("://",)),
    (discord.DiscordBotTokenDetector, "a Discord bot token", (".",)),
    (github_token.GitHubTokenDetector, "a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    (gitlab_token.GitLabTokenDetector, "a GitLab token", ("gl", "GR1348941")),
    (jwt.JwtTokenDetector, "a JSON web token", ("eyJ",)),
    (npm.NpmDetector, "an npm token", (":_authToken=",)),
    (openai.OpenAIDetector, "an OpenAI key", ("T3BlbkFJ",)),
    (private_key.PrivateKeyDetector, "a private key", ("BEGIN ", "PuTTY-User-Key-File")),
    (pypi_token.PypiTokenDetector, "a PyPI token", ("pypi-Ag",)),
    (sendgrid.SendGridDetector, "a SendGrid key", ("SG.",)),
    (slack.SlackDetector, "a Slack token", ("xox", "hooks.slack.com")),
    (square_oauth.SquareOAuthDetector, "a Square secret", ("sq0csp-",)),
    (stripe.StripeDetector, "a Stripe key", ("k_live_",)),
    (telegram_token.TelegramBotTokenDetector, "a Telegram bot token", (":AA",)),
    (twilio.TwilioKeyDetector, "a Twilio key", ("AC", "SK")),
)
_ASSIGNED_MARKS = ("api_key", "apikey", "auth_key", "authkey", "passw", "pwd", "secret")  # lower case
_ASSIGNED = re.compile(r"(?i)(?:api_?key|auth_?key|passw(?:or)?d|pwd|secret)\w*[\"']?\s*(?::|:?=)\s*\S")
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|fake|test|changeme|placeholder|your[-_ ]|xxx|\*\*\*|\.\.\.|<|\{|\$|%s|"
    r"password|passwd|secret|token"
)
_KEY_LIKE = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[^\s]{12,}")


def secret_problems(document: Document) -> list[Problem]:
    """One notice for each likely secret of a text or code file, the first `MAX_PROBLEMS` with their lines."""
    if document.kind not in (Kind.TEXT, Kind.CODE):
        return []
    found = [
        Problem(document.name, page.page_no, "likely secret", f"line {line} looks like {kind}", Severity.NOTICE)
        for page in document.pages
        for line, kind in secrets_of(page.text, document.name)
    ]
    if len(found) > MAX_PROBLEMS:
        more = f"{len(found) - MAX_PROBLEMS} more lines look like secrets"
        found[MAX_PROBLEMS:] = [Problem(document.name, None, "likely secret", more, Severity.NOTICE)]
    return found


def secrets_of(text: str, name: str) -> Iterator[tuple[int, str]]:
    """(line from 1, what it looks like: "an AWS access key"), in order of lines, each line once."""
    for line_no, line in _candidates(text):
        if kind := _first_kind(line, name):
            yield line_no, kind


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    """The lines that one of the patterns touches: the detectors themselves are too slow to see every line."""
    line_no, counted_to, last_start = 1, 0, -1
    starts = sorted({match.start() for pattern in _patterns(text) for match in pattern.finditer(text)})
    for position in starts:
        start = text.rfind("\n", 0, position) + 1
        if start == last_start:
            continue
        line_no += text.count("\n", counted_to, start)
        counted_to = last_start = start
        end = text.find("\n", position)
        line = text[start : end if end >= 0 else len(text)]
        if len(line) <= MAX_LINE_CHARS:
            yield line_no, line


def _patterns(text: str) -> Iterator[re.Pattern[str]]:
    """Those that can match somewhere in the text."""
    for detector, _, marks in _detectors():
        if any(mark in text for mark in marks):
            yield from detector.denylist
    lowered = text.lower()
    if any(mark in lowered for mark in _ASSIGNED_MARKS):
        yield _ASSIGNED


@functools.cache
def _detectors() -> tuple[tuple[RegexBasedDetector, str, tuple[str, ...]], ...]:
    return tuple((shape(), phrase, marks) for shape, phrase, marks in _SHAPES)


def _first_kind(line: str, name: str) -> str | None:
    for detector, phrase, marks in _detectors():
        if not any(mark in line for mark in marks):
            continue
        matches = (match for pattern in detector.denylist for match in pattern.finditer(line) if _is_whole(match))
        if any(_is_likely(_secret_part(match), line, detector) for match in matches):
            return phrase
    if _ASSIGNED.search(line) and not heuristic.is_indirect_reference(line):
        keywords = keyword.KeywordDetector()
        style = "settings.ini" if PurePosixPath(name).name.startswith(".env") else name  # quotes are optional there
        for found in keywords.analyze_line(style, line):
            secret = found.secret_value or ""
            if _KEY_LIKE.fullmatch(secret) and _is_likely(secret, line, keywords):
                return "a hard-coded password or key"
    return None


def _is_whole(match: re.Match[str]) -> bool:
    """Whether the match is not a piece of a longer word, such as base64 data; of an address, has a real password."""
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    in_word = (before.isalnum() and match[0][0].isalnum()) or (after.isalnum() and match[0][-1].isalnum())
    user, _, password = match[0].removeprefix("://").rstrip("@").partition(":")
    return not in_word and (not match[0].startswith("://") or (len(password) > 5 and password != user))


def _secret_part(match: re.Match[str]) -> str:
    """The group that holds the secret; all that matched where a group holds only a prefix ("ghp")."""
    longest = max((group for group in match.groups() if group), key=len, default="")
    return longest if len(longest) > 5 else match[0]


def _is_likely(secret: str, line: str, detector: BasePlugin) -> bool:
    if isinstance(detector, private_key.PrivateKeyDetector):
        return line.lstrip(" \t\"'#/*").startswith(("-----BEGIN", "PuTTY"))
    return not (
        _PLACEHOLDER.search(secret)
        or heuristic.is_sequential_string(secret)
        or heuristic.is_potential_uuid(secret)
        or heuristic.is_templated_secret(secret)
        or heuristic.is_not_alphanumeric_string(secret)
        or heuristic.is_likely_id_string(secret, line, detector)
        or len(set(secret)) < 5
    )
