"""Answers that may only be certain strings: what they are (`Form`, plain), and how decoding keeps to it.

`llm.structured.constraint` brings torch and llguidance; this door does not.
"""

from llm.structured.form import Form

__all__ = ["Form"]
