"""Connections of one channel open one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Spacing"]

#: Between two connections that open. A server that sees many at once answers 429: reports
#: begin at a few dozen, and a hundred at this distance take a quarter of a minute.
OPENING_SECONDS = 0.1
JITTER_SECONDS = 0.05


class Spacing:
    """Gives each connection its turn.

    Called by connections' threads; the lock is held for a few instructions, and nothing else
    is taken meanwhile.

    Args:
        chance: from 0 to 1, for the jitter.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._lock = threading.RLock()
        self._free_at = 0.0
        self._latest: int | None = None

    def turn(self, now: float, number: int) -> float:
        """Return when a connection may open, and keep that moment for it.

        Args:
            now: monotonic seconds.
            number: the connection's. One that had the latest turn, too, need not wait: its own
                backoff keeps it from hammering.
        """
        with self._lock:
            at = now if number == self._latest else max(now, self._free_at)
            self._latest = number
            self._free_at = at + OPENING_SECONDS + self._chance() * JITTER_SECONDS
            return at
