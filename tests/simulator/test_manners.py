from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from polymarket_ws.simulator.manners import as_live
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

NOW = 1_791_128_503_230


@pytest.fixture(scope="module")
def moves() -> list[list[Message]]:
    """Many fills as they come from the market, before anything is done to them."""
    market = SimulatedVenue(seed=2, markets=1, now_ms=NOW).markets[0]
    fills = []
    for step in range(3000):
        fills.append(market.trade(0, "BUY", 1, NOW + step))
        market.place(0, "SELL", 960, 100, NOW + step)
    return fills


def values(messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.text) for message in messages]


def kinds(messages: list[Message]) -> list[str]:
    return [value["event_type"] for value in values(messages)]


def test_a_trade_comes_first_or_last(moves: list[list[Message]]) -> None:
    rng = random.Random(1)
    places = Counter(kinds(as_live(move, rng)).index("last_trade_price") > 0 for move in moves)
    assert places[False] > places[True] > 300


def test_a_change_comes_twice_now_and_then_with_its_entries_in_any_order(
    moves: list[list[Message]],
) -> None:
    rng = random.Random(1)
    repeated = Counter[bool]()
    for move in moves:
        changes = [value for value in values(as_live(move, rng)) if "price_changes" in value]
        if len(changes) == 2:
            first, second = changes
            repeated[first == second] += 1
            turned = second | {"price_changes": second["price_changes"][::-1]}
            assert first in (second, turned)
    assert repeated[True] > 5
    assert repeated[False] > 5
    assert sum(repeated.values()) < 100


def test_a_summary_is_missing_now_and_then() -> None:
    market = SimulatedVenue(seed=2, markets=1, now_ms=NOW).markets[0]
    best = market.ledger.bids.prices[-1]
    move = market.cancel(0, "BUY", best, None, NOW)
    rng = random.Random(1)
    counts = Counter(kinds(as_live(move, rng)).count("best_bid_ask") for _ in range(500))
    assert counts.keys() == {0, 1, 2}
    assert counts[2] > 300


def test_nothing_else_is_lost_or_made_up(moves: list[list[Message]]) -> None:
    rng = random.Random(5)
    for move in moves:
        changed = {message.text for message in as_live(move, rng) if not message.custom}
        plain = {message.text for message in move if not message.custom}
        assert plain <= changed
        assert len(changed - plain) <= 1
