"""A socket with the faults that a line has, below the WebSocket."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

__all__ = ["Line"]

# A slow line hands over what it carries in this many pieces a second.
_PIECES_PER_SECOND = 50


class Line(socket.socket):
    """The server's end of an accepted connection.

    One thread reads, and one at a time writes. Everything else may be called from any thread. A
    wait ends when the socket is shut down.

    Args:
        accepted: the socket to take over; its object is of no use afterwards.
    """

    def __init__(self, accepted: socket.socket) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self._changed = threading.Condition()
        self._shut = False
        self._deaf = False
        self._muted = False
        self._swallows = False
        # Bytes of a piece, and seconds to wait after it.
        self._pace: tuple[int, float] | None = None
        self._drips = False

    # -- faults -------------------------------------------------------------------------

    @property
    def muted(self) -> bool:
        """Whether what is written goes nowhere."""
        return self._muted

    def mute(self, *, muted: bool = True) -> None:
        """Write nothing any more; or write again."""
        self._muted = muted

    def swallow(self) -> None:
        """Lose what the peer says from now on, its end included."""
        with self._changed:
            self._swallows = True
            self._changed.notify_all()

    def deafen(self) -> None:
        """Read nothing any more."""
        self._deaf = True

    def hear(self) -> None:
        """Read again; of what came in the meantime only what was swallowed is lost."""
        with self._changed:
            self._deaf = self._swallows = False
            self._changed.notify_all()

    def drip(self, interval: float) -> None:
        """Write byte by byte, so many seconds apart, until ``slow_down`` says something else."""
        self._drips = True
        self._pace = (1, interval)

    def slow_down(self, bytes_per_second: int | None) -> None:
        """Write no faster than this; None: as fast as it goes."""
        self._drips = False
        if bytes_per_second is None:
            with self._changed:
                self._pace = None
                self._changed.notify_all()
            return
        size = max(1, bytes_per_second // _PIECES_PER_SECOND)
        self._pace = (size, size / bytes_per_second)

    # -- the socket ---------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Read, or wait for as long as the peer is not heard."""
        data = super().recv(bufsize, flags)
        if self._shut:
            return b""  # What comes after the end is of no use to anybody.
        if flags or not (self._deaf or self._swallows):
            return data
        while self._deaf or self._swallows:
            if self._swallows and data:
                data = self._next_to_swallow(bufsize)
            elif not self._wait_to_hear(swallowed=not data):
                return b""
        return data

    def _next_to_swallow(self, bufsize: int) -> bytes:
        try:
            return super().recv(bufsize)
        except TimeoutError:
            raise
        except OSError:
            return b""  # A reset is swallowed like any other end.

    def _wait_to_hear(self, *, swallowed: bool) -> bool:
        """Wait until there is something to do again; return whether that is not the end."""

        def hears() -> bool:
            if self._shut or not (self._deaf or self._swallows):
                return True
            return self._swallows and not swallowed

        with self._changed:
            if not self._changed.wait_for(hears, self.gettimeout()):
                raise TimeoutError("timed out")
            return not self._shut

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write all, in the way that the line is in."""
        if self._muted:
            return
        if self._pace is None:
            super().sendall(data, flags)
        elif not self._drips:
            self._send_slowly(memoryview(data))
        else:
            # Clients give a dripped answer up, and that is no error here. Reading tells of it.
            with contextlib.suppress(OSError):
                self._send_slowly(memoryview(data))

    def _send_slowly(self, data: memoryview) -> None:
        position = 0
        while position < len(data) and not self._muted:
            pace = self._pace
            if pace is None:
                super().sendall(data[position:])
                return
            size, pause = pace
            super().sendall(data[position : position + size])
            position += size
            with self._changed:
                self._changed.wait_for(lambda: self._shut or self._pace is None, pause)
                if self._shut:
                    raise BrokenPipeError("shut down")

    def shutdown(self, how: int, /) -> None:
        """Shut down; what waits here wakes up."""
        if how == socket.SHUT_WR and self._muted:
            return  # A FIN is a word, too.
        if how != socket.SHUT_WR:
            self._wake()
        super().shutdown(how)

    def close(self) -> None:
        """Close; what waits here wakes up."""
        self._wake()
        super().close()

    def _wake(self) -> None:
        with self._changed:
            self._shut = True
            self._changed.notify_all()
