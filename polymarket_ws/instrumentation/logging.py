"""Warnings that say what was missed, at a rate that a log survives."""

from __future__ import annotations

import logging

__all__ = ["RareWarnings"]

#: One warning of each kind in this time; what came between is counted in the next.
INTERVAL_SECONDS = 60.0


class RareWarnings:
    """Logs at WARNING, at most once a minute for each kind."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._next: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def warn(self, kind: str, now: float, message: str, *args: object, count: int = 1) -> None:
        """Log ``message % args``, unless the same kind was logged within the last minute.

        Args:
            kind: what is rate-limited together.
            now: monotonic seconds.
            message: with the placeholders of ``logging``.
            *args: what goes into them.
            count: how many occurrences this stands for.
        """
        if now < self._next.get(kind, now):
            self._suppressed[kind] = self._suppressed.get(kind, 0) + count
            return
        self._next[kind] = now + INTERVAL_SECONDS
        suppressed = self._suppressed.pop(kind, 0)
        if suppressed:
            message += " (and %d more since the last warning of this kind)"
            args = (*args, suppressed)
        self._logger.warning(message, *args)
