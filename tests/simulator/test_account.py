from __future__ import annotations

import json
import random
from typing import Any

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.account import Account, OrderType
from polymarket_ws.simulator.catalogue import Topic, described
from polymarket_ws.simulator.ledger import BUY, SELL
from polymarket_ws.simulator.market import SimulatedMarket

NOW = 1_791_072_000_000


@pytest.fixture
def account() -> Account:
    return Account(7)


@pytest.fixture
def market() -> SimulatedMarket:
    """Bid 100 shares at 0.40, offer 100 at 0.60."""
    rng = random.Random(7)
    market = SimulatedMarket(described(Topic.alone("Will it rain?"), rng), rng, NOW, middle=500)
    market.rework([(BUY, price, 0) for price in market.ledger.bids.prices], NOW)
    market.rework([(SELL, price, 0) for price in market.ledger.asks.prices], NOW)
    market.rework([(BUY, 400, 10_000), (SELL, 600, 10_000)], NOW)
    return market


def place(
    account: Account,
    market: SimulatedMarket,
    side: str,
    price: int,
    size: int,
    order_type: OrderType = "GTC",
    outcome: int = 0,
) -> str:
    return account.place(
        market, outcome, side=side, price=price, size=size, order_type=order_type, now_ms=NOW
    )[0]


def events(account: Account) -> list[dict[str, Any]]:
    return [json.loads(text) for _, text in account.take_events()]


def kinds(account: Account) -> list[str]:
    return [
        event["type"] if event["event_type"] == "order" else event["status"]
        for event in events(account)
    ]


def test_an_order_that_crosses_nothing_rests_in_the_book(
    account: Account, market: SimulatedMarket
) -> None:
    order_id = place(account, market, BUY, 500, 3000)
    assert market.ledger.bids.size(500) == 3000
    assert [order.id for order in account.open_orders] == [order_id]
    assert kinds(account) == ["PLACEMENT"]


def test_an_order_on_the_second_outcome_rests_in_the_mirror(
    account: Account, market: SimulatedMarket
) -> None:
    place(account, market, SELL, 450, 3000, outcome=1)
    assert market.ledger.bids.size(550) == 3000
    (event,) = events(account)
    assert (event["side"], event["price"], event["outcome"]) == ("SELL", "0.45", "No")
    assert event["asset_id"] == market.info.asset_ids[1]


def test_a_resting_order_is_filled_in_parts(account: Account, market: SimulatedMarket) -> None:
    order_id = place(account, market, BUY, 500, 3000)
    account.take_events()
    market.trade(0, SELL, 1000, NOW)
    trade, update = events(account)
    assert trade["trader_side"] == "MAKER"
    assert trade["owner"] != account.keys.api_key
    (maker,) = trade["maker_orders"]
    assert (maker["order_id"], maker["matched_amount"]) == (order_id, "10")
    assert (update["status"], update["size_matched"]) == ("LIVE", "10")
    assert update["associate_trades"] == [trade["id"]]
    market.trade(0, SELL, 2000, NOW)
    assert events(account)[1]["status"] == "MATCHED"
    assert account.open_orders == []


def test_a_trade_that_passes_an_order_by_is_not_told(
    account: Account, market: SimulatedMarket
) -> None:
    place(account, market, BUY, 400, 1000)
    account.take_events()
    market.trade(0, SELL, 10_000, NOW)
    assert events(account) == []
    market.trade(0, SELL, 500, NOW)
    assert kinds(account) == ["MATCHED", "UPDATE"]


def test_one_trade_may_fill_several_orders(account: Account, market: SimulatedMarket) -> None:
    placed = {place(account, market, BUY, price, 1000) for price in (480, 490)}
    account.take_events()
    market.trade(0, SELL, 2500, NOW)
    trade, *updates = events(account)
    assert {update["id"] for update in updates} == placed
    assert sum(float(maker["matched_amount"]) for maker in trade["maker_orders"]) == 25
    assert trade["size"] == "25"
    assert len(account.trades) == 1


def test_what_crosses_is_taken_and_the_rest_rests(
    account: Account, market: SimulatedMarket
) -> None:
    order_id = place(account, market, BUY, 600, 15_000)
    placement, trade, update = events(account)
    assert (placement["status"], placement["size_matched"]) == ("LIVE", "0")
    assert (trade["trader_side"], trade["taker_order_id"]) == ("TAKER", order_id)
    assert trade["owner"] == trade["trade_owner"] == account.keys.api_key
    assert update["size_matched"] == "100"
    assert market.ledger.bids.size(600) == 5000
    assert market.stakes.owned(BUY, 600) == 5000


def test_an_account_can_meet_itself(account: Account, market: SimulatedMarket) -> None:
    resting = place(account, market, SELL, 500, 1000)
    taking = place(account, market, BUY, 500, 1000)
    assert [account.orders[key].status for key in (resting, taking)] == ["MATCHED", "MATCHED"]
    assert len(account.trades) == 1
    assert account.open_orders == []


def test_fok_is_killed_unless_all_of_it_is_there(account: Account, market: SimulatedMarket) -> None:
    place(account, market, BUY, 600, 10_001, "FOK")
    (event,) = events(account)
    assert event["type"] == "CANCELLATION"
    assert event["status"].startswith("CANCELED_order couldn't be fully filled")
    assert market.ledger.asks.size(600) == 10_000
    place(account, market, BUY, 600, 10_000, "FOK")
    assert kinds(account) == ["PLACEMENT", "MATCHED", "UPDATE"]


