from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from polymarket_ws.book import OrderBook
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book, LastTradePrice, MarketResolved, NewMarket, PriceChange
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.simulator.ledger import BUY, SELL
from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

NOW = 1_791_128_503_230


@pytest.fixture
def market() -> SimulatedMarket:
    return SimulatedVenue(seed=7, markets=1, now_ms=NOW).markets[0]


def values(messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.text) for message in messages]


def kinds(messages: list[Message]) -> list[str]:
    return [value["event_type"] for value in values(messages)]


def decoded(text: str) -> list[Event]:
    decoder = Decoder(MarketDialect.vocabulary, connection=1)
    return decoder.decode(text.encode(), received_at=0.0, epoch=1)


def test_an_order_changes_one_level_of_each_outcome(market: SimulatedMarket) -> None:
    bid, ask = market.ledger.top(0)
    resting = market.ledger.bids.size(bid)
    [change] = values([m for m in market.place(0, BUY, bid, 300, NOW + 5) if not m.custom])
    yes, no = change["price_changes"]
    assert change["timestamp"] == str(NOW + 5)
    assert (yes["asset_id"], yes["side"]) == (market.info.asset_ids[0], "BUY")
    assert (no["asset_id"], no["side"]) == (market.info.asset_ids[1], "SELL")
    assert Decimal(yes["price"]) == 1 - Decimal(no["price"]) == Decimal(bid) / 1000
    assert Decimal(yes["size"]) == Decimal(no["size"]) == Decimal(resting + 300) / 100
    assert Decimal(yes["best_ask"]) == 1 - Decimal(no["best_bid"]) == Decimal(ask) / 1000


