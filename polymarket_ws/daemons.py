"""Starting daemon threads, also while the process exits."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import AbstractContextManager

__all__ = ["start_daemon", "start_or_end", "starting"]

#: To start a thread takes far less. An exit must not hang, whatever holds one up.
_SHUT_SECONDS = 1.0


class _Gate:
    """One thread starts at a time, and none any more once the process exits.

    A thread that is started by a daemon while the interpreter is taken down crashes CPython 3.10,
    and now and then 3.13, which free what the new thread is about to use. An exit therefore waits
    for the start that is going on. Whoever comes later is a daemon, too, waits here and ends with
    the process; the main thread passes, for what other functions do at exit.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def shut(self) -> None:
        self.lock.acquire(timeout=_SHUT_SECONDS)

    def after_fork_in_child(self) -> None:
        # Who held it stayed in the parent.
        self.lock = threading.RLock()


_gate = _Gate()
atexit.register(_gate.shut)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_gate.after_fork_in_child)


def starting() -> AbstractContextManager[bool]:
    """Return what is to be held while a daemon starts a thread, or has a library do so."""
    return _gate.lock


def start_daemon(thread: threading.Thread) -> None:
    """Start a daemon thread, which may be done by another one.

    Raises:
        RuntimeError: the system has no thread left; since CPython 3.12 also if the process exits.
    """
    with starting():
        thread.start()


def start_or_end(thread: threading.Thread) -> None:
    """Start a daemon thread from another one that holds no lock, and ends here if all else does.

    An exit may wait for locks: who holds one must go on, and raise.

    Raises:
        RuntimeError: the system has no thread left.
    """
    try:
        start_daemon(thread)
    except RuntimeError as error:
        # "can't create new thread at interpreter shutdown": no trouble, nor worth a traceback.
        if "shutdown" not in str(error) or not threading.current_thread().daemon:
            raise
        _wait_for_the_end()


def _wait_for_the_end() -> None:
    lock = threading.Lock()
    while True:
        lock.acquire()
