from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from polymarket_ws.market_info import MarketInfo


def test_market_is_a_value_that_can_be_a_key() -> None:
    first, second = (
        MarketInfo(question="?", condition_id="0x1", asset_ids=("1",), tick_size=Decimal("0.01"))
        for _ in range(2)
    )
    assert {first: "seen"}[second] == "seen"


def test_market_does_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        MarketInfo(question="?", condition_id="0x1").closed = True  # type: ignore[misc]


def test_market_needs_a_question_and_a_condition_id() -> None:
    info = MarketInfo(question="?", condition_id="0x1")
    assert (info.active, info.closed, info.neg_risk) == (True, False, False)
    assert (info.tick_size, info.min_order_size, info.end_date) == (None, None, None)
    assert (info.slug, info.outcomes, info.asset_ids) == ("", (), ())
