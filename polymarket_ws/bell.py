"""What a thread waits at until another has something for it."""

from __future__ import annotations

import threading

__all__ = ["Bell"]


class Bell:
    """One waits, and anybody rings: a thread, a signal handler, a finalizer, at any moment.

    However often it was rung before somebody waits, it counts once: who was woken looks for
    everything that is new.

    It is a lock that is held, which ringing releases. Not a ``SimpleQueue``: before CPython
    3.13 its ``get(timeout=…)`` waits without a limit once a signal handler has run beyond the
    time given, and gevent's cannot be waited at by a native thread. A lock does neither. Nor a
    ``Condition`` or an ``Event``, whose parts in Python can be interrupted with a lock held.

    Made by who waits, and as late as that: gevent may have replaced the class of locks since
    the import, and a bell from before would stop every greenlet.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits, or whoever waits next. Never waits itself."""
        try:
            self._lock.release()
        except RuntimeError:
            # It was rung before, and nobody has waited since.
            return

    def wait(self, timeout: float) -> bool:
        """Wait until it rings; False after ``timeout`` seconds, which are 0 or more."""
        return self._lock.acquire(timeout=timeout)
