"""The simulated exchange: a server on loopback that a program under test connects to.

Threads, all daemons, all named ``polymarket-ws-simulator-…`` and all joined by ``close()``: one
accepts, one ends idle connections, one lets the market move, one does what faults have due later
(once there is something), and each client has one that reads
(and one of the ``websockets`` package below it), one that writes, and one that plays a recording
if there is one.

One lock guards the markets, the clients' subscriptions and what is queued for them, so that an
opening book and the changes after it can never be in the wrong order. A client's queue has its
own lock, which is taken after it; what is taken last is that of the agenda or of a socket.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Literal, cast

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection

from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import rest
from polymarket_ws.simulator.account_service import AccountService
from polymarket_ws.simulator.agenda import Agenda
from polymarket_ws.simulator.background import end_idle, play
from polymarket_ws.simulator.catalogue import Topic
from polymarket_ws.simulator.client_session import ClientSession, Connection, Drop, Ending
from polymarket_ws.simulator.clients import Clients
from polymarket_ws.simulator.connection import (
    ClientConnection,
    ConnectionClosed,
    json_response,
    release_descriptors,
)
from polymarket_ws.simulator.fault_injection import FaultInjection
from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import Fault
from polymarket_ws.simulator.handshakes import faulty_answer, is_spoiled
from polymarket_ws.simulator.interference import Sent
from polymarket_ws.simulator.listening import Sockets, accept, listen
from polymarket_ws.simulator.market_channel import MarketChannel
from polymarket_ws.simulator.motion import SCRIPT_SECONDS, Motion
from polymarket_ws.simulator.pacing import Admission, SteppedClock
from polymarket_ws.simulator.playback import Recording
from polymarket_ws.simulator.script import ScriptedMarket, Stage
from polymarket_ws.simulator.scripted_account import ScriptedAccount
from polymarket_ws.simulator.user_channel import UserChannel
from polymarket_ws.simulator.venue import SimulatedVenue

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Connection", "Drop", "Exchange"]

MARKET_PATH = "/ws/market"
USER_PATH = "/ws/user"

# Closing handshakes get this much of the two seconds that close() has; who has not answered by
# then is reset.
_HANDSHAKE_SECONDS = 0.75
_CLOSE_SECONDS = 2.0

_SHOWCASE_SECONDS = 15.0

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
        markets: how many random markets there are, 1 to 10,000. Of each eight the last four exclude
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
        faults: what goes wrong, and when: entries :class:`At`, or faults that are on every
            connection from its beginning.
        tap: called with a :class:`Sent` for every message at the moment it is queued for a client,
            but for ``PONG``; what a fault suppresses is not queued. For each connection the order
            is that of sending. It is called on whichever thread sends and with that queue locked,
            so it must be quick, must not raise, and must not call this exchange. What is queued
            when a connection ends may not reach the client: its ending tells it so.

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
        faults: Iterable[At | Fault] = (),
        tap: Callable[[Sent], object] | None = None,
    ) -> None:
        for name, value, lowest, highest in (
            ("rate", rate or 0, 0, 2000),
            ("markets", markets, 1, 10_000),
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
        clock = clock or (time.time if seed is None else SteppedClock())
        self._recording: Recording | None = None
        self._venue: SimulatedVenue | None = None
        self._directory: rest.Directory
        if recording is None:
            self._directory = self._venue = SimulatedVenue(
                1 if seed is None else seed,
                markets,
                int(clock() * 1000),
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
        self._clients = Clients(self._changed, self._channel, self._service.users)
        self._motion = Motion(
            self._changed, self._channel, self._service, rate=self._rate, clock=clock
        )
        self._agenda = Agenda()
        self._faults = FaultInjection(faults, self._changed, self._clients, self._agenda)
        self._tap = tap
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
            self._agenda.open()
            with self._changed:
                self._running = self._sockets.admitting = True
            self._threads = [self._thread("accept", functools.partial(accept, server))]
            if self._venue is not None and self._rate is not None:
                move = functools.partial(
                    self._motion.go_on, self._venue, self._rate, self._begins, self._stop
                )
                self._threads.append(self._thread("market", move))
            if self._idle_seconds is not None:
                watch = functools.partial(
                    end_idle, self._clients.everyone, self._idle_seconds, self._stop
                )
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
                sessions = self._clients.everyone()
                self._changed.notify_all()
            self._stop.set()
            forgotten = self._agenda.close(timeout)
            self._sockets.abort(but=[session.connection for session in sessions])
            self._clients.end(
                sessions, Ending(how, code, reason), min(timeout / 2, _HANDSHAKE_SECONDS)
            )
            server.shutdown()
            threads = [*self._threads, *self._sockets.threads]
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            self._server = None
            if not self._threads[0].is_alive():
                release_descriptors(server)
            return forgotten and not any(thread.is_alive() for thread in threads)

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
            return tuple(session.snapshot() for session in self._clients.everyone())

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
        until = time.monotonic() + timeout
        with self._changed:
            while not (is_true := bool(predicate())) and (left := until - time.monotonic()) > 0:
                # Asked now and then, too: what is written is counted under a client's own lock.
                self._changed.wait(min(left, 0.05))
            return is_true

    # -- what a script does -------------------------------------------------------------

    def step(self, count: int = 1) -> int:
        """Let the random market do ``count`` things; return how many messages came of it.

        Raises:
            UsageError: this exchange plays a recording.
        """
        venue = self._required_venue()
        return sum(self._motion.act(venue.step) for _ in range(count))

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
            found, Stage(lock=self._changed, act=self._motion.act, cut=self._cut_subscribers)
        )

    @property
    def account(self) -> ScriptedAccount:
        """The one account of this exchange: its credentials, its orders and its ledger.

        Raises:
            UsageError: this exchange plays a recording.
        """
        venue = self._required_venue()
        return ScriptedAccount(self._service, venue, self._changed, self._motion.act)

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
            self._motion.act(lambda now: [venue.add(topic, now)[1]])
            return self.market(len(venue.markets) - 1)

    def _required_venue(self) -> SimulatedVenue:
        if self._venue is None:
            raise UsageError("a recording cannot be stepped or scripted: leave recording= out")
        return self._venue

    def _cut_subscribers(self, condition_id: str, how: Drop) -> None:
        with self._changed:
            sessions = self._channel.subscribers(condition_id)
        self._clients.end(sessions, Ending(how), _CLOSE_SECONDS)

    def broadcast(self, text: str, *, timeout: float = SCRIPT_SECONDS) -> None:
        """Send a text frame to every client, as it is.

        Args:
            text: any text, JSON or not.
            timeout: seconds to wait for room in a full queue before that client is too slow.
        """
        self._clients.send(self._clients.everyone(), text, timeout)

    def send(
        self, connection: Connection | int, text: str, *, timeout: float = SCRIPT_SECONDS
    ) -> None:
        """Send a text frame to one client, as it is.

        Args:
            connection: one of :attr:`connections`, or its number.
            text: any text, JSON or not.
            timeout: seconds to wait for room in a full queue before that client is too slow.

        Raises:
            UsageError: it is not connected.
        """
        self._clients.send(self._clients.chosen(connection), text, timeout)

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
        sessions = self._clients.chosen(connection)
        self._clients.end(sessions, Ending(how, code, reason, then), timeout)

    def inject(
        self,
        fault: Fault | At,
        connection: Connection | int | None = None,
        *,
        lasting: float | None = None,
    ) -> None:
        """Let something go wrong, from now on.

        What is queued for a connection already is still sent as if nothing were.

        Args:
            fault: on a connection: at once. Of a handshake: on every upgrade to come. An
                :class:`At`: another entry of the script, for connections to come.
            connection: one of :attr:`connections`, or its number; None: all that are connected.
            lasting: seconds after which it is healed; None: for ever. A fault that happens once
                takes none.

        Raises:
            UsageError: that one is not connected, or an argument makes no sense.
        """
        self._faults.inject(fault, connection, lasting)

    def heal(self) -> None:
        """Take back every fault that is in force or still to come.

        Connections go on, but for those that are half-open: these are reset. Connections to come
        are normal.
        """
        self._faults.heal()

    # -- connections --------------------------------------------------------------------

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        client = cast(ClientConnection, connection)
        upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
        path = request.path.partition("?")[0]
        streams = (MARKET_PATH,) if self._venue is None else (MARKET_PATH, USER_PATH)
        if upgrade and path in streams:
            with self._changed:
                if self._admission is None or self._admission.admit(time.monotonic()):
                    of_user = path == USER_PATH
                    client.upgrade = self._faults.upgrade("user" if of_user else "market")
            if client.upgrade is not None:
                return faulty_answer(client, request, client.upgrade)
            answer = rest.TOO_MANY
        elif upgrade or path.startswith("/ws/"):
            answer = rest.NO_STREAM if path not in streams else rest.NO_UPGRADE
        else:
            with self._changed:
                private = self._service.answer(
                    request, lambda: client in self._sockets and not client.has_left()
                )
                answer = private or rest.answer(request.path, self._directory)
        return json_response(connection, answer.status, answer.body, answer.headers)

    def _serve(self, connection: ServerConnection) -> None:
        connection = cast(ClientConnection, connection)
        upgrade = connection.upgrade
        if upgrade is None or is_spoiled(upgrade.fault):
            # The client may say what it wants, and goes when it has had enough.
            with contextlib.suppress(ConnectionClosed):
                for _ in connection:
                    continue
            return
        # It may have been dripped so far.
        connection.line.slow_down(None)
        with self._changed:
            if not self._running:
                connection.abort()
                return
            entries = self._faults.entries(upgrade)
            if not entries:
                connection.line.hear()  # It may have been healed since the upgrade.
            session = ClientSession(
                connection,
                upgrade.number,
                queue_messages=self._queue_messages,
                queue_bytes=self._queue_bytes,
                entries=entries,
                tap=self._tap,
                later=self._agenda.add,
            )
            session.start()
            user = session.path.partition("?")[0] == USER_PATH
            channel = self._service.users if user else self._channel
            channel.join(session)
            self._changed.notify_all()
        playback: threading.Thread | None = None
        try:
            for message in connection:
                if not self._heard(channel, session, message):
                    continue
                self._faults.subscribed(session, entries)
                if self._recording is not None:
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

    def _begins(self) -> bool:
        return self._watched or not self._running

    @staticmethod
    def _thread(name: str, target: Callable[[], object]) -> threading.Thread:
        return threading.Thread(target=target, name=f"polymarket-ws-simulator-{name}", daemon=True)
