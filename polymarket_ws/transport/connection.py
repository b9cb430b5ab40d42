"""One socket, one daemon thread, one loop.

The thread is the only one that connects, reads, writes, reconnects and closes. Others may
do two things: append a wish and wake it, or ask it to stop and wake it. All waiting happens
in ``Readiness``, with the earliest of all deadlines as the limit, so a stop is noticed at
once in every state.

Locks: ``_ending`` (an ``RLock``) makes "append a wish" and "nobody wants anything, so the
thread ends" exclude each other. It is held for a few instructions, never while another lock
is taken or user code runs, and ``request_close`` does not take it.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Container
from enum import Enum
from urllib.parse import urlsplit

from polymarket_ws.authentication import LIKELY_CAUSES
from polymarket_ws.daemons import start_daemon
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, PolymarketWSError
from polymarket_ws.events.event import one_line
from polymarket_ws.events.lifecycle import Connected
from polymarket_ws.health import ConnectionHealth
from polymarket_ws.instrumentation.logging import RareWarnings
from polymarket_ws.protocol.session import Session
from polymarket_ws.recovery import Recovery
from polymarket_ws.routing import Router, Want
from polymarket_ws.transport.backoff import Backoff, Reconnecting
from polymarket_ws.transport.conversation import Conversation
from polymarket_ws.transport.errand import Errand
from polymarket_ws.transport.line import NORMAL, End, Line
from polymarket_ws.transport.opening import Opened, Opener, OpeningFailed
from polymarket_ws.transport.readiness import Readiness
from polymarket_ws.transport.spacing import Spacing
from polymarket_ws.transport.trial import Trial

__all__ = ["Connection", "ConnectionState"]

logger = logging.getLogger("polymarket_ws.connection")

#: Upper limit of one attempt where the user set none.
_ATTEMPT_SECONDS = 10.0

#: An attempt that was cut off so soon was cut off by ``connect_timeout``, not by the server.
_SHORT_SECONDS = 1.0

#: How long a connection that nobody wants stays open: a program that leaves one market and
#: enters the next a moment later keeps its socket.
_IDLE_SECONDS = 1.0

#: Close codes with which a server asks for time: service restart, try again later.
_NOT_NOW_CODES = frozenset((1012, 1013))


class ConnectionState(str, Enum):
    """Where a connection stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    BACKING_OFF = "backing off"
    CLOSED = "closed"


class _Stop(Exception):
    """The thread was asked to stop."""


class _Unwanted(Exception):
    """Nobody wants anything of this connection any more."""


