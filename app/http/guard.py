"""Who a request comes from, and what they may do.

On a loopback address everyone is the person at this computer, as on the page; elsewhere a request needs a bearer
token. A token of ours that comes with a request counts everywhere, with its scopes. What may come from other sites or
under other host names is the business of the guard around the whole server.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from app.errors import NotAllowed, UnknownToken
from app.http.pacing import Pace
from app.http.tokens import PREFIX, SCOPES, Tokens

LOCAL = "local"  # the person at this computer
_bearer = HTTPBearer(auto_error=False, description="A token of `python app.py tokens add`.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, what they may do, and how often."""

    name: str
    scopes: tuple[str, ...]
    per_minute: int | None = None  # requests; None: as many as they like


class Door:
    """Lets callers in. `is_open`: the server listens on a loopback address and has no accounts."""

    def __init__(self, tokens: Tokens, *, is_open: bool) -> None:
        self._tokens, self._is_open = tokens, is_open
        self._pace = Pace()

    def person_of(self, request: Request) -> Caller:
        """Raises UnknownToken."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        secret = secret.strip() if kind.lower() == "bearer" else ""
        if self._is_open and not secret.startswith(PREFIX):
            return Caller(LOCAL, SCOPES)  # OpenAI's clients always send some key
        token = self._tokens.find(secret) if secret else None
        if token is None:
            raise UnknownToken(
                f"{'the token is not known, or has expired' if secret else 'there is no token'}; send the header "
                "`Authorization: Bearer TOKEN` with one of `python app.py tokens add`"
            )
        return Caller(token.name, token.scopes, token.per_minute)

    def lets(self, scope: str) -> Callable[..., Caller]:
        """A dependency of routes: the caller, who has that scope. Raises UnknownToken, NotAllowed, TooBusy."""

        def caller(request: Request, _: Annotated[object, Depends(_bearer)]) -> Caller:
            person = self.person_of(request)
            if person.per_minute is not None:
                self._pace.count(person.name, person.per_minute)
            if scope not in person.scopes:
                raise NotAllowed(
                    f"the token of {person.name} may {' and '.join(person.scopes)}, and this takes the scope "
                    f"{scope!r}; make one that has it with `python app.py tokens add`"
                )
            return person

        return caller
