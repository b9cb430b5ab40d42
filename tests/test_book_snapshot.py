from __future__ import annotations

from decimal import Decimal, localcontext

import attrs
import pytest

from polymarket_ws.book_snapshot import BookSnapshot, BookState, crossed, midpoint, spread
from polymarket_ws.events.market import Level


def snapshot(bid: str | None, ask: str | None) -> BookSnapshot:
    def side(price: str | None) -> tuple[Level, ...]:
        return () if price is None else (Level(Decimal(price), Decimal(1)),)

    return BookSnapshot(
        asset_id="1",
        market="0x01",
        state=BookState.LIVE,
        version=1,
        timestamp=None,
        bids=side(bid),
        asks=side(ask),
        tick_size=None,
        last_trade_price=None,
        resolved=False,
    )


@pytest.mark.parametrize("state", list(BookState))
def test_state_equals_and_prints_as_its_text(state: BookState) -> None:
    assert state == state.value == str(state) == f"{state}"


def test_snapshot_reads_its_first_levels() -> None:
    taken = snapshot("0.48", "0.52")
    assert (taken.best_bid, taken.best_ask) == (Decimal("0.48"), Decimal("0.52"))
    assert (taken.spread, taken.midpoint, taken.crossed) == (Decimal("0.04"), Decimal("0.5"), False)


@pytest.mark.parametrize(("bid", "ask"), [(None, "0.5"), ("0.5", None), (None, None)])
def test_snapshot_with_an_empty_side_has_no_spread(bid: str | None, ask: str | None) -> None:
    taken = snapshot(bid, ask)
    assert (taken.spread, taken.midpoint, taken.crossed) == (None, None, False)


@pytest.mark.parametrize(("bid", "ask", "so"), [("0.5", "0.5", True), ("0.6", "0.5", True)])
def test_snapshot_is_crossed_where_the_sides_meet(bid: str, ask: str, so: bool) -> None:
    assert snapshot(bid, ask).crossed is so


def test_snapshot_cannot_be_changed_and_hashes() -> None:
    taken = snapshot("0.48", "0.52")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        taken.version = 2  # type: ignore[misc]
    assert len({taken, snapshot("0.48", "0.52")}) == 1


def test_arithmetic_is_exact_under_any_precision_of_the_caller() -> None:
    bid, ask = Decimal("0.4815"), Decimal("0.5192")
    with localcontext() as context:
        context.prec = 1
        assert spread(bid, ask) == Decimal("0.0377")
        assert midpoint(bid, ask) == Decimal("0.50035")
        assert not crossed(bid, ask)
