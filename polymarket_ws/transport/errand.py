"""A blocking call that its waiter may leave behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from polymarket_ws.daemons import start_or_end

if TYPE_CHECKING:
    from polymarket_ws.transport.opening import Wait

__all__ = ["Errand"]

T = TypeVar("T")


class Errand(Generic[T]):
    """A call in a daemon thread of its own. Nothing can interrupt it, so it is abandoned.

    Args:
        name: of the thread, behind ``polymarket-ws-``.
        call: what blocks.
        wake: ends the waiter's wait.
    """

    def __init__(self, name: str, call: Callable[[], T], wake: Callable[[], None]) -> None:
        self._call = call
        self._wake = wake
        self._results: list[T] = []
        self._error: Exception | None = None
        self._done = False
        start_or_end(threading.Thread(target=self._run, name=f"polymarket-ws-{name}", daemon=True))

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        except Exception as error:  # noqa: BLE001 handed to the thread that waits
            self._error = error
        self._done = True
        self._wake()

    def result(self, wait: Wait, until: float) -> T:
        """Return what the call returned, or raise what it raised.

        Raises:
            TimeoutError: it has not come by ``until`` (monotonic seconds).
        """
        while not self._done:
            if time.monotonic() >= until:
                raise TimeoutError("no answer in time")
            wait(None, read=False, write=False, until=until)
        if self._error is not None:
            raise self._error
        return self._results[0]
