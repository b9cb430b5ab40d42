"""What is answered to a request, before a web framework makes a response of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
import msgspec

__all__ = ["Answer", "json_answer"]

_JSON: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


@attrs.frozen
class Answer:
    """A response, as WSGI thinks of one.

    Attributes:
        status: of HTTP.
        headers: names and values.
        body: chunks. Where it has a ``close``, the server must call it.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Iterable[bytes]


def json_answer(status: int, body: Any) -> Answer:
    """Return an answer of JSON: encoded already, or as values that JSON has."""
    text = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Answer(status, _JSON, [text])
