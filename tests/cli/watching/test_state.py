from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from polymarket_ws.cli.watching.connections import NEWS_SECONDS
from polymarket_ws.cli.watching.state import Remark, Trade
from polymarket_ws.events.lifecycle import (
    DecodeFailure,
    Dropped,
    SubscriptionRejected,
    SubscriptionStalled,
    UnknownEvent,
)
from polymarket_ws.events.market import Book, PriceChange
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL

ONE = scenes.info(1)
TWO = scenes.info(2, "Will the ferry leave?")


# Prices.


def test_price_is_the_exact_middle_of_the_spread() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.book(ONE, asks=scenes.levels(("0.525", "1"))), 5.0, WALL)
    quote = state.shown.leading.quote
    assert (quote.price, quote.basis, quote.stale) == (Decimal("0.5225"), "mid", False)


def test_price_is_the_last_trade_where_the_spread_is_wide() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.book(ONE, asks=scenes.levels(("0.63", "1"))), 5.0, WALL)
    quote = state.shown.leading.quote
    assert (quote.price, quote.basis) == (Decimal("0.53"), "last")


def test_price_is_the_middle_of_a_wide_spread_before_any_trade() -> None:
    state = scenes.state(ONE)
    state.apply(scenes.book(ONE, asks=scenes.levels(("0.92", "1"))), 0.0, WALL)
    assert state.shown.leading.quote.basis == "mid"
    assert state.shown.leading.quote.price == Decimal("0.72")


@pytest.mark.parametrize(
    ("bids", "asks", "price", "basis"),
    [
        ((("0.4", "1"),), (), Decimal("0.4"), "bid"),
        ((), (("0.6", "1"),), Decimal("0.6"), "ask"),
        ((), (), None, ""),
    ],
)
def test_price_of_a_one_sided_book_is_that_side(
    bids: tuple[tuple[str, str], ...],
    asks: tuple[tuple[str, str], ...],
    price: Decimal | None,
    basis: str,
) -> None:
    state = scenes.state(ONE)
    event = scenes.book(ONE, bids=scenes.levels(*bids), asks=scenes.levels(*asks))
    state.apply(event, 0.0, WALL)
    quote = state.shown.leading.quote
    assert (quote.price, quote.basis) == (price, basis)


def test_trade_of_the_other_outcome_is_turned_around() -> None:
    state = scenes.state(ONE)
    state.apply(scenes.trade(ONE, "0.3", outcome=1), 0.0, WALL)
    assert [outcome.traded for outcome in state.shown.outcomes] == [Decimal("0.7"), Decimal("0.3")]


def test_trade_of_one_of_three_outcomes_says_nothing_of_the_others() -> None:
    market = scenes.info(outcomes=("A", "B", "C"))
    state = scenes.state(market)
    state.apply(scenes.trade(market, "0.3", outcome=1), 0.0, WALL)
    assert [outcome.traded for outcome in state.shown.outcomes] == [None, Decimal("0.3"), None]


def test_change_is_since_the_first_price_that_was_known() -> None:
    state = scenes.state(ONE)
    state.tick(0.0)
    assert state.shown.leading.change is None
    state.apply(scenes.book(ONE), 0.5, WALL)
    state.tick(0.5)
    state.apply(scenes.change(ONE, "0.52", "0"), 1.0, WALL)
    assert state.shown.leading.change == Decimal("-0.005")


def test_stale_price_is_kept_and_told_and_leaves_a_hole_in_the_chart() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.disconnected(ONE), 5.0, WALL)
    state.tick(5.0)
    assert state.shown.leading.quote.price is not None
    assert state.shown.leading.quote.stale
    assert state.shown.condition == "stale"
    assert state.shown.history.columns(50)[-1] is None


# What is counted.


def test_rate_and_volume_are_counted() -> None:
    state = scenes.live(ONE)
    assert state.rate.count == state.shown.rate.count == 10
    assert state.rate.per_second > 0
    assert state.shown.volume == 120


def test_trade_that_is_told_twice_is_one_trade() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.trade(ONE), 5.0, WALL)
    assert state.shown.volume == 120
    assert len(state.shown.tape) == 1


def test_trades_alike_without_a_hash_are_two() -> None:
    state = scenes.state(ONE)
    for _ in range(2):
        state.apply(scenes.trade(ONE, tx=None), 0.0, WALL)
    assert state.shown.volume == 240


def test_trade_is_on_the_tape_as_the_taker_made_it() -> None:
    state = scenes.state(ONE)
    state.apply(scenes.trade(ONE, "0.47", "5", "SELL", outcome=1), 0.0, 0.0)
    row = state.shown.tape[0]
    assert isinstance(row, Trade)
    assert (row.at, row.side, row.outcome, row.size, row.price) == (
        WALL,
        "SELL",
        "No",
        Decimal(5),
        Decimal("0.47"),
    )


