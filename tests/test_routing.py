from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from polymarket_ws.book import OrderBook
from polymarket_ws.book_snapshot import BookState
from polymarket_ws.budget import Budget
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.errors import ConnectionFailed
from polymarket_ws.events import (
    BestBidAsk,
    Book,
    Connected,
    DecodeFailure,
    Disconnected,
    Event,
    LastTradePrice,
    Level,
    LevelChange,
    Lifecycle,
    MarketResolved,
    NewMarket,
    PriceChange,
    Subscribed,
    SubscriptionRejected,
    SubscriptionStalled,
    TickSizeChange,
    UnknownEvent,
    Unsubscribed,
)
from polymarket_ws.routing import Router, Want
from polymarket_ws.subscriptions import EVERYWHERE, Kinds
from polymarket_ws.transport.deadline import Deadline

YES, NO, UP, DOWN = ASSETS = tuple(digit * 76 for digit in "1234")
MARKETS = {YES: "0xa", NO: "0xa", UP: "0xb", DOWN: "0xb"}
BOOKS: Kinds = frozenset((Book, PriceChange))
DEFAULT: Kinds = frozenset((Book, PriceChange, LastTradePrice, TickSizeChange))
ALL: Kinds = DEFAULT | {BestBidAsk, MarketResolved}
NOTHING: Kinds = frozenset()


def read(mailbox: Mailbox) -> list[Event]:
    """Take everything that is in a mailbox."""
    events: list[Event] = []
    while True:
        try:
            hand = mailbox.refill(Deadline(0.0))
        except TimeoutError:
            return events
        if hand is None:
            return events
        events += hand.events[hand.position :]
        hand.position = len(hand.events)


class Bench:
    """A router, the server's view, and the mailboxes of its consumers."""

    def __init__(self, observed: Callable[[type[Event]], bool] = lambda _: True) -> None:
        self.observers = Mailbox(Delivery())
        self.router = Router(self.observers, observed, channel="market", connection=5)
        self.connected: Connected | None = None
        self.epoch = 0
        self.sent: list[str] = []

    def connect(self) -> None:
        self.epoch += 1
        self.connected = Connected(
            channel="market", connection=5, epoch=self.epoch, received_at=100.0
        )
        self.router.tell(self.connected)
        self.subscribe()

    def subscribe(self) -> list[str]:
        """Send what is wanted; return what is new to the server."""
        if self.connected is None:
            return []
        new = [key for key in self.router.ids if key not in self.sent]
        self.sent = self.router.ids
        if new:
            self.router.tell(subscribed(*new, epoch=self.epoch), new)
        return new

    def disconnect(self) -> None:
        self.connected = None
        self.sent = []
        self.router.disconnected()
        self.router.tell(disconnected(epoch=self.epoch))

    def want(self, mailbox: Mailbox, wishes: Mapping[str, Kinds]) -> list[str]:
        """Pass a wish on; return the assets to refresh."""
        return self.router.want(Want(mailbox, wishes), connected=self.connected, sent=self.sent)

    def join(self, *asset_ids: str, kinds: Kinds = DEFAULT) -> Mailbox:
        """Return the mailbox of a new consumer whose wishes were sent."""
        mailbox = Mailbox(Delivery())
        self.want(mailbox, dict.fromkeys(asset_ids, kinds))
        self.subscribe()
        return mailbox

    def route(self, *events: Event) -> None:
        self.router.route(events, [100] * len(events))

    def read(self, mailbox: Mailbox) -> list[Event]:
        self.router.flush()
        return read(mailbox)


def subscribed(*asset_ids: str, epoch: int = 1) -> Subscribed:
    return Subscribed(channel="market", connection=5, epoch=epoch, asset_ids=asset_ids)


def unsubscribed(*asset_ids: str) -> Unsubscribed:
    return Unsubscribed(channel="market", connection=5, asset_ids=asset_ids)


def disconnected(*asset_ids: str, epoch: int = 1) -> Disconnected:
    return Disconnected(channel="market", connection=5, epoch=epoch, code=1006, asset_ids=asset_ids)


def connected(*asset_ids: str, epoch: int = 1) -> Connected:
    return Connected(channel="market", connection=5, epoch=epoch, asset_ids=asset_ids)


def level(price: str, size: str) -> Level:
    return Level(Decimal(price), Decimal(size))


def book(
    asset_id: str,
    bids: Iterable[Level] = (),
    asks: Iterable[Level] = (),
    *,
    timestamp: int | None = 1000,
    tick_size: str | None = "0.01",
    wire_hash: str | None = "h0",
) -> Book:
    return Book(
        market=MARKETS[asset_id],
        asset_id=asset_id,
        bids=tuple(bids),
        asks=tuple(asks),
        timestamp=timestamp,
        hash=wire_hash,
        tick_size=None if tick_size is None else Decimal(tick_size),
    )


def entry(
    asset_id: str, price: str = "0.5", size: str = "7", side: str = "BUY", wire_hash: str = "h1"
) -> LevelChange:
    return LevelChange(
        asset_id=asset_id, price=Decimal(price), size=Decimal(size), side=side, hash=wire_hash
    )


def change(*entries: LevelChange, timestamp: int | None = 1001) -> PriceChange:
    return PriceChange(
        market=MARKETS[entries[0].asset_id], timestamp=timestamp, price_changes=entries
    )


def trade(asset_id: str) -> LastTradePrice:
    return LastTradePrice(
        market=MARKETS[asset_id],
        asset_id=asset_id,
        price=Decimal("0.5"),
        size=Decimal(3),
        side="BUY",
        timestamp=1002,
    )


def tick_size_change(asset_id: str, new: str = "0.001") -> TickSizeChange:
    return TickSizeChange(
        market=MARKETS[asset_id], asset_id=asset_id, new_tick_size=Decimal(new), timestamp=1003
    )


def resolved(*asset_ids: str, market: str = "0xa") -> MarketResolved:
    return MarketResolved(market=market, assets_ids=asset_ids, timestamp=1004)


def failure(raw: str) -> DecodeFailure:
    return DecodeFailure(channel="market", connection=5, epoch=1, raw=raw, error="broken")


