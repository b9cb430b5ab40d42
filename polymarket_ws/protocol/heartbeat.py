"""One small class for each way in which a channel keeps its connection alive."""

from __future__ import annotations

__all__ = ["TextPing"]


class TextPing:
    """The client sends a text at an interval; the server answers with another.

    Only after the first subscription frame: the server reads whatever comes first as the
    subscription and closes with 1008.
    """

    def __init__(self, interval: float, text: str = "PING", *, at_once: bool = False) -> None:
        self._interval = interval
        self._text = text
        self._at_once = at_once
        self._due: float | None = None

    def keep_within(self, seconds: float) -> None:
        """Speak at least so often."""
        self._interval = min(self._interval, seconds)

    def started(self, now: float) -> None:
        """Note that the first subscription frame was sent."""
        if self._due is None:
            self._due = now if self._at_once else now + self._interval

    def stopped(self) -> None:
        """Note that the connection is gone."""
        self._due = None

    @property
    def deadline(self) -> float | None:
        """When :meth:`beat` has something to say."""
        return self._due

    def beat(self, now: float) -> str | None:
        """Return what is to be sent now, if anything."""
        if self._due is None or now < self._due:
            return None
        self._due = now + self._interval
        return self._text