def test_fak_takes_what_is_there_and_kills_the_rest(
    account: Account, market: SimulatedMarket
) -> None:
    order_id = place(account, market, BUY, 600, 12_000, "FAK")
    assert kinds(account) == ["PLACEMENT", "MATCHED", "UPDATE", "CANCELLATION"]
    order = account.orders[order_id]
    assert (order.matched, order.status) == (10_000, "CANCELED")
    assert market.ledger.bids.size(600) == 0
    place(account, market, BUY, 600, 12_000, "FAK")
    assert kinds(account) == ["CANCELLATION"]


def test_cancelling_takes_the_rest_out_of_the_book(
    account: Account, market: SimulatedMarket
) -> None:
    order_id = place(account, market, BUY, 400, 1000)
    market.trade(0, SELL, 10_400, NOW)
    account.take_events()
    messages = account.cancel(order_id, NOW)
    assert market.ledger.bids.size(400) == 0
    assert any('"price_changes"' in message.text for message in messages)
    (event,) = events(account)
    assert (event["status"], event["size_matched"]) == ("CANCELED", "4")


@pytest.mark.parametrize("how", ["unknown", "cancelled", "filled"])
def test_only_an_open_order_can_be_cancelled(
    account: Account, market: SimulatedMarket, how: str
) -> None:
    order_id = place(account, market, BUY, 600 if how == "filled" else 500, 1000)
    if how == "cancelled":
        account.cancel(order_id, NOW)
    with pytest.raises(UsageError, match="no order" if how == "unknown" else "not open any more"):
        account.cancel("0x0" if how == "unknown" else order_id, NOW)


def test_a_settlement_ends_every_order(account: Account, market: SimulatedMarket) -> None:
    order_id = place(account, market, BUY, 500, 1000)
    account.take_events()
    market.settle(NOW)
    (event,) = events(account)
    assert (event["type"], event["status"]) == ("CANCELLATION", "CANCELED_MARKET_RESOLVED")
    assert account.orders[order_id].status == "CANCELED_MARKET_RESOLVED"
    assert len(market.ledger.bids) == 0


def test_a_trade_reaches_the_chain_with_time(account: Account, market: SimulatedMarket) -> None:
    place(account, market, BUY, 600, 1000)
    account.take_events()
    told = []
    for second in range(10):
        account.advance(NOW + second * 1000)
        told += [(second, kind) for kind in kinds(account)]
    assert told == [(2, "MINED"), (6, "CONFIRMED")]


def test_a_refused_trade_fails_and_the_next_one_does_not(
    account: Account, market: SimulatedMarket
) -> None:
    account.refuse_next(1)
    place(account, market, BUY, 600, 1000)
    place(account, market, BUY, 600, 1000)
    account.take_events()
    account.finish(NOW)
    assert kinds(account) == ["RETRYING", "MINED", "FAILED", "CONFIRMED"]
    assert [trade.status for trade in account.trades.values()] == ["FAILED", "CONFIRMED"]


def test_the_transaction_is_that_of_the_market_channel(
    account: Account, market: SimulatedMarket
) -> None:
    messages = account.place(
        market, 0, side=BUY, price=600, size=1000, order_type="GTC", now_ms=NOW
    )[1]
    (announced,) = [json.loads(m.text) for m in messages if "last_trade_price" in m.text][:1]
    account.finish(NOW)
    assert events(account)[-1]["transaction_hash"] == announced["transaction_hash"]


def test_makers_are_on_either_token(account: Account, market: SimulatedMarket) -> None:
    tokens = set()
    for _ in range(30):
        place(account, market, BUY, 600, 100)
    for event in events(account):
        for maker in event.get("maker_orders", ()):
            token = market.info.asset_ids.index(maker["asset_id"])
            tokens.add((token, maker["side"], maker["price"]))
    assert tokens == {(0, "SELL", "0.6"), (1, "BUY", "0.4")}


def test_nobody_else_can_cancel_what_is_the_accounts(
    account: Account, market: SimulatedMarket
) -> None:
    place(account, market, BUY, 400, 1000)
    market.cancel(0, BUY, 400, None, NOW)
    assert market.ledger.bids.size(400) == 1000
    with pytest.raises(ValueError, match="cannot be cancelled"):
        market.cancel(0, BUY, 400, None, NOW)
    market.rework([(BUY, 400, 0), (BUY, 300, 500)], NOW)
    assert market.ledger.bids.size(400) == 1000


def test_a_scripted_trade_does_not_push_an_order_aside(
    account: Account, market: SimulatedMarket
) -> None:
    place(account, market, SELL, 500, 1000)
    with pytest.raises(UsageError, match="in the way"):
        market.trade_at(0, BUY, 550, 1000, NOW)


def test_the_same_seed_gives_the_same_keys_and_events() -> None:
    def run() -> list[tuple[str, str]]:
        rng = random.Random(3)
        market = SimulatedMarket(described(Topic.alone("Again?"), rng), rng, NOW)
        account = Account(5)
        place(account, market, BUY, 990, 500_000)
        account.finish(NOW)
        return account.take_events()

    assert Account(5).keys.secret == Account(5).keys.secret != Account(6).keys.secret
    assert run() == run()


def test_random_traders_live_with_own_orders(account: Account, market: SimulatedMarket) -> None:
    for price in (100, 300, 450, 550, 700, 900):
        place(account, market, BUY if price < 500 else SELL, price, 20_000)
    for step in range(3000):
        market.step(NOW + step)
        bid, ask = market.ledger.top(0)
        assert bid < ask
        for order in account.open_orders:
            ladder = market.ledger.ladder(order.side)
            assert ladder.size(order.price) >= order.size - order.matched
    assert account.trades


def test_a_market_that_runs_away_fills_what_is_in_its_way(
    account: Account, market: SimulatedMarket
) -> None:
    below = place(account, market, SELL, 700, 1000)
    market.flow.rally(NOW)
    assert account.orders[below].status == "MATCHED"
    assert market.ledger.top(0)[0] < market.ledger.top(0)[1]
