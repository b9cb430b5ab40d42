"""What an exchange has to do later, such as healing a fault."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

__all__ = ["Agenda"]


class Agenda:
    """Actions that are due at a time, done by one thread; it runs once there is one.

    Its lock is taken last, and no lock is held while an action runs.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._open = False
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take actions from now on."""
        with self._changed:
            self._open = True

    def add(self, delay: float, action: Callable[[], object]) -> None:
        """Do something so many seconds from now; nothing once closed."""
        with self._changed:
            if not self._open:
                return
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), action))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="polymarket-ws-simulator-agenda", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what is to be done."""
        with self._changed:
            self._due.clear()

    def close(self, timeout: float) -> bool:
        """Forget what is to be done; return whether the thread ended in time."""
        with self._changed:
            self._open = False
            self._due.clear()
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    # One that was closed and opened again has another thread.
                    if self._thread is not me:
                        return
                    delay = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(delay)
                if self._thread is not me:
                    return
                action = heapq.heappop(self._due)[2]
            action()
