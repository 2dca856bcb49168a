"""People who share a server: the file of accounts, sessions, and what slows down those who guess. No web, no model."""

from app.people.accounts import MAX_PASSWORD, MIN_PASSWORD, Account, Accounts
from app.people.sessions import Sessions
from app.people.shelf import Shared, SharedShelf
from app.people.throttle import Throttle

__all__ = ["MAX_PASSWORD", "MIN_PASSWORD", "Account", "Accounts", "Sessions", "Shared", "SharedShelf", "Throttle"]