def test_lag_is_the_median_of_what_came_and_not_told_by_books() -> None:
    state = scenes.state(ONE)
    old = scenes.book(ONE, at=WALL - 3600)
    state.apply(old, 0.0, WALL)
    for lag in (0.010, 0.020, 0.400):
        state.apply(scenes.change(ONE, "0.5", "1", lag=lag), 0.0, WALL)
    state.tick(0.0)
    assert state.lag_milliseconds == pytest.approx(20, abs=0.01)
    assert state.shown.lag.milliseconds == pytest.approx(20, abs=0.01)


def test_events_of_markets_that_are_not_watched_change_nothing() -> None:
    state = scenes.live(ONE)
    before = state.rate.count
    for event in (scenes.book(TWO), scenes.trade(TWO), scenes.change(TWO, "0.1", "1")):
        state.apply(event, 5.0, WALL)
    state.apply(UnknownEvent(event_type="odd", raw="{}"), 5.0, WALL)
    assert state.rate.count == before
    assert len(state.shown.tape) == 1


def test_market_without_a_condition_id_is_found_by_its_token() -> None:
    market = scenes.info()
    nameless = type(market)(question="token 10", condition_id="", asset_ids=("10",))
    state = scenes.state(nameless)
    opening = scenes.book(market)
    change = scenes.change(market, "0.55", "1")
    assert isinstance(opening, Book)
    assert isinstance(change, PriceChange)
    state.apply(opening, 0.0, WALL)
    state.apply(change, 0.0, WALL)
    state.apply(scenes.resolved(market), 0.0, WALL)
    assert state.rate.count == 3
    assert state.shown.resolved


# What happened.


def test_tick_size_change_is_remarked_once() -> None:
    state = scenes.live(ONE)
    for outcome in (0, 1, 0):
        state.apply(scenes.tick(ONE, outcome=outcome), 5.0, WALL)
    remarks = [row for row in state.shown.tape if isinstance(row, Remark)]
    assert [row.text for row in remarks] == ["tick size now 0.1¢"]
    assert state.shown.depth.tick_size == Decimal("0.001")


def test_settled_market_shows_who_won() -> None:
    state = scenes.live(ONE, TWO)
    state.apply(scenes.resolved(ONE, winner=1), 5.0, WALL)
    market = state.markets[0]
    assert market.condition == "No won"
    assert [outcome.quote.price for outcome in market.outcomes] == [0, 1]
    assert market.tape[0] == Remark(WALL, "settled: No won")
    state.tick(5.0)
    assert not state.over


def test_settled_market_without_a_winner_is_just_settled() -> None:
    state = scenes.live(ONE)
    event = scenes.resolved(ONE)
    state.apply(type(event)(market=event.market, assets_ids=event.assets_ids), 5.0, WALL)
    assert state.shown.condition == "settled"


def test_closed_market_is_settled_from_the_start() -> None:
    closed = attrs.evolve(ONE, closed=True)
    state = scenes.state(closed)
    state.tick(0.0)
    assert state.shown.condition == "settled"
    assert state.over


def test_market_that_has_a_book_after_all_is_not_settled() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.resolved(ONE), 5.0, WALL)
    state.apply(scenes.book(ONE), 6.0, WALL)
    state.apply(scenes.mirrored(ONE, scenes.book(ONE)), 6.0, WALL)
    assert state.shown.condition == ""
    assert state.shown.leading.quote.basis == "mid"


def test_when_every_market_is_settled_nothing_more_will_come() -> None:
    state = scenes.live(ONE, TWO)
    for market in (ONE, TWO):
        state.apply(scenes.resolved(market), 5.0, WALL)
    state.apply(scenes.disconnected(ONE, TWO, reason="all subscribed assets resolved"), 5.1, WALL)
    state.tick(5.5)
    assert state.over
    assert state.link_word == ("settled", "plain")
    assert "nothing more will come" in state.status(6.0).text


def test_stalled_subscription_is_told_and_ends_with_a_book() -> None:
    state = scenes.state(ONE)
    state.apply(scenes.connected(ONE), 0.0, WALL)
    stalled = SubscriptionStalled(channel="market", connection=1, asset_ids=ONE.asset_ids)
    state.apply(stalled, 30.0, WALL)
    assert state.shown.condition == "no book"
    assert "no book came for 2 tokens" in state.status(31.0).text
    state.apply(scenes.book(ONE), 32.0, WALL)
    assert state.shown.condition == ""


