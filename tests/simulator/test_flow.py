from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.venue import SimulatedVenue

NOW = 1_791_128_503_230


def market(index: int, seed: int = 5) -> SimulatedMarket:
    info = SimulatedVenue(seed=1, markets=4, now_ms=NOW).infos[index]
    return SimulatedMarket(info, random.Random(seed), NOW)


def spreads(moving: SimulatedMarket, steps: int = 20_000) -> Iterator[int]:
    for step in range(steps):
        moving.step(NOW + step * 40)
        bid, ask = moving.ledger.top(0)
        yield (ask - bid) // moving.tick


@pytest.mark.parametrize("index", [0, 3], ids=["coarse", "fine"])
def test_the_spread_opens_and_closes(index: int) -> None:
    counts = Counter(spreads(market(index)))
    assert counts[1] > 1000
    assert sum(count for ticks, count in counts.items() if ticks >= 4) > 1000
    assert min(counts) == 1


@pytest.mark.parametrize("index", [0, 3], ids=["coarse", "fine"])
def test_the_market_follows_the_fair_price(index: int) -> None:
    moving = market(index)
    distances = []
    fair = set()
    for _ in spreads(moving):
        bid, ask = moving.ledger.top(0)
        distances.append(abs((bid + ask) / 2 - moving.flow.fair))
        fair.add(round(moving.flow.fair))
    assert sum(distances) / len(distances) < 25
    assert max(fair) - min(fair) > 100


def test_several_changes_of_one_move_share_time_and_hash() -> None:
    moving = market(0)
    sizes = Counter[int]()
    for step in range(3000):
        changes = [
            json.loads(message.text)
            for message in moving.step(NOW + step)
            if '"price_changes"' in message.text
        ]
        stamps = {change["timestamp"] for change in changes}
        hashes = {(e["asset_id"], e["hash"]) for c in changes for e in c["price_changes"]}
        assert len(stamps) == 1
        assert len(hashes) == 2
        sizes[len(changes)] += 1
    assert sum(count for size, count in sizes.items() if size > 1) > 100


def test_a_rally_ends_at_a_finer_tick_near_one() -> None:
    rallying = market(0)
    kinds = [json.loads(m.text)["event_type"] for m in rallying.flow.rally(NOW)]
    assert "tick_size_change" in kinds
    for step in range(5000):
        rallying.step(NOW + step)
        bid, ask = rallying.ledger.top(0)
        assert 900 <= bid < ask <= 999
    assert abs((bid + ask) / 2 - 970) < 15


def test_the_random_traders_cope_with_an_empty_book_and_a_coarser_grid() -> None:
    from decimal import Decimal

    moving = market(3)
    ledger = moving.ledger
    moving.change_tick_size(Decimal("0.01"), NOW)
    list(spreads(moving, 2000))
    empty = [("BUY", price, 0) for price in ledger.bids.prices]
    empty += [("SELL", price, 0) for price in ledger.asks.prices]
    moving.rework(empty, NOW)
    list(spreads(moving, 2000))
    assert len(ledger.bids) >= 3
    assert len(ledger.asks) >= 3
