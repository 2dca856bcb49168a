"""The use cases, and the only door that the page, the command line and HTTP use. No torch until a model is needed."""

from app.service.longleaf import Longleaf
from app.service.values import Conversation, Entry, KeptAnswer, Receipt

__all__ = ["Conversation", "Entry", "KeptAnswer", "Longleaf", "Receipt"]
