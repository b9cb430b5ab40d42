"""How long to wait before the next connection. Pure: time and chance are arguments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from polymarket_ws.errors import UsageError

__all__ = ["Backoff", "Reconnecting"]

#: What to wait at least when the server says "not now" (429, 1012, 1013) without a time.
NOT_NOW_SECONDS = 5.0

#: Longest ``Retry-After`` that is honoured. Beyond it a mistake of the server is likelier.
MAX_RETRY_AFTER_SECONDS = 300.0

#: Attempts in any minute while no connection lives: full jitter alone would now and then
#: hammer a server that accepts and drops. The first minute is allowed its quick tries.
ATTEMPTS_IN_FIRST_MINUTE = 15
ATTEMPTS_IN_LATER_MINUTES = 5


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise UsageError(f"Backoff({attribute.name}=…) takes seconds, not {value!r}")


@attrs.frozen(kw_only=True)
class Backoff:
    """Waiting times between connections: full jitter, ``uniform(0, initial * 2**n)``.

    Attributes:
        initial: upper bound of the first wait, seconds.
        maximum: upper bound of every wait, seconds. A ``Retry-After`` of the server wins.
        reset_after: only a connection that lived so long starts the row over; a server
            that accepts and drops is not hammered.
    """

    initial: float = attrs.field(default=0.25, validator=_seconds)
    maximum: float = attrs.field(default=30.0, validator=_seconds)
    reset_after: float = attrs.field(default=60.0, validator=_seconds)


class Reconnecting:
    """The row of failures of one connection, and the wait that follows from it."""

    def __init__(self, backoff: Backoff, chance: Callable[[], float]) -> None:
        self._backoff = backoff
        self._chance = chance
        self._row = 0
        self._row_began: float | None = None
        self._attempts: deque[float] = deque(maxlen=ATTEMPTS_IN_FIRST_MINUTE)

    def attempted(self, now: float) -> None:
        """Note that a connection is being tried."""
        if self._row_began is None:
            self._row_began = now
        self._attempts.append(now)

    def lived(self, seconds: float) -> None:
        """Note how long a connection lived after it was open."""
        if seconds >= self._backoff.reset_after:
            self._row = 0
            self._row_began = None
            self._attempts.clear()

    def wait(self, now: float, *, retry_after: float | None = None, not_now: bool = False) -> float:
        """Return the seconds to wait before the next attempt.

        Args:
            now: monotonic seconds.
            retry_after: what the server asked for.
            not_now: the server asked for time without saying how much.
        """
        ceiling = min(self._backoff.maximum, self._backoff.initial * 2.0 ** min(self._row, 64))
        self._row += 1
        wait = self._chance() * ceiling
        # Asked for on top of the jitter and not instead of it: everybody whom a server sent
        # away at the same moment was told the same number.
        if retry_after is not None:
            asked = min(retry_after, MAX_RETRY_AFTER_SECONDS)
            wait = max(wait, asked + min(wait, NOT_NOW_SECONDS))
        elif not_now:
            wait = min(wait + NOT_NOW_SECONDS, self._backoff.maximum)
        return max(wait, self._earliest(now) - now)

    def _earliest(self, now: float) -> float:
        if self._row_began is None or self._backoff.maximum < Backoff().maximum:
            # A smaller maximum than the default is the user's own decision to try often.
            return now
        first_minute = now - self._row_began < 60.0
        allowed = ATTEMPTS_IN_FIRST_MINUTE if first_minute else ATTEMPTS_IN_LATER_MINUTES
        if len(self._attempts) < allowed:
            return now
        return self._attempts[-allowed] + 60.0
