from __future__ import annotations

import json
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator.ledger import BUY, SELL, Ladder, Ledger

INFO = MarketInfo(
    question="?",
    condition_id="0xab",
    outcomes=("Yes", "No"),
    asset_ids=("11", "22"),
    tick_size=Decimal("0.01"),
    min_order_size=Decimal(5),
)


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(0, 3)), max_size=40))
def test_a_ladder_holds_the_last_size_of_each_price(changes: list[tuple[int, int]]) -> None:
    bids, asks, model = Ladder(BUY), Ladder(SELL), dict[int, int]()
    for price, size in changes:
        bids.set(price, size)
        asks.set(price, size)
        model[price] = size
    resting = sorted(price for price, size in model.items() if size)
    assert bids.prices == resting
    assert asks.prices == resting[::-1]
    assert (bids.best, asks.best) == ((resting[-1], resting[0]) if resting else (None, None))
    assert all(bids.size(price) == size for price, size in model.items())
    assert len(json.loads(f"[{bids.rendered(0)}]")) == len(bids)


def test_the_second_outcome_mirrors_the_first() -> None:
    ledger = Ledger(INFO, last_trade=500)
    ledger.bids.set(490, 1000)
    ledger.bids.set(480, 50)
    ledger.asks.set(520, 700)
    ledger.seal(1)
    yes, no = json.loads(ledger.opening(0)), json.loads(ledger.opening(1))
    assert yes["bids"] == [{"price": "0.48", "size": "0.5"}, {"price": "0.49", "size": "10"}]
    assert no["asks"] == [{"price": "0.52", "size": "0.5"}, {"price": "0.51", "size": "10"}]
    assert no["bids"] == [{"price": "0.48", "size": "7"}]
    assert ledger.top(0) == (490, 520)
    assert ledger.top(1) == (480, 510)


def test_an_empty_side_reads_as_zero_or_one() -> None:
    assert Ledger(INFO, last_trade=500).top(0) == (0, 1000)


def test_a_ledger_needs_all_that_is_hashed() -> None:
    with pytest.raises(ValueError, match="tick size"):
        Ledger(attrs.evolve(INFO, tick_size=None), last_trade=500)


def test_a_change_of_the_tick_size_changes_the_hashes_and_nothing_else() -> None:
    ledger = Ledger(INFO, last_trade=500)
    ledger.bids.set(490, 1000)
    ledger.seal(7)
    before, hashes = json.loads(ledger.rest(0)), ledger.hashes
    ledger.change_tick_size(Decimal("0.001"))
    after = json.loads(ledger.rest(0))
    assert ledger.info.tick_size == Decimal("0.001")
    assert set(hashes).isdisjoint(ledger.hashes)
    assert after == before | {"hash": ledger.hashes[0], "tick_size": "0.001"}
