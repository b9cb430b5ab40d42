"""What every event has: when it was received, on which epoch, and its JSON."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import attrs

__all__ = ["Event"]

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@attrs.frozen(kw_only=True)
class Event:
    """Base of everything that comes out of a stream.

    Events are immutable, hashable and safe to share between threads.

    Attributes:
        received_at: Unix seconds at which the bytes were read from the socket; 0.0 for
            an event that did not come from one. Neither compared, hashed nor in the JSON.
        epoch: which connection of its ``connection`` number brought it, counted from 1.
            Neither compared, hashed nor in the JSON.
    """

    received_at: float = attrs.field(default=0.0, eq=False, repr=False)
    epoch: int = attrs.field(default=0, eq=False, repr=False)

    def to_dict(self) -> dict[str, object]:
        """Return the event under the wire's names, as values JSON has.

        Prices and sizes are strings with the wire's digits, ``timestamp`` is a string of
        Unix milliseconds, what the wire did not have is left out. The first key is
        ``event_type``: the wire's for data, snake_case for lifecycle events.
        """
        from polymarket_ws.conversion import to_dict

        return to_dict(self)

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of compact JSON."""
        from polymarket_ws.conversion import to_json

        return to_json(self)


def short(identifier: str) -> str:
    """Return an id or a word, of a long one its ends, for ``str(event)``."""
    ends = identifier if len(identifier) <= 12 else f"{identifier[:6]}…{identifier[-4:]}"
    return " ".join(_printable(ends).split())


def plain(value: Decimal | None) -> str:
    """Return a price or size with its own digits, but for absurd ones, for ``str(event)``."""
    if value is None:
        return "-"
    digits = format(value, "f")
    return digits if len(digits) <= 32 else f"{digits[:31]}…"


def one_line(text: str) -> str:
    """Return foreign text as one short line, for ``str(event)``, errors and the log."""
    line = " ".join(_printable(text[:400]).split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _printable(text: str) -> str:
    # A server's words must neither begin a line of the log nor command a terminal.
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def aware_time(timestamp: int | None) -> datetime | None:
    """Return Unix milliseconds as an aware UTC ``datetime``, exactly.

    ``None`` where there is none, and outside the years 1 to 9999, which ``datetime`` has.
    """
    if timestamp is None:
        return None
    try:
        # Not fromtimestamp(ms / 1000): a float cannot hold every millisecond.
        return _UNIX_EPOCH + timedelta(milliseconds=timestamp)
    except OverflowError:
        return None