def test_settled_market_that_has_no_book_any_more_is_no_news() -> None:
    state = scenes.live(ONE, TWO)
    state.apply(scenes.resolved(ONE), 5.0, WALL)
    before = list(state.markets[0].tape)
    for market in (ONE, TWO):
        state.apply(SubscriptionStalled(connection=1, asset_ids=market.asset_ids), 90.0, WALL)
        if market is ONE:
            assert "nothing missed" in state.status(91.0).text
    assert state.markets[0].condition == "Yes won"
    assert list(state.markets[0].tape) == before
    assert "no book came for 2 tokens" in state.status(91.0).text


# The connection.


def test_before_the_first_connection_it_connects() -> None:
    state = scenes.state(ONE)
    assert state.link_word == ("connecting", "plain")
    assert state.status(0.0).text == "connecting to 127.0.0.1:8765 …"
    assert not state.connected
    assert state.shown.condition == "waiting"


def test_status_of_a_quiet_life() -> None:
    state = scenes.live(ONE)
    assert state.link_word == ("live", "good")
    assert state.status(12.9).text == "connected 12 s ago, nothing missed"


def test_lost_connection_is_told_with_its_reason() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.disconnected(ONE), 10.0, WALL)
    assert state.link_word == ("lost", "bad")
    status = state.status(13.2)
    assert status.text == "connection lost 3 s ago (reset), connecting again"
    assert status.tone == "bad"


def test_reconnection_is_told_with_what_was_missed() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.disconnected(ONE), 10.0, WALL)
    state.apply(scenes.connected(ONE, epoch=2, gap=1.2), 11.0, WALL + 1)
    assert state.status(14.1).text == "reconnected 3 s ago, 1.2 s missed"
    assert state.missed == "1 gap: 1.2 s missed"
    texts = [row.text for row in state.shown.tape if isinstance(row, Remark)]
    assert texts == ["back, 1.2 s missed", "connection lost"]
    later = state.status(11.0 + NEWS_SECONDS + 1)
    assert later.text == "connected 21 s ago, 1 gap: 1.2 s missed"


def test_one_lost_connection_of_two_is_told_as_such() -> None:
    state = scenes.state(ONE, TWO)
    state.apply(scenes.connected(ONE, number=1), 0.0, WALL)
    state.apply(scenes.connected(TWO, number=2), 0.0, WALL)
    assert state.connected
    state.apply(scenes.disconnected(TWO, number=2), 1.0, WALL)
    assert state.link_word == ("1 of 2 lost", "bad")
    assert not state.connected
    assert state.markets[0].tape == state.markets[0].tape.__class__()
    assert state.markets[1].tape


def test_dropped_events_are_told_and_concern_every_market() -> None:
    state = scenes.live(ONE, TWO)
    state.apply(Dropped(count=1203), 5.0, WALL)
    assert state.dropped == 1203
    assert state.missed == "1,203 dropped"
    assert state.status(6.0).tone == "bad"
    assert [market.condition for market in state.markets] == ["stale", "stale"]


def test_unreadable_and_refused_are_told() -> None:
    state = scenes.live(ONE)
    failure = DecodeFailure(
        channel="market", asset_ids=ONE.asset_ids, raw="{", error="no\x1b[2JSON"
    )
    state.apply(failure, 5.0, WALL)
    assert state.status(5.0).text == "unreadable: no [2JSON"
    state.apply(SubscriptionRejected(channel="market", message="no"), 6.0, WALL)
    assert state.status(6.0).text == "the exchange refused: no"


def test_news_of_the_status_line_pass() -> None:
    state = scenes.live(ONE)
    state.tell("something\nhappened", 5.0)
    assert state.status(6.0).text == "something happened"
    assert state.status(5.0 + NEWS_SECONDS).text.startswith("connected")


# The screen's own.


def test_selection_goes_around() -> None:
    state = scenes.live(ONE, TWO)
    state.select(1)
    assert state.shown is state.markets[1]
    state.select(1)
    assert state.shown is state.markets[0]
    state.select(-1)
    assert state.shown is state.markets[1]


def test_meters_are_read_twice_a_second_also_after_a_pause() -> None:
    state = scenes.state(ONE)
    read = [state.tick(at) for at in (0.0, 0.2, 0.5, 0.6, 60.0, 60.1, 60.5)]
    assert read == [True, False, True, False, True, False, True]


def test_question_and_outcomes_cannot_carry_a_sequence() -> None:
    market = scenes.info(question="Will\x1b[31m it\nrain?", outcomes=("Y\x07es", "No"))
    state = scenes.state(market)
    assert state.shown.question == "Will [31m it rain?"
    assert state.shown.leading.name == "Y es"


def test_market_without_outcome_names_numbers_them() -> None:
    market = scenes.info()
    state = scenes.state(type(market)(question="", condition_id="0x1", asset_ids=("1", "2")))
    assert [outcome.name for outcome in state.shown.outcomes] == ["token 1", "token 2"]
    assert state.shown.question == "0x1"