class Connection:
    """One numbered connection of a client, over all its reconnects.

    Args:
        number: small stable number in its client, from 1.
        url: where to connect to.
        session: the conversation.
        router: the consumers.
        opener: how to open a socket.
        backoff: waits between attempts.
        spacing: keeps the connections of one channel from opening all at once.
        connect_timeout: seconds from its turn to the first success; ``None``: no limit.
        changed: called in the connection's thread after its state changed.
        failed: called in the connection's thread with the error that ended it.
        ask_elsewhere: called in the connection's thread with ids that were never answered. Has
            them asked for on a fresh connection, and returns those for which that cannot be, or
            ``None`` if it must be asked again.
        is_reached: whether another connection of the channel has been open: then this one too
            goes on for ever, or one of many that fails would end the others' streams.
        trial: makes it a connection that nobody wants anything of before it is open, and whose
            failure is nobody's.
        check: asks, before the first attempt, whether the credentials are accepted; raises
            ``AuthenticationFailed`` if not, another error of ours if nobody can tell.
        recovery: fetches what a gap hid.
    """

    def __init__(
        self,
        number: int,
        url: str,
        *,
        session: Session,
        router: Router,
        opener: Opener,
        backoff: Backoff,
        spacing: Spacing,
        connect_timeout: float | None,
        changed: Callable[[], None],
        failed: Callable[[PolymarketWSError], None],
        ask_elsewhere: Callable[[Connection, list[str]], list[str] | None],
        is_reached: Callable[[], bool] = lambda: False,
        check: Callable[[], None] | None = None,
        recovery: Recovery | None = None,
        trial: Trial | None = None,
    ) -> None:
        self.number = number
        self._url = url
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._session = session
        self._router = router
        self._opener = opener
        self._backoff = backoff
        self._reconnecting = Reconnecting(backoff, random.random)
        self._spacing = spacing
        self._connect_timeout = connect_timeout
        self._changed = changed
        self._failed = failed
        self._ask_elsewhere = ask_elsewhere
        self._is_reached = is_reached
        self._trial = trial
        self._given_up: deque[list[str]] = deque()
        self._check = check
        self._are_credentials_right = False
        self._recovery = recovery
        self._readiness = Readiness()
        if recovery is not None:
            recovery.wake_with(self._readiness.wake)
        self._ending = threading.RLock()
        self._started = False
        self._ended = False
        self._stopping = False
        self._wishes: deque[Want] = deque()
        self._unwanted_since: float | None = None
        self._warnings = RareWarnings(logger)
        self._sock: socket.socket | None = None
        self._line: Line | None = None
        self.state = ConnectionState.CONNECTING
        self.attempts = 0
        self.last_error: str | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"polymarket-ws-{session.channel}-{number}", daemon=True
        )

    # -- from other threads -----------------------------------------------------------------

    def start(self) -> None:
        """Start the thread if it was not; the time to the first success counts from here."""
        if self._started:
            return
        self._started = True
        try:
            start_daemon(self._thread)
        except RuntimeError:
            # No thread can be had. Ended, so that nobody waits for it or leaves wishes here.
            self._ended = True
            self.state = ConnectionState.CLOSED
            self._readiness.close()
            raise

    def discard(self) -> None:
        """Let go of one that was never started."""
        self._ended = True
        self._readiness.close()

    def want(self, want: Want) -> bool:
        """Pass a wish on; False if the thread has ended and cannot take it."""
        with self._ending:
            if self._ended:
                return False
            self._wishes.append(want)
        self._readiness.wake()
        return True

    def wake(self) -> None:
        """Have the thread look around: a mailbox was closed."""
        self._readiness.wake()

    def give_up(self, ids: list[str]) -> None:
        """Have it told that ids stalled: there was no other connection for them."""
        self._given_up.append(ids)
        self._readiness.wake()

    def request_close(self) -> None:
        """Ask the thread to end. From any thread, a signal handler or a finalizer."""
        self._stopping = True
        self._readiness.wake()

    def join(self, timeout: float | None) -> bool:
        """Wait for the end of the thread; False if it has not come."""
        # No ident: not running yet; a signal handler may ask in the middle of start().
        if self._thread is threading.current_thread() or self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def channel(self) -> str:
        """The name of its channel."""
        return self._session.channel

    @property
    def has_everything(self) -> bool:
        """Whether it is open to what belongs to any id; read from other threads, too."""
        return not self._ended and self._router.everywhere

    @property
    def ended(self) -> bool:
        """Whether the thread takes no wishes any more."""
        return self._ended

    @property
    def has_been_open(self) -> bool:
        """Whether the server has accepted it once."""
        return self._session.epoch > 0

    @property
    def on_trial(self) -> bool:
        """Whether it is to be opened for what another connection still carries."""
        return self._trial is not None

    @property
    def on_the_wire(self) -> Container[str]:
        """The ids that the server was asked for here and not yet told to forget."""
        if self._ended:
            return ()
        # Read in this order: an id that leaves is put into the second before it is taken out
        # of the first.
        sent = self._session.sent
        leaving = self._session.leaving
        return {*sent, *leaving} if leaving else sent

    @property
    def stalled(self) -> tuple[str, ...]:
        """The ids that never answered, here or anywhere."""
        return self._session.stalled

    def health(self) -> ConnectionHealth:
        """Return a reading of what the thread is doing; fields are read one by one."""
        last = self._session.last_frame_at
        line = self._line
        return ConnectionHealth(
            number=self.number,
            channel=self._session.channel,
            state=self.state.value,
            epoch=self._session.epoch,
            attempts=self.attempts,
            last_error=self.last_error,
            last_frame_at=last,
            asset_ids=len(self._session.sent),
            pending=self._session.pending,
            not_asked_for=self._router.not_asked_for + self._session.skipped,
            unsent_bytes=0 if line is None else line.unsent_bytes,
        )

    def after_fork_in_child(self) -> None:
        """Close the child's copies of the descriptors; the parent's stay as they are.

        No shutdown and no TLS close: both would reach the peer over the shared socket.
        """
        self._ended = True
        self._readiness.after_fork_in_child()
        if self._sock is not None:
            self._sock.close()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._live()
        except (_Stop, _Unwanted):
            logger.debug("connection %d ended", self.number)
        except PolymarketWSError as error:
            self._fail(error)
        except Exception as error:
            # A safety net in case of bugs: the consumers must not wait for ever.
            logger.exception("unexpected internal error on connection %d", self.number)
            failure = ConnectionFailed(f"unexpected internal error: {error!r}")
            failure.__cause__ = error
            self._fail(failure)
        finally:
            self._ended = True
            self.state = ConnectionState.CLOSED
            self._readiness.close()
            self._changed()

    def _fail(self, error: PolymarketWSError) -> None:
        with self._ending:
            self._ended = True
            wishes = list(self._wishes)
            self._wishes.clear()
        for want in wishes:
            self._router.want(want, connected=None, sent=())
        self.last_error = str(error)
        trial, self._trial = self._trial, None
        if trial is not None:
            logger.debug("connection %d was in vain: %s", self.number, error)
            trial.failed(self)
            return
        self._router.fail(error)
        self._failed(error)

    def _live(self) -> None:
        self._obey()
        # Many connections take a while to open one by one, which is nobody's failure: the
        # time of each begins with its turn.
        self._await_turn()
        timeout = self._connect_timeout if self._trial is None else self._trial.seconds
        limit = None if timeout is None else time.monotonic() + timeout
        if self._check is not None:
            self._check_credentials(self._check, limit)
        while True:
            opened, not_now, retry_after = self._attempt(limit)
            if opened is not None:
                limit = None
                opened_at = time.monotonic()
                end = self._converse(opened)
                not_now = end.code in _NOT_NOW_CODES
                retry_after = None
                self._reconnecting.lived(time.monotonic() - opened_at)
            now = time.monotonic()
            wait = self._reconnecting.wait(now, retry_after=retry_after, not_now=not_now)
            self._set_state(ConnectionState.BACKING_OFF)
            self._pause(now + wait if limit is None else min(now + wait, limit))
            waited_from = time.monotonic()
            self._await_turn()
            if limit is not None:
                limit += time.monotonic() - waited_from
            if limit is not None and time.monotonic() >= limit:
                if not self._fails_for_good():
                    limit = None
                    continue
                attempts = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
                raise ConnectionFailed(
                    f"no connection to {self._host} within {timeout:g} s "
                    f"({attempts}); the last: {self.last_error}"
                )

    def _fails_for_good(self) -> bool:
        """Whether what keeps it from opening ends it: only before there is a first success."""
        return not self.has_been_open and (self._trial is not None or not self._is_reached())

    def _check_credentials(self, check: Callable[[], None], limit: float | None) -> None:
        """Ask whether the credentials are accepted; the channel itself would not say.

        Raises:
            AuthenticationFailed: they are not.
        """
        now = time.monotonic()
        # Half of the time: where REST is out of reach, the stream must still get its turn.
        until = now + (_ATTEMPT_SECONDS if limit is None else (limit - now) / 2)
        try:
            Errand("check", check, self._readiness.wake).result(self._wait, until)
            self._are_credentials_right = True
        except AuthenticationFailed:
            raise
        except (PolymarketWSError, TimeoutError) as error:
            now = time.monotonic()
            message = "%s: the credentials could not be checked beforehand: %s"
            self._warnings.warn("check", now, message, self._host, error)

    def _set_state(self, state: ConnectionState) -> None:
        self.state = state
        self._changed()

    def _await_turn(self) -> None:
        self._pause(self._spacing.turn(time.monotonic(), self.number))

    def _pause(self, until: float) -> None:
        while time.monotonic() < until:
            self._wait(None, read=False, write=False, until=until)

    # -- waiting and wishes ---------------------------------------------------------------------

    def _wait(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float | None
    ) -> tuple[bool, bool]:
        """Wait, take the wishes that came meanwhile, and stop if asked to.

        Raises:
            _Stop: ``request_close`` was called.
            _Unwanted: nobody has wanted anything for a while.
        """
        if self._unwanted_since is not None:
            idle_until = self._unwanted_since + _IDLE_SECONDS
            until = idle_until if until is None else min(until, idle_until)
        if self._stopping:
            raise _Stop
        # From its first wait on: a fork in the middle of connecting must find it, too.
        self._sock = sock
        readable, writable, woken = self._readiness.wait(sock, read=read, write=write, until=until)
        if self._stopping:
            raise _Stop
        if woken:
            self._obey()
        elif self._unwanted_since is not None:
            self._end_if_unwanted()
        return readable, writable

    def _obey(self) -> None:
        now = time.monotonic()
        changed = self._router.forget_the_gone()
        connected = self._connected_for_newcomers()
        again: dict[str, None] = {}
        while self._wishes:
            want = self._wishes.popleft()
            unknown = self._router.want(want, connected=connected, sent=self._session.sent)
            again.update(dict.fromkeys(unknown))
            if want.last_chance:
                self._session.grant_last_chance(want.wishes)
            if want.told:
                self._session.was_told(want.wishes)
            changed = True
        if changed:
            self._session.want(
                self._router.ids, self._router.decoded, now, everything=self._router.everywhere
            )
            # What has not answered yet will answer anyway.
            awaited = self._session.awaited
            self._session.refresh([key for key in again if key not in awaited], now)
            self._flush_events()
        while self._given_up:
            self._tell_stalled(self._given_up.popleft())
        if not self._router.idle or self._trial is not None:
            self._unwanted_since = None
        elif self._unwanted_since is None:
            self._unwanted_since = now

    def _tell_stalled(self, ids: list[str]) -> None:
        event = self._session.give_up(ids, time.time())
        if event is not None:
            self._router.tell(event, event.asset_ids)
            self._router.odd.append(event)
            self._flush_events()

    def _connected_for_newcomers(self) -> Connected | None:
        if self.state is not ConnectionState.OPEN:
            return None
        return Connected(
            channel=self._session.channel,
            connection=self.number,
            epoch=self._session.epoch,
            recovers=self._session.recovers,
            received_at=time.time(),
        )

    def _end_if_unwanted(self) -> None:
        since = self._unwanted_since
        if since is None or time.monotonic() < since + _IDLE_SECONDS:
            return
        with self._ending:
            if not self._wishes:
                self._ended = True
                raise _Unwanted

    # -- connecting -------------------------------------------------------------------------------

    def _attempt(self, limit: float | None) -> tuple[Opened | None, bool, float | None]:
        """Try once; return what was opened, or what the next wait must honour."""
        self._set_state(ConnectionState.CONNECTING)
        now = time.monotonic()
        until = now + (self._connect_timeout or _ATTEMPT_SECONDS)
        if limit is not None:
            until = min(until, limit)
        self.attempts += 1
        self._reconnecting.attempted(now)
        try:
            opened = self._opener.open(
                self._url, wait=self._wait, wake=self._readiness.wake, until=until
            )
        except OpeningFailed as failure:
            began, now = now, time.monotonic()
            # One that the limit left hardly any time says nothing; what failed before does.
            if self.last_error is None or now < until or now - began > _SHORT_SECONDS:
                self.last_error = str(failure)
            self._warnings.warn("attempt", now, "%s: %s", self._host, failure)
            refused = failure.status in (401, 403) and self._session.authenticates
            if failure.fatal and (refused or self._fails_for_good()):
                kind = AuthenticationFailed if failure.status in (401, 403) else ConnectionFailed
                raise kind(f"no connection to {self._host}: {failure}") from failure
            return None, failure.status in (429, 503), failure.retry_after
        return opened, False, None

    # -- the open connection -------------------------------------------------------------------

    def _converse(self, opened: Opened) -> End:
        self._sock = sock = opened.sock
        self._line = line = Line(opened, self._readiness)
        conversation = Conversation(
            line,
            session=self._session,
            router=self._router,
            recovery=self._recovery,
            ask_elsewhere=lambda ids: self._ask_elsewhere(self, ids),
            wait=self._wait,
            flush=self._flush_events,
            is_stopping=lambda: self._stopping,
        )
        try:
            # Before the new state is seen: a newcomer is told of this connection once.
            self._obey()
            self._note_opened(time.monotonic(), time.time())
            self._flush_events()
            self._set_state(ConnectionState.OPEN)
            trial, self._trial = self._trial, None
            if trial is not None:
                trial.opened(self)
            end = conversation.hold()
            self._suspect_the_credentials(end)
            line.bid_farewell(end)
        except (_Stop, _Unwanted):
            self.state = ConnectionState.CLOSED
            line.bid_farewell(End(NORMAL, ""))
            raise
        finally:
            self._line = None
            # In this order: a fork in between must still find it.
            sock.close()
            self._sock = None
        self.state = ConnectionState.CONNECTING
        self.last_error = f"{end.code} {one_line(end.reason)}".rstrip()
        now = time.monotonic()
        self._warnings.warn("lost", now, "%s: connection lost: %s", self._host, self.last_error)
        if self._recovery is not None:
            held = self._recovery.closed()
            self._router.route(held, [0] * len(held))
        self._router.disconnected()
        self._router.tell(self._session.closed(end.code, end.reason, time.time()))
        self._flush_events()
        # A farewell waits without looking at wishes.
        self._obey()
        return end

    def _note_opened(self, now: float, received_at: float) -> None:
        if self._recovery is not None:
            self._recovery.opened(now, received_at, self._session.last_frame_at)
        self._router.tell(self._session.opened(now, received_at))

    def _suspect_the_credentials(self, end: End) -> None:
        """Raise if a server that was told credentials hung up without ever saying a thing.

        That is how the user channel answers wrong ones; a retry would get the same answer.
        """
        session = self._session
        if self._are_credentials_right or not session.authenticates or not end.by_peer:
            return
        if session.begun and session.last_frame_at is None and end.code not in _NOT_NOW_CODES:
            raise AuthenticationFailed(
                f"{self._host} hung up right after it was told the credentials "
                f"({one_line(end.reason)}). {LIKELY_CAUSES}"
            )

    # -- telling ---------------------------------------------------------------------------------

    def _flush_events(self) -> None:
        router, warnings = self._router, self._warnings
        router.flush()
        if router.ended:
            # What it wanted is left, or the server would send it to nobody, without end.
            router.ended = False
            self._readiness.wake()
        if not router.odd and not router.dropped:
            return
        now = time.monotonic()
        for event in router.odd:
            warnings.warn(type(event).__name__, now, "%s: %s", self._host, event)
        router.odd.clear()
        dropped, router.dropped = router.dropped, 0
        if dropped:
            message = "dropped %d events: the consumer is too slow"
            warnings.warn("dropped", now, message, dropped, count=dropped)
