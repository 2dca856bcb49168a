"""Tags: words that a person gives to documents, to find them by."""

from collections.abc import Sequence

from app.errors import BadRequest

MAX_TAGS, MAX_TAG = 20, 40


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """In lower case, each once, in order. Raises BadRequest for too many, too long ones, and ones with spaces."""
    words = tuple(dict.fromkeys(tag.strip().lstrip("#").lower() for tag in tags if tag.strip()))
    bad = next((word for word in words if not word or len(word) > MAX_TAG or len(word.split()) != 1), None)
    if bad is not None:
        raise BadRequest(f"the tag {bad[:60]!r} cannot be used; a tag is one word of at most {MAX_TAG} characters")
    if len(words) > MAX_TAGS:
        raise BadRequest(f"{len(words)} tags were given; a document has at most {MAX_TAGS}")
    return words
