"""What a ``for`` loop iterates: ``Stream``, and its base ``Feed`` for observers."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import attrs

from polymarket_ws.delivery import Mailbox
from polymarket_ws.errors import (
    ClientClosed,
    ConnectionFailed,
    PolymarketWSError,
    StreamClosed,
    StreamGap,
    UsageError,
)
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    UnknownEvent,
)
from polymarket_ws.hand import Hand
from polymarket_ws.settings import limit
from polymarket_ws.subscriptions import EVERYWHERE, Kinds, Market, Subscription
from polymarket_ws.transport.deadline import Deadline

if TYPE_CHECKING:
    from polymarket_ws.client import Client
    from polymarket_ws.engine import Engine

__all__ = ["AllEvents", "Feed", "OnGap", "Stats", "Stream"]

E_co = TypeVar("E_co", bound=Event, covariant=True)
F = TypeVar("F", bound="Feed")
OnGap = Literal["continue", "raise"]

_NOTHING: Kinds = frozenset()


@attrs.frozen(kw_only=True)
class Stats:
    """What became of everything that was meant for a stream, at one moment.

    Every event that was received is in exactly one place::

        received == sum(by_type.values()) - by_type.get(Dropped, 0)
                    + buffered + dropped + merged + discarded

    Attributes:
        received: events that were meant for this stream, lifecycle events included.
        delivered: data events that the loop was given.
        buffered: events that wait.
        buffered_bytes: their wire bytes.
        dropped: data events dropped because the consumer was too slow.
        merged: lifecycle events folded into a later one for the same reason.
        discarded: events that waited when the stream was closed.
        disconnects: how often a connection of this stream was lost, as far as it was read.
        decode_failures: what arrived and could not be read.
        unknown_events: events of a type that this version does not know.
        by_type: how many of each class were given out or, lifecycle events in a plain
            loop, passed over.
    """

    received: int
    delivered: int
    buffered: int
    buffered_bytes: int
    dropped: int
    merged: int
    discarded: int
    disconnects: int
    decode_failures: int
    unknown_events: int
    by_type: Mapping[type[Event], int]


class Feed:
    """Wishes that can be changed while the socket lives.

    Made by ``client.listen``; a ``Stream`` is one with a mailbox to read.
    """

    def __init__(
        self, client: Client, engine: Engine, mailbox: Mailbox, subscriptions: tuple[Any, ...]
    ) -> None:
        # The client is held, so that `for event in Client().subscribe(…)` works.
        self._client = client
        self._engine = engine
        self._mailbox = mailbox
        self._wishes: _Wishes = {}
        self._bare: Kinds | None = None
        self._closed_here = False
        # An interpreter that exits does not need it, and its threads are daemons.
        self._finalizer = weakref.finalize(self, engine.leave, mailbox)
        self._finalizer.atexit = False
        self._change(lambda held: _merged(held, self._checked(subscriptions)))

    def add(self, *subscriptions: Subscription[Any] | str) -> None:
        """Want more, on the live socket.

        Args:
            subscriptions: as for ``subscribe``; bare asset ids where the feed holds one
                class of subscriptions, with the events of those.

        Raises:
            UsageError: something that cannot be subscribed.
            StreamClosed: the feed is closed.
        """
        self._change(lambda held: _merged(held, self._checked(subscriptions)))

    def remove(self, *subscriptions: Subscription[Any] | str) -> None:
        """Want less, on the live socket. What is buffered is still delivered.

        Args:
            subscriptions: assets to leave, whatever classes of events were wanted of them;
                bare asset ids where the feed holds one class of subscriptions.

        Raises:
            UsageError: something that the feed does not hold.
            StreamClosed: the feed is closed.
        """

        def without(held: _Wishes) -> _Wishes:
            left = {channel: dict(wishes) for channel, wishes in held.items()}
            for subscription in self._checked(subscriptions):
                for key in subscription.wishes:
                    if key not in left.get(subscription.channel, {}):
                        raise UsageError(f"this feed does not hold {key or 'NewMarket'}")
                    del left[subscription.channel][key]
            return left

        self._change(without)

    def replace(self, *subscriptions: Subscription[Any] | str) -> None:
        """Want exactly this from now on. What was held already is not asked for again.

        Args:
            subscriptions: as for ``add``.

        Raises:
            UsageError: something that cannot be subscribed.
            StreamClosed: the feed is closed.
        """
        self._change(lambda _: _merged({}, self._checked(subscriptions)))

    def close(self) -> None:
        """Leave everything. Idempotent; from any thread, a callback or a signal handler.

        Raises:
            ClientForked: the client was in use before this process was forked.
        """
        self._engine.check_fork()
        if self._finalizer.detach() is None:
            return
        self._closed_here = not self._engine.closed
        self._mailbox.close()
        self._engine.leave(self._mailbox)

    @property
    def closed(self) -> bool:
        """Whether the feed or its client was closed."""
        return self._mailbox.closed

    @property
    def asset_ids(self) -> tuple[str, ...]:
        """Every asset that the feed wants."""
        return tuple(key for wishes in self._wishes.values() for key in wishes if key != EVERYWHERE)

    def __enter__(self: F) -> F:  # noqa: PYI019 Self is younger than Python 3.10
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
        state = "closed" if self.closed else f"{len(self.asset_ids)} assets"
        return f"<{type(self).__name__}: {state}>"

    def _check_open(self) -> None:
        self._engine.check_usable()
        if self._mailbox.error is not None:
            raise self._mailbox.error.with_traceback(None)
        if self._mailbox.closed:
            raise StreamClosed("this feed is closed; make a new one with subscribe or listen")

    def _checked(self, subscriptions: tuple[Any, ...]) -> list[Subscription[Any]]:
        if not subscriptions:
            raise UsageError("name at least one subscription, such as Market(asset_id)")
        return [self._subscription(item) for item in subscriptions]

    def _subscription(self, item: object) -> Subscription[Any]:
        if isinstance(item, Subscription):
            self._engine.check_channel(item.channel)
            return item
        if isinstance(item, type) and issubclass(item, Subscription):
            raise UsageError(f"{item.__name__} is a class; write {item.__name__}(…)")
        if isinstance(item, str):
            return self._bare_id(item)
        if isinstance(item, (list, tuple, set, frozenset)):
            raise UsageError("pass the subscriptions one by one: write subscribe(*subscriptions)")
        raise UsageError(f"subscribe takes subscriptions such as Market(asset_id), not {item!r}")

    def _bare_id(self, item: str) -> Subscription[Any]:
        if not self._wishes:
            raise UsageError(f"subscribe takes subscriptions: write Market({item!r})")
        if self._bare is None:
            raise UsageError(
                f"this feed does not hold the same classes of all its assets; say which are "
                f"meant: write Market({item!r}, events=[…])"
            )
        return Market(item, events=cast("Any", self._bare))

    def _change(self, change: Callable[[_Wishes], _Wishes]) -> None:
        engine = self._engine
        with engine.lock:
            self._check_open()
            held = wanted = self._wishes
            bare_before = self._bare
            try:
                try:
                    while True:
                        held, bare_before = self._wishes, self._bare
                        wanted = change(held)
                        bare = _bare(wanted, self._bare)
                        asked = (self._mailbox, _difference(held, wanted))
                        # A signal handler may have changed this feed since: then once more. No
                        # call from the look to the end of append: what a feed holds and what is
                        # asked for change together.
                        if self._wishes is held:
                            self._wishes = wanted
                            self._bare = bare
                            engine.asked.append(asked)
                            return
                finally:
                    engine.obey()
            except ConnectionFailed:
                if self._wishes is wanted:
                    self._wishes, self._bare = held, bare_before
                raise


_Wishes = Mapping[str, Mapping[str, Kinds]]


def _merged(held: _Wishes, subscriptions: list[Subscription[Any]]) -> _Wishes:
    merged = {channel: dict(wishes) for channel, wishes in held.items()}
    for subscription in subscriptions:
        wishes = merged.setdefault(subscription.channel, {})
        for key, kinds in subscription.wishes.items():
            had = wishes.get(key)
            # The same object where nothing changes: routing compares by identity first.
            wishes[key] = kinds if had is None or had <= kinds else had | kinds
    return merged


def _difference(held: _Wishes, wanted: _Wishes) -> _Wishes:
    difference: dict[str, dict[str, Kinds]] = {}
    for channel in {**held, **wanted}:
        before = held.get(channel, {})
        after = wanted.get(channel, {})
        changes = {key: kinds for key, kinds in after.items() if before.get(key) != kinds}
        changes.update(dict.fromkeys((key for key in before if key not in after), _NOTHING))
        if changes:
            difference[channel] = changes
    return difference


def _bare(wanted: _Wishes, earlier: Kinds | None) -> Kinds | None:
    """Return what a bare id would want; an emptied feed goes on with what it held last."""
    kinds = {kinds for key, kinds in wanted.get("market", {}).items() if key != EVERYWHERE}
    if not kinds:
        return earlier
    return next(iter(kinds)) if len(kinds) == 1 else None


class Stream(Feed, Generic[E_co]):
    """Events in the order in which they were received, for one reader at a time.

    ``for``, ``next()``, :meth:`get` and :meth:`all` share one cursor: leaving a loop and
    coming back, in whichever form, loses nothing and repeats nothing.
    """

    def __init__(
        self,
        client: Client,
        engine: Engine,
        mailbox: Mailbox,
        subscriptions: tuple[Subscription[E_co], ...],
        on_gap: OnGap,
    ) -> None:
        if on_gap not in ("continue", "raise"):
            raise UsageError(f'on_gap takes "continue" or "raise", not {on_gap!r}')
        self._on_gap = on_gap
        self._reader: dict[None, int] = {}
        super().__init__(client, engine, mailbox, subscriptions)

    def __iter__(self) -> Iterator[E_co]:
        return self

    def __next__(self) -> E_co:
        mailbox = self._mailbox
        while True:
            hand = mailbox.hand
            position = hand.position
            # No call from the look to the return: neither Ctrl-C nor another thread gets in
            # between, so each event is given out once.
            if position < hand.stop:
                event = hand.events[position]
                hand.position = position + 1
                return event  # type: ignore[return-value]
            if position < hand.size and not mailbox.closed:
                self._look_at(hand, position)
                continue
            # Held here, what was read would outlive the wait for what comes next.
            del hand
            if self._refill(Deadline(None)) is None:
                raise StopIteration

    def get(self, timeout: float | None = None) -> E_co:
        """Return the next data event.

        Args:
            timeout: seconds to wait at most; ``None`` waits as long as it takes, 0 only
                takes what is there.

        Raises:
            TimeoutError: none came in time; nothing is lost by that.
            StreamClosed: the stream or its client is closed.
            StreamGap: with ``on_gap="raise"``.
        """
        deadline = limit("timeout", timeout)
        mailbox = self._mailbox
        while True:
            hand = mailbox.hand
            position = hand.position
            if position < hand.stop:
                event = hand.events[position]
                hand.position = position + 1
                return event  # type: ignore[return-value]
            if position < hand.size and not mailbox.closed:
                self._look_at(hand, position)
                continue
            del hand
            if self._refill(deadline) is None:
                raise self._closed_error()

    def all(self) -> AllEvents[E_co]:
        """Return a view of the same cursor that yields lifecycle events, too."""
        return AllEvents(self._next)

    @property
    def stats(self) -> Stats:
        """Counters of this stream, all of one moment."""
        reading = self._mailbox.reading()
        counts = reading.read
        return Stats(
            received=reading.received,
            delivered=sum(n for kind, n in counts.items() if not issubclass(kind, Lifecycle)),
            buffered=reading.waiting,
            buffered_bytes=reading.waiting_bytes,
            dropped=reading.dropped,
            merged=reading.merged,
            discarded=reading.discarded,
            disconnects=counts[Disconnected],
            decode_failures=counts[DecodeFailure],
            unknown_events=counts[UnknownEvent],
            by_type=dict(counts),
        )

    @property
    def end_reason(self) -> PolymarketWSError | None:
        """What ended the stream, or will after what is buffered; ``None`` while it goes on."""
        if self._mailbox.error is not None:
            return self._mailbox.error
        return self._closed_error() if self._mailbox.closed else None

    def _closed_error(self) -> ClientClosed:
        if self._closed_here:
            return StreamClosed("the stream was closed")
        return ClientClosed("the client was closed")

    def _look_at(self, hand: Hand, position: int) -> None:
        """Pass over a lifecycle event, raise the gap that it is, or clear the way for data."""
        event = hand.events[position]
        gap: StreamGap | None = None
        if not isinstance(event, Lifecycle):
            hand.stop = position + 1
            if self._mailbox.closed:
                hand.stop = 0
            return
        if self._on_gap == "raise" and isinstance(event, (Disconnected, Dropped)):
            gap = StreamGap(event)
        # No call from here on, as above. Not equal: a signal handler read on.
        if hand.position == position:
            hand.position = position + 1
            if gap is not None:
                raise gap

    def _next(self, deadline: Deadline) -> Event:
        mailbox = self._mailbox
        while True:
            hand = mailbox.hand
            position = hand.position
            if position < hand.size and not mailbox.closed:
                event = hand.events[position]
                hand.position = position + 1
                return event
            del hand
            if self._refill(deadline) is None:
                raise self._closed_error()

    def _refill(self, deadline: Deadline) -> Hand | None:
        self._engine.check_fork()
        me = threading.get_ident()
        reader = self._reader
        try:
            # Not a lock: an interrupt just after its acquisition would leave it locked. One
            # call of C that either enters or tells who is in.
            if reader.setdefault(None, me) != me:
                raise UsageError(
                    "two threads read one stream; give each its own: client.subscribe(…) "
                    "twice costs one wire subscription"
                )
            return self._mailbox.refill(deadline)
        finally:
            if reader.get(None) == me:
                # A signal handler that reads may have taken it out in between.
                reader.pop(None, None)


class AllEvents(Generic[E_co]):
    """A view of a stream's cursor that yields data and lifecycle events in one order."""

    def __init__(self, take: Callable[[Deadline], Event]) -> None:
        self._take = take

    def __iter__(self) -> Iterator[E_co | Lifecycle]:
        return self

    def __next__(self) -> E_co | Lifecycle:
        try:
            return self._take(Deadline(None))  # type: ignore[return-value]
        except ClientClosed:
            raise StopIteration from None

    def get(self, timeout: float | None = None) -> E_co | Lifecycle:
        """Return the next event of either sort; see ``Stream.get``."""
        return self._take(limit("timeout", timeout))  # type: ignore[return-value]
