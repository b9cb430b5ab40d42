"""Bytes on their way out of a non-blocking socket.

websocket-client's own ``send`` would block the loop, and leaves half a frame behind when it
times out; everything that followed would be garbage to the peer.
"""

from __future__ import annotations

import socket
import ssl

__all__ = ["Outgoing"]

#: A peer that takes no byte for so long is gone.
STALL_SECONDS = 5.0


class Outgoing:
    """The out-buffer of one connection; belongs to the connection's thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._moved_at = 0.0

    @property
    def pending(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._buffer)

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return len(self._buffer)

    @property
    def deadline(self) -> float | None:
        """When a peer that takes nothing counts as gone; ``None`` when nothing waits."""
        return self._moved_at + STALL_SECONDS if self._buffer else None

    def add(self, frame: bytes, now: float) -> None:
        """Append a whole frame."""
        if not self._buffer:
            self._moved_at = now
        self._buffer += frame

    def flush(self, now: float) -> str | None:
        """Write what the socket takes; return why nothing more can be written, if so."""
        while self._buffer:
            try:
                # One TLS record at most: a write that would block must be repeated with
                # the same bytes, and the head of the buffer never changes.
                written = self._sock.send(bytes(self._buffer[: 16 * 1024]))
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                break
            except OSError as error:
                return error.strerror or str(error)
            del self._buffer[:written]
            self._moved_at = now
        if self._buffer and now >= self._moved_at + STALL_SECONDS:
            return f"the peer took no byte for {STALL_SECONDS:g} s"
        return None
