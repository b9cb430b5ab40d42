"""What is said over one open line, from its upgrade to its end.

Belongs to the connection's thread. What it waits with also takes wishes and notices a stop;
see ``connection``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from polymarket_ws.events.lifecycle import Lifecycle, SubscriptionStalled
from polymarket_ws.protocol.session import Session
from polymarket_ws.recovery import Recovery
from polymarket_ws.routing import Router
from polymarket_ws.transport.frames import BINARY, text_frame
from polymarket_ws.transport.line import ABNORMAL, End, Line

__all__ = ["Conversation"]

#: How long what the peer said before a cut may take to be read.
_LAST_WORDS_SECONDS = 0.25

#: Reads that bring most of what they can are followed by another, without a wait, but not for
#: ever.
_READS_A_TURN = 4

#: So many bytes of a message that is still on its way are a sign of life, like a frame. The books
#: of 200 tokens may be megabytes, which a slow line, or one that many connections share, takes
#: longer for than silence may last; with less than that in such a time nobody gets anywhere.
_ADVANCE_BYTES = 16 * 1024

#: When a user's thread changes wishes at the same moment.
_ASK_AGAIN_SECONDS = 0.05

#: What an event fetched over REST counts as in a mailbox.
_RECOVERED_BYTES = 1024


class _Wait(Protocol):
    """Waits for a socket; raises what ends the conversation from outside."""

    def __call__(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float | None
    ) -> tuple[bool, bool]: ...


class Conversation:
    """What is read from and written to one line.

    Args:
        line: the open socket.
        session: what is said.
        router: who is told.
        recovery: what a gap hid; ``None`` where nothing is recovered.
        ask_elsewhere: has ids asked for on a fresh connection. Returns those for which that
            cannot be, or ``None`` if it must be asked again a moment later.
        wait: waits for the socket.
        flush: hands over what the router has queued.
        is_stopping: whether the thread was asked to end.
    """

    def __init__(
        self,
        line: Line,
        *,
        session: Session,
        router: Router,
        recovery: Recovery | None,
        ask_elsewhere: Callable[[list[str]], list[str] | None],
        wait: _Wait,
        flush: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._line = line
        self._session = session
        self._router = router
        self._recovery = recovery
        self._ask_elsewhere = ask_elsewhere
        self._wait = wait
        self._flush = flush
        self._is_stopping = is_stopping
        self._looks_at = 0.0
        self._unfinished = 0

    def hold(self) -> End:
        """Talk until the connection ends, and return why it did."""
        end = self._take(self._line.early) if self._line.early else None
        # The end of TLS may have come together with the upgrade; no selector sees it then.
        end = end or self._read()
        while end is None:
            end = self._turn()
        return end

    def _turn(self) -> End | None:
        """Do what is due, wait, and take what came; return the end if this was it."""
        line, session = self._line, self._session
        now = time.monotonic()
        # Nothing is due before what was found last time but what has come up since. Most turns
        # bring one frame, and its consumer waits for the interpreter until this thread waits.
        if now < self._looks_at and not (session.has_wishes or line.pending):
            readable, _ = self._wait(line.sock, read=True, write=False, until=self._looks_at)
            return self._read() if readable else None
        silence = session.silent(now)
        if silence is not None:
            return self._listen_once_more(silence)
        texts, told = session.due(now, time.time())
        for text in texts:
            line.send(text_frame(text), now)
        for event in told:
            self._tell(event)
        if self._recovery is not None:
            self._route_recovered(self._recovery, now)
        if told:
            self._flush()
        if session.unanswered:
            self._move_the_unanswered()
        broken = line.flush(now)
        if broken is not None:
            # The peer may have said more before the cut than was read so far.
            return self._take_the_rest() or End(ABNORMAL, broken)
        if session.leaving and not line.pending:
            session.leaving = ()
        deadlines = [session.next_deadline(), line.deadline]
        if session.unanswered:
            deadlines.append(now + _ASK_AGAIN_SECONDS)
        if self._recovery is not None:
            deadlines.append(self._recovery.deadline)
        until = min((when for when in deadlines if when is not None), default=None)
        # What is recovered may be there at any time.
        self._looks_at = 0.0 if until is None or self._recovery is not None else until
        readable, _ = self._wait(line.sock, read=True, write=line.pending, until=until)
        return self._read() if readable else None

    def _tell(self, event: Lifecycle) -> None:
        self._router.tell(event, event.asset_ids or None)
        if isinstance(event, SubscriptionStalled):
            self._router.odd.append(event)

    def _listen_once_more(self, silence: str) -> End | None:
        """Return the end, unless there is something to read that nobody came round to.

        A process that was stopped for a while finds its limits passed and its socket full.
        """
        until = time.monotonic() + _LAST_WORDS_SECONDS
        while not self._is_stopping() and time.monotonic() < until:
            data, broken = self._line.receive()
            end = (self._take(data) if data else None) or broken
            if end is not None:
                return end
            # Looked at anew: what came may not count, such as a PONG where data is missed, or
            # may be no whole frame yet.
            still = self._session.silent(time.monotonic())
            if still is None or not data:
                return None if still is None else End(ABNORMAL, still)
        return End(ABNORMAL, silence)

    def _move_the_unanswered(self) -> None:
        session = self._session
        left = self._ask_elsewhere(session.unanswered)
        if left is None:
            return
        session.unanswered = []
        told = session.give_up(left, time.time())
        if told is not None:
            self._tell(told)
            self._flush()

    def _route_recovered(self, recovery: Recovery, now: float) -> None:
        for event in recovery.due(now, time.time()):
            if isinstance(event, Lifecycle):
                self._router.tell(event)
                self._router.odd.append(event)
            else:
                self._router.route((event,), (_RECOVERED_BYTES,))
        self._flush()

    def _read(self) -> End | None:
        for _ in range(_READS_A_TURN):
            data, broken = self._line.receive()
            end = (self._take(data) if data else None) or broken
            if end is not None or not self._line.is_full:
                return end
        return None

    def _take_the_rest(self) -> End | None:
        """Read what is there already; the peer's own words for the end, if it has any."""
        # Limited, because a peer that reads nothing may still send without an end.
        until = time.monotonic() + _LAST_WORDS_SECONDS
        while not self._is_stopping() and time.monotonic() < until:
            data, broken = self._line.receive()
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
        session, line = self._session, self._line
        arrivals = line.cut(data)
        if arrivals:
            if self._recovery is not None and session.begun:
                self._recovery.heard(now)
            session.heard(now, received_at)
            self._unfinished = 0
        else:
            self._unfinished += len(data)
            if self._unfinished >= _ADVANCE_BYTES:
                session.advanced(now)
                self._unfinished = 0
        texts: list[bytes] = []
        for arrival in arrivals:
            if isinstance(arrival, bytes):
                texts.append(arrival)
                continue
            opcode, payload = arrival
            if opcode == BINARY:
                self._route_texts(texts, received_at)
                texts = []
                failure = session.failure(payload, "a binary message", received_at)
                self._router.route((failure,), (len(payload),))
            else:
                end = line.obey(opcode, payload, now)
        self._route_texts(texts, received_at)
        violated = line.violated
        if violated is not None:
            end = violated
            self._router.route((session.failure(b"", violated.reason, received_at),), (0,))
        self._flush()
        return end

    def _route_texts(self, texts: Sequence[bytes], received_at: float) -> None:
        if self._recovery is None:
            self._router.route(*self._session.receive(texts, received_at))
            return
        for text in texts:
            events, _, _ = self._session.receive((text,), received_at)
            events = self._recovery.take(events, len(text))
            self._router.route(events, [len(text) // max(1, len(events))] * len(events))
