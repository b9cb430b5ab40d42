"""The wire text of Server-Sent Events, as the HTML standard has it. Pure."""

from __future__ import annotations

__all__ = ["comment", "identifier", "message", "retry"]


def message(name: str, data: bytes) -> bytes:
    """Return one event without an id.

    Args:
        name: what a page listens to.
        data: UTF-8 text; each of its lines becomes a ``data:`` line, as parsers join them.
    """
    # Every end of line that a parser knows: one left inside would begin a field of its own.
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    body = b"".join(b"data: %b\n" % line for line in lines)
    return b"event: %b\n%b\n" % (name.encode(), body)


def identifier(value: str) -> bytes:
    """Return the line that, before an event, becomes the browser's ``Last-Event-ID``."""
    return b"id: %b\n" % value.encode()


def retry(milliseconds: int) -> bytes:
    """Return the line that says after which time a browser comes back."""
    return b"retry: %d\n\n" % milliseconds


def comment(text: str = "") -> bytes:
    """Return a line that every browser passes over; it keeps connections alive."""
    return b": %b\n\n" % text.encode()