def unknown(raw: str) -> UnknownEvent:
    return UnknownEvent(channel="market", connection=5, epoch=1, event_type="new", raw=raw)


# -- a model of the whole --------------------------------------------------------------


@attrs.frozen
class TrueBook:
    """A book that a late joiner is to be given."""

    asset_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick_size: Decimal | None
    timestamp: int | None
    hash: str | None


def as_true_book(event: Book) -> TrueBook:
    return TrueBook(
        event.asset_id, event.bids, event.asks, event.tick_size, event.timestamp, event.hash
    )


@attrs.define(eq=False)
class Consumer:
    mailbox: Mailbox = attrs.field(factory=lambda: Mailbox(Delivery()))
    wishes: dict[str, Kinds] = attrs.field(factory=dict)
    expected: list[Event | TrueBook] = attrs.field(factory=list)
    #: Assets whose changes it does not get yet, for their book is on the way.
    waiting: set[str] = attrs.field(factory=set)
    #: What it makes of the events that it gets.
    books: dict[str, OrderBook] = attrs.field(factory=dict)

    @property
    def asset_ids(self) -> tuple[str, ...]:
        return tuple(key for key in self.wishes if key != EVERYWHERE)


PRICES = st.sampled_from(["0.1", "0.2", "0.4", "0.50", "0.5", "0.6"])
SIZES = st.sampled_from(["0", "1", "2.5", "10"])
LEVELS = st.lists(st.builds(level, PRICES, st.sampled_from(["1", "3"])), max_size=3)
ENTRIES = st.lists(
    st.builds(
        entry,
        st.sampled_from(ASSETS),
        PRICES,
        SIZES,
        st.sampled_from(["BUY", "BUY", "BUY", "SELL", "SELL", "sell", "?"]),
        st.sampled_from(["h1", "h2", "h3"]),
    ),
    min_size=1,
    max_size=4,
)
SOME_KINDS = st.sampled_from([DEFAULT, DEFAULT, BOOKS, ALL]) | st.frozensets(
    st.sampled_from(sorted(ALL, key=lambda kind: kind.__name__)), min_size=1
)
WISHES = st.dictionaries(st.sampled_from(ASSETS), SOME_KINDS, min_size=1) | st.just(
    {EVERYWHERE: frozenset({NewMarket})}
)
CONSUMERS = st.integers(0, 3)


