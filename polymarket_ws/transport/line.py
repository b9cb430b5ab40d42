"""One open socket, in frames: what is the same whatever is said over it.

Reading, what control frames ask for, the out-buffer and the farewell. It belongs to the
thread of its connection and waits nowhere but in the farewell.
"""

from __future__ import annotations

import ssl
import time

import attrs

from polymarket_ws.transport.frames import (
    CLOSE,
    PING,
    Arrival,
    FrameParser,
    close_frame,
    parse_close,
    pong_frame,
)
from polymarket_ws.transport.opening import Opened
from polymarket_ws.transport.outgoing import Outgoing
from polymarket_ws.transport.readiness import Readiness
from polymarket_ws.transport.tls import TlsSocket

__all__ = ["ABNORMAL", "NORMAL", "End", "Line"]

#: What one read takes at most: six hundred frames. Each handing over to the consumer's thread
#: costs as much as ten of them, and what becomes of many more no longer fits into a processor's
#: cache: two thirds of it cost 3 % more, four thirds 1 to 4 %.
MOST_BYTES = 384 * 1024

#: What one read takes where little comes. Room that is asked of the system for every frame, and
#: given back, costs as much as decoding it.
LEAST_BYTES = 16 * 1024

#: How long the peer may take to answer our close frame.
_FAREWELL_SECONDS = 0.25

#: Pings that come while so much waits to be written are not answered.
_MOST_BYTES_BEFORE_PONG = 64 * 1024

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


class Line:
    """One open socket.

    Args:
        opened: the socket, which the caller closes.
        readiness: for the farewell, which nothing interrupts.

    Attributes:
        sock: the socket, to wait for.
        early: bytes that came behind the upgrade, to be taken before anything is read.
        is_full: whether the last read brought most of what it could, so that more may be there.
    """

    def __init__(self, opened: Opened, readiness: Readiness) -> None:
        self.sock = opened.sock
        self.early = opened.early
        self.is_full = False
        self._room = LEAST_BYTES
        self._readiness = readiness
        self._parser = FrameParser()
        self._outgoing = Outgoing(opened.sock)

    # -- what arrives ------------------------------------------------------------------------

    def receive(self) -> tuple[bytes, End | None]:
        """Return what one read gives, and how the connection ended where it did."""
        sock = self.sock
        try:
            data = sock.recv(self._room)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.is_full = False
            return b"", None
        except OSError as error:
            return b"", End(ABNORMAL, error.strerror or str(error), by_peer=True)
        if not data:
            return b"", End(ABNORMAL, "the peer hung up without a close frame", by_peer=True)
        self.is_full = len(data) >= self._room * 3 // 4
        if self.is_full:
            self._room = min(2 * self._room, MOST_BYTES)
        elif len(data) < self._room // 4:
            self._room = max(self._room // 2, LEAST_BYTES)
        if isinstance(sock, TlsSocket) and sock.ended:
            # It came together with the data, so no selector will tell it.
            _, end = self.receive()
            return data, end
        return data, None

    def cut(self, data: bytes) -> list[Arrival]:
        """Return the messages and control frames that ``data`` completes, in their order."""
        return self._parser.feed(data)

    def obey(self, opcode: int, payload: bytes, now: float) -> End | None:
        """Do what a control frame asks for; return the end if it is a close frame."""
        if opcode == CLOSE:
            return End(*parse_close(payload), by_peer=True)
        # RFC 6455 §5.5.3: only the latest ping needs an answer. A peer that sends pings and
        # reads nothing must not fill the memory.
        if opcode == PING and self._outgoing.size < _MOST_BYTES_BEFORE_PONG:
            self._outgoing.add(pong_frame(payload), now)
        return None

    @property
    def violated(self) -> End | None:
        """The end that follows from how the peer broke the protocol, if it did."""
        violation = self._parser.violation
        return None if violation is None else End(violation.code, str(violation))

    # -- what leaves -------------------------------------------------------------------------

    @property
    def unsent_bytes(self) -> int:
        """What the peer has not taken yet; read from other threads, too."""
        return self._outgoing.size

    @property
    def pending(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return self._outgoing.pending

    @property
    def deadline(self) -> float | None:
        """When a peer that takes nothing counts as gone; ``None`` when nothing waits."""
        return self._outgoing.deadline

    def send(self, frame: bytes, now: float) -> None:
        """Append a whole frame to what leaves."""
        self._outgoing.add(frame, now)

    def flush(self, now: float) -> str | None:
        """Write what the socket takes; return why nothing more can be written, if so."""
        return self._outgoing.flush(now)

    def bid_farewell(self, end: End) -> None:
        """Send a close frame, and give the peer a moment to answer ours."""
        if end.code == ABNORMAL:
            return
        sock, outgoing = self.sock, self._outgoing
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
                if readable and not sock.recv(LEAST_BYTES):
                    return
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
                pass
            except OSError:
                return
            now = time.monotonic()
