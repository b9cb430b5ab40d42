"""Points in time on the monotonic clock, and locks that do not wait for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Deadline", "Lock", "acquire_unless"]

#: How often a thread that waits for a lock looks whether it is still wanted.
_LOOK_SECONDS = 0.05


class Deadline:
    """A limit that several waits share. ``None`` seconds means no limit."""

    __slots__ = ("at",)

    def __init__(self, seconds: float | None) -> None:
        self.at = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Return the seconds left, never below 0; ``None`` without a limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def expired(self) -> bool:
        """Return whether the limit has passed."""
        return self.at is not None and time.monotonic() >= self.at


class Lock(Protocol):
    """What ``RLock`` and ``Condition`` have in common."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:  # noqa: FBT001
        """Return whether the lock is held now."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


def acquire_unless(lock: Lock, abandoned: Callable[[], bool]) -> bool:
    """Acquire ``lock`` for a thread of ours, or return False when it is not wanted any more.

    The owner may be a user's thread stopped inside a signal handler that calls ``close()``
    and waits for this very thread: without the look at ``abandoned`` both would wait.
    """
    while not lock.acquire(timeout=_LOOK_SECONDS):
        if abandoned():
            return False
    return True
