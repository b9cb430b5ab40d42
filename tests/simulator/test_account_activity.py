from __future__ import annotations

import json
import random
from collections import Counter

from polymarket_ws.simulator.account import Account
from polymarket_ws.simulator.account_activity import AccountActivity
from polymarket_ws.simulator.venue import SimulatedVenue

NOW = 1_791_072_000_000


def a_run(seconds: int, rate: float = 5.0, seed: int = 4) -> tuple[Account, list[tuple[str, str]]]:
    venue = SimulatedVenue(seed, 3, NOW)
    account = Account(seed)
    activity = AccountActivity(account, random.Random(seed), rate, NOW)
    for now in range(NOW, NOW + seconds * 1000, 40):
        venue.step(now)
        account.advance(now)
        activity.due(venue.markets, now)
    return account, account.take_events()


def test_every_way_of_an_order_and_a_trade_is_seen() -> None:
    account, events = a_run(240)
    ways: Counter[str] = Counter()
    for _, text in events:
        event = json.loads(text)
        ways[event["type"] if event["event_type"] == "order" else event["status"]] += 1
    assert set(ways) == {
        *("PLACEMENT", "UPDATE", "CANCELLATION"),
        *("MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"),
    }
    partly = [o for o in account.orders.values() if 0 < o.matched < o.size and o.trades]
    assert partly
    assert {trade.trader_side for trade in account.trades.values()} == {"TAKER", "MAKER"}


def test_it_keeps_its_rate_and_few_orders_open() -> None:
    account, _ = a_run(60, rate=5.0)
    assert 100 <= len(account.orders) <= 300
    assert len(account.open_orders) <= 10


def test_the_same_seed_does_the_same() -> None:
    assert a_run(30)[1] == a_run(30)[1]


def test_of_a_long_silence_only_the_last_moment_is_caught_up_on() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    account = Account(1)
    activity = AccountActivity(account, random.Random(1), 10.0, NOW)
    activity.due(venue.markets, NOW + 3_600_000)
    assert len(account.orders) <= 11


def test_nothing_happens_where_every_market_is_settled() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    venue.markets[0].settle(NOW)
    account = Account(1)
    activity = AccountActivity(account, random.Random(1), 10.0, NOW)
    assert activity.due(venue.markets, NOW + 1000) == []
    assert account.orders == {}
