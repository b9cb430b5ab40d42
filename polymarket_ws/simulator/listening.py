"""The server of a simulated exchange: a port on loopback, and how connections begin on it."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import sys
import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, cast

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from polymarket_ws.simulator.connection import ClientConnection

__all__ = ["Sockets", "accept", "listen"]

# Live the send buffer is about this large. Left alone, loopback grows it to megabytes, and a slow
# reader would be noticed very late.
_SEND_BUFFER = 128 * 1024

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _Discreet(_Adapter):
    """A logger that never asks for DEBUG, at which ``websockets`` logs frames and headers.

    The first frame of the user channel and signed requests hold secrets, even if only those of a
    simulated account: a program under test that is searched for them must not find ours.
    """

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  the name that logging gives it
        return level > logging.DEBUG and super().isEnabledFor(level)

    def debug(self, msg: object, *args: object, **kwargs: Any) -> None:
        pass

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        # A client that leaves before it has asked for anything, or in the middle of a frame, or
        # is sent away as the exchange ends, is no trouble of the exchange's, and worth no
        # traceback.
        error = sys.exc_info()[1]
        if not (isinstance(error, EOFError) or isinstance(error and error.__cause__, EOFError)):
            super().log(level, msg, *args, **kwargs)


class Sockets:
    """The connections that are open, WebSockets or not, and the threads that serve them.

    Args:
        changed: the exchange's lock, notified when one is gone.
    """

    def __init__(self, changed: threading.Condition) -> None:
        #: Whether more may come in.
        self.admitting = False
        self._changed = changed
        self._open: set[ClientConnection] = set()
        self._serving: set[threading.Thread] = set()

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads that serve connections, or did."""
        with self._changed:
            return list(self._serving)

    def opened(self, connection: ClientConnection) -> None:
        """Add a connection; cut it off where no more may come in."""
        thread = connection.serving_thread
        thread.name = f"polymarket-ws-simulator-client-{thread.ident}"
        connection.recv_events_thread.name = f"polymarket-ws-simulator-socket-{thread.ident}"
        with self._changed:
            self._serving = {thread for thread in self._serving if thread.is_alive()} | {thread}
            self._open.add(connection)
            admitting = self.admitting
        if not admitting:
            connection.abort()

    def closed(self, connection: ClientConnection) -> None:
        """Forget a connection."""
        with self._changed:
            self._open.discard(connection)
            # Somebody may wait for an answer that nobody wants any more.
            self._changed.notify_all()

    def abort(self, but: Collection[ServerConnection]) -> None:
        """Reset every connection but those."""
        with self._changed:
            strangers = self._open.difference(but)
        for connection in strangers:
            connection.abort()


def listen(
    host: str,
    port: int,
    serving: Callable[[ServerConnection], None],
    *,
    answer: Callable[[ServerConnection, Request], Response | None],
    sockets: Sockets,
    close_timeout: float,
    logger: logging.Logger,
) -> Server:
    """Listen; connections are served once ``serve_forever`` runs.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        serving: called with each WebSocket, on a thread of its own.
        answer: called with each request; None goes on with a WebSocket.
        sockets: told of every connection.
        close_timeout: seconds for closing handshakes.
        logger: for what goes wrong.

    Raises:
        OSError: the address cannot be listened on, for instance because it is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Sets SO_REUSEADDR where that means what it should, so that an exchange can come back on its
    # port while old connections still linger there.
    listener = socket.create_server((host, port), family=family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    factory = functools.partial(ClientConnection, opened=sockets.opened, closed=sockets.closed)
    return serve(
        serving,
        sock=listener,
        compression=None,
        ping_interval=None,
        close_timeout=close_timeout,
        process_request=answer,
        server_header=None,
        create_connection=cast("type[ServerConnection]", factory),
        logger=_Discreet(logger, {}),
    )


def accept(server: Server) -> None:
    """Accept connections until the server is shut down, be it before this has begun."""
    # Shut down that early, up to version 16 of websockets, the socket is gone already.
    with contextlib.suppress(OSError, ValueError):
        server.serve_forever()
