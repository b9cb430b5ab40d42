"""When a market is busy and when it sleeps: phases that follow each other by chance.

Pure.
"""

from __future__ import annotations

import random

import attrs

__all__ = ["Activity", "Phase"]


@attrs.frozen
class Phase:
    """How lively a market is for a while.

    Attributes:
        name: what to call it.
        weight: how often it moves, compared with a steady market.
        shortest: milliseconds.
        longest: milliseconds.
    """

    name: str
    weight: float
    shortest: int
    longest: int


STEADY = Phase("steady", 1.0, 20_000, 60_000)
BURST = Phase("burst", 8.0, 2_000, 6_000)
# Still a move now and then: live, a level far from the middle changes even at night.
QUIET = Phase("quiet", 0.02, 10_000, 40_000)

# A clock that jumped further than this (a suspended machine) begins anew: nobody watched.
_LEAP_MS = 3_600_000


class Activity:
    """The phases of one market. It begins with a steady one.

    Args:
        rng: lengths and order of the phases come from here.
        now_ms: Unix milliseconds.
    """

    def __init__(self, rng: random.Random, now_ms: int) -> None:
        self._rng = rng
        self._phase = STEADY
        self._end = now_ms + self._length()

    def phase(self, now_ms: int) -> Phase:
        """Return the phase at ``now_ms``; a time before the last one asked for changes nothing."""
        if now_ms - self._end > _LEAP_MS:
            self._phase = STEADY
            self._end = now_ms + self._length()
        while now_ms >= self._end:
            if self._phase is STEADY:
                self._phase = BURST if self._rng.random() < 0.6 else QUIET
            elif self._phase is QUIET and self._rng.random() < 0.4:
                self._phase = BURST
            else:
                self._phase = STEADY
            self._end += self._length()
        return self._phase

    def _length(self) -> int:
        return self._rng.randint(self._phase.shortest, self._phase.longest)
