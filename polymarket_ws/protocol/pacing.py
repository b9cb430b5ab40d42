"""How fast frames may follow each other: a token bucket. Pure; ``now`` is monotonic seconds."""

from __future__ import annotations

__all__ = ["Pacing"]


class Pacing:
    """Lets a burst through at once, and a steady rate after it.

    What belongs together is sent together: a batch may go as soon as one token is there, and
    what it costs beyond that is paid back before the next. So the rate holds on average, and
    nothing is cut in the middle.

    Args:
        burst: frames that may go at once.
        per_second: frames a second in the long run.
    """

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = float(burst)
        self._counted_at: float | None = None

    def ready_at(self, now: float) -> float:
        """Return when the next batch may go, ``now`` at the earliest."""
        self._count(now)
        return now + max(0.0, 1.0 - self._tokens) / self._per_second

    def sent(self, count: int, now: float) -> None:
        """Note a batch of ``count`` frames."""
        self._count(now)
        self._tokens -= count

    def _count(self, now: float) -> None:
        if self._counted_at is not None:
            gained = (now - self._counted_at) * self._per_second
            self._tokens = min(float(self._burst), self._tokens + gained)
        self._counted_at = now
