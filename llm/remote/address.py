"""The name of a remote model: "openai:http://127.0.0.1:8000/v1#llama-4-maverick"."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from llm.errors import ModelNotFound

_SCHEME = "openai:"


@dataclass(frozen=True, slots=True)
class Address:
    """`base_url` ends where the protocol's paths begin, as in ".../v1". `model` None: the only one that is served."""

    base_url: str
    model: str | None

    @property
    def root_url(self) -> str:
        """Where servers have what is not OpenAI's: /props, /tokenize."""
        return self.base_url.removesuffix("/v1")


def is_remote(name: str | None) -> bool:
    return name is not None and name.startswith(_SCHEME)


def parse(name: str) -> Address:
    """Raises ModelNotFound with one sentence."""
    url, _, model = name.removeprefix(_SCHEME).partition("#")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ModelNotFound(
            f"the remote model {name!r} has no address of a server; write openai:http://HOST:PORT/v1#MODEL"
        )
    return Address(url.rstrip("/"), model or None)
