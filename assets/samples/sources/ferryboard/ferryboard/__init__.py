"""The next crossings of the Larkhaven ferry."""

__version__ = "1.4.0"
