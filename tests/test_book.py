from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from polymarket_ws.book import BookState, OrderBook
from polymarket_ws.errors import StaleBook, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Subscribed,
    UnknownEvent,
    Unsubscribed,
)
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    Level,
    LevelChange,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo

MARKET = "0xce610556ec78cfd7894f4169d91fe70e31c2fb49f927fffd7fe7d06530f88d56"
YES = "55404192439775628931124671719520886657525387168536821457706619003199189099864"
NO = "79358475953126059185096320578578995575874288599466094920037110232928386404141"


def d(text: str) -> Decimal:
    return Decimal(text)


def levels(*pairs: str) -> tuple[Level, ...]:
    """Levels from texts such as ``"0.48x30"``."""
    return tuple(Level(*map(Decimal, pair.split("x"))) for pair in pairs)


def book_event(
    *, bids: str = "0.47x10 0.48x30", asks: str = "0.53x20 0.52x25", **more: Any
) -> Book:
    fields: dict[str, Any] = {
        "market": MARKET,
        "asset_id": YES,
        "timestamp": 1000,
        "hash": "a" * 40,
        "tick_size": d("0.01"),
        "last_trade_price": d("0.500"),
    }
    return Book(bids=levels(*bids.split()), asks=levels(*asks.split()), **{**fields, **more})


def change(
    side: str,
    level: str,
    *,
    asset_id: str = YES,
    at: int | None = 1001,
    hash: str | None = "b" * 40,
) -> PriceChange:
    price, size = level.split("x")
    entry = LevelChange(asset_id=asset_id, price=d(price), size=d(size), side=side, hash=hash)
    return PriceChange(market=MARKET, timestamp=at, price_changes=(entry,))


def trade(price: str, *, asset_id: str = YES, market: str = MARKET) -> LastTradePrice:
    return LastTradePrice(
        market=market, asset_id=asset_id, price=d(price), size=d("5"), side="BUY", timestamp=1002
    )


def live_book(**more: Any) -> OrderBook:
    book = OrderBook(YES, neg_risk=True)
    assert book.apply(book_event(**more))
    return book


def shown(side: tuple[Level, ...]) -> str:
    return " ".join(f"{level.price}x{level.size}" for level in side)


# -- construction ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [123, "", None, [YES], MarketInfo(question="?", condition_id="0x")]
)
def test_construction_names_the_right_call_for_anything_but_a_token(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"OrderBook\.of\(market, asset_id\)"):
        OrderBook(wrong)


@pytest.mark.parametrize("name", ["tick_size", "min_order_size"])
def test_construction_refuses_numbers_whose_digits_are_not_the_wires(name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name}.*Decimal"):
        OrderBook(YES, **{name: 0.01})  # type: ignore[arg-type]


def test_of_takes_what_the_hash_needs_from_the_market() -> None:
    info = MarketInfo(
        question="?",
        condition_id=MARKET,
        asset_ids=(YES, NO),
        tick_size=d("0.001"),
        min_order_size=d("15"),
        neg_risk=True,
    )
    book = OrderBook.of(info, NO)
    assert (book.asset_id, book.market, book.condition_id) == (NO, MARKET, MARKET)
    assert (book.tick_size, book.min_order_size, book.neg_risk) == (d("0.001"), d("15"), True)


def test_of_assumes_five_shares_where_the_market_does_not_tell() -> None:
    info = MarketInfo(question="?", condition_id=MARKET, asset_ids=(YES, NO))
    assert OrderBook.of(info, YES).min_order_size == 5


def test_of_refuses_a_token_of_another_market() -> None:
    with pytest.raises(UsageError, match=YES):
        OrderBook.of(MarketInfo(question="?", condition_id=MARKET, asset_ids=(YES,)), NO)


# -- states ----------------------------------------------------------------------------


def test_state_is_syncing_until_the_first_book() -> None:
    book = OrderBook(YES)
    assert book.state == "syncing"
    assert book.state is BookState.SYNCING
    assert (book.version, book.timestamp, book.market) == (0, None, "")


