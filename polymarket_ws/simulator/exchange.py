"""The simulated exchange: a server on loopback that a program under test connects to.

Threads, all daemons, all named ``polymarket-ws-simulator-…`` and all joined by ``close()``: one
accepts, one ends idle connections, one lets the market move, and each client has one that reads
(and one of the ``websockets`` package below it), one that writes, and one that plays a recording
if there is one.

One lock guards the markets, the clients' subscriptions and what is queued for them, so that an
opening book and the changes after it can never be in the wrong order. A client's queue has its
own lock, which is only ever taken last.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Literal, cast

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection

from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import rest
from polymarket_ws.simulator.account_service import AccountService
from polymarket_ws.simulator.background import end_idle, keep_pace, play
from polymarket_ws.simulator.catalogue import Topic
from polymarket_ws.simulator.client_session import ClientSession, Connection, Drop, Ending
from polymarket_ws.simulator.connection import (
    ClientConnection,
    ConnectionClosed,
    json_response,
    release_descriptors,
    text_frame,
)
from polymarket_ws.simulator.listening import Sockets, accept, listen
from polymarket_ws.simulator.market_channel import MarketChannel
from polymarket_ws.simulator.pacing import Admission, SteppedClock
from polymarket_ws.simulator.playback import Recording
from polymarket_ws.simulator.script import ScriptedMarket, Stage
from polymarket_ws.simulator.scripted_account import ScriptedAccount
from polymarket_ws.simulator.user_channel import UserChannel
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Connection", "Drop", "Exchange"]

MARKET_PATH = "/ws/market"
USER_PATH = "/ws/user"

# Closing handshakes get this much of the two seconds that close() has; who has not answered by
# then is reset.
_HANDSHAKE_SECONDS = 0.75
_CLOSE_SECONDS = 2.0

# A script waits this long for a client that does not read, before that one is too slow.
_SCRIPT_SECONDS = 1.0

_SHOWCASE_SECONDS = 15.0

# How far simulated time goes with a step of a script: as at the default rate.
_STEP_SECONDS = 0.02

# Bounds the memory of an exchange that runs for weeks; no test reads back further than this.
_HISTORY = 100_000

_log = logging.getLogger("polymarket_ws.simulator")


class Exchange:
    """A simulated exchange, inert until :meth:`start` or ``with``.

    The market stands still until the first subscription and moves from then on, whether or not
    anybody listens. Each market has steady, busy and quiet times; ``rate`` is that of all together.

    With a ``seed`` it is reproducible: two exchanges with the same arguments send the same bytes
    to clients that subscribe to the same and at the same point (the first one to subscribe always
    does). For that, time is simulated: it begins on 4 October 2026 and goes on with the messages,
    one second with each ``rate`` of them, or 20 ms with each :meth:`step` and each call of a
    script. Without a seed the markets are those of seed 1, and timestamps are those of ``clock``,
    so that they tell how long a message took.

    Args:
        host: address to listen on.
        port: 0 takes a free one, which is kept when the exchange is started again.
        seed: of everything that happens by chance, timestamps included; None for real time.
        rate: messages a second over all markets, above 0 and up to 2,000, as a subscriber to
            everything without custom events gets them. None or 0: the market only moves by
            :meth:`step` and :meth:`market`, and a recording is played as fast as the client reads.
        markets: how many random markets there are, 1 to 200. Of each eight the last four exclude
            each other: a negative-risk event, with prices that sum to about 1.
        recording: a file (or :class:`Recording`) that every client is sent, from its start, after
            its first subscription; the connection then stays open. There is no random market then.
        queue_messages: a client for which more messages than this wait is too slow.
        queue_bytes: the same in bytes.
        showcase: show what is rare: every 15 seconds (or so many) a market is listed, another one
            runs to 0.97, which makes its tick finer, is settled and resolved. The first market
            and negative-risk ones never are.
        idle_seconds: a connection without a frame in either direction for so long is ended, by
            TCP and without a close frame; None: never.
        upgrades_per_second: more connections than this within a second are answered 429 with
            ``Retry-After``; None: no limit.
        clock: Unix seconds, for timestamps; with or without a seed.

    Raises:
        UsageError: an argument is out of range, or the recording cannot be played.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: int | None = None,
        rate: float | None = 50.0,
        markets: int = 2,
        recording: str | os.PathLike[str] | Recording | None = None,
        queue_messages: int = 4096,
        queue_bytes: int = 8 * 1024 * 1024,
        showcase: bool | float = False,
        idle_seconds: float | None = 125.0,
        upgrades_per_second: int | None = 200,
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name, value, lowest, highest in (
            ("rate", rate or 0, 0, 2000),
            ("markets", markets, 1, 200),
            ("port", port, 0, 65535),
            ("showcase", showcase, 0, math.inf),
            ("idle_seconds", math.inf if idle_seconds is None else idle_seconds, 0.001, math.inf),
            ("upgrades_per_second", upgrades_per_second or 1, 1, math.inf),
        ):
            if not lowest <= value <= highest:
                raise UsageError(f"{name} takes {lowest} to {highest}, not {value!r}")
        self._host = host
        self._port = port
        self._rate = rate or None
        self._queue_messages = queue_messages
        self._queue_bytes = queue_bytes
        self._idle_seconds = idle_seconds
        self._admission = Admission(upgrades_per_second) if upgrades_per_second else None
        self._stepped = SteppedClock() if seed is not None and clock is None else None
        self._clock = clock or self._stepped or time.time
        self._recording: Recording | None = None
        self._venue: SimulatedVenue | None = None
        self._directory: rest.Directory
        if recording is None:
            self._directory = self._venue = SimulatedVenue(
                1 if seed is None else seed,
                markets,
                self._now_ms(),
                showcase=(_SHOWCASE_SECONDS if showcase is True else showcase) or None,
            )
        else:
            if not isinstance(recording, Recording):
                recording = Recording.read(recording)
            self._directory = self._recording = recording
        # An RLock below: a predicate of wait_for() may read the exchange it waits for.
        self._changed = threading.Condition(threading.RLock())
        # Serialises start() and close(); taken before the other one.
        self._lifecycle = threading.RLock()
        self._running = False
        self._channel = MarketChannel(self._venue)
        self._service = AccountService(1 if seed is None else seed, self._venue, self._changed)
        self._connected = 0
        self._received: deque[tuple[int, str]] = deque(maxlen=_HISTORY)
        self._sockets = Sockets(self._changed)
        self._threads: list[threading.Thread] = []
        self._server: Server | None = None
        self._stop = threading.Event()
        # Set by the first subscription, and for good.
        self._watched = False

    # -- life ---------------------------------------------------------------------------

    def start(self) -> None:
        """Listen; does nothing when it already does.

        Raises:
            OSError: the address cannot be listened on, for instance because it is in use.
        """
        with self._lifecycle:
            if self._running:
                return
            server = listen(
                self._host,
                self._port,
                self._serve,
                answer=self._answer,
                sockets=self._sockets,
                close_timeout=_HANDSHAKE_SECONDS,
                logger=_log,
            )
            self._port = server.socket.getsockname()[1]
            self._server = server
            self._stop = threading.Event()
            with self._changed:
                self._running = self._sockets.admitting = True
            self._threads = [self._thread("accept", functools.partial(accept, server))]
            if self._venue is not None and self._rate is not None:
                move = functools.partial(self._move_market, self._venue, self._rate, self._stop)
                self._threads.append(self._thread("market", move))
            if self._idle_seconds is not None:
                watch = functools.partial(end_idle, self._sessions, self._idle_seconds, self._stop)
                self._threads.append(self._thread("idle", watch))
            for thread in self._threads:
                thread.start()

    def close(
        self, how: Drop = "close", *, code: int = 1001, reason: str = "", timeout: float = 2.0
    ) -> bool:
        """Stop listening and end every connection; does nothing when closed.

        It may be started again: on the same port, with the market as it was left.

        Args:
            how: how connections end, see :meth:`drop`.
            code: of the close frame, for ``close``.
            reason: of the close frame, for ``close``.
            timeout: seconds until all of it is over.

        Returns:
            Whether every thread ended in time.
        """
        with self._lifecycle:
            server = self._server
            if server is None:
                return True
            deadline = time.monotonic() + timeout
            # First nobody can come in any more: a client that reconnects at once is refused.
            server.socket.close()
            with self._changed:
                self._running = self._sockets.admitting = False
                sessions = self._sessions()
                self._changed.notify_all()
            self._stop.set()
            self._sockets.abort(but=[session.connection for session in sessions])
            self._end(sessions, Ending(how, code, reason), min(timeout / 2, _HANDSHAKE_SECONDS))
            server.shutdown()
            threads = [*self._threads, *self._sockets.threads]
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            self._server = None
            if not self._threads[0].is_alive():
                release_descriptors(server)
            return not any(thread.is_alive() for thread in threads)

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

    # -- what a test or a script sees ---------------------------------------------------

    @property
    def url(self) -> str:
        """``ws://host:port``, for ``Endpoints.at``.

        Raises:
            UsageError: the port is not known before the first start.
        """
        if not self._port:
            raise UsageError("the exchange has no port yet: use it in a with statement, or start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}"

    @property
    def markets(self) -> tuple[MarketInfo, ...]:
        """The markets, in a fixed order."""
        with self._changed:
            return tuple(listing.info for listing in self._directory.listings())

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The clients that are connected, oldest first, as immutable snapshots."""
        with self._changed:
            return tuple(session.snapshot() for session in self._sessions())

    @property
    def subscribed(self) -> frozenset[str]:
        """The tokens that any client is subscribed to, known to the exchange or not."""
        with self._changed:
            return frozenset().union(*(session.asset_ids for session in self._channel.sessions))

    @property
    def received(self) -> tuple[tuple[int, str], ...]:
        """Every text frame of a client, ``(connection number, text)``, in order.

        Connections that are gone are included. The last 100,000 frames are kept.
        """
        with self._changed:
            return tuple(self._received)

    def wait_for(self, predicate: Callable[[], object], timeout: float = 5.0) -> bool:
        """Wait until ``predicate()`` is true; return whether it is.

        It is asked again whenever a client came, went, said something or was sent something. It
        may read this exchange, and must not call anything that changes it.
        """
        with self._changed:
            return bool(self._changed.wait_for(predicate, timeout))

    # -- what a script does -------------------------------------------------------------

    def step(self, count: int = 1) -> int:
        """Let the random market do ``count`` things; return how many messages came of it.

        Raises:
            UsageError: this exchange plays a recording.
        """
        venue = self._required_venue()
        return sum(self._act(venue.step) for _ in range(count))

    def market(self, what: str | MarketInfo | int = 0) -> ScriptedMarket:
        """Return one market, to be moved by a script.

        Args:
            what: its slug, condition id or one of its token ids; one of :attr:`markets`; or its
                position there.

        Raises:
            UsageError: there is no such market, or this exchange plays a recording.
        """
        venue = self._required_venue()
        with self._changed:
            if isinstance(what, int):
                found = venue.markets[what] if 0 <= what < len(venue.markets) else None
            else:
                found = venue.find(what.condition_id if isinstance(what, MarketInfo) else what)
        if found is None:
            raise UsageError(f"there is no market {what!r} on this exchange: see Exchange.markets")
        return ScriptedMarket(
            found, Stage(lock=self._changed, act=self._act, cut=self._cut_subscribers)
        )

    @property
    def account(self) -> ScriptedAccount:
        """The one account of this exchange: its credentials, its orders and its ledger.

        Raises:
            UsageError: this exchange plays a recording.
        """
        venue = self._required_venue()
        return ScriptedAccount(self._service, venue, self._changed, self._act)

    def list_market(
        self, question: str, *, tick_size: Literal["0.01", "0.001"] = "0.01"
    ) -> ScriptedMarket:
        """List a new market and tell it to every client that has the custom features.

        Args:
            question: what is asked; the slug is made from it.
            tick_size: its price grid.

        Raises:
            UsageError: there is such a market already, or this exchange plays a recording.
        """
        venue = self._required_venue()
        topic = Topic.alone(question, Decimal(tick_size))
        with self._changed:
            self._act(lambda now: [venue.add(topic, now)[1]])
            return self.market(len(venue.markets) - 1)

    def _required_venue(self) -> SimulatedVenue:
        if self._venue is None:
            raise UsageError("a recording cannot be stepped or scripted: leave recording= out")
        return self._venue

    def _act(self, move: Callable[[int], list[Message]]) -> int:
        """Do one thing now, publish what came of it, and return how many messages that is."""
        with self._changed:
            if self._stepped is not None and self._rate is None:
                self._stepped.advance(_STEP_SECONDS)
            now_ms = self._now_ms()
            messages = [*move(now_ms), *self._service.due(now_ms)]
            # A script may be faster than its readers; the market at its rate may not.
            self._channel.publish(messages, timeout=_SCRIPT_SECONDS)
            self._service.publish(timeout=_SCRIPT_SECONDS)
            self._changed.notify_all()
            return len(messages)

    def _cut_subscribers(self, condition_id: str, how: Drop) -> None:
        with self._changed:
            sessions = self._channel.subscribers(condition_id)
        self._end(sessions, Ending(how), _CLOSE_SECONDS)

    def broadcast(self, text: str, *, timeout: float = _SCRIPT_SECONDS) -> None:
        """Send a text frame to every client, as it is.

        Args:
            text: any text, JSON or not.
            timeout: seconds to wait for room in a full queue before that client is too slow.
        """
        self._send(self._sessions(), text, timeout)

    def send(
        self, connection: Connection | int, text: str, *, timeout: float = _SCRIPT_SECONDS
    ) -> None:
        """Send a text frame to one client, as it is.

        Args:
            connection: one of :attr:`connections`, or its number.
            text: any text, JSON or not.
            timeout: seconds to wait for room in a full queue before that client is too slow.

        Raises:
            UsageError: it is not connected.
        """
        self._send([self._session(connection)], text, timeout)

    def drop(
        self,
        how: Drop = "reset",
        *,
        connection: Connection | int | None = None,
        code: int = 1001,
        reason: str = "",
        then: Literal["reset", "fin"] = "reset",
        timeout: float = 2.0,
    ) -> None:
        """End connections, after what is queued for them, and wait until they are gone.

        Args:
            how: ``reset``: TCP RST. ``fin``: TCP close without a close frame. ``close``: a close
                frame with ``code`` and ``reason``. ``half_frame``: the first half of a text
                frame, then what ``then`` says.
            connection: one of :attr:`connections`, or its number; None ends all of them.
            code: of the close frame.
            reason: of the close frame.
            then: ``reset`` or ``fin``, after half a frame.
            timeout: seconds; a connection that is not gone by then is reset.

        Raises:
            UsageError: that one is not connected.
        """
        sessions = self._sessions() if connection is None else [self._session(connection)]
        self._end(sessions, Ending(how, code, reason, then), timeout)

    # -- connections --------------------------------------------------------------------

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
        path = request.path.partition("?")[0]
        streams = (MARKET_PATH,) if self._venue is None else (MARKET_PATH, USER_PATH)
        if upgrade and path in streams:
            with self._changed:
                if self._admission is None or self._admission.admit(time.monotonic()):
                    return None
            answer = rest.TOO_MANY
        elif upgrade or path.startswith("/ws/"):
            answer = rest.NO_STREAM if path not in streams else rest.NO_UPGRADE
        else:
            with self._changed:
                client = cast(ClientConnection, connection)
                private = self._service.answer(
                    request, lambda: client in self._sockets and not client.has_left()
                )
                answer = private or rest.answer(request.path, self._directory)
        return json_response(connection, answer.status, answer.body, answer.headers)

    def _serve(self, connection: ServerConnection) -> None:
        connection = cast(ClientConnection, connection)
        with self._changed:
            if not self._running:
                connection.abort()
                return
            self._connected += 1
            session = ClientSession(
                connection,
                self._connected,
                queue_messages=self._queue_messages,
                queue_bytes=self._queue_bytes,
            )
            session.start()
            user = session.path.partition("?")[0] == USER_PATH
            channel = self._service.users if user else self._channel
            channel.join(session)
            self._changed.notify_all()
        playback: threading.Thread | None = None
        try:
            for message in connection:
                if self._heard(channel, session, message) and self._recording is not None:
                    target = functools.partial(play, session, self._recording.texts, self._rate)
                    playback = self._thread(f"playback-{session.number}", target)
                    playback.start()
        except ConnectionClosed:
            _log.debug("client %d is gone: %s", session.number, connection.protocol.close_exc)
        finally:
            session.stop(_CLOSE_SECONDS)
            if playback is not None:
                playback.join(_CLOSE_SECONDS)
            with self._changed:
                channel.leave(session)
                self._changed.notify_all()

    def _heard(
        self, channel: MarketChannel | UserChannel, session: ClientSession, message: str | bytes
    ) -> bool:
        """Take a frame of a client; return whether it is its first subscription."""
        with self._changed:
            if isinstance(message, str):
                session.received.append(message)
                self._received.append((session.number, message))
            session.last_heard = time.monotonic()
            started = channel.heard(session, message)
            self._watched = self._watched or started
            self._changed.notify_all()
            return started

    def _sessions(self) -> Sequence[ClientSession]:
        with self._changed:
            sessions = (*self._channel.sessions, *self._service.users.sessions)
            return sorted(sessions, key=lambda session: session.number)

    def _session(self, connection: Connection | int) -> ClientSession:
        number = connection.number if isinstance(connection, Connection) else connection
        for session in self._sessions():
            if session.number == number:
                return session
        raise UsageError(f"there is no connection number {number} (any more)")

    def _end(self, sessions: Sequence[ClientSession], ending: Ending, timeout: float) -> None:
        for session in sessions:
            session.end(ending)
        if not self._wait_gone(sessions, timeout):
            for session in sessions:
                session.connection.abort()
            self._wait_gone(sessions, _CLOSE_SECONDS / 4)

    def _wait_gone(self, sessions: Sequence[ClientSession], timeout: float) -> bool:
        return self.wait_for(lambda: set(sessions).isdisjoint(self._sessions()), timeout)

    # -- messages -----------------------------------------------------------------------

    def _send(self, sessions: Sequence[ClientSession], text: str, timeout: float) -> None:
        frame = text_frame(text)
        for session in sessions:
            session.put([frame], timeout)
        with self._changed:
            self._changed.notify_all()

    def _move_market(self, venue: SimulatedVenue, rate: float, stop: threading.Event) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._watched or not self._running)
        keep_pace(functools.partial(self._move, venue, 1.0 / rate), rate, stop)

    def _move(self, venue: SimulatedVenue, interval: float, due: int) -> int:
        with self._changed:
            messages: list[Message] = []
            moved = 0
            while moved < due:
                now_ms = self._now_ms()
                step = [*venue.step(now_ms), *self._service.due(now_ms)]
                messages += step
                # What only some clients get comes on top of the rate. At least one: where every
                # market is settled, time goes on all the same.
                plain = max(1, sum(not message.custom for message in step))
                moved += plain
                if self._stepped is not None:
                    self._stepped.advance(plain * interval)
            self._channel.publish(messages)
            self._service.publish()
            self._changed.notify_all()
        return moved

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    @staticmethod
    def _thread(name: str, target: Callable[[], object]) -> threading.Thread:
        return threading.Thread(target=target, name=f"polymarket-ws-simulator-{name}", daemon=True)
