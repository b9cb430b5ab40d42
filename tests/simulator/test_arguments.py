from __future__ import annotations

from decimal import Decimal

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.arguments import hundredths, on_grid, order_side, thousandths


def test_sides_may_be_in_any_case() -> None:
    assert order_side("buy") == "BUY"
    assert order_side("SELL") == "SELL"


@pytest.mark.parametrize("side", ["", "bid", None, 1])
def test_what_is_no_side_is_refused(side: object) -> None:
    with pytest.raises(UsageError, match='"BUY" or "SELL"'):
        order_side(side)


def test_prices_and_sizes_are_exact() -> None:
    assert thousandths("0.625") == 625
    assert thousandths(Decimal("0.62")) == 620
    assert hundredths("12.5") == 1250
    assert hundredths(3) == 300


@pytest.mark.parametrize("price", [0.62, "0.6255", "1.5", "-0.1", "nan", "x", None, True])
def test_what_is_no_price_is_refused(price: object) -> None:
    with pytest.raises(UsageError, match="price"):
        thousandths(price)


@pytest.mark.parametrize("size", [1.5, 0, "-1", "0.001", "inf"])
def test_what_is_no_size_is_refused(size: object) -> None:
    with pytest.raises(UsageError, match="size"):
        hundredths(size)


def test_a_price_off_the_grid_is_refused() -> None:
    assert on_grid("0.625", Decimal("0.001")) == 625
    with pytest.raises(UsageError, match=r"steps of 0\.01"):
        on_grid("0.625", Decimal("0.01"))