def test_state_is_live_after_a_book() -> None:
    book = live_book()
    assert book.state == "live"
    assert f"{book.state} {book.state!s}" == "live live"
    assert (book.version, book.timestamp, book.market) == (1, 1000, MARKET)


@pytest.mark.parametrize(
    "reading", ["bids", "asks", "best_bid", "best_ask", "spread", "midpoint", "crossed"]
)
def test_reading_raises_while_syncing_and_while_stale(reading: str) -> None:
    book = OrderBook(YES)
    with pytest.raises(StaleBook, match="has not come yet"):
        getattr(book, reading)
    book.apply(book_event())
    getattr(book, reading)
    book.apply(Disconnected(code=1006, reason="reset", asset_ids=(YES,)))
    with pytest.raises(StaleBook, match=r"1006 reset.*allow_stale=True"):
        getattr(book, reading)


@pytest.mark.parametrize(
    "gap",
    [
        Disconnected(code=1006, asset_ids=(NO, YES)),
        Dropped(count=3, asset_ids=(YES,)),
        Dropped(count=3),
        Unsubscribed(asset_ids=(YES,)),
        DecodeFailure(raw="{", error="?", asset_ids=(YES,)),
    ],
    ids=lambda event: f"{type(event).__name__}-{len(event.asset_ids)}",
)
def test_gap_makes_the_book_stale_until_the_next_book(gap: Event) -> None:
    book = live_book()
    assert book.apply(gap)
    assert (book.state, book.version) == ("stale", 2)
    assert not book.apply(gap)
    book.apply(change("BUY", "0.49x1"))
    assert book.state == "stale"
    assert book.apply(book_event(timestamp=2000))
    assert book.state == "live"
    assert shown(book.bids) == "0.48x30 0.47x10"


