"""SIGTERM and Ctrl-C end a command in time, whatever the project's code is doing.

At first politely: what reads is told to stop. Code that does not come back is interrupted, as
Ctrl-C does it, and a process that hangs in something which cannot be interrupted ends all the
same. A supervisor that waits five seconds never has to kill it.
"""

from __future__ import annotations

import _thread
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

__all__ = ["Stopping"]

logger = logging.getLogger("polymarket_ws.integrations")

#: Together below five seconds, with what an interpreter needs to end.
_POLITE_SECONDS: Final = 2.5
_INTERRUPTED_SECONDS: Final = 1.5

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Handles the signals while a ``with`` block lasts, and puts back what handled them before.

    In another thread than the main one it does nothing: signals are not told there.

    Args:
        end_process: does so at once, with an exit code.
    """

    def __init__(self, *, end_process: Callable[[int], object] = os._exit) -> None:
        #: Whether one of the signals came.
        self.asked = False
        #: Ends what the block does. Is called in the middle of it, by a signal handler. Where
        #: there is none yet, the block is interrupted at once.
        self.stop: Callable[[], object] | None = None
        self._end_process = end_process
        self._over = False
        self._before: dict[signal.Signals, Any] = {}
        # Puts without a lock that the code which the signal interrupts could hold.
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            # Now, since a handler cannot start one: it may interrupt the start of another.
            self._watch = threading.Thread(
                target=self._watched, name="polymarket-ws-stopping", daemon=True
            )
            self._watch.start()
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._signalled)  # noqa: TID251 - of a command
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        # First: what the watch sends from now on is passed over, and after it nothing is sent.
        self._over = True
        self._bell.put(False)
        if self._watch is not None:
            self._watch.join(_INTERRUPTED_SECONDS)
        for number, before in self._before.items():
            signal.signal(number, before)  # noqa: TID251 - back to what it was
        # It was our own, and has done its work.
        return self.asked and isinstance(error, KeyboardInterrupt)

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        if self.asked:
            # By the watch, or by somebody who presses Ctrl-C again.
            raise KeyboardInterrupt
        self.asked = True
        self._bell.put(True)
        if self.stop is None:
            raise KeyboardInterrupt
        self.stop()

    def _watched(self) -> None:
        # Without a limit: the end of the block rings, too.
        if not self._bell.get():
            return
        if self._is_over(_POLITE_SECONDS):
            return
        logger.warning("what runs does not end: it is interrupted")
        _interrupt_main_thread()
        if self._is_over(_INTERRUPTED_SECONDS):
            return
        logger.critical("what runs cannot be interrupted: the process ends now")
        self._end_process(1)

    def _is_over(self, seconds: float) -> bool:
        try:
            self._bell.get(timeout=seconds)
        except queue.Empty:
            return False
        return True


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        # Wakes what the main thread waits in, where that can be woken.
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()
