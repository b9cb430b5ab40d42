"""The version, on its own so that ``setup.py`` can read it as text."""

__version__ = "0.1.0"
