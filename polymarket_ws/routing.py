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

from polymarket_ws.budget import Budget
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
from polymarket_ws.journal import Journal
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


#: Who wants what of one key. Equal tuples mean that two keys go the same ways.
_Routes = tuple[tuple[_Lane, Kinds], ...]


class Router:
    """The consumers of one connection.

    Args:
        observers: gets every event that anybody wanted, once.
        observes: whether an observer listens to a class of events.
        channel: the name for lifecycle events.
        connection: the number for lifecycle events.
        names_markets: whether the channel's ids are condition ids and not assets.

    Attributes:
        decoded: every class that must be decoded.
        dropped: how many events mailboxes dropped; for the owner to read and reset.
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
    ) -> None:
        self._channel = channel
        self._connection = connection
        self._names_markets = names_markets
        self._lanes: dict[Mailbox, _Lane] = {}
        self._routes: dict[str, _Routes] = {}
        self._journals: dict[str, Journal] = {}
        self._bookless: dict[str, list[_Lane]] = {}
        self._observers = _Lane(observers)
        self._observes = observes
        self.dropped = 0
        self.odd: list[Lifecycle] = []
        self._queued: list[_Lane] = []
        # To mailboxes that share a limit, since their sum was taken last.
        self._added_events = 0
        self._added_bytes = 0
        self.decoded: Kinds = _NOTHING
        self.not_asked_for = 0

    # -- what is wanted --------------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """Every id that anybody wants, oldest wish first."""
        return [key for key in self._routes if key != EVERYWHERE]

    @property
    def everywhere(self) -> bool:
        """Whether anybody wants what belongs to no id, or to any."""
        return EVERYWHERE in self._routes

    @property
    def idle(self) -> bool:
        """Whether nobody wants anything."""
        return not self._routes

    def kinds(self) -> Kinds:
        """Return every class that anybody wants."""
        return _NOTHING.union(*(k for lane in self._lanes.values() for k in lane.wishes.values()))

    def want(self, want: Want, *, connected: Connected | None, sent: Container[str]) -> list[str]:
        """Take a wish, and return the assets whose book must be asked for anew.

        Until that book comes, or is told to be stalled, the newcomer gets none of the
        asset's changes: they would be of a book that it does not have.

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
        ended = [key for key in left if key not in self._routes]
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
        routes = tuple(route for route in self._routes.get(key, ()) if route[0] is not lane)
        if kinds:
            self._routes[key] = (*routes, (lane, kinds))
        elif routes:
            self._routes[key] = routes
        else:
            self._routes.pop(key, None)
            self._journals.pop(key, None)
            self._bookless.pop(key, None)

    def _give_changes(self, key: str) -> None:
        """End the wait of those who were promised the book of ``key`` before its changes."""
        for lane in self._bookless.pop(key, ()):
            self._lead(lane, key, lane.wishes[key])

    def _decode(self) -> None:
        self.decoded = self.kinds()
        if self.decoded >= _BOOK_KINDS:
            # The book of a late joiner has it, whether anybody wants the event or not.
            self.decoded |= {TickSizeChange}
        else:
            # Books without their changes, or changes without books, are no past to fold.
            self._journals.clear()

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
            journal = self._journals.get(key)
            book = None if journal is None else journal.fold()
            if book is not None:
                self._queue(lane, book, _LEVEL_BYTES * (len(book.bids) + len(book.asks)) + 200)
                continue
            if key in sent:
                unknown.append(key)
            # Not asked for yet, its changes may come all the same: with those of the other
            # outcome, which was.
            if PriceChange in kinds - had:
                self._bookless.setdefault(key, []).append(lane)
                self._lead(lane, key, kinds - {PriceChange})
        return unknown

    # -- what arrives ------------------------------------------------------------------------

    def route(self, events: Sequence[Event], size: int) -> None:
        """Queue the events of one message, ``size`` wire bytes, for those who want them."""
        if len(events) > 1:
            size //= len(events)
        for event in events:
            if isinstance(event, PriceChange):
                self._route_price_change(event, size)
            elif isinstance(event, (LastTradePrice, BestBidAsk)):
                self._deliver(event, self._routes.get(event.asset_id, ()), size)
            elif isinstance(event, Book):
                self._note_book(event)
                self._deliver(event, self._routes.get(event.asset_id, ()), size)
            elif isinstance(event, TickSizeChange):
                self._rebase((event.asset_id,), event)
                self._deliver(event, self._routes.get(event.asset_id, ()), size)
            elif isinstance(event, NewMarket):
                self._deliver(event, self._routes.get(EVERYWHERE, ()), size)
            elif isinstance(event, MarketResolved):
                self._rebase(self._journals_of(event), event)
                self._deliver(event, self._routes_of_resolved(event), size)
            elif isinstance(event, Lifecycle):
                self._tell_everybody(event, size)
            elif isinstance(event, UserEvent):
                self._deliver(event, self._routes_of_user_event(event), size)
            else:
                # A vocabulary and this router that disagree must not lose events quietly.
                raise TypeError(f"no way is known for {type(event).__name__}")

    def _routes_of_user_event(self, event: UserEvent) -> _Routes:
        of_all = self._routes.get(EVERYWHERE, ())
        of_market = self._routes.get(event.market.lower(), ())
        found: dict[_Lane, Kinds] = {}
        for lane, kinds in (*of_all, *of_market):
            found[lane] = found.get(lane, _NOTHING) | kinds
        return tuple(found.items())

    def _note_book(self, event: Book) -> None:
        asset_id = event.asset_id
        if asset_id in self._bookless:
            self._give_changes(asset_id)
        if self.decoded >= _BOOK_KINDS and asset_id in self._routes:
            self._journals[asset_id] = Journal(event, self._journals.get(asset_id))

    def _rebase(self, asset_ids: Iterable[str], event: TickSizeChange | MarketResolved) -> None:
        for asset_id in asset_ids:
            journal = self._journals.get(asset_id)
            if journal is not None:
                journal.rebase(event)

    def _journals_of(self, event: MarketResolved) -> list[str]:
        return [
            asset_id
            for asset_id, journal in self._journals.items()
            if asset_id in event.assets_ids or journal.book.market == event.market
        ]

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

    def _route_price_change(self, event: PriceChange, size: int) -> None:
        changes = event.price_changes
        routes = self._routes
        journals = self._journals
        timestamp = event.timestamp
        first: _Routes | None = None
        together = True
        for change in changes:
            asset_id = change.asset_id
            own = routes.get(asset_id, ())
            if first is None:
                first = own
            elif own != first:
                together = False
            journal = journals.get(asset_id)
            if journal is None:
                continue
            if timestamp is not None:
                known = journal.timestamp
                # A change stamped before the book is part of it already (seen right
                # after connecting).
                if known is not None and timestamp < known:
                    continue
                journal.timestamp = timestamp
            journal.changes.append(change)
            if len(journal.changes) >= journal.limit and not journal.thin_out():
                # Whoever joins now asks the server; this could grow for ever.
                del journals[asset_id]
        if together:
            self._deliver(event, first or (), size)
        else:
            self._split_price_change(event, size)

    def _split_price_change(self, event: PriceChange, size: int) -> None:
        shares: dict[_Lane, list[LevelChange]] = {}
        wanted: list[LevelChange] = []
        for change in event.price_changes:
            routes = self._routes.get(change.asset_id, ())
            takers = [lane for lane, kinds in routes if PriceChange in kinds]
            for lane in takers:
                shares.setdefault(lane, []).append(change)
            if takers:
                wanted.append(change)
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
        for key in named or self._routes:
            for lane, kinds in self._routes.get(key, ()):
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
        if isinstance(event, SubscriptionStalled):
            # Changes without a book are better than nothing at all.
            for asset_id in about or ():
                self._give_changes(asset_id)

    def fail(self, error: PolymarketWSError) -> None:
        """End every consumer's row with ``error``."""
        self.flush()
        for lane in self._lanes.values():
            lane.mailbox.fail(error)

    def disconnected(self) -> None:
        """Forget the past: nothing before a gap can be folded with what comes after it."""
        self._journals.clear()

    def flush(self) -> None:
        """Hand over what is queued: once a read, not once an event."""
        if not self._queued:
            return
        budget: Budget | None = None
        for lane in self._queued:
            mailbox, sizes = lane.mailbox, lane.sizes
            if mailbox.budget is not None:
                # All streams of a client share one.
                budget = mailbox.budget
                self._added_events += len(sizes)
                self._added_bytes += sum(sizes)
            self.dropped += mailbox.add(lane.pending, sizes)
            lane.pending.clear()
            sizes.clear()
        self._queued.clear()
        if budget is not None and budget.is_due(self._added_events, self._added_bytes):
            self._added_events = self._added_bytes = 0
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
            about = [asset_id for asset_id in named if asset_id in self._routes]
        if isinstance(event, DecodeFailure):
            # It may have been a change of a book: whoever joins now needs a fresh one.
            if not about or len(event.raw.encode()) > _PERHAPS_CUT:
                self._journals.clear()
            for asset_id in about:
                self._journals.pop(asset_id, None)
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
