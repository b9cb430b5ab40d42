"""One open connection, from its upgrade to its end.

Belongs to the connection's thread. What it waits with also takes wishes and notices a stop;
see ``connection``.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Protocol

import attrs

from polymarket_ws.errors import ProtocolViolation
from polymarket_ws.events.lifecycle import Lifecycle, SubscriptionStalled
from polymarket_ws.protocol.session import Session
from polymarket_ws.recovery import Recovery
from polymarket_ws.routing import Router
from polymarket_ws.transport.frames import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    FrameParser,
    close_frame,
    parse_close,
    pong_frame,
    text_frame,
)
from polymarket_ws.transport.opening import Opened
from polymarket_ws.transport.outgoing import Outgoing
from polymarket_ws.transport.readiness import Readiness
from polymarket_ws.transport.tls import TlsSocket

__all__ = ["ABNORMAL", "NORMAL", "Conversation", "End"]

#: One read: a hundred frames. What becomes of four times as many no longer fits into a
#: processor's cache, which costs a tenth of the throughput.
_READ_BYTES = 64 * 1024

#: Reads that bring most of what they can are followed by another, without a wait, but not for
#: ever.
_FULL_BYTES = _READ_BYTES * 3 // 4
_READS_A_TURN = 4

#: How long the peer may take to answer our close frame.
_FAREWELL_SECONDS = 0.25

#: Pings that come while so much waits to be written are not answered.
_MOST_BYTES_BEFORE_PONG = 64 * 1024

#: What an event fetched over REST counts as in a mailbox.
_RECOVERED_BYTES = 1024

NORMAL = 1000
ABNORMAL = 1006


@attrs.frozen
class End:
    """Why a connection ended.

    Attributes:
        code: the close code; 1006 where the peer sent none.
        reason: the peer's words, or what was seen here.
        by_peer: whether the peer ended it.
    """

    code: int
    reason: str
    by_peer: bool = False


class _Wait(Protocol):
    """Waits for a socket; raises what ends the conversation from outside."""

    def __call__(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float | None
    ) -> tuple[bool, bool]: ...


class Conversation:
    """What is read from and written to one open socket.

    Args:
        opened: the socket, which the caller closes.
        session: what is said.
        router: who is told.
        recovery: what a gap hid; ``None`` where nothing is recovered.
        readiness: for the farewell, which nothing interrupts.
        wait: for everything else.
        flush: hands over what the router has queued.
        is_stopping: whether the thread was asked to end.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        session: Session,
        router: Router,
        recovery: Recovery | None,
        readiness: Readiness,
        wait: _Wait,
        flush: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._sock = opened.sock
        self._early = opened.early
        self._session = session
        self._router = router
        self._recovery = recovery
        self._readiness = readiness
        self._wait = wait
        self._flush = flush
        self._is_stopping = is_stopping
        self._parser = FrameParser()
        self._outgoing = Outgoing(opened.sock)

    @property
    def unsent_bytes(self) -> int:
        """What the peer has not taken yet; read from other threads, too."""
        return self._outgoing.size

    def hold(self) -> End:
        """Talk until the connection ends, and return why it did."""
        end = self._take(self._early) if self._early else None
        # The end of TLS may have come together with the upgrade; no selector sees it then.
        end = end or self._read()
        while end is None:
            end = self._turn()
        return end

    def _turn(self) -> End | None:
        """Do what is due, wait, and take what came; return the end if this was it."""
        now = time.monotonic()
        silence = self._session.silent(now)
        if silence is not None:
            return End(ABNORMAL, silence)
        texts, told = self._session.due(now, time.time())
        for text in texts:
            self._outgoing.add(text_frame(text), now)
        for event in told:
            self._router.tell(event, event.asset_ids or None)
            if isinstance(event, SubscriptionStalled):
                self._router.odd.append(event)
        if self._recovery is not None:
            self._route_recovered(self._recovery, now)
        if told:
            self._flush()
        broken = self._outgoing.flush(now)
        if broken is not None:
            # The peer may have said more before the cut than was read so far.
            return self._take_the_rest() or End(ABNORMAL, broken)
        deadlines = [self._session.next_deadline(), self._outgoing.deadline]
        if self._recovery is not None:
            deadlines.append(self._recovery.deadline)
        until = min((when for when in deadlines if when is not None), default=None)
        readable, _ = self._wait(self._sock, read=True, write=self._outgoing.pending, until=until)
        if readable:
            return self._read()
        return None

    def _route_recovered(self, recovery: Recovery, now: float) -> None:
        for event in recovery.due(now, time.time()):
            if isinstance(event, Lifecycle):
                self._router.tell(event)
                self._router.odd.append(event)
            else:
                self._router.route((event,), _RECOVERED_BYTES)
        self._flush()

    def _read(self) -> End | None:
        for _ in range(_READS_A_TURN):
            data, broken = _receive(self._sock)
            end = (self._take(data) if data else None) or broken
            if end is not None or len(data) < _FULL_BYTES:
                return end
        return None

    def _take_the_rest(self) -> End | None:
        """Read what is there already; the peer's own words for the end, if it has any."""
        # Limited, because a peer that reads nothing may still send without an end.
        until = time.monotonic() + _FAREWELL_SECONDS
        while not self._is_stopping() and time.monotonic() < until:
            data, broken = _receive(self._sock)
            end = self._take(data) if data else None
            if end is not None:
                return end
            if broken is not None or not data:
                return None
        return None

    def _take(self, data: bytes) -> End | None:
        """Route everything in one read; return the end if the peer or its bytes ended it."""
        now = time.monotonic()
        received_at = time.time()
        end: End | None = None
        session, route, recovery = self._session, self._router.route, self._recovery
        frames = self._parser.feed(data)
        if frames:
            if recovery is not None and session.begun:
                recovery.heard(now)
            session.heard(now, received_at)
        for opcode, payload in frames:
            if opcode == TEXT:
                events = session.receive(payload, received_at)
                if recovery is not None:
                    events = recovery.take(events, len(payload))
                if events:
                    route(events, len(payload))
            elif opcode == BINARY:
                failure = session.failure(payload, "a binary message", received_at)
                route((failure,), len(payload))
            elif opcode == PING:
                self._answer(payload, now)
            elif opcode == CLOSE:
                end = End(*parse_close(payload), by_peer=True)
        violation = self._parser.violation
        if violation is not None and end is None:
            end = self._violated(violation, received_at)
        self._flush()
        return end

    def _answer(self, payload: bytes, now: float) -> None:
        # RFC 6455 §5.5.3: only the latest ping needs an answer. A peer that sends pings and
        # reads nothing must not fill the memory.
        if self._outgoing.size < _MOST_BYTES_BEFORE_PONG:
            self._outgoing.add(pong_frame(payload), now)

    def _violated(self, violation: ProtocolViolation, received_at: float) -> End:
        failure = self._session.failure(b"", str(violation), received_at)
        self._router.route((failure,), 0)
        return End(violation.code, str(violation))

    def bid_farewell(self, end: End) -> None:
        """Send a close frame, and give the peer a moment to answer ours."""
        if end.code == ABNORMAL:
            return
        sock, outgoing = self._sock, self._outgoing
        now = time.monotonic()
        until = now + _FAREWELL_SECONDS
        outgoing.add(close_frame(end.code, end.reason), now)
        while outgoing.flush(now) is None and now < until:
            readable, _, _ = self._readiness.wait(
                sock, read=True, write=outgoing.pending, until=until
            )
            try:
                # Discarded: nobody reads on after a close frame. Closing with bytes unread
                # would reset the connection, and the close frame could be lost with it.
                if readable and not sock.recv(_READ_BYTES):
                    return
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
                pass
            except OSError:
                return
            now = time.monotonic()


def _receive(sock: socket.socket) -> tuple[bytes, End | None]:
    """Return what one read gives, and how the connection ended where it did."""
    try:
        data = sock.recv(_READ_BYTES)
    except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return b"", None
    except OSError as error:
        return b"", End(ABNORMAL, error.strerror or str(error), by_peer=True)
    if not data:
        return b"", End(ABNORMAL, "the peer hung up without a close frame", by_peer=True)
    if isinstance(sock, TlsSocket) and sock.ended:
        # It came together with the data, so no selector will tell it.
        _, end = _receive(sock)
        return data, end
    return data, None
