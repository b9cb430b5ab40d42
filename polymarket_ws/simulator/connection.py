"""The server's end of one socket, with the rough ways to end it that a real network has.

This is the only place that reaches below the public interface of ``websockets``: it writes ready
frames (one rendering for all clients), and it cuts connections without a close frame.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.sync.server import Server, ServerConnection

from polymarket_ws.daemons import starting
from polymarket_ws.simulator.fault_plan import Upgrade
from polymarket_ws.simulator.line import Line

__all__ = [
    "ClientConnection",
    "ConnectionClosed",
    "TextFrame",
    "json_response",
    "release_descriptors",
    "text_frame",
]

# Linger on, for no seconds: closing such a socket sends RST and not FIN. The structure has two
# shorts on Windows and two ints everywhere else.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class TextFrame(NamedTuple):
    """One text frame, rendered once for all clients.

    Attributes:
        text: what it says.
        data: its bytes, unmasked.
    """

    text: str
    data: bytes


def text_frame(text: str) -> TextFrame:
    """Return one unmasked text frame."""
    return TextFrame(text, Frame(Opcode.TEXT, text.encode()).serialize(mask=False))


def json_response(
    connection: ServerConnection, status: int, body: str, headers: Mapping[str, str]
) -> Response:
    """Return a response whose body is JSON."""
    response = connection.respond(status, body)
    # Setting a header adds one; respond() has already said that this is plain text.
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    response.headers.update(headers)
    return response


def release_descriptors(server: Server) -> None:
    """Close what a server that was shut down leaves open; its accepting thread must have ended.

    Up to version 16 of ``websockets`` that is a pipe, two plain numbers; later it is nothing.
    """
    for name in ("shutdown_watcher", "shutdown_notifier"):
        descriptor: object = getattr(server, name, None)
        if isinstance(descriptor, int):
            os.close(descriptor)


class ClientConnection(ServerConnection):
    """A connection that takes ready frames and can be cut.

    Args:
        accepted: the socket, which is taken over.
        opened: called with this connection before its first byte is read; what it raises
            refuses the connection.
        closed: called with it when its socket is closed, at least once.
    """

    def __init__(
        self,
        accepted: socket.socket,
        *arguments: Any,
        opened: Callable[[ClientConnection], None],
        closed: Callable[[ClientConnection], None],
        **options: Any,
    ) -> None:
        self._closed = closed
        # websockets creates a connection on the thread that will serve it.
        self.serving_thread = threading.current_thread()
        #: What it asked for, once it did.
        self.upgrade: Upgrade | None = None
        self.line = Line(accepted)
        with starting():
            super().__init__(self.line, *arguments, **options)
        opened(self)
        # The peer may have gone before anybody could be told that it came.
        if self.protocol.state is State.CLOSED:
            closed(self)

    def write(self, frames: bytes) -> None:
        """Write whole frames; blocks while the peer does not read.

        Raises:
            ConnectionClosed: the connection is closed, or is lost while writing.
        """
        with self.send_context():
            self.protocol.writes.append(frames)

    def cut(self, *, reset: bool, partial: bytes = b"") -> None:
        """End the TCP connection without a close frame, after what was written before.

        Args:
            reset: end it with RST; otherwise with FIN.
            partial: bytes to write first, such as half a frame.
        """
        # With the mutex held nobody is in the middle of a frame, and the reading thread cannot
        # answer the shutdown with a FIN of its own before the RST is out.
        with self.protocol_mutex, contextlib.suppress(OSError):
            if partial:
                self.socket.sendall(partial)
            if reset:
                self._reset_on_close()
                # Wakes a thread that is blocked in recv(): while it is, close() sends nothing.
                # Reading ends; nothing goes out.
                self.socket.shutdown(socket.SHUT_RD)
            else:
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()
        self.close_socket()

    def has_left(self) -> bool:
        """Return whether the peer, or somebody here, has ended the TCP connection."""
        try:
            readable, _, _ = select.select([self.socket], [], [], 0)
            return bool(readable) and not self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, ValueError):  # reset, or closed here
            return True

    def abort(self) -> None:
        """End the connection from any thread, even while a write to it is blocked."""
        with contextlib.suppress(OSError):
            self._reset_on_close()
            self.socket.shutdown(socket.SHUT_RDWR)

    def close_socket(self) -> None:
        """Close the socket and tell the exchange."""
        super().close_socket()
        self._closed(self)

    def _reset_on_close(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