@pytest.mark.parametrize(
    "event",
    [
        Disconnected(code=1006, asset_ids=(NO,)),
        Disconnected(code=1006, channel="user"),
        Dropped(count=3, asset_ids=(NO,)),
        Unsubscribed(asset_ids=(NO,)),
        DecodeFailure(raw="{", error="?"),
        UnknownEvent(event_type="x", raw="{}", asset_ids=(YES,)),
        Connected(epoch=1, asset_ids=(YES,)),
        Subscribed(asset_ids=(YES,)),
        BestBidAsk(market=MARKET, asset_id=YES, best_bid=d("0.9"), best_ask=d("0.91")),
        NewMarket(market=MARKET, assets_ids=(YES, NO)),
        Book(market=MARKET, asset_id=NO, bids=(), asks=()),
        TickSizeChange(market=MARKET, asset_id=NO, new_tick_size=d("0.001")),
        MarketResolved(market="0x02", assets_ids=("1", "2")),
        change("BUY", "0.49x1", asset_id=NO, at=5000),
        trade("0.6", asset_id="1", market="0x02"),
        Event(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_apply_ignores_what_does_not_concern_the_token(event: Event) -> None:
    book = live_book()
    before = book.snapshot()
    assert not book.apply(event)
    assert book.snapshot() == before


def test_gap_before_the_first_book_leaves_it_syncing() -> None:
    book = OrderBook(YES)
    assert not book.apply(Dropped(count=1))
    assert book.state == "syncing"


def test_stale_book_still_takes_changes_for_readers_that_allow_stale() -> None:
    book = live_book()
    book.apply(Dropped(count=1))
    assert book.apply(change("BUY", "0.49x1"))
    snapshot = book.snapshot(allow_stale=True)
    assert snapshot.state == "stale"
    assert shown(snapshot.bids) == "0.49x1 0.48x30 0.47x10"


def test_snapshot_of_a_syncing_book_is_empty_when_stale_is_allowed() -> None:
    snapshot = OrderBook(YES).snapshot(allow_stale=True)
    assert (snapshot.state, snapshot.bids, snapshot.asks) == ("syncing", (), ())
    assert (snapshot.best_bid, snapshot.best_ask, snapshot.spread) == (None, None, None)


def test_snapshot_raises_unless_live() -> None:
    with pytest.raises(StaleBook):
        OrderBook(YES).snapshot()


# -- levels ----------------------------------------------------------------------------


def test_levels_are_read_best_first_whatever_the_order_on_the_wire() -> None:
    book = live_book(bids="0.48x30 0.10x1 0.47x10", asks="0.52x25 0.9x1 0.53x20")
    assert shown(book.bids) == "0.48x30 0.47x10 0.10x1"
    assert shown(book.asks) == "0.52x25 0.53x20 0.9x1"
    assert (book.best_bid, book.best_ask) == (d("0.48"), d("0.52"))
    assert (book.spread, book.midpoint, book.crossed) == (d("0.04"), d("0.5"), False)


def test_book_replaces_every_level() -> None:
    book = live_book()
    assert book.apply(book_event(bids="0.3x1", asks="0.7x1"))
    assert (shown(book.bids), shown(book.asks)) == ("0.3x1", "0.7x1")


def test_book_leaves_levels_of_size_zero_out() -> None:
    assert shown(live_book(bids="0.4x1 0.45x0").bids) == "0.4x1"


@pytest.mark.parametrize("side", ["BUY", "buy"])
def test_price_change_sets_the_absolute_size(side: str) -> None:
    book = live_book()
    assert book.apply(change(side, "0.48x7"))
    assert shown(book.bids) == "0.48x7 0.47x10"
    assert (book.version, book.timestamp) == (2, 1001)


def test_price_change_of_size_zero_removes_the_level_and_the_next_becomes_best() -> None:
    book = live_book()
    assert book.best_ask == d("0.52")
    assert book.apply(change("SELL", "0.52x0"))
    assert book.best_ask == d("0.53")
    assert book.apply(change("SELL", "0.53x0", at=1002))
    nothing = book.snapshot()
    assert (nothing.best_ask, nothing.asks, nothing.spread) == (None, (), None)
    assert (book.midpoint, book.crossed) == (None, False)
    assert book.apply(change("SELL", "0.99x1", at=1003))
    assert book.best_ask == d("0.99")


def test_price_change_applies_its_own_entries_only() -> None:
    book = live_book()
    ours = change("BUY", "0.49x1").price_changes
    theirs = change("SELL", "0.51x1", asset_id=NO).price_changes
    assert book.apply(PriceChange(market=MARKET, timestamp=1001, price_changes=theirs + ours))
    assert (shown(book.bids), shown(book.asks)) == ("0.49x1 0.48x30 0.47x10", "0.52x25 0.53x20")


def test_price_change_before_the_first_book_is_ignored() -> None:
    book = OrderBook(YES)
    assert not book.apply(change("BUY", "0.49x1"))
    assert (book.state, book.snapshot(allow_stale=True).bids) == ("syncing", ())


def test_price_change_older_than_the_book_is_ignored() -> None:
    book = live_book()
    assert not book.apply(change("BUY", "0.49x1", at=999))
    assert (book.version, book.best_bid) == (1, d("0.48"))


def test_price_change_of_the_same_millisecond_is_applied() -> None:
    book = live_book()
    assert book.apply(change("BUY", "0.49x1", at=1000))
    assert book.best_bid == d("0.49")


def test_price_change_without_a_timestamp_is_applied() -> None:
    book = live_book()
    assert book.apply(change("BUY", "0.49x1", at=None))
    assert (book.best_bid, book.timestamp) == (d("0.49"), 1000)


def test_price_change_that_says_only_now_is_a_change_of_the_timestamp() -> None:
    book = live_book()
    assert book.apply(change("BUY", "0.01x0", at=1001, hash="a" * 40))
    assert (book.version, book.timestamp) == (2, 1001)


def test_price_change_on_an_unknown_side_makes_the_book_stale() -> None:
    book = live_book()
    assert book.apply(change("HOLD", "0.49x1"))
    assert book.state == "stale"


def test_one_level_has_the_spelling_that_came_last() -> None:
    book = live_book(bids="0.2x1.50")
    assert str(book.best_bid) == "0.2"
    assert book.apply(change("BUY", "0.20x1.5"))
    assert (shown(book.bids), str(book.best_bid)) == ("0.20x1.5", "0.20")
    book.apply(change("BUY", "0.3x1", at=1002))
    book.apply(change("BUY", "0.3x0", at=1003))
    assert str(book.best_bid) == "0.20"


def test_crossed_book_is_reported_and_left_alone() -> None:
    book = live_book()
    book.apply(change("BUY", "0.53x1"))
    assert (book.crossed, book.spread, book.best_bid) == (True, d("-0.01"), d("0.53"))
    assert book.snapshot().crossed
    assert shown(book.asks) == "0.52x25 0.53x20"


def test_prices_stay_exact_where_the_caller_lowered_the_precision() -> None:
    book = live_book(bids="0.4815x1", asks="0.5192x1")
    with localcontext() as context:
        context.prec = 1
        assert (book.spread, book.midpoint) == (d("0.0377"), d("0.50035"))
        assert (book.snapshot().spread, book.snapshot().midpoint) == (d("0.0377"), d("0.50035"))


def test_levels_handed_out_do_not_change_afterwards() -> None:
    book = live_book()
    bids, snapshot, event = book.bids, book.snapshot(), book.to_book()
    book.apply(change("BUY", "0.49x1"))
    assert shown(bids) == shown(snapshot.bids) == shown(event.bids[::-1]) == "0.48x30 0.47x10"
    assert hash(snapshot) != hash(book.snapshot())


@given(st.permutations(levels("0.1x1", "0.20x2", "0.333x3", "0.4x4", "0.05x5")))
def test_best_does_not_depend_on_the_order_of_the_levels(shuffled: list[Level]) -> None:
    at_once = OrderBook(YES)
    at_once.apply(attrs.evolve(book_event(asks=""), bids=tuple(shuffled)))
    one_by_one = OrderBook(YES)
    one_by_one.apply(book_event(bids="", asks=""))
    for level in shuffled:
        one_by_one.apply(change("BUY", f"{level.price}x{level.size}"))
        assert one_by_one.best_bid == one_by_one.bids[0].price
    assert at_once.best_bid == one_by_one.best_bid == d("0.4")
    assert at_once.bids == one_by_one.bids


# -- duplicates and versions -----------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        book_event(),
        change("BUY", "0.49x1"),
        change("BUY", "0.48x0"),
        trade("0.6"),
        TickSizeChange(market=MARKET, asset_id=YES, new_tick_size=d("0.001")),
        MarketResolved(market=MARKET, assets_ids=(YES, NO)),
        Dropped(count=1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_duplicate_changes_nothing(event: Event) -> None:
    book = live_book()
    book.apply(event)
    before = book.snapshot(allow_stale=True)
    assert not book.apply(event)
    assert book.snapshot(allow_stale=True) == before


def test_post_trade_book_after_the_changes_it_repeats_changes_nothing() -> None:
    book = live_book()
    book.apply(change("BUY", "0.48x7"))
    repeat = book_event(
        bids="0.47x10 0.48x7", timestamp=1001, hash="b" * 40, tick_size=None, last_trade_price=None
    )
    assert not book.apply(repeat)
    assert book.version == 2


# -- trades, tick sizes, the end -------------------------------------------------------


def test_trade_sets_the_last_trade_price_in_the_exchanges_spelling() -> None:
    book = live_book()
    assert book.apply(trade("0.2"))
    assert str(book.last_trade_price) == "0.200"


def test_trade_keeps_more_than_three_decimals() -> None:
    book = live_book()
    book.apply(trade("0.0005"))
    assert book.last_trade_price == d("0.0005")


def test_trade_of_the_other_outcome_counts() -> None:
    book = live_book()
    assert book.apply(trade("0.7", asset_id=NO))
    assert book.last_trade_price == d("0.7")


def test_trade_before_the_first_book_is_kept() -> None:
    book = OrderBook(YES)
    assert book.apply(trade("0.7"))
    book.apply(book_event(last_trade_price=None))
    assert book.last_trade_price == d("0.7")


def test_trade_at_an_absurd_price_does_not_raise() -> None:
    book = live_book()
    assert book.apply(trade("1E+90"))
    assert not book.verify("0" * 40)


def test_post_trade_book_keeps_what_it_does_not_carry() -> None:
    book = live_book()
    book.apply(book_event(timestamp=2000, tick_size=None, last_trade_price=None))
    assert (book.tick_size, book.last_trade_price) == (d("0.01"), d("0.5"))


def test_rest_book_brings_min_order_size_and_neg_risk() -> None:
    book = OrderBook(YES)
    book.apply(book_event(min_order_size=d("15"), neg_risk=True))
    assert (book.min_order_size, book.neg_risk) == (d("15"), True)


def test_neg_risk_is_not_known_until_somebody_tells() -> None:
    book = OrderBook(YES)
    book.apply(book_event())
    assert book.neg_risk is None


def test_tick_size_change_keeps_the_book_live() -> None:
    book = live_book()
    event = TickSizeChange(market=MARKET, asset_id=YES, new_tick_size=d("0.001"))
    assert book.apply(event)
    assert (book.state, book.tick_size, book.best_bid) == ("live", d("0.001"), d("0.48"))
    assert book.to_book().hash == book.hash()


@pytest.mark.parametrize(
    "event",
    [
        MarketResolved(market=MARKET, assets_ids=()),
        MarketResolved(market="", assets_ids=(YES, NO)),
    ],
    ids=["by-market", "by-token"],
)
def test_resolved_market_has_an_empty_book_that_no_gap_makes_stale(event: Event) -> None:
    book = live_book()
    assert book.apply(event)
    assert book.resolved
    assert (book.state, book.bids, book.asks) == ("live", (), ())
    assert not book.apply(Disconnected(code=1000, asset_ids=(YES,)))
    assert book.state == "live"


def test_resolved_market_does_not_make_a_stale_book_live() -> None:
    book = live_book()
    book.apply(Dropped(count=1))
    book.apply(MarketResolved(market=MARKET, assets_ids=(YES, NO)))
    with pytest.raises(StaleBook, match="no Book will come"):
        _ = book.best_bid


# -- to_book ---------------------------------------------------------------------------


def test_to_book_is_in_wire_order_with_the_wires_hash() -> None:
    book = live_book(bids="0.48x30 0.47x10", asks="0.52x25 0.53x20")
    event = book.to_book()
    assert (shown(event.bids), shown(event.asks)) == ("0.47x10 0.48x30", "0.53x20 0.52x25")
    assert (event.hash, event.timestamp) == ("a" * 40, 1000)
    assert (event.market, event.asset_id) == (MARKET, YES)
    assert (event.tick_size, event.last_trade_price) == (d("0.01"), d("0.5"))
    assert (event.min_order_size, event.neg_risk) == (None, None)


def test_to_book_has_the_hash_and_timestamp_of_the_last_change() -> None:
    book = live_book()
    book.apply(change("BUY", "0.49x1"))
    assert (book.to_book().hash, book.wire_hash, book.to_book().timestamp) == (
        "b" * 40,
        "b" * 40,
        1001,
    )


def test_to_book_computes_the_hash_after_a_change_that_carried_none() -> None:
    book = live_book()
    book.apply(change("BUY", "0.49x1", hash=None))
    assert book.to_book().hash == book.hash()


@pytest.mark.parametrize("known", [{"neg_risk": False}, {"tick_size": Decimal("0.01")}])
def test_to_book_has_no_hash_rather_than_one_over_guessed_facts(known: dict[str, Any]) -> None:
    book = OrderBook(YES, **known)
    book.apply(book_event(hash=None, tick_size=None))
    assert book.to_book().hash is None


def test_to_book_after_a_trade_has_neither_tick_size_nor_last_trade_price() -> None:
    event = live_book().to_book("post_trade")
    assert (event.tick_size, event.last_trade_price) == (None, None)


def test_to_book_for_rest_has_all_fields() -> None:
    event = live_book().to_book("rest")
    assert (event.tick_size, event.last_trade_price) == (d("0.01"), d("0.5"))
    assert (event.min_order_size, event.neg_risk) == (d("5"), True)


def test_to_book_refuses_an_unknown_layout() -> None:
    with pytest.raises(UsageError, match="opening"):
        live_book().to_book("closing")  # type: ignore[arg-type]


def test_to_book_of_a_stale_book_only_when_allowed() -> None:
    book = live_book()
    book.apply(Dropped(count=1))
    with pytest.raises(StaleBook):
        book.to_book()
    assert shown(book.to_book(allow_stale=True).bids) == "0.47x10 0.48x30"


def test_to_book_never_without_a_book() -> None:
    with pytest.raises(StaleBook, match="has not come yet"):
        OrderBook(YES).to_book(allow_stale=True)


# -- properties ------------------------------------------------------------------------

prices = st.integers(1, 999).map(lambda thousandths: Decimal(thousandths) / 1000)
spelled = st.tuples(prices, st.booleans()).map(lambda x: x[0] + Decimal("0.0000") if x[1] else x[0])
sizes = st.one_of(st.just(Decimal(0)), st.decimals("0.000001", "99999", places=6))
sides = st.sampled_from(["BUY", "SELL"])


class AgainstANaiveBook(RuleBasedStateMachine):
    """The same events into an ``OrderBook`` and into two dicts that are sorted on demand."""

    @initialize()
    def empty(self) -> None:
        self.book = OrderBook(YES, neg_risk=False)
        self.model: dict[str, dict[Decimal, Level]] = {"BUY": {}, "SELL": {}}
        self.state = "syncing"
        self.clock = 1000

    @rule(bids=st.lists(st.tuples(spelled, sizes)), asks=st.lists(st.tuples(spelled, sizes)))
    def replace(
        self, bids: list[tuple[Decimal, Decimal]], asks: list[tuple[Decimal, Decimal]]
    ) -> None:
        self.clock += 1
        event = attrs.evolve(
            book_event(timestamp=self.clock),
            bids=tuple(Level(*pair) for pair in bids),
            asks=tuple(Level(*pair) for pair in asks),
        )
        assert self.book.apply(event)
        for side, pairs in (("BUY", bids), ("SELL", asks)):
            # Of levels named twice the last counts, and 0 is no level.
            self.model[side] = {p: Level(p, s) for p, s in pairs if s}
        self.state = "live"

    @rule(side=sides, price=spelled, size=sizes, ours=st.booleans(), age=st.integers(0, 2))
    def change(self, side: str, price: Decimal, size: Decimal, ours: bool, age: int) -> None:
        self.clock += 1 - age
        event = change(side, f"{price}x{size:f}", asset_id=YES if ours else NO, at=self.clock)
        counts = ours and self.state != "syncing"
        too_old = self.book.timestamp is not None and self.clock < self.book.timestamp
        before = self.book.version
        changed = self.book.apply(event)
        assert self.book.version == before + changed
        assert not self.book.apply(event)
        if counts and not too_old:
            self.model[side].pop(price, None)
            if size:
                self.model[side][price] = Level(price, size)
        else:
            assert not changed

    @rule()
    def lose(self) -> None:
        assert self.book.apply(Dropped(count=1)) is (self.state == "live")
        if self.state == "live":
            self.state = "stale"

    @rule()
    def copy_to_a_late_joiner(self) -> None:
        if self.state != "live":
            return
        joiner = OrderBook(YES, neg_risk=False)
        joiner.apply(self.book.to_book())
        assert joiner.to_book() == self.book.to_book()
        assert joiner.hash() == self.book.hash()
        assert shown(joiner.bids) == shown(self.book.bids)

    @invariant()
    def reads_the_same(self) -> None:
        assert self.book.state == self.state
        snapshot = self.book.snapshot(allow_stale=True)
        bids = sorted(self.model["BUY"].values(), key=lambda level: -level.price)
        asks = sorted(self.model["SELL"].values(), key=lambda level: level.price)
        assert (shown(snapshot.bids), shown(snapshot.asks)) == (shown((*bids,)), shown((*asks,)))

    @invariant()
    def keeps_the_best(self) -> None:
        if self.state == "live":
            assert self.book.best_bid == max(self.model["BUY"], default=None)
            assert self.book.best_ask == min(self.model["SELL"], default=None)


TestAgainstANaiveBook = AgainstANaiveBook.TestCase
