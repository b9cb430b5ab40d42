"""What faults take as arguments, checked: validators of attrs classes.

Pure.
"""

from __future__ import annotations

import http
import math
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from polymarket_ws.errors import UsageError

__all__ = [
    "close_code",
    "error_status",
    "number",
    "one_of",
    "whole",
    "word",
    "words",
    "wrong",
]

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def number(lowest: float, highest: float = math.inf) -> Validator:
    """Return a validator of numbers in a range."""

    def check(owner: object, field: attrs.Attribute[Any], value: object) -> None:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not good or not lowest <= value <= highest:  # type: ignore[operator]
            raise UsageError(wrong(owner, field, f"{lowest} to {highest}", value))

    return check


def whole(lowest: int, highest: float = math.inf) -> Validator:
    """Return a validator of whole numbers in a range."""

    def check(owner: object, field: attrs.Attribute[Any], value: object) -> None:
        good = isinstance(value, int) and not isinstance(value, bool)
        if not good or not lowest <= value <= highest:  # type: ignore[operator]
            wanted = f"a whole number from {lowest} to {highest}"
            raise UsageError(wrong(owner, field, wanted, value))

    return check


def one_of(*choices: str) -> Validator:
    """Return a validator of one of some texts."""

    def check(owner: object, field: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            raise UsageError(wrong(owner, field, f"one of {', '.join(choices)}", value))

    return check


def word(owner: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise UsageError(wrong(owner, field, "text", value))


def words(owner: object, field: attrs.Attribute[Any], value: Sequence[object]) -> None:
    """Validate several texts."""
    if not all(isinstance(word, str) for word in value):
        raise UsageError(wrong(owner, field, "texts", value))


def error_status(owner: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an HTTP status that is an error."""
    known = [status.value for status in http.HTTPStatus if status >= 400]
    if value not in known:
        raise UsageError(wrong(owner, field, "an HTTP status from 400 on", value))


def close_code(owner: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate a close code that can be sent."""
    # 1005, 1006 and 1015 stand for what was not said, and cannot be said.
    sendable = isinstance(value, int) and not isinstance(value, bool)
    sendable = sendable and (
        value in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= value < 5000  # type: ignore[operator]
    )
    if not sendable:
        raise UsageError(wrong(owner, field, "1000 to 1014 or 3000 to 4999", value))


def wrong(owner: object, field: attrs.Attribute[Any], wanted: str, value: object) -> str:
    """Return what to say about an argument."""
    return f"{field.name} of {type(owner).__name__} takes {wanted}, not {value!r}"