class Traffic(RuleBasedStateMachine):
    """Consumers come and go, the connection too, and events arrive in between."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.consumers = [Consumer() for _ in range(4)]
        self.observed: list[Event] = []
        self.now = 1000
        #: The levels as the exchange has them.
        self.exchange: dict[str, OrderBook] = {}
        for asset_id in ASSETS:
            self.exchange[asset_id] = OrderBook(asset_id)
            self.exchange[asset_id].apply(book(asset_id, timestamp=None))
        #: What somebody knows who saw everything that was decoded from the start.
        self.seen: dict[str, OrderBook] = {}
        self.refreshing: dict[str, None] = {}
        self.bench.connect()

    # The model of Router.want.

    def decoded(self) -> Kinds:
        wanted = [kinds for one in self.consumers for kinds in one.wishes.values()]
        decoded = NOTHING.union(*wanted)
        return decoded | {TickSizeChange} if decoded >= BOOKS else decoded

    def wanted(self, asset_id: str) -> bool:
        return any(asset_id in one.wishes for one in self.consumers)

    def forget_the_past(self) -> None:
        complete = self.decoded() >= BOOKS
        for asset_id in ASSETS:
            if not complete or not self.wanted(asset_id):
                self.seen.pop(asset_id, None)

    def is_known(self, asset_id: str) -> bool:
        return asset_id in self.seen and self.seen[asset_id].state is BookState.LIVE

    @rule(number=CONSUMERS, wishes=WISHES)
    def want(self, number: int, wishes: dict[str, Kinds]) -> None:
        one = self.consumers[number]
        newcomer = not one.wishes
        had = {
            key: one.wishes.get(key, NOTHING) - ({PriceChange} if key in one.waiting else NOTHING)
            for key in wishes
        }
        sent = list(self.bench.sent)
        unknown = self.bench.want(one.mailbox, wishes)
        one.wishes.update(wishes)
        self.forget_the_past()
        if self.bench.connected is None:
            assert unknown == []
        else:
            epoch = self.bench.epoch
            if newcomer:
                one.expected.append(connected(*one.asset_ids, epoch=epoch))
            joined = [key for key in wishes if not had[key] and key in sent]
            if joined:
                one.expected.append(subscribed(*joined, epoch=epoch))
            expected_unknown = []
            for key, kinds in wishes.items():
                one.waiting.discard(key)
                if key not in sent or Book not in kinds or not kinds & BOOKS - had[key]:
                    continue
                if self.is_known(key):
                    one.expected.append(as_true_book(self.seen[key].to_book()))
                    continue
                expected_unknown.append(key)
                if PriceChange in kinds - had[key]:
                    one.waiting.add(key)
            assert unknown == expected_unknown
            self.refreshing.update(dict.fromkeys(unknown))
        for key, kinds in wishes.items():
            if not kinds >= BOOKS:
                one.books.pop(key, None)
            elif key not in one.books or not had[key] >= BOOKS:
                one.books[key] = OrderBook(key)
        self.subscribe()

    def subscribe(self) -> None:
        """Have the server answer new subscriptions with their books."""
        new = self.bench.subscribe()
        self.expect_told(subscribed(*new, epoch=self.bench.epoch), new)
        for asset_id in new:
            self.tell_book(asset_id, tick_size="0.01")

    def expect_told(self, event: Lifecycle, about: Iterable[str]) -> None:
        for one in self.consumers:
            own = tuple(key for key in about if key in one.wishes)
            if own:
                one.expected.append(attrs.evolve(event, asset_ids=own))

    @rule(number=CONSUMERS, asset_ids=st.sets(st.sampled_from((*ASSETS, EVERYWHERE)), min_size=1))
    def leave(self, number: int, asset_ids: set[str]) -> None:
        one = self.consumers[number]
        wishes = {key: NOTHING for key in (*ASSETS, EVERYWHERE) if key in asset_ids}
        left = [key for key in wishes if key in one.wishes]
        assert self.bench.want(one.mailbox, wishes) == []
        for key in left:
            del one.wishes[key]
            one.waiting.discard(key)
            one.books.pop(key, None)
        if left:
            ids = tuple(key for key in left if key != EVERYWHERE)
            one.expected.append(unsubscribed(*ids))
        self.forget_the_past()
        self.subscribe()

    @rule(number=CONSUMERS)
    def be_gone(self, number: int) -> None:
        one = self.consumers[number]
        self.check(one)
        one.mailbox.close()
        assert self.bench.router.forget_the_gone() == bool(one.wishes)
        self.consumers[number] = Consumer()
        self.forget_the_past()
        self.subscribe()

    # The model of Router.route.

    def arrive(self, event: Event) -> None:
        """Route an event if the decoder lets it through, and note who is to get it."""
        if not isinstance(event, Lifecycle) and type(event) not in self.decoded():
            return
        if isinstance(event, Book) and self.decoded() >= BOOKS and self.wanted(event.asset_id):
            self.seen.setdefault(event.asset_id, OrderBook(event.asset_id))
        for seen in self.seen.values():
            seen.apply(event)
        self.bench.route(event)
        for one in self.consumers:
            if isinstance(event, Book):
                one.waiting.discard(event.asset_id)
            part = self.share(one, event)
            if part is not None:
                one.expected.append(part)
        whole = self.observable(event)
        if whole is not None:
            self.observed.append(whole)

    def share(self, one: Consumer, event: Event) -> Event | None:
        if isinstance(event, PriceChange):
            return part(event, [c for c in event.price_changes if self.gets_changes(one, c)])
        if isinstance(event, NewMarket):
            return event if EVERYWHERE in one.wishes else None
        if isinstance(event, MarketResolved):
            named = [key for key in event.assets_ids if key.isdecimal()] or ASSETS
            gets = any(MarketResolved in one.wishes.get(key, ()) for key in named)
            return event if gets else None
        assert isinstance(event, (Book, LastTradePrice, TickSizeChange, BestBidAsk))
        return event if type(event) in one.wishes.get(event.asset_id, ()) else None

    def gets_changes(self, one: Consumer, item: LevelChange) -> bool:
        key = item.asset_id
        return PriceChange in one.wishes.get(key, ()) and key not in one.waiting

    def observable(self, event: Event) -> Event | None:
        if isinstance(event, PriceChange):
            return part(
                event,
                [
                    c
                    for c in event.price_changes
                    if any(self.gets_changes(one, c) for one in self.consumers)
                ],
            )
        shares = [self.share(one, event) for one in self.consumers]
        return next((share for share in shares if share is not None), None)

    def tick(self) -> int:
        self.now += 1
        return self.now

    def tell_book(self, asset_id: str, tick_size: str | None) -> None:
        self.refreshing.pop(asset_id, None)
        exchange = self.exchange[asset_id].to_book(allow_stale=True)
        self.arrive(
            attrs.evolve(
                exchange,
                tick_size=None if tick_size is None else Decimal(tick_size),
                timestamp=self.tick(),
                hash=f"book {self.now}",
                last_trade_price=None,
            )
        )

    @rule(asset_id=st.sampled_from(ASSETS), bids=LEVELS, asks=LEVELS)
    def trade_through(self, asset_id: str, bids: list[Level], asks: list[Level]) -> None:
        if self.bench.connected is not None:
            self.exchange[asset_id].apply(book(asset_id, bids, asks, timestamp=None))
            self.arrive(trade(asset_id))
            self.tell_book(asset_id, tick_size=None)

    @rule(entries=ENTRIES, step=st.sampled_from([0, 1, 1, None]))
    def change_levels(self, entries: list[LevelChange], step: int | None) -> None:
        if self.bench.connected is None:
            return
        self.now += step or 0
        event = change(*entries, timestamp=None if step is None else self.now)
        for asset_id in ASSETS:
            known = [c for c in entries if c.asset_id == asset_id and c.side != "?"]
            if known:
                self.exchange[asset_id].apply(change(*known, timestamp=None))
        self.arrive(event)

    @rule(asset_id=st.sampled_from(ASSETS))
    def change_before_the_book(self, asset_id: str) -> None:
        if self.bench.connected is not None:
            self.arrive(change(entry(asset_id, "0.3", "99"), timestamp=5))

    @rule(asset_id=st.sampled_from(ASSETS), new=st.sampled_from(["0.01", "0.001", "0.010"]))
    def change_tick_size(self, asset_id: str, new: str) -> None:
        if self.bench.connected is not None:
            self.arrive(tick_size_change(asset_id, new))

    @rule(asset_id=st.sampled_from(ASSETS))
    def tell_best_prices(self, asset_id: str) -> None:
        self.arrive(BestBidAsk(market=MARKETS[asset_id], asset_id=asset_id))

    @rule()
    def create_a_market(self) -> None:
        self.arrive(NewMarket(market="0xc", assets_ids=("5" * 76,)))

    @rule(asset_ids=st.sampled_from([(YES, NO), (UP, DOWN), (UP,), (), ("", "abc"), ("9" * 76,)]))
    def resolve(self, asset_ids: tuple[str, ...]) -> None:
        market = MARKETS.get((*asset_ids, "")[0], "0xc")
        settled = [key for key in ASSETS if MARKETS[key] == market]
        if self.bench.connected is None:
            return
        for key in settled:
            self.exchange[key].apply(book(key, timestamp=None))
        self.arrive(resolved(*asset_ids, market=market))
        for key in settled:
            # As after a trade: who does not want resolutions hears of the end by this.
            self.tell_book(key, tick_size=None)

    @rule(
        about=st.lists(st.sampled_from((*ASSETS, "7" * 76)), max_size=2, unique=True),
        cls=st.sampled_from([failure, unknown]),
    )
    def be_odd(self, about: list[str], cls: Callable[[str], DecodeFailure | UnknownEvent]) -> None:
        if self.bench.connected is None:
            return
        event = cls(f'{{"price_changes":[{",".join(about)}]')
        self.bench.route(event)
        own = [key for key in about if self.wanted(key)]
        if isinstance(event, DecodeFailure):
            for key in own or ASSETS:
                self.seen.pop(key, None)
            for key in set(about) & set(ASSETS):
                # The change that was lost.
                self.exchange[key].apply(change(entry(key, "0.35", str(self.tick()))))
        for one in self.consumers:
            if one.wishes:
                mine = tuple(key for key in own if key in one.wishes)
                one.expected.append(attrs.evolve(event, asset_ids=mine))
        self.observed.append(attrs.evolve(event, asset_ids=tuple(own)))

    # The model of the rest.

    @rule()
    def answer_refreshes(self) -> None:
        for asset_id in tuple(self.refreshing):
            if asset_id in self.bench.sent:
                self.tell_book(asset_id, tick_size="0.01")
        self.refreshing.clear()

    @rule()
    def stall_refreshes(self) -> None:
        late = [key for key in self.refreshing if key in self.bench.sent]
        event = SubscriptionStalled(channel="market", connection=5, asset_ids=tuple(late))
        self.bench.router.tell(event, late)
        self.expect_told(event, late)
        for one in self.consumers:
            one.waiting.difference_update(late)
        self.refreshing.clear()

    @rule()
    def lose_the_connection(self) -> None:
        if self.bench.connected is None:
            return
        self.bench.disconnect()
        self.seen.clear()
        self.refreshing.clear()
        for one in self.consumers:
            one.waiting.clear()
            if one.wishes:
                one.expected.append(disconnected(*one.asset_ids, epoch=self.bench.epoch))

    @rule()
    def connect_again(self) -> None:
        if self.bench.connected is not None:
            return
        self.bench.connect()
        for one in self.consumers:
            if one.wishes:
                one.expected.append(connected(*one.asset_ids, epoch=self.bench.epoch))
        self.expect_told(
            subscribed(*self.bench.sent, epoch=self.bench.epoch), list(self.bench.sent)
        )
        for asset_id in self.bench.sent:
            self.tell_book(asset_id, tick_size="0.01")

    # What must hold.

    @rule()
    def read_everything(self) -> None:
        for one in self.consumers:
            self.check(one)
        seen = [
            event
            for event in self.bench.read(self.bench.observers)
            if not isinstance(event, Lifecycle) or isinstance(event, (DecodeFailure, UnknownEvent))
        ]
        assert seen == self.observed
        self.observed.clear()

    def check(self, one: Consumer) -> None:
        got = self.bench.read(one.mailbox)
        assert len(got) == len(one.expected), (got, one.expected)
        for event, expected in zip(got, one.expected, strict=True):
            if isinstance(expected, TrueBook):
                assert isinstance(event, Book)
                assert as_true_book(event) == expected
            elif isinstance(expected, Lifecycle) or isinstance(event, PriceChange):
                assert event == expected
            else:
                assert event is expected
            for own in one.books.values():
                own.apply(event)
        one.expected.clear()
        if self.bench.connected is None:
            return
        for asset_id, own in one.books.items():
            if own.state is BookState.LIVE and asset_id not in one.waiting:
                theirs = self.exchange[asset_id].snapshot(allow_stale=True)
                assert own.snapshot().bids == theirs.bids
                assert own.snapshot().asks == theirs.asks

    @invariant()
    def what_is_decoded_is_what_is_wanted(self) -> None:
        router = self.bench.router
        assert router.decoded == self.decoded()
        assert set(router.ids) == {key for key in ASSETS if self.wanted(key)}
        assert router.idle == (not any(one.wishes for one in self.consumers))

    def teardown(self) -> None:
        self.read_everything()


def part(event: PriceChange, entries: list[LevelChange]) -> PriceChange | None:
    if len(entries) == len(event.price_changes):
        return event
    return attrs.evolve(event, price_changes=tuple(entries)) if entries else None


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=150, stateful_step_count=40)


# -- what a newcomer is told -----------------------------------------------------------


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.connect()
    return bench


def test_a_newcomer_is_told_connected_subscribed_book_and_then_data(bench: Bench) -> None:
    bench.join(YES)
    opening = book(YES, [level("0.4", "5")])
    bench.route(opening, change(entry(YES, "0.5", "7")))
    late = bench.join(YES)
    bench.route(trade(YES))
    first, second, third, fourth = bench.read(late)
    assert first == connected(YES)
    assert second == subscribed(YES)
    assert third == attrs.evolve(
        opening, bids=(level("0.4", "5"), level("0.5", "7")), timestamp=1001, hash="h1"
    )
    assert fourth == trade(YES)


def test_what_a_newcomer_is_told_carries_epoch_and_time(bench: Bench) -> None:
    bench.join(YES)
    bench.route(attrs.evolve(book(YES), epoch=1, received_at=99.0))
    told = bench.read(bench.join(YES))
    assert [(event.epoch, event.received_at) for event in told] == [
        (1, 100.0),
        (1, 100.0),
        (1, 99.0),
    ]


def test_a_newcomer_to_a_new_asset_is_told_connected_only(bench: Bench) -> None:
    newcomer = Mailbox(Delivery())
    assert bench.want(newcomer, {YES: DEFAULT, NO: DEFAULT}) == []
    assert bench.read(newcomer) == [connected(YES, NO)]


def test_a_newcomer_before_the_connection_is_told_nothing_yet() -> None:
    bench = Bench()
    newcomer = bench.join(YES)
    assert bench.read(newcomer) == []
    bench.connect()
    assert bench.read(newcomer) == [connected(YES), subscribed(YES)]


def test_one_that_is_there_is_not_told_connected_again(bench: Bench) -> None:
    first, second = bench.join(YES), bench.join(NO)
    bench.route(book(NO))
    bench.read(first)
    bench.want(first, {NO: DEFAULT})
    assert bench.read(first) == [subscribed(NO), book(NO)]
    assert bench.read(second)[-1] == book(NO)


def test_one_that_wanted_trades_is_given_the_book_when_it_wants_that_too(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    trades = bench.join(YES, kinds=frozenset({LastTradePrice}))
    assert bench.read(trades) == [connected(YES), subscribed(YES)]
    assert bench.want(trades, {YES: DEFAULT}) == []
    assert bench.read(trades) == [book(YES)]


def test_one_that_wants_changes_alone_is_given_no_book(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    changes = Mailbox(Delivery())
    assert bench.want(changes, {YES: frozenset({PriceChange})}) == []
    bench.route(change(entry(YES)))
    assert bench.read(changes) == [connected(YES), subscribed(YES), change(entry(YES))]


def test_one_that_wants_changes_where_none_were_decoded_costs_no_refresh(bench: Bench) -> None:
    bench.join(YES, kinds=frozenset({LastTradePrice}))
    assert bench.want(Mailbox(Delivery()), {YES: frozenset({PriceChange})}) == []


def test_the_same_wish_again_is_told_nothing(bench: Bench) -> None:
    mailbox = bench.join(YES)
    bench.route(book(YES))
    bench.read(mailbox)
    assert bench.want(mailbox, {YES: DEFAULT}) == []
    assert bench.read(mailbox) == []


def test_a_closed_mailbox_cannot_join(bench: Bench) -> None:
    gone = Mailbox(Delivery())
    gone.close()
    assert bench.want(gone, {YES: DEFAULT}) == []
    assert bench.router.idle


# -- rule 10's other way ---------------------------------------------------------------


def test_a_book_whose_changes_were_not_decoded_is_asked_for(bench: Bench) -> None:
    books = bench.join(YES, kinds=frozenset({Book}))
    bench.route(book(YES))
    late = Mailbox(Delivery())
    assert bench.want(late, {YES: DEFAULT}) == [YES]
    again = book(YES, [level("0.1", "1")])
    bench.route(again)
    assert bench.read(late) == [connected(YES), subscribed(YES), again]
    # The other stream just gets one more.
    assert bench.read(books) == [connected(YES), subscribed(YES), book(YES), again]


def test_changes_before_the_book_that_was_asked_for_are_kept_from_the_newcomer(
    bench: Bench,
) -> None:
    trades = bench.join(YES, kinds=frozenset({LastTradePrice, PriceChange}))
    late = Mailbox(Delivery())
    assert bench.want(late, {YES: DEFAULT}) == [YES]
    early, later = change(entry(YES), timestamp=999), change(entry(YES))
    bench.route(early)
    bench.route(trade(YES))
    bench.route(book(YES))
    bench.route(later)
    assert bench.read(late)[2:] == [trade(YES), book(YES), later]
    assert bench.read(trades)[2:] == [early, trade(YES), later]


def test_changes_come_without_a_book_once_that_is_told_to_be_stalled(bench: Bench) -> None:
    bench.join(YES, kinds=frozenset({LastTradePrice}))
    late = Mailbox(Delivery())
    assert bench.want(late, {YES: DEFAULT}) == [YES]
    stalled = SubscriptionStalled(channel="market", connection=5, asset_ids=(YES,))
    bench.route(change(entry(YES)))
    bench.router.tell(stalled, [YES])
    bench.route(change(entry(YES)))
    assert bench.read(late)[2:] == [stalled, change(entry(YES))]


def test_one_that_moved_here_has_its_changes_from_the_moment_they_are_asked_for(
    bench: Bench,
) -> None:
    bench.join(YES)
    moved = Mailbox(Delivery())
    want = Want(moved, {NO: DEFAULT}, last_chance=True)
    assert bench.router.want(want, connected=bench.connected, sent=bench.sent) == []
    # With those of the other outcome; the connection that it comes from tells this one, too.
    bench.route(change(entry(NO), timestamp=999))
    assert bench.subscribe() == [NO]
    bench.route(change(entry(NO)))
    assert bench.read(moved) == [connected(NO), subscribed(NO), change(entry(NO))]


def test_repeating_the_wish_while_the_book_is_on_the_way_changes_nothing(bench: Bench) -> None:
    bench.join(YES, kinds=frozenset({Book}))
    late = Mailbox(Delivery())
    bench.want(late, {YES: DEFAULT})
    assert bench.want(late, {YES: DEFAULT}) == [YES]
    bench.route(change(entry(YES)))
    bench.route(book(YES))
    assert bench.read(late) == [connected(YES), subscribed(YES), book(YES)]


def test_one_that_leaves_before_the_book_came_is_not_waited_for(bench: Bench) -> None:
    books = bench.join(YES, kinds=frozenset({Book}))
    late = Mailbox(Delivery())
    bench.want(late, {YES: DEFAULT})
    bench.want(late, {YES: NOTHING})
    bench.route(book(YES), change(entry(YES)))
    assert bench.read(late) == [connected(YES), subscribed(YES), unsubscribed(YES)]
    assert bench.read(books)[-1] == book(YES)


def test_journals_go_when_changes_are_not_decoded_any_more(bench: Bench) -> None:
    bench.join(YES, kinds=frozenset({Book}))
    both = bench.join(YES)
    bench.route(book(YES))
    bench.want(both, {YES: NOTHING})
    assert bench.want(both, {YES: DEFAULT}) == [YES]


def test_a_journal_goes_with_the_last_who_wants_its_asset(bench: Bench) -> None:
    bench.join(NO)
    only = bench.join(YES)
    bench.route(book(YES))
    bench.want(only, {YES: NOTHING})
    # Not yet unsubscribed on the wire when somebody wants it again.
    assert bench.want(only, {YES: DEFAULT}) == [YES]


def test_no_book_is_made_from_before_a_gap(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    bench.disconnect()
    bench.connect()
    late = Mailbox(Delivery())
    assert bench.want(late, {YES: DEFAULT}) == [YES]
    assert bench.read(late) == [connected(YES, epoch=2), subscribed(YES, epoch=2)]


def test_no_book_is_made_over_a_change_that_could_not_be_read(bench: Bench) -> None:
    bench.join(YES, NO)
    bench.route(book(YES))
    bench.route(book(NO))
    bench.route(failure(f'{{"price_changes":[{{"asset_id":"{YES}","price":"NaN"}}]}}'))
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT, NO: DEFAULT}) == [YES]


@pytest.mark.parametrize("raw", ["garbage", f'{{"asset_id":"{YES}"}}'.ljust(4096)])
def test_no_book_is_made_after_a_failure_that_may_concern_any(bench: Bench, raw: str) -> None:
    bench.join(YES, NO)
    bench.route(book(YES))
    bench.route(book(NO))
    bench.route(failure(raw))
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT, NO: DEFAULT}) == [YES, NO]


def test_no_book_is_made_over_a_change_of_an_unknown_side(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES), change(entry(YES, side="HOLD")))
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT}) == [YES]
    bench.route(tick_size_change(YES))
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT}) == [YES]
    bench.route(book(YES))
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT}) == []


# -- the past --------------------------------------------------------------------------


def made_up(bench: Bench, asset_id: str = YES) -> Book:
    """Return the book that a late joiner is given."""
    event = bench.read(bench.join(asset_id))[-1]
    assert isinstance(event, Book)
    return event


def test_the_book_after_many_changes_is_the_true_one_and_the_journal_stays_short(
    bench: Bench,
) -> None:
    bench.join(YES)
    true = OrderBook(YES)
    opening = book(YES, [level("0.001", "3")], [level("0.999", "3")])
    bench.route(opening)
    true.apply(opening)
    for number in range(5000):
        event = change(
            entry(
                YES,
                f"0.{(number * 7919) % 400 + 2:03d}",
                str(number % 5),
                "BUY" if number % 3 else "SELL",
                f"h{number}",
            ),
            entry(NO),
            timestamp=1000 + number,
        )
        bench.route(event)
        true.apply(event)
        (log,) = bench.router._past._logs.values()
        assert len(log.items) < 256
        journal = log.pages[YES].journal
        assert journal is None or len(journal.changes) <= 1600
    assert made_up(bench) == true.to_book()


def test_the_book_has_the_hash_of_the_last_change_right_after_thinning_out(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    for number in range(256):
        price = f"0.{number % 255 + 1:03d}"
        bench.route(change(entry(YES, price, "1", wire_hash=f"h{number}")))
    (log,) = bench.router._past._logs.values()
    journal = log.pages[YES].journal
    assert journal is not None
    assert len(journal.changes) == 255
    assert made_up(bench).hash == "h255"


def test_a_journal_of_more_levels_than_a_book_can_have_is_given_up(bench: Bench) -> None:
    bench.join(YES)
    bench.join(NO)
    bench.route(book(YES), book(NO))
    bench.route(change(*(entry(YES, f"0.{number:06d}", "1") for number in range(40_000))))
    assert bench.router._past._log_of.keys() == {NO}
    assert bench.router._ways[YES].log is None
    assert bench.want(Mailbox(Delivery()), {YES: DEFAULT, NO: DEFAULT}) == [YES]


def test_changes_older_than_the_book_are_part_of_it(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES, [level("0.4", "5")], timestamp=1000))
    bench.route(change(entry(YES, "0.4", "1"), timestamp=999))
    bench.route(change(entry(YES, "0.3", "2"), timestamp=1001))
    levels = [level("0.3", "2"), level("0.4", "5")]
    assert made_up(bench) == book(YES, levels, timestamp=1001, wire_hash="h1")


@pytest.mark.parametrize("of_book", [None, 1000])
@pytest.mark.parametrize("of_change", [None, 1000])
def test_changes_count_where_a_time_is_missing(
    bench: Bench, of_book: int | None, of_change: int | None
) -> None:
    bench.join(YES)
    bench.route(book(YES, timestamp=of_book))
    bench.route(change(entry(YES, "0.4", "1"), timestamp=of_change))
    assert made_up(bench) == book(
        YES, [level("0.4", "1")], timestamp=of_change or of_book, wire_hash="h1"
    )


def test_the_tick_size_of_the_opening_book_outlives_a_trade(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    bench.route(book(YES, tick_size=None, wire_hash="h2"))
    assert made_up(bench) == book(YES, tick_size="0.01", wire_hash="h2")


def test_a_new_tick_size_is_in_the_book_whether_anybody_wants_the_event_or_not(
    bench: Bench,
) -> None:
    bench.join(YES, kinds=BOOKS)
    assert TickSizeChange in bench.router.decoded
    bench.route(book(YES, [level("0.4", "5")]))
    bench.route(change(entry(YES, "0.4", "0"), timestamp=1001))
    bench.route(tick_size_change(YES, "0.001"))
    # The hash was taken over the old step.
    assert made_up(bench) == book(YES, timestamp=1001, tick_size="0.001", wire_hash=None)


def test_the_same_tick_size_again_keeps_the_hash(bench: Bench) -> None:
    bench.join(YES)
    bench.route(book(YES))
    bench.route(tick_size_change(YES, "0.01"))
    assert made_up(bench) == book(YES)


def test_the_book_of_a_settled_market_is_empty(bench: Bench) -> None:
    bench.join(YES, UP, kinds=ALL)
    bench.route(book(YES, [level("0.9", "5")]))
    bench.route(book(UP, [level("0.9", "5")]))
    bench.route(resolved(YES, NO))
    assert made_up(bench) == book(YES, wire_hash=None)
    assert made_up(bench, UP) == book(UP, [level("0.9", "5")])


# -- who gets what ---------------------------------------------------------------------


def test_a_change_of_own_assets_alone_arrives_as_the_object_it_was(bench: Bench) -> None:
    both, wide = bench.join(YES, NO), bench.join(YES, NO, UP)
    bench.route(book(YES), book(NO), book(UP))
    event = change(entry(YES), entry(NO))
    bench.route(event)
    assert bench.read(both)[-1] is event
    assert bench.read(wide)[-1] is event


def test_a_change_of_several_assets_is_split(bench: Bench) -> None:
    yes, no, both = bench.join(YES), bench.join(NO), bench.join(YES, NO)
    bench.route(book(YES), book(NO), book(UP))
    event = attrs.evolve(
        change(entry(YES, "0.1"), entry(NO, "0.2"), entry(YES, "0.3")), epoch=1, received_at=7.0
    )
    bench.route(event)
    own = bench.read(yes)[-1]
    assert own == change(entry(YES, "0.1"), entry(YES, "0.3"))
    assert (own.epoch, own.received_at) == (1, 7.0)
    assert bench.read(no)[-1] == change(entry(NO, "0.2"))
    assert bench.read(both)[-1] is event


def test_streams_with_the_same_share_get_the_same_object(bench: Bench) -> None:
    one, other, third = bench.join(YES), bench.join(YES), bench.join(NO)
    bench.route(book(YES), book(NO), book(UP))
    bench.route(change(entry(YES), entry(NO), entry(UP)))
    assert bench.read(one)[-1] is bench.read(other)[-1]
    assert bench.read(third)[-1] == change(entry(NO))


def test_observers_get_what_anybody_wanted_once(bench: Bench) -> None:
    bench.join(YES)
    bench.join(YES, NO)
    bench.route(book(YES), book(NO))
    bench.read(bench.observers)
    event = change(entry(YES), entry(NO), entry(UP))
    bench.route(event, trade(YES), trade(UP))
    assert bench.read(bench.observers) == [change(entry(YES), entry(NO)), trade(YES)]


def test_what_is_not_observed_is_not_put_before_observers() -> None:
    bench = Bench(lambda kind: kind is LastTradePrice)
    bench.connect()
    mailbox = bench.join(YES)
    bench.route(book(YES), change(entry(YES), entry(NO)), trade(YES))
    bench.route(failure("x"))
    bench.want(mailbox, {YES: NOTHING})
    assert bench.read(bench.observers) == [trade(YES)]


def test_what_nobody_wanted_is_counted(bench: Bench) -> None:
    bench.join(YES, kinds=frozenset({Book}))
    bench.route(trade(YES), trade(NO), change(entry(YES)), change(entry(YES), entry(NO)))
    bench.route(NewMarket(market="0xc"), resolved(YES), book(YES))
    assert bench.router.not_asked_for == 6


def test_an_event_of_a_class_without_a_way_is_not_lost_quietly(bench: Bench) -> None:
    with pytest.raises(TypeError, match="no way is known for Event"):
        bench.route(Event())


def test_new_markets_go_to_those_who_want_them(bench: Bench) -> None:
    markets, other = (
        bench.join(EVERYWHERE, kinds=frozenset({NewMarket})),
        bench.join(YES, kinds=ALL),
    )
    event = NewMarket(market="0xc", assets_ids=(YES,))
    bench.route(event)
    assert bench.read(markets)[-1] is event
    assert event not in bench.read(other)
    assert bench.router.ids == [YES]


def test_a_resolution_goes_to_those_who_want_it_of_a_named_token(bench: Bench) -> None:
    yes, down, books = (
        bench.join(YES, kinds=ALL),
        bench.join(DOWN, kinds=ALL),
        bench.join(YES, kinds=BOOKS),
    )
    event = resolved(YES, NO)
    bench.route(event)
    assert bench.read(yes)[-1] is event
    assert event not in bench.read(down)
    assert event not in bench.read(books)


@pytest.mark.parametrize("order", [(YES, NO), (NO, YES)])
def test_a_resolution_is_wanted_where_it_is_wanted_of_one_of_its_tokens(
    bench: Bench, order: tuple[str, str]
) -> None:
    mailbox = Mailbox(Delivery())
    bench.want(mailbox, {YES: ALL, NO: BOOKS})
    event = resolved(*order)
    bench.route(event)
    assert bench.read(mailbox)[-1] is event


@pytest.mark.parametrize("ids", [(), ("",), ("abc", "")])
def test_a_resolution_that_names_no_token_goes_to_everybody_who_wants_resolutions(
    bench: Bench, ids: tuple[str, ...]
) -> None:
    yes, down, books = (
        bench.join(YES, kinds=ALL),
        bench.join(DOWN, kinds=ALL),
        bench.join(YES, kinds=BOOKS),
    )
    event = resolved(*ids)
    bench.route(event)
    assert bench.read(yes)[-1] is event
    assert bench.read(down)[-1] is event
    assert event not in bench.read(books)


# -- what happened ---------------------------------------------------------------------


def test_each_is_told_of_its_own_assets(bench: Bench) -> None:
    yes, both = bench.join(YES), bench.join(NO, YES)
    other = bench.join(UP)
    bench.read(bench.observers)
    event = Subscribed(channel="market", connection=5, epoch=2)
    for mailbox in (yes, both, other):
        bench.read(mailbox)
    bench.router.tell(event, [YES, NO, DOWN])
    assert bench.read(yes) == [attrs.evolve(event, asset_ids=(YES,))]
    assert bench.read(both) == [attrs.evolve(event, asset_ids=(YES, NO))]
    assert bench.read(other) == []
    assert bench.read(bench.observers) == [attrs.evolve(event, asset_ids=(YES, NO, DOWN))]


def test_changes_wait_for_no_book_where_nobody_tells_that_it_stalled() -> None:
    bench = Bench()
    bench.router = Router(
        bench.observers, lambda _: True, channel="market", connection=5, awaits_books=False
    )
    bench.connect()
    first = bench.join(YES)
    late = bench.join(YES)
    event = change(entry(YES))
    bench.route(event)
    assert event in bench.read(first)
    assert event in bench.read(late)


def test_a_book_of_no_token_is_not_kept(bench: Bench) -> None:
    # The empty string is the key of those who want what belongs to no token.
    bench.join(YES)
    markets = bench.join(EVERYWHERE, kinds=frozenset({NewMarket}))
    bench.route(attrs.evolve(book(YES), asset_id=""))
    assert not any(isinstance(event, Book) for event in bench.read(markets))
    assert not bench.router._past._log_of


def test_the_whole_connection_concerns_all_of_ones_assets(bench: Bench) -> None:
    both, markets = bench.join(NO, YES), bench.join(EVERYWHERE, kinds=frozenset({NewMarket}))
    bench.read(bench.observers)
    bench.disconnect()
    assert bench.read(both)[-1] == disconnected(NO, YES)
    assert bench.read(markets)[-1] == disconnected()
    assert bench.read(bench.observers) == [disconnected(NO, YES)]


@pytest.mark.parametrize("odd", [failure, unknown])
def test_what_could_not_be_read_is_told_to_all_with_the_own_assets_it_names(
    bench: Bench, odd: Callable[[str], Lifecycle]
) -> None:
    yes, down = bench.join(NO, YES), bench.join(DOWN)
    bench.read(bench.observers)
    event = odd(f'{{"asset_id":"{YES}","other":"{UP}"}}')
    bench.route(event)
    assert bench.read(yes)[-1] == attrs.evolve(event, asset_ids=(YES,))
    assert bench.read(down)[-1] is event
    assert bench.read(bench.observers) == [attrs.evolve(event, asset_ids=(YES,))]
    assert bench.router.odd == [event]


def test_a_refusal_concerns_all_of_ones_assets(bench: Bench) -> None:
    yes, down = bench.join(NO, YES), bench.join(DOWN)
    event = SubscriptionRejected(channel="market", connection=5, message="INVALID OPERATION")
    bench.route(event)
    assert bench.read(yes)[-1] == attrs.evolve(event, asset_ids=(NO, YES))
    assert bench.read(down)[-1] == attrs.evolve(event, asset_ids=(DOWN,))


def test_leaving_is_told_and_ends_what_arrives(bench: Bench) -> None:
    mailbox = bench.join(YES, NO)
    bench.read(mailbox)
    bench.want(mailbox, {YES: NOTHING})
    bench.route(trade(YES), trade(NO))
    assert bench.read(mailbox) == [unsubscribed(YES), trade(NO)]


def test_leaving_what_was_never_wanted_is_told_nothing(bench: Bench) -> None:
    mailbox = bench.join(YES)
    bench.read(mailbox)
    bench.want(mailbox, {NO: NOTHING})
    assert bench.read(mailbox) == []


def test_observers_are_told_of_the_end_when_nobody_wants_it_any_more(bench: Bench) -> None:
    one, other = bench.join(YES, NO), bench.join(YES)
    bench.read(bench.observers)
    bench.want(one, {YES: NOTHING, NO: NOTHING})
    assert bench.read(bench.observers) == [unsubscribed(NO)]
    other.close()
    bench.router.forget_the_gone()
    assert bench.read(bench.observers) == [unsubscribed(YES)]


def test_the_gone_are_forgotten(bench: Bench) -> None:
    gone, there = bench.join(YES, NO), bench.join(NO)
    bench.route(book(YES), book(NO), book(UP))
    assert not bench.router.forget_the_gone()
    gone.close()
    assert bench.router.forget_the_gone()
    assert bench.router.ids == [NO]
    bench.route(change(entry(YES), entry(NO)))
    assert bench.read(there)[-1] == change(entry(NO))
    there.close()
    assert bench.router.forget_the_gone()
    assert bench.router.idle
    assert bench.router.decoded == NOTHING


def test_a_fatal_error_comes_after_what_was_queued(bench: Bench) -> None:
    mailbox = bench.join(YES)
    bench.read(mailbox)
    bench.route(trade(YES))
    bench.router.fail(ConnectionFailed("over"))
    hand = mailbox.refill(Deadline(0.0))
    assert hand is not None
    assert list(hand.events) == [trade(YES)]
    hand.position = 1
    with pytest.raises(ConnectionFailed, match="over"):
        mailbox.refill(Deadline(0.0))


def test_nothing_is_handed_over_before_the_flush(bench: Bench) -> None:
    mailbox = bench.join(YES)
    bench.route(trade(YES))
    assert read(mailbox) == []
    bench.router.flush()
    assert read(mailbox)[-1] == trade(YES)


def test_what_mailboxes_drop_is_counted(bench: Bench) -> None:
    mailbox = Mailbox(Delivery(max_events=10))
    bench.want(mailbox, {YES: DEFAULT})
    for _ in range(30):
        bench.route(trade(YES))
    bench.router.flush()
    assert 20 <= bench.router.dropped < 30


def test_changes_of_an_asset_that_was_just_added_wait_for_its_book(bench: Bench) -> None:
    mailbox = bench.join(NO)
    bench.route(book(NO))
    bench.want(mailbox, {NO: DEFAULT, YES: DEFAULT})
    bench.read(mailbox)
    # The server names both outcomes, and was asked for one of them so far.
    bench.route(change(entry(YES), entry(NO)))
    assert bench.read(mailbox) == [change(entry(NO))]
    bench.route(book(YES), change(entry(YES), entry(NO)))
    assert bench.read(mailbox) == [book(YES), change(entry(YES), entry(NO))]


@pytest.mark.parametrize("batch", [1, 7, 150])
def test_streams_of_a_client_hold_no_more_than_their_limit_after_any_read(batch: int) -> None:
    budget = Budget(Delivery(max_events=1_000))
    routers = [
        Router(Mailbox(Delivery()), lambda _: False, channel="market", connection=number)
        for number in range(4)
    ]
    mailboxes = [Mailbox(Delivery(), budget) for _ in routers for _ in ASSETS]
    for number, mailbox in enumerate(mailboxes):
        asset_id = ASSETS[number % len(ASSETS)]
        want = Want(mailbox, {asset_id: frozenset((LastTradePrice,))})
        routers[number // len(ASSETS)].want(want, connected=None, sent=())
    dropped = 0
    for number in range(1_200):
        router = routers[number % len(routers)]
        for size in range(batch):
            router.route((trade(ASSETS[size % len(ASSETS)]),), (100,))
        router.flush()
        dropped += router.dropped
        router.dropped = 0
        waiting = sum(mailbox.reading().waiting for mailbox in mailboxes)
        assert waiting <= 1_000
    assert dropped == 1_200 * batch - waiting
