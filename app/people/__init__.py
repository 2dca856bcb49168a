"""People who share a server: the file of accounts, sessions, and what slows down those who guess. No web, no model."""

from app.people.accounts import Account, Accounts
from app.people.sessions import Sessions
from app.people.throttle import Throttle

__all__ = ["Account", "Accounts", "Sessions", "Throttle"]
