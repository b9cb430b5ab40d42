"""Who gets which event of one connection.

A ``Router`` belongs to its connection's thread and is touched by no other. It knows what
every consumer wants of each asset, hands each event to the mailboxes that want it, and
keeps enough of the past to give a late joiner a true book.

The past of a token is its last ``Book`` and the changes since. They are folded only when
somebody joins: a book kept up to date for each asset costs a third of the throughput.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from polymarket_ws.budget import Budget, Share
from polymarket_ws.delivery import Mailbox
from polymarket_ws.errors import PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Lifecycle,
    Subscribed,
    SubscriptionStalled,
    UnknownEvent,
    Unsubscribed,
)
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    LevelChange,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.events.user import UserEvent
from polymarket_ws.past import Log, Past
from polymarket_ws.protocol.decoding import Source
from polymarket_ws.subscriptions import EVERYWHERE, Kinds

__all__ = ["Router", "Want"]

#: Wire bytes that a synthesised event counts as in a mailbox, each level.
_LEVEL_BYTES = 40

#: What a lifecycle event counts as beside its ids: it has no wire bytes, but takes memory.
_LIFECYCLE_BYTES = 512

#: The raw text of an odd event is cut at about 4 kB; what is that long may name more.
_PERHAPS_CUT = 4000

_BOOK_KINDS: Kinds = frozenset((Book, PriceChange))
_NOTHING: Kinds = frozenset()

_ID = re.compile("[0-9]+")

L = TypeVar("L", bound=Lifecycle)


@attrs.frozen
class Want:
    """What one consumer wants from now on of some keys; no classes: nothing any more.

    Attributes:
        mailbox: the consumer's.
        wishes: the classes wanted of each key.
        last_chance: whether the keys were never answered on another connection.
        told: whether the keys stalled on another connection, which was told.
    """

    mailbox: Mailbox
    wishes: Mapping[str, Kinds]
    last_chance: bool = False
    told: bool = False


class _Lane:
    """One consumer as one connection sees it."""

    __slots__ = ("mailbox", "pending", "sizes", "wishes")

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.wishes: dict[str, Kinds] = {}
        self.pending: list[Event] = []
        self.sizes: list[int] = []

    def ids(self) -> tuple[str, ...]:
        return tuple(key for key in self.wishes if key != EVERYWHERE)


#: Who wants what of one key.
_Routes = tuple[tuple[_Lane, Kinds], ...]


class _Way:
    """Where the events of one key go.

    Attributes:
        routes: who wants what.
        takers: those of them that want changes of the book. Equal tuples mean that two keys go
            the same ways.
        log: the past of its market, where one is kept.
    """

    __slots__ = ("log", "routes", "takers")

    def __init__(self) -> None:
        self.routes: _Routes = ()
        self.takers: tuple[_Lane, ...] = ()
        self.log: Log | None = None


#: Of keys that nobody wants.
_NOWHERE = _Way()


class Router:
    """The consumers of one connection.

    Args:
        observers: gets every event that anybody wanted, once.
        observes: whether an observer listens to a class of events.
        channel: the name for lifecycle events.
        connection: the number for lifecycle events.
        names_markets: whether the channel's ids are condition ids and not assets.
        awaits_books: whether a book that does not come is told to be stalled. Where it is not, a
            newcomer's changes are not held back for it: that could be for ever.

    Attributes:
        decoded: every class that must be decoded.
        dropped: how many events mailboxes dropped; for the owner to read and reset.
        ended: whether a consumer's row has ended with an error; for the owner to read and reset.
        odd: what could not be decoded or is unknown; for the owner to read and clear.
        not_asked_for: how many events came that nobody wanted.
    """

    def __init__(
        self,
        observers: Mailbox,
        observes: Callable[[type[Event]], bool],
        *,
        channel: str,
        connection: int,
        names_markets: bool = False,
        awaits_books: bool = True,
    ) -> None:
        self._channel = channel
        self._connection = connection
        self._awaits_books = awaits_books
        self._names_markets = names_markets
        self._lanes: dict[Mailbox, _Lane] = {}
        self._ways: dict[str, _Way] = {}
        self._past = Past(self._forgotten)
        self._bookless: dict[str, list[_Lane]] = {}
        self._moved: set[str] = set()
        self._observers = _Lane(observers)
        self._observes = observes
        self.dropped = 0
        self.ended = False
        self.odd: list[Lifecycle] = []
        self._queued: list[_Lane] = []
        self._share = Share()
        self.decoded: Kinds = _NOTHING
        self.not_asked_for = 0

    # -- what is wanted --------------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """Every id that anybody wants, oldest wish first."""
        return [key for key in self._ways if key != EVERYWHERE]

    @property
    def everywhere(self) -> bool:
        """Whether anybody wants what belongs to no id, or to any."""
        return EVERYWHERE in self._ways

    @property
    def idle(self) -> bool:
        """Whether nobody wants anything."""
        return not self._ways

    def kinds(self) -> Kinds:
        """Return every class that anybody wants."""
        return _NOTHING.union(*(k for lane in self._lanes.values() for k in lane.wishes.values()))

    def want(self, want: Want, *, connected: Connected | None, sent: Container[str]) -> list[str]:
        """Take a wish, and return the assets whose book must be asked for anew.

        Until that book comes, or is told to be stalled, the newcomer gets none of the
        asset's changes: they would be of a book that it does not have. One that had them on
        another connection only waits until the asset is asked for here.

        Args:
            want: the wish.
            connected: what a newcomer to an open connection is told; ``None`` while there
                is no connection.
            sent: the assets that the server was asked for on this connection.
        """
        if want.mailbox.closed:
            return []
        lane = self._lanes.get(want.mailbox)
        newcomer = lane is None
        if lane is None:
            lane = self._lanes[want.mailbox] = _Lane(want.mailbox)
        before = {key: self._had(lane, key) for key in want.wishes}
        for key, kinds in want.wishes.items():
            self._set(lane, key, kinds)
        if newcomer and lane.wishes and connected is not None:
            self._tell(lane, self._about(connected, lane.ids()))
        self._decode()
        unknown: list[str] = []
        if connected is not None:
            unknown = self._introduce(lane, before, connected, sent)
            if want.last_chance or want.told:
                self._moved.update(want.wishes)
        left = [key for key, had in before.items() if had and key not in lane.wishes]
        if left:
            epoch = 0 if connected is None else connected.epoch
            event = self._unsubscribed(left, epoch)
            self._tell(lane, event)
            self._tell_observers_of_the_end(left, epoch)
        if not lane.wishes:
            del self._lanes[want.mailbox]
        return unknown

    def forget_the_gone(self) -> bool:
        """Drop consumers whose mailbox is closed; return whether there were any."""
        gone = [lane for lane in self._lanes.values() if lane.mailbox.ended]
        left: dict[str, None] = {}
        for lane in gone:
            left.update(dict.fromkeys(lane.wishes))
            for key in tuple(lane.wishes):
                self._set(lane, key, _NOTHING)
            del self._lanes[lane.mailbox]
            if lane.mailbox.closed:
                # Whoever dropped it took no lock, so what waits in it is still there.
                lane.mailbox.close()
        if gone:
            self._decode()
            self._tell_observers_of_the_end(left, 0)
        return bool(gone)

    def _unsubscribed(self, keys: Iterable[str], epoch: int) -> Unsubscribed:
        event = Unsubscribed(channel=self._channel, connection=self._connection, epoch=epoch)
        return self._about(event, tuple(key for key in keys if key != EVERYWHERE))

    def _tell_observers_of_the_end(self, left: Iterable[str], epoch: int) -> None:
        """Tell what nobody wants any more: observers hear of the client, not of one stream."""
        ended = [key for key in left if key not in self._ways]
        if ended and self._observes(Unsubscribed):
            self._tell(self._observers, self._unsubscribed(ended, epoch))

    def _had(self, lane: _Lane, key: str) -> Kinds:
        kinds = lane.wishes.get(key, _NOTHING)
        return kinds - {PriceChange} if lane in self._bookless.get(key, ()) else kinds

    def _set(self, lane: _Lane, key: str, kinds: Kinds) -> None:
        waiting = self._bookless.get(key)
        if waiting is not None and lane in waiting:
            waiting.remove(lane)
        if kinds:
            lane.wishes[key] = kinds
        else:
            lane.wishes.pop(key, None)
        self._lead(lane, key, kinds)

    def _lead(self, lane: _Lane, key: str, kinds: Kinds) -> None:
        way = self._ways.get(key) or _Way()
        others = tuple(route for route in way.routes if route[0] is not lane)
        way.routes = (*others, (lane, kinds)) if kinds else others
        way.takers = tuple(taker for taker, wanted in way.routes if PriceChange in wanted)
        if way.routes:
            self._ways[key] = way
        else:
            self._ways.pop(key, None)
            self._past.forget(key)
            self._bookless.pop(key, None)
            self._moved.discard(key)

    def _give_changes(self, key: str) -> None:
        """End the wait of those who were promised the book of ``key`` before its changes."""
        self._moved.discard(key)
        for lane in self._bookless.pop(key, ()):
            self._lead(lane, key, lane.wishes[key])

    def _decode(self) -> None:
        self.decoded = self.kinds()
        if self.decoded >= _BOOK_KINDS:
            # The book of a late joiner has it, whether anybody wants the event or not.
            self.decoded |= {TickSizeChange}
        else:
            # Books without their changes, or changes without books, are no past to fold.
            self._forget_the_past()

    def _forget_the_past(self) -> None:
        self._past.clear()
        for way in self._ways.values():
            way.log = None

    def _introduce(
        self, lane: _Lane, before: dict[str, Kinds], connected: Connected, sent: Container[str]
    ) -> list[str]:
        """Give true books of what is on the wire already; return what has none here."""
        joined = tuple(
            key for key, had in before.items() if not had and key in lane.wishes and key in sent
        )
        if joined:
            event = Subscribed(
                channel=self._channel,
                connection=self._connection,
                epoch=connected.epoch,
                received_at=connected.received_at,
            )
            self._tell(lane, self._about(event, joined))
        unknown: list[str] = []
        for key, had in before.items():
            kinds = lane.wishes.get(key, _NOTHING)
            if Book not in kinds or kinds & _BOOK_KINDS <= had:
                continue
            book = self._past.fold(key)
            if book is not None:
                self._queue(lane, book, _LEVEL_BYTES * (len(book.bids) + len(book.asks)) + 200)
                continue
            if key in sent:
                unknown.append(key)
            # Not asked for yet, its changes may come all the same: with those of the other
            # outcome, which was.
            if PriceChange in kinds - had and self._awaits_books:
                self._bookless.setdefault(key, []).append(lane)
                self._lead(lane, key, kinds - {PriceChange})
        return unknown

    # -- what arrives ------------------------------------------------------------------------

    def route(
        self,
        events: Sequence[Event],
        sizes: Sequence[int],
        sources: Sequence[Source] | None = None,
    ) -> None:
        """Queue events for those who want them.

        Args:
            events: what was received, in its order.
            sizes: the wire bytes of each.
            sources: what each came in, where that is known.
        """
        way_of, queued = self._ways.get, self._queued
        are_changes_observed = self._observes(PriceChange)
        rows = zip(events, sizes, events if sources is None else sources, strict=True)
        for event, size, source in rows:
            if type(event) is not PriceChange:
                self._route_rare(event, size, source)
                continue
            # Nearly everything that comes, so it is written out: one look at each change, and
            # one at what the whole event needs. The rest is left to _split_price_change.
            first = None
            for change in event.price_changes:
                way = way_of(change.asset_id, _NOWHERE)
                if first is None:
                    first = way
                elif way.log is not first.log or way.takers != first.takers:
                    self._split_price_change(event, size, source)
                    break
            else:
                first = first or _NOWHERE
                log = first.log
                if log is not None and log.note(source, event):
                    self._past.enter(log)
                for lane in first.takers:
                    if not lane.pending:
                        queued.append(lane)
                    lane.pending.append(event)
                    lane.sizes.append(size)
                if not first.takers:
                    self.not_asked_for += 1
                elif are_changes_observed:
                    self._queue(self._observers, event, size)

    def _route_rare(self, event: Event, size: int, source: Source) -> None:
        if isinstance(event, (LastTradePrice, BestBidAsk)):
            self._deliver(event, self._routes_of(event.asset_id), size)
        elif isinstance(event, Book):
            self._note_book(event, source)
            self._deliver(event, self._routes_of(event.asset_id), size)
        elif isinstance(event, TickSizeChange):
            self._past.rebase((event.asset_id,), event)
            self._deliver(event, self._routes_of(event.asset_id), size)
        elif isinstance(event, NewMarket):
            self._deliver(event, self._routes_of(EVERYWHERE), size)
        elif isinstance(event, MarketResolved):
            self._past.rebase(self._past.tokens_of(event), event)
            self._deliver(event, self._routes_of_resolved(event), size)
        elif isinstance(event, Lifecycle):
            self._tell_everybody(event, size)
        elif isinstance(event, UserEvent):
            self._deliver(event, self._routes_of_user_event(event), size)
        else:
            # A vocabulary and this router that disagree must not lose events quietly.
            raise TypeError(f"no way is known for {type(event).__name__}")

    def _routes_of(self, key: str) -> _Routes:
        return self._ways.get(key, _NOWHERE).routes

    def _routes_of_user_event(self, event: UserEvent) -> _Routes:
        of_all = self._routes_of(EVERYWHERE)
        of_market = self._routes_of(event.market.lower())
        found: dict[_Lane, Kinds] = {}
        for lane, kinds in (*of_all, *of_market):
            found[lane] = found.get(lane, _NOTHING) | kinds
        return tuple(found.items())

    def _note_book(self, event: Book, source: Source) -> None:
        asset_id = event.asset_id
        if asset_id in self._bookless:
            self._give_changes(asset_id)
        way = self._ways.get(asset_id)
        # A broken book may name no token at all, which is the key of those who want everything.
        if way is not None and asset_id != EVERYWHERE and self.decoded >= _BOOK_KINDS:
            way.log = self._past.note_book(source, event)

    def _forgotten(self, asset_id: str) -> None:
        # Whoever joins now asks the server.
        way = self._ways.get(asset_id)
        if way is not None:
            way.log = None

    def _deliver(self, event: Event, routes: _Routes, size: int) -> None:
        kind = type(event)
        wanted = False
        for lane, kinds in routes:
            if kind in kinds:
                # What _queue does, written out: it is done once an event.
                if not lane.pending:
                    self._queued.append(lane)
                lane.pending.append(event)
                lane.sizes.append(size)
                wanted = True
        if not wanted:
            self.not_asked_for += 1
        elif self._observes(kind):
            self._queue(self._observers, event, size)

    def _split_price_change(self, event: PriceChange, size: int, source: Source) -> None:
        shares: dict[_Lane, list[LevelChange]] = {}
        wanted: list[LevelChange] = []
        logs: dict[Log, None] = {}
        for change in event.price_changes:
            way = self._ways.get(change.asset_id, _NOWHERE)
            if way.log is not None:
                logs[way.log] = None
            for lane in way.takers:
                shares.setdefault(lane, []).append(change)
            if way.takers:
                wanted.append(change)
        for log in logs:
            if log.note(source, event):
                self._past.enter(log)
        # Streams with the same share get the same object.
        parts: dict[tuple[int, ...], PriceChange] = {}
        for lane, share in shares.items():
            self._queue(lane, _part(event, share, parts), size)
        if not wanted:
            self.not_asked_for += 1
        elif self._observes(PriceChange):
            self._queue(self._observers, _part(event, wanted, parts), size)

    def _routes_of_resolved(self, event: MarketResolved) -> _Routes:
        found: dict[_Lane, Kinds] = {}
        named = [asset_id for asset_id in event.assets_ids if asset_id.isdecimal()]
        # One that names no token cannot be placed: better told to all than lost.
        for key in named or self._ways:
            for lane, kinds in self._routes_of(key):
                found[lane] = found.get(lane, _NOTHING) | kinds
        return tuple(found.items())

    # -- what happened ------------------------------------------------------------------------

    def tell(self, event: Lifecycle, ids: Iterable[str] | None = None) -> None:
        """Tell a lifecycle event to everybody it concerns, each with its own assets.

        Args:
            event: what happened; whatever ids it names are replaced.
            ids: what it is about; ``None`` for the whole connection.
        """
        about = None if ids is None else dict.fromkeys(ids)
        for lane in self._lanes.values():
            own = lane.ids()
            if about is not None:
                own = tuple(asset_id for asset_id in about if asset_id in lane.wishes)
                if not own:
                    continue
            self._tell(lane, self._about(event, own))
        if self._lanes and self._observes(type(event)):
            everything = self.ids if about is None else about
            self._tell(self._observers, self._about(event, tuple(everything)))
        if isinstance(event, (Subscribed, SubscriptionStalled)):
            # Changes without a book are better than nothing at all.
            for asset_id in about or ():
                if asset_id in self._moved or isinstance(event, SubscriptionStalled):
                    self._give_changes(asset_id)

    def fail(self, error: PolymarketWSError) -> None:
        """End every consumer's row with ``error``."""
        self.flush()
        for lane in self._lanes.values():
            lane.mailbox.fail(error)

    def disconnected(self) -> None:
        """Forget the past: nothing before a gap can be folded with what comes after it."""
        self._forget_the_past()

    def flush(self) -> None:
        """Hand over what is queued: once a read, not once an event."""
        if not self._queued:
            return
        budget: Budget | None = None
        events = size = 0
        for lane in self._queued:
            mailbox, sizes = lane.mailbox, lane.sizes
            if mailbox.budget is not None:
                # All streams of a client share one.
                budget = mailbox.budget
                self.ended |= mailbox.error is not None
                events += len(sizes)
                size += sum(sizes)
            self.dropped += mailbox.put(lane.pending, sizes)
            lane.pending.clear()
            sizes.clear()
        self._queued.clear()
        if budget is not None and self._share.is_due(budget, events, size):
            self.dropped += budget.relieve()

    def _queue(self, lane: _Lane, event: Event, size: int) -> None:
        if not lane.pending:
            self._queued.append(lane)
        lane.pending.append(event)
        lane.sizes.append(size)

    def _tell(self, lane: _Lane, event: Lifecycle) -> None:
        ids = len(event.asset_ids) + len(event.condition_ids)
        self._queue(lane, event, _LIFECYCLE_BYTES + 80 * ids)

    def _tell_everybody(self, event: Lifecycle, size: int) -> None:
        self.odd.append(event)
        about = self.ids
        if isinstance(event, (DecodeFailure, UnknownEvent)):
            named = dict.fromkeys(_ID.findall(event.raw))
            about = [asset_id for asset_id in named if asset_id in self._ways]
        if isinstance(event, DecodeFailure):
            # It may have been a change of a book: whoever joins now needs a fresh one.
            if not about or len(event.raw.encode()) > _PERHAPS_CUT:
                self._forget_the_past()
            for asset_id in about:
                self._past.forget(asset_id)
        for lane in self._lanes.values():
            own = tuple(asset_id for asset_id in about if asset_id in lane.wishes)
            self._queue(lane, self._about(event, own) if own else event, size)
        if self._observes(type(event)):
            told = self._about(event, tuple(about)) if about else event
            self._queue(self._observers, told, size)

    def _about(self, event: L, ids: tuple[str, ...]) -> L:
        """Return ``event`` with the ids that it concerns, under the name of the channel's."""
        if self._names_markets:
            return attrs.evolve(event, asset_ids=(), condition_ids=ids)
        return attrs.evolve(event, asset_ids=ids)


def _part(
    event: PriceChange, share: list[LevelChange], parts: dict[tuple[int, ...], PriceChange]
) -> PriceChange:
    if len(share) == len(event.price_changes):
        return event
    key = tuple(map(id, share))
    part = parts.get(key)
    if part is None:
        part = parts[key] = attrs.evolve(event, price_changes=tuple(share))
    return part