def test_an_order_for_the_second_outcome_lists_it_first(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(1)
    [change] = values([m for m in market.place(1, BUY, bid, 300, NOW) if not m.custom])
    assert [entry["asset_id"] for entry in change["price_changes"]] == [
        market.info.asset_ids[1],
        market.info.asset_ids[0],
    ]


def test_a_cancelled_level_is_removed_with_size_zero(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(0)
    [change] = values([m for m in market.cancel(0, BUY, bid, None, NOW) if not m.custom])
    assert {entry["size"] for entry in change["price_changes"]} == {"0"}
    assert market.ledger.top(0)[0] < bid


def test_a_trade_is_told_as_the_live_exchange_tells_it(market: SimulatedMarket) -> None:
    best = market.ledger.asks.prices[-1]
    size = market.ledger.asks.size(best)
    messages = market.trade(0, BUY, size, NOW + 9)
    assert kinds(messages) == [
        "last_trade_price",
        "best_bid_ask",
        "best_bid_ask",
        "price_change",
        "book",
        "book",
    ]
    trade, _, _, change, *books = values(messages)
    assert (trade["asset_id"], trade["side"]) == (market.info.asset_ids[0], "BUY")
    assert Decimal(trade["price"]) == Decimal(best) / 1000
    assert Decimal(trade["size"]) == Decimal(size) / 100
    assert {entry["asset_id"]: entry["hash"] for entry in change["price_changes"]} == {
        book["asset_id"]: book["hash"] for book in books
    }


def test_a_trade_through_two_levels_is_one_burst_with_one_hash(market: SimulatedMarket) -> None:
    best, second = market.ledger.bids.prices[-1], market.ledger.bids.prices[-2]
    size = market.ledger.bids.size(best) + market.ledger.bids.size(second) - 1
    messages = [m for m in market.trade(0, SELL, size, NOW) if not m.custom]
    assert kinds(messages) == ["last_trade_price", *["price_change"] * 2, *["book"] * 2]
    first, last = values(messages)[1:3]
    assert first["price_changes"][0]["hash"] == last["price_changes"][0]["hash"]
    assert [change["price_changes"][0]["size"] for change in (first, last)] == ["0", "0.01"]


def test_a_taker_of_the_second_outcome_pays_its_price(market: SimulatedMarket) -> None:
    _, ask = market.ledger.top(1)
    trade = values(market.trade(1, BUY, 100, NOW))[0]
    assert trade["asset_id"] == market.info.asset_ids[1]
    assert Decimal(trade["price"]) == Decimal(ask) / 1000


@pytest.mark.parametrize("price", [0, 1000, 501, 990])
def test_an_order_off_the_grid_or_through_the_book_is_refused(
    market: SimulatedMarket, price: int
) -> None:
    with pytest.raises(ValueError, match="thousandths"):
        market.place(0, BUY, price, 100, NOW)


def test_no_more_can_be_cancelled_or_traded_than_rests(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(0)
    with pytest.raises(ValueError, match="cannot be cancelled"):
        market.cancel(0, BUY, bid, 10**9, NOW)
    with pytest.raises(ValueError, match="to trade with"):
        market.trade(0, SELL, 10**9, NOW)


def test_timestamps_do_not_follow_a_clock_that_is_set_back(market: SimulatedMarket) -> None:
    market.step(NOW + 1000)
    [*_, last] = values(market.step(NOW))
    assert int(last["timestamp"]) >= NOW + 1000


def test_every_hash_and_every_best_price_is_true() -> None:
    venue = SimulatedVenue(seed=3, markets=4, now_ms=NOW)
    books = {
        asset_id: OrderBook.of(info, asset_id)
        for info in venue.infos
        for asset_id in info.asset_ids
    }
    of_market = {info.condition_id: [books[a] for a in info.asset_ids] for info in venue.infos}
    for event in decoded(venue.dump(books)):
        assert isinstance(event, Book)
        assert books[event.asset_id].apply(event)
        assert books[event.asset_id].hash() == event.hash
    checked = 0
    for step in range(4000):
        burst = [e for m in venue.step(NOW + step) if not m.custom for e in decoded(m.text)]
        for event in burst:
            assert isinstance(event, (Book, PriceChange, LastTradePrice))
            for book in of_market[event.market]:
                book.apply(event)
            if isinstance(event, PriceChange):
                for entry in event.price_changes:
                    book = books[entry.asset_id]
                    assert book.best_bid == entry.best_bid
                    assert book.best_ask == entry.best_ask
        final = [e for e in burst if isinstance(e, PriceChange)][-1]
        for entry in final.price_changes:
            book = books[entry.asset_id]
            assert entry.hash is not None
            assert book.verify(entry.hash)
            checked += 1
    assert checked == 8000


def test_a_market_moves_for_long_without_running_dry_or_out_of_bounds() -> None:
    info = SimulatedVenue(seed=1, markets=1, now_ms=NOW).infos[0]
    market = SimulatedMarket(info, random.Random(5), NOW)
    seen: dict[str, int] = {}
    for step in range(20_000):
        for kind in kinds(market.step(NOW + step)):
            seen[kind] = seen.get(kind, 0) + 1
        bid, ask = market.ledger.top(0)
        assert 40 < bid < ask < 960
    assert seen.keys() == {"book", "price_change", "last_trade_price", "best_bid_ask"}
    assert seen["last_trade_price"] > 500


# -- limit orders that cross ------------------------------------------------------------


def test_a_limit_order_that_crosses_nothing_rests(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(0)
    resting = market.ledger.bids.size(bid)
    assert "last_trade_price" not in kinds(market.submit(0, BUY, bid, 300, NOW))
    assert market.ledger.bids.size(bid) == resting + 300


def test_a_limit_order_trades_at_the_makers_price_and_partly_fills_the_maker(
    market: SimulatedMarket,
) -> None:
    best = market.ledger.asks.prices[-1]
    size = market.ledger.asks.size(best)
    messages = market.submit(0, BUY, best + 50, size - 100, NOW)
    trade = values(messages)[0]
    assert Decimal(trade["price"]) == Decimal(best) / 1000
    assert Decimal(trade["size"]) == Decimal(size - 100) / 100
    assert market.ledger.asks.size(best) == 100


def test_what_a_limit_order_leaves_unfilled_rests_at_its_limit(market: SimulatedMarket) -> None:
    best, second = market.ledger.asks.prices[-1], market.ledger.asks.prices[-2]
    size = market.ledger.asks.size(best)
    messages = [m for m in market.submit(0, BUY, best, size + 700, NOW) if not m.custom]
    assert kinds(messages) == ["last_trade_price", *["price_change"] * 2, *["book"] * 2]
    assert Decimal(values(messages)[0]["size"]) == Decimal(size) / 100
    assert market.ledger.top(0) == (best, second)
    assert market.ledger.bids.size(best) == 700
    yes, no = values(messages)[-2:]
    assert yes["bids"][-1] == {"price": text_of(best), "size": "7"}
    assert no["asks"][-1] == {"price": text_of(1000 - best), "size": "7"}


def test_an_order_for_no_matches_the_makers_of_yes(market: SimulatedMarket) -> None:
    best = market.ledger.bids.prices[-1]
    size = market.ledger.bids.size(best)
    trade = values(market.submit(1, BUY, 1000 - best, size, NOW))[0]
    assert trade["asset_id"] == market.info.asset_ids[1]
    assert Decimal(trade["price"]) == 1 - Decimal(best) / 1000
    assert market.ledger.bids.size(best) == 0


def text_of(price: int) -> str:
    return format((Decimal(price) / 1000).normalize(), "f")


@pytest.mark.parametrize("outcome", [0, 1])
@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("price", [20, 350, 500, 650, 980])
def test_a_trade_happens_at_the_price_that_was_said(
    market: SimulatedMarket, outcome: int, side: str, price: int
) -> None:
    messages = market.trade_at(outcome, side, price, 12_300, NOW)
    [trade] = [value for value in values(messages) if value["event_type"] == "last_trade_price"]
    assert trade["asset_id"] == market.info.asset_ids[outcome]
    assert (trade["price"], trade["size"], trade["side"]) == (text_of(price), "123", side)
    bid, ask = market.ledger.top(0)
    assert bid < ask


def test_two_bursts_in_one_millisecond_have_two_timestamps(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(0)
    first = values(market.place(0, BUY, bid, 100, NOW + 1))[-1]
    second = values(market.place(0, BUY, bid, 100, NOW + 1))[-1]
    assert int(second["timestamp"]) == int(first["timestamp"]) + 1


def test_timestamps_lead_the_clock_by_a_tenth_of_a_second_at_most(market: SimulatedMarket) -> None:
    bid, _ = market.ledger.top(0)
    for _ in range(300):
        market.place(0, BUY, bid, 100, NOW)
    assert market.ledger.timestamp == NOW + 100


# -- its life ---------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "price"), [(0, 970), (0, 30), (1, 970), (1, 30)])
def test_the_tick_gets_finer_when_the_price_passes_96_or_4_cents(
    market: SimulatedMarket, outcome: int, price: int
) -> None:
    messages = market.trade_at(outcome, BUY, price, 100, NOW)
    changes = [v for v in values(messages) if v["event_type"] == "tick_size_change"]
    assert {change["asset_id"] for change in changes} == set(market.info.asset_ids)
    assert len(changes) in (2, 4)
    assert {(c["old_tick_size"], c["new_tick_size"]) for c in changes} == {("0.01", "0.001")}
    assert market.info.tick_size == Decimal("0.001")
    market.place(0, BUY, 1, 100, NOW)


def test_a_tick_change_comes_twice_about_every_other_time() -> None:
    counts = set()
    for seed in range(20):
        market = SimulatedVenue(seed, markets=1, now_ms=NOW).markets[0]
        counts.add(kinds(market.trade_at(0, BUY, 970, 100, NOW)).count("tick_size_change"))
    assert counts == {2, 4}


def test_the_hash_of_the_finer_grid_can_be_verified(market: SimulatedMarket) -> None:
    asset_id = market.info.asset_ids[0]
    book = OrderBook.of(market.info, asset_id)
    book.apply(decoded(market.ledger.opening(0))[0])
    for message in market.trade_at(0, BUY, 970, 100, NOW):
        for event in decoded(message.text):
            book.apply(event)
    assert book.hash() == json.loads(market.ledger.rest(0))["hash"]
    for message in market.place(0, BUY, 955, 100, NOW + 1):
        for event in decoded(message.text):
            book.apply(event)
    assert book.verify()


def test_a_settlement_sets_every_level_to_zero_in_one_burst(market: SimulatedMarket) -> None:
    levels = len(market.ledger.bids) + len(market.ledger.asks)
    messages = market.settle(NOW + 5)
    changes = [v for v in values(messages) if v["event_type"] == "price_change"]
    entries = [entry for change in changes for entry in change["price_changes"]]
    assert len(changes) > 1
    assert len(entries) == 2 * levels
    assert {(e["size"], e["best_bid"], e["best_ask"]) for e in entries} == {("0", "0", "1")}
    assert len({entry["hash"] for entry in entries}) == 2
    summaries = [v for v in values(messages) if v["event_type"] == "best_bid_ask"]
    assert [(s["best_bid"], s["best_ask"]) for s in summaries] == [("0", "1")] * 2
    assert not market.moves


def test_a_resolution_names_the_winner_and_closes_the_market(market: SimulatedMarket) -> None:
    market.settle(NOW)
    [message] = market.resolve(1, NOW + 5)
    assert message.final
    assert message.custom
    told = json.loads(message.text)
    assert told["winning_asset_id"] == market.info.asset_ids[1]
    assert told["winning_outcome"] == "No"
    assert market.info.closed
    assert isinstance(decoded(message.text)[0], MarketResolved)


def test_an_announcement_is_for_everybody_with_the_custom_features(market: SimulatedMarket) -> None:
    message = market.announce(NOW)
    assert message.everybody
    assert message.custom
    [event] = decoded(message.text)
    assert isinstance(event, NewMarket)
    assert event.question == market.info.question
    assert event.assets_ids == market.info.asset_ids


def test_a_crossed_book_cannot_be_set(market: SimulatedMarket) -> None:
    with pytest.raises(ValueError, match="at or above"):
        market.rework([(BUY, 990, 100)], NOW)
