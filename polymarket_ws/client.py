"""The one object that a program makes."""

from __future__ import annotations

import logging
import platform
import ssl
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any, TypeVar, overload

from polymarket_ws._version import __version__
from polymarket_ws.credentials import Credentials
from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.engine import Engine
from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Lifecycle
from polymarket_ws.health import Health
from polymarket_ws.observers import Observers, OnError
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.settings import Settings, buffering, limit
from polymarket_ws.spelling import FIRST_MILLISECOND
from polymarket_ws.stream import Feed, OnGap, Stream
from polymarket_ws.subscriptions import Subscription, User
from polymarket_ws.transport.backoff import Backoff
from polymarket_ws.transport.deadline import Deadline

__all__ = ["Client"]

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Callable[[Any], object])

logger = logging.getLogger("polymarket_ws.client")

USER_AGENT = f"polymarket-ws/{__version__} Python/{platform.python_version()}"


_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Client:
    """Streams of Polymarket on native threads, for synchronous programs.

    Inert until the first :meth:`subscribe` or :meth:`listen`: making one opens nothing and
    starts nothing. Thread-safe. A context manager: leaving it closes it.

    Args:
        credentials: for the user channel; nothing is looked up by itself.
        endpoints: where the exchange is; production by default.
        delivery: what may wait for slow consumers; also bounds the sum of all streams.
        backoff: waits between connections.
        liveness: when silence means that something is broken.
        assets_per_connection: 200 by default, at most 500; more assets mean more sockets.
        connect_timeout: seconds to the first success on a channel, and for each attempt; ``None``
            retries for ever, for services. Where one connection of a channel has been open, the
            others try as long as it takes. They open one by one, and the time of each begins
            with its turn.
        proxy: ``None`` for none, ``"env"`` for what the environment says, or
            ``http://[user:password@]host:port``. Loopback is never proxied.
        ssl_context: for other roots; verification is on in the default one.
        user_agent: the header of that name.
        recovery_timeout: seconds for which orders and fills are held back after a gap, while
            what it hid is fetched over REST.
        on_error: what happens when an observer raises: ``"log"`` goes on, ``"detach"``
            forgets the observer, ``"stop"`` closes the client and lets ``run()`` raise.

    Raises:
        UsageError: an argument that cannot mean anything.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        endpoints: Endpoints | None = None,
        delivery: Delivery | None = None,
        backoff: Backoff | None = None,
        liveness: Liveness | None = None,
        assets_per_connection: int = 200,
        connect_timeout: float | None = 10.0,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        recovery_timeout: float = 10.0,
        on_error: OnError = "log",
    ) -> None:
        settings = Settings.checked(
            credentials=credentials,
            endpoints=endpoints,
            delivery=delivery,
            backoff=backoff,
            liveness=liveness,
            assets_per_connection=assets_per_connection,
            connect_timeout=connect_timeout,
            proxy=proxy,
            ssl_context=ssl_context,
            user_agent=user_agent,
            recovery_timeout=recovery_timeout,
        )
        self._delivery = settings.delivery
        self._engine = engine = Engine(settings)
        self._observers = Observers(
            engine.observed, engine.interest, on_error=on_error, stop=engine.stop
        )
        self._feeds: list[Feed] = []
        self._finalizer = weakref.finalize(self, self._engine.abandon)
        # At exit the threads are daemons that are simply gone; nothing waits for them.
        self._finalizer.atexit = False

    # -- streams and feeds ------------------------------------------------------------------------

    def subscribe(
        self,
        *subscriptions: Subscription[E],
        delivery: Delivery | None = None,
        on_gap: OnGap = "continue",
        since: datetime | int | None = None,
    ) -> Stream[E]:
        """Connect, and return a stream that buffers from now on.

        Streams of one client share connections, and two streams of one asset cost one wire
        subscription.

        Args:
            subscriptions: what to listen to, such as ``Market(asset_id)``.
            delivery: how much may wait in this stream; the client's by default.
            on_gap: ``"raise"`` ends a loop with ``StreamGap`` where something was missed.
            since: for ``User``: first the trades from then on, fetched over REST, each once
                with the status it has now. An aware ``datetime`` or Unix milliseconds.

        Raises:
            CredentialsNotFound: ``User`` and the client has none.
            UsageError: something that cannot be subscribed.
            ClientClosed: the client is closed.
            ClientForked: the client was in use before this process was forked.
        """
        self._engine.check_usable()
        bounds = self._delivery if delivery is None else buffering(delivery)
        began = _milliseconds(since, subscriptions)
        mailbox = self._engine.open_mailbox(bounds)
        try:
            if began is not None:
                self._engine.open_since(mailbox, began)
            stream: Stream[E] = Stream(self, self._engine, mailbox, subscriptions, on_gap)
        except BaseException:
            self._engine.leave(mailbox)
            raise
        self._observers.start()
        return stream

    def listen(self, *subscriptions: Subscription[Any]) -> Feed:
        """Connect for observers: like :meth:`subscribe`, without a mailbox to read.

        The client holds the feed until it is closed.

        Raises:
            UsageError: something that cannot be subscribed.
            ClientClosed: the client is closed.
            ClientForked: the client was in use before this process was forked.
        """
        self._engine.check_usable()
        feed = Feed(self, self._engine, self._engine.open_wish(), subscriptions)
        with self._engine.lock:
            self._feeds = [held for held in self._feeds if not held.closed] + [feed]
        self._observers.start()
        return feed

    # -- observers -----------------------------------------------------------------------------

    @overload
    def on(self, event_type: type[Event]) -> Callable[[F], F]: ...

    @overload
    def on(self, event_type: type[E], callback: Callable[[E], object]) -> None: ...

    def on(
        self, event_type: type[Any], callback: Callable[[Any], object] | None = None
    ) -> Callable[[F], F] | None:
        """Call a function for every event of a class, base classes such as ``Event`` included.

        Callbacks run one after the other on one thread of their own, each event once,
        whichever call wished for it. As a decorator: ``@client.on(Book)``. A function of the
        same module and qualified name replaces the earlier one.

        Raises:
            UsageError: not an event class, or not a function.
        """
        self._engine.check_fork()
        if callback is not None:
            self._observe(event_type, callback)
            return None
        if not (isinstance(event_type, type) and issubclass(event_type, Event)):
            raise UsageError(
                f"client.on takes an event class first, such as client.on(Book), not {event_type!r}"
            )

        def register(function: F) -> F:
            self._observe(event_type, function)
            return function

        return register

    def _observe(self, event_type: type[Event], callback: Callable[[Any], object]) -> None:
        self._observers.add(event_type, callback)
        if self._engine.in_use:
            self._observers.start()

    def off(self, callback: Callable[[Any], object]) -> None:
        """Forget every registration of a function.

        Raises:
            UsageError: it was not registered.
        """
        self._engine.check_fork()
        if not self._observers.remove(callback):
            raise UsageError(f"{callback!r} is not registered; off takes what on was given")

    def run(self) -> None:
        """Block until :meth:`close`, Ctrl-C (which closes) or a fatal error (raised here).

        Raises:
            PolymarketWSError: what ended a connection for good.
            KeyboardInterrupt: after the client was closed.
        """
        engine = self._engine
        engine.check_fork()
        if not engine.in_use:
            logger.warning(
                "nothing is subscribed, so run() waits for close() alone: call client.listen(…) "
                "or client.subscribe(…) first"
            )
        self._warn_of_the_unfed()
        try:
            engine.wait_until(lambda: engine.closed or engine.error is not None, Deadline(None))
        finally:
            # Also after a close() elsewhere: the callback that called it may still have
            # something to do, and a program that ends here would cut it short.
            self.close()
        if engine.error is not None:
            raise engine.error

    def _warn_of_the_unfed(self) -> None:
        wanted = self._engine.wanted()
        unfed = [
            event_type.__name__
            for event_type in self._observers.event_types()
            if not issubclass(event_type, Lifecycle)
            and not any(issubclass(kind, event_type) for kind in wanted)
        ]
        if unfed:
            logger.warning(
                "nothing subscribed can feed the observers of %s: call client.listen(…) or "
                "client.subscribe(…) first",
                ", ".join(unfed),
            )

    # -- state ---------------------------------------------------------------------------------

    def wait_connected(self, timeout: float | None = None) -> bool:
        """Wait until every connection is open.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.

        Returns:
            False if that took longer than ``timeout``, or the client was closed.

        Raises:
            UsageError: nothing was ever subscribed, so nothing will connect.
            PolymarketWSError: what ended a connection for good.
        """
        engine = self._engine
        engine.check_fork()
        deadline = limit("timeout", timeout)
        if not engine.in_use and not engine.closed:
            raise UsageError(
                "nothing is subscribed, so nothing connects: call client.subscribe(…) or "
                "client.listen(…) first"
            )
        reached = engine.wait_until(
            lambda: engine.closed or engine.error is not None or engine.all_open(), deadline
        )
        if engine.error is not None:
            raise engine.error
        return reached and not engine.closed

    def health(self) -> Health:
        """Return a reading of every connection, for probes and dashboards."""
        self._engine.check_fork()
        return self._engine.health()

    @property
    def closed(self) -> bool:
        """Whether the client was closed."""
        return self._engine.closed

    def close(self, timeout: float | None = 2.0) -> bool:
        """Close every connection and end every loop. Final and idempotent.

        From any thread, a callback, a signal handler or a finalizer. Lets a running callback
        finish, and discards what is queued.

        Args:
            timeout: seconds to wait at most; ``None`` waits as long as it takes.

        Returns:
            False if a callback or a thread did not end in time.

        Raises:
            ClientForked: the client was in use before this process was forked.
        """
        engine = self._engine
        engine.check_fork()
        deadline = limit("timeout", timeout)
        connections = engine.connections()
        engine.begin_close()
        self._finalizer.detach()
        ended = engine.join(connections, deadline)
        return self._observers.join(deadline.remaining()) and ended

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # In a forked child there is nothing to close, and what is being raised matters more.
        if not self._engine.forked:
            self.close()

    def __repr__(self) -> str:
        if self._engine.closed:
            return "<Client: closed>"
        return f"<Client: {len(self._engine.connections())} connections>"


def _milliseconds(since: object, subscriptions: tuple[object, ...]) -> int | None:
    if since is None:
        return None
    if not any(isinstance(item, User) for item in subscriptions):
        raise UsageError("since is for User(): the other channels have no past to ask for")
    if isinstance(since, datetime):
        if since.tzinfo is None:
            raise UsageError("since takes an aware datetime, such as datetime.now(timezone.utc)")
        return (since - _UNIX_EPOCH) // timedelta(milliseconds=1)
    if isinstance(since, bool) or not isinstance(since, int) or since < FIRST_MILLISECOND:
        raise UsageError(f"since takes an aware datetime or Unix milliseconds, not {since!r}")
    return since
