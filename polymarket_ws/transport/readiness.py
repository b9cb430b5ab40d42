"""Waiting for a socket, for a wake-up from another thread, or for a point in time."""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from typing import Any

__all__ = ["Readiness"]

#: poll() takes milliseconds in a C int, which 25 days overflow. Waking once an hour for
#: nothing costs nothing, and every caller looks at its clock again.
_MOST_SECONDS = 3600.0

#: How long ``close`` waits for a ``wake`` that is being made: it is one write that never
#: blocks, unless a signal handler runs in the middle of it and waits for us.
_CLOSE_SECONDS = 0.1


class Readiness:
    """The one place where a connection's thread waits.

    Poll where there is one, select elsewhere, never epoll: a forked child shares an epoll
    set, and closing its copies makes the parent deaf.
    """

    def __init__(self) -> None:
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        # Between wake and close: a write to a descriptor that was closed a moment ago could
        # reach whatever was opened since under the same number.
        self._waking = threading.RLock()
        self._set: Any = None
        self._key: object = None

    def wake(self) -> None:
        """End the wait of the connection's thread. From any thread or signal handler."""
        with self._waking:
            try:
                self._waker.send(b"\0")
            except OSError:
                # Full: it is awake already. Closed: there is nobody to wake.
                return

    def wait(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float | None
    ) -> tuple[bool, bool, bool]:
        """Wait until something can be done or ``until`` (monotonic seconds) is reached.

        Returns:
            Whether ``sock`` can be read (errors and hang-ups included), whether it can be
            written, whether the thread was woken.
        """
        timeout = None if until is None else max(0.0, until - time.monotonic())
        if timeout is not None:
            timeout = min(timeout, _MOST_SECONDS)
        if hasattr(select, "poll"):
            readable, writable, woken = self._poll(sock, timeout, read=read, write=write)
        else:
            readable, writable, woken = self._select(sock, timeout, read=read, write=write)
        if woken:
            self._drain()
        return readable, writable, woken

    def _poll(
        self, sock: socket.socket | None, timeout: float | None, *, read: bool, write: bool
    ) -> tuple[bool, bool, bool]:
        woken_fd = self._woken.fileno()
        # Nearly every wait is for the same as the one before, and a set of descriptors takes as
        # long to make as to wait with. Made by the same function: gevent may replace it.
        key = (select.poll, None if sock is None else sock.fileno(), read, write)
        if key != self._key:
            self._set = select.poll()
            self._set.register(woken_fd, select.POLLIN)
            if sock is not None:
                self._set.register(
                    sock.fileno(), (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
                )
            self._key = key
        readable = writable = woken = False
        # Rounded up: a wait that ends a fraction too early would be followed by empty ones.
        for fd, event in self._set.poll(None if timeout is None else math.ceil(timeout * 1000)):
            if fd == woken_fd:
                woken = True
            else:
                broken = bool(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL))
                readable = broken or bool(event & select.POLLIN)
                writable = broken or bool(event & select.POLLOUT)
        return readable, writable, woken

    def _select(
        self, sock: socket.socket | None, timeout: float | None, *, read: bool, write: bool
    ) -> tuple[bool, bool, bool]:
        readers = [self._woken, *([sock] if sock is not None and read else [])]
        writers = [sock] if sock is not None and write else []
        # A failed connect is reported only as an exceptional condition on Windows.
        able, writable, failed = select.select(readers, writers, writers, timeout)
        return (
            sock in able or bool(failed),
            bool(writable) or bool(failed),
            self._woken in able,
        )

    def _drain(self) -> None:
        try:
            while len(self._woken.recv(4096)) == 4096:
                continue
        except (BlockingIOError, InterruptedError):
            return

    def after_fork_in_child(self) -> None:
        """Close the child's copies; who held the lock at the fork will never let go of it."""
        self._waking = threading.RLock()
        self.close()

    def close(self) -> None:
        """Close both ends."""
        held = self._waking.acquire(timeout=_CLOSE_SECONDS)
        try:
            self._woken.close()
            self._waker.close()
        finally:
            if held:
                self._waking.release()
