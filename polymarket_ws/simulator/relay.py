"""A relay in front of a server: a stretch of network that can lose packets."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
import threading
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from polymarket_ws.errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Relay"]

# What one side may be behind the other before it is not read any more, as in a real network.
_WINDOW = 256 * 1024

_CHUNK = 64 * 1024

# Who cannot be reached within this is not there; on loopback that shows at once.
_CONNECT_SECONDS = 2.0

# See the connection of the exchange: linger for no seconds, so that closing sends RST.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Relay:
    """A TCP relay, inert until :meth:`start` or ``with``.

    It passes on what comes, in both directions, until it is told to :meth:`swallow`: then
    packets get lost, as behind a NAT that has forgotten a connection or on a pulled cable. Both
    sides keep a connection that nothing comes through, and neither hears of the other's end: no
    FIN, no RST, not even when the exchange behind it is closed. ::

        with Exchange() as exchange, Relay(exchange.url) as relay:
            client = Client(endpoints=Endpoints.at(relay.url))
            ...
            relay.swallow()

    One thread does it all. Every method may be called from any thread.

    Args:
        target: ``ws://host:port`` of the server, for instance ``Exchange.url``.
        host: address to listen on.
        port: 0 takes a free one.

    Raises:
        UsageError: the target is no such URL.
    """

    def __init__(self, target: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("ws", "http") or parts.hostname is None or parts.port is None:
            raise UsageError(f"a relay leads to ws://host:port, not to {target!r}")
        self._target = (parts.hostname, parts.port)
        self._host = host
        self._port = port
        # An RLock: a signal handler may close it while its thread looks at the pairs.
        self._lock = threading.RLock()
        self._waker: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._pairs: list[_Pair] = []
        self._accepted = 0
        self._swallowing = False
        self._stopping = False

    # -- life ---------------------------------------------------------------------------

    def start(self) -> None:
        """Listen; does nothing when it already does.

        Raises:
            OSError: the address cannot be listened on.
        """
        with self._lock:
            if self._thread is not None:
                return
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listener = socket.create_server((self._host, self._port), family=family)
            listener.setblocking(False)
            self._port = listener.getsockname()[1]
            waking, self._waker = socket.socketpair()
            self._stopping = False
            self._thread = threading.Thread(
                target=self._run,
                args=(listener, waking),
                name="polymarket-ws-simulator-relay",
                daemon=True,
            )
            self._thread.start()

    def close(self, timeout: float = 2.0) -> bool:
        """Stop listening and reset every connection; does nothing when closed.

        Returns:
            Whether its thread ended in time.
        """
        with self._lock:
            thread, waker = self._thread, self._waker
            if thread is None or waker is None:
                return True
            self._stopping = True
            self._wake()
        thread.join(timeout)
        with self._lock:
            if self._waker is waker:
                self._thread = self._waker = None
                waker.close()
        return not thread.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- what a test sees and does ------------------------------------------------------

    @property
    def url(self) -> str:
        """``ws://host:port``, for ``Endpoints.at``.

        Raises:
            UsageError: the port is not known before the first start.
        """
        if not self._port:
            raise UsageError("the relay has no port yet: use it in a with statement, or start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}"

    @property
    def accepted(self) -> int:
        """How many connections came so far."""
        with self._lock:
            return self._accepted

    def swallow(self, *, newcomers: bool = False) -> None:
        """Lose every packet of the connections that are there; their ends included.

        Args:
            newcomers: those to come, too: they are accepted, and never answered.
        """
        with self._lock:
            self._swallowing = newcomers
            for pair in self._pairs:
                pair.swallows = True
            self._wake()

    def heal(self) -> None:
        """Pass on again. Connections that lost packets are reset: nothing can mend them."""
        with self._lock:
            self._swallowing = False
            for pair in self._pairs:
                pair.broken = pair.broken or pair.swallows
            self._wake()

    def reset(self) -> None:
        """Reset every connection, on both sides."""
        with self._lock:
            for pair in self._pairs:
                pair.broken = True
            self._wake()

    # -- its thread ---------------------------------------------------------------------

    def _wake(self) -> None:
        # A full buffer wakes as well as one more byte.
        if self._waker is not None:
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def _run(self, listener: socket.socket, waking: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, listener, waking:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(waking, selectors.EVENT_READ)
            while True:
                for key, events in selector.select():
                    if key.fileobj is listener:
                        self._accept(listener)
                    elif key.fileobj is waking:
                        waking.recv(_CHUNK)
                    else:
                        key.data.move(key.fileobj, events)
                with self._lock:
                    for pair in self._pairs:
                        pair.watch(selector, reset=pair.broken or self._stopping)
                    self._pairs = [pair for pair in self._pairs if not pair.over]
                    if self._stopping:
                        return

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # It has gone already.
        with self._lock:
            self._accepted += 1
            swallows = self._swallowing
        try:
            server = socket.create_connection(self._target, timeout=_CONNECT_SECONDS)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            client.close()
            return
        with self._lock:
            self._pairs.append(_Pair(client, server, swallows=swallows))


class _Pair:
    """A client and the server it is connected to, and what is on its way between them."""

    def __init__(self, client: socket.socket, server: socket.socket, *, swallows: bool) -> None:
        self.swallows = swallows
        self.broken = False
        self.over = False
        self._ways = (_Way(client, server), _Way(server, client))
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def move(self, end: socket.socket, events: int) -> None:
        """Read from one end or write to it."""
        for way in self._ways:
            self._move(way, end, events)

    def _move(self, way: _Way, end: socket.socket, events: int) -> None:
        try:
            if way.source is end and events & selectors.EVENT_READ:
                way.read(keep=not self.swallows)
            if way.sink is end and events & selectors.EVENT_WRITE and not self.swallows:
                way.write()
        except (BlockingIOError, InterruptedError):
            return  # It is asked again.
        except OSError:
            # What was reset on one side is reset on the other, or not even that.
            way.ended = way.told = True
            self.broken = self.broken or not self.swallows

    def watch(self, selector: selectors.BaseSelector, *, reset: bool) -> None:
        """Say what is waited for, or end."""
        there, back = self._ways
        if reset or (there.told and back.told and not self.swallows):
            for way in self._ways:
                with contextlib.suppress(KeyError):
                    selector.unregister(way.source)
                if reset:
                    with contextlib.suppress(OSError):
                        way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                way.source.close()
            self.over = True
            return
        for way, other in (self._ways, self._ways[::-1]):
            events = 0
            if not way.ended and way.size < _WINDOW:
                events |= selectors.EVENT_READ
            if other.waits and not self.swallows:
                events |= selectors.EVENT_WRITE
            known = selector.get_map().get(way.source)
            if known is None:
                if events:
                    selector.register(way.source, events, self)
            elif not events:
                selector.unregister(way.source)
            elif known.events != events:
                selector.modify(way.source, events, self)


class _Way:
    """One direction."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.size = 0
        #: Whether the source has ended, and whether the sink knows.
        self.ended = False
        self.told = False
        self._chunks: deque[bytes] = deque()

    @property
    def waits(self) -> bool:
        """Whether there is something to tell the sink."""
        return bool(self._chunks) or (self.ended and not self.told)

    def read(self, *, keep: bool) -> None:
        """Take what came."""
        data = self.source.recv(_CHUNK)
        self.ended = not data
        if keep and data:
            self._chunks.append(data)
            self.size += len(data)

    def write(self) -> None:
        """Pass on what fits, and the end after it."""
        while self._chunks:
            sent = self.sink.send(self._chunks[0])
            self.size -= sent
            if sent < len(self._chunks[0]):
                self._chunks[0] = self._chunks[0][sent:]
                return
            self._chunks.popleft()
        if self.ended and not self.told:
            self.told = True
            self.sink.shutdown(socket.SHUT_WR)
