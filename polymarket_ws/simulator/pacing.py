"""How much is due, how much is too much, and simulated time: pure arithmetic."""

from __future__ import annotations

from collections import deque

__all__ = ["Admission", "Pacer", "SteppedClock"]

# Where simulated time begins, in Unix seconds: 4 October 2026, when the wire was last captured.
_FIRST_MOMENT = 1_791_072_000.0

# At high rates messages go out in batches this far apart: a hundred wake-ups a second and client,
# not two thousand, and still finer than anything a reader can see.
_BATCH_SECONDS = 0.01
# After a stall (a suspended machine) at most this much is caught up on; the rest never happened.
_CATCH_UP_SECONDS = 1.0


class Pacer:
    """Spreads messages evenly over time.

    Args:
        rate: messages a second.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._interval = 1.0 / rate
        self._next = now + self._interval

    def due(self, now: float) -> int:
        """Return how many messages should have gone out by ``now`` and have not."""
        self._next = max(self._next, now - _CATCH_UP_SECONDS)
        return int((now - self._next) / self._interval) + 1 if now >= self._next else 0

    def sent(self, count: int) -> None:
        """Count messages that went out."""
        self._next += count * self._interval

    def delay(self, now: float) -> float:
        """Return how many seconds to wait before asking again."""
        return max(self._next - now, _BATCH_SECONDS)


class Admission:
    """Counts who comes in, to turn away who comes too fast.

    Args:
        per_second: how many are let in within any second.
    """

    def __init__(self, per_second: int) -> None:
        self._recent: deque[float] = deque(maxlen=per_second)

    def admit(self, now: float) -> bool:
        """Return whether one more may come in at ``now``; who is turned away is not counted."""
        recent = self._recent
        if len(recent) == recent.maxlen and now - recent[0] < 1.0:
            return False
        recent.append(now)
        return True


class SteppedClock:
    """A clock that only goes when it is told to; reading it gives Unix seconds."""

    def __init__(self) -> None:
        # In microseconds: sums of floats would depend on how time was sliced.
        self._passed = 0

    def __call__(self) -> float:
        """Return the time."""
        return _FIRST_MOMENT + self._passed / 1_000_000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed += round(seconds * 1_000_000)
