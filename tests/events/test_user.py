from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.conversion import structure
from polymarket_ws.events import Fill, MakerOrder, Order, Trade, UserEvent
from tests.strategies import ORDERS, TRADES, USER_EVENTS

ME = "3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe"
OTHER = "092dab0c-74fa-5ba7-4b67-572daeace198"

ORDER = Order(
    market="0xc0",
    id="0xc6e99c14f1c7cae9",
    asset_id="7",
    side="SELL",
    price=Decimal("0.50"),
    original_size=Decimal("1E+2"),
    size_matched=Decimal(5),
    type="UPDATE",
    status="LIVE",
)
TRADE = Trade(
    market="0xc0",
    id="83b5c849-620e-4c23",
    taker_order_id="0xtaker",
    asset_id="7",
    outcome="Yes",
    side="BUY",
    size=Decimal(9),
    price=Decimal("0.52"),
    status="MATCHED",
    owner=OTHER,
    trade_owner=OTHER,
    trader_side="MAKER",
)


def maker(
    order_id: str, owner: str | None, size: int = 3, asset_id: str = "7", side: str | None = "SELL"
) -> MakerOrder:
    return MakerOrder(
        order_id=order_id,
        owner=owner,
        matched_amount=Decimal(size),
        price=Decimal("0.52") if asset_id == "7" else Decimal("0.48"),
        asset_id=asset_id,
        outcome="Yes" if asset_id == "7" else "No",
        side=side,
    )


def sample(wire: Path, name: str) -> Trade:
    text = (wire / "samples" / "clob_user" / f"{name}.json").read_text()
    return structure(Trade, json.loads(text))


def told(fills: tuple[Fill, ...]) -> list[tuple[str, str, str, str]]:
    return [(fill.role, fill.order_id[:6], fill.asset_id[:4], str(fill.size)) for fill in fills]


class TestFillsOf:
    def test_the_taker_is_the_whole_trade(self) -> None:
        trade = attrs.evolve(TRADE, trader_side="TAKER", maker_orders=(maker("0xm", ME),))
        assert trade.fills_of(OTHER) == (
            Fill(
                trade_id="83b5c849-620e-4c23",
                order_id="0xtaker",
                role="TAKER",
                asset_id="7",
                outcome="Yes",
                side="BUY",
                price=Decimal("0.52"),
                size=Decimal(9),
            ),
        )

    def test_a_maker_are_its_orders_wherever_they_are(self) -> None:
        orders = (
            maker("0xa", ME),
            maker("0xb", "somebody"),
            maker("0xc", ME, 2, asset_id="8", side="BUY"),
            maker("0xd", None),
        )
        fills = attrs.evolve(TRADE, maker_orders=orders).fills_of(ME)
        assert fills == (
            Fill(
                trade_id=TRADE.id,
                order_id="0xa",
                role="MAKER",
                asset_id="7",
                outcome="Yes",
                side="SELL",
                price=Decimal("0.52"),
                size=Decimal(3),
            ),
            Fill(
                trade_id=TRADE.id,
                order_id="0xc",
                role="MAKER",
                asset_id="8",
                outcome="No",
                side="BUY",
                price=Decimal("0.48"),
                size=Decimal(2),
            ),
        )

    @pytest.mark.parametrize("trader_side", ["TAKER", "MAKER", None])
    def test_who_meets_its_own_order_are_both(self, trader_side: str | None) -> None:
        trade = attrs.evolve(
            TRADE, trade_owner=ME, trader_side=trader_side, maker_orders=(maker("0xa", ME),)
        )
        assert told(trade.fills_of(ME)) == [
            ("TAKER", "0xtake", "7", "9"),
            ("MAKER", "0xa", "7", "3"),
        ]

    def test_a_maker_of_rest_are_its_orders_although_the_answer_is_its_own(self) -> None:
        trade = attrs.evolve(TRADE, owner=ME, trade_owner=None, maker_orders=(maker("0xa", ME),))
        assert told(trade.fills_of(ME)) == [("MAKER", "0xa", "7", "3")]

    def test_a_taker_of_rest_is_its_owner(self) -> None:
        trade = attrs.evolve(TRADE, owner=ME, trade_owner=None, trader_side="TAKER")
        assert told(trade.fills_of(ME)) == [("TAKER", "0xtake", "7", "9")]

    @pytest.mark.parametrize("key", [ME.upper(), ME, ME.title()])
    def test_a_key_in_either_case_are_the_same(self, key: str) -> None:
        assert attrs.evolve(TRADE, trade_owner=ME.upper()).fills_of(key) != ()
        assert attrs.evolve(TRADE, maker_orders=(maker("0xa", ME.upper()),)).fills_of(key) != ()

    @pytest.mark.parametrize("key", ["", "somebody else"])
    def test_somebody_else_are_none(self, key: str) -> None:
        trade = attrs.evolve(
            TRADE, owner="", trade_owner="", maker_orders=(maker("0xa", ""), maker("0xb", None))
        )
        assert trade.fills_of(key) == ()

    def test_a_captured_maker(self, wire: Path) -> None:
        (fill,) = sample(wire, "trade__1").fills_of(ME)
        assert (fill.role, fill.side, str(fill.size), str(fill.price)) == (
            "MAKER",
            None,
            "5",
            "0.518",
        )
        assert fill.order_id.startswith("0xab679e56")
        assert told(sample(wire, "trade__1").fills_of(OTHER)) == [
            ("TAKER", "0x3ad0", "2174", "1096.87")
        ]

    def test_a_captured_taker(self, wire: Path) -> None:
        assert told(sample(wire, "trade__2").fills_of(ME)) == [("TAKER", "0x5b60", "2174", "5")]

    def test_a_captured_maker_with_two_orders(self, wire: Path) -> None:
        fills = sample(wire, "trade__4").fills_of("a93a3d32-74fa-dd2b-4b67-98bfa6fc5cb5")
        assert told(fills) == [("MAKER", "0x3ad0", "2174", "5"), ("MAKER", "0x67b5", "2174", "5")]
        assert [str(fill.price) for fill in fills] == ["0.4", "0.3"]

    def test_a_documented_match_with_itself(self, wire: Path) -> None:
        fills = sample(wire, "trade__5").fills_of("9180014b-33c8-9240-a14b-bdca11c0a465")
        assert told(fills) == [("TAKER", "0x06bc", "5211", "10"), ("MAKER", "0xff35", "5211", "10")]

    @pytest.mark.parametrize(
        ("name", "key", "expected"),
        [
            ("trade_polypy__2", "000000000-0000-0000-0000-000000000000", [("MAKER", "9578", "5")]),
            ("trade_polypy__2", "cefa82ec-0ba0-5d8f-0000-000000000000", [("TAKER", "2574", "5")]),
            ("trade_polypy__3", "000000000-0000-0000-0000-000000000000", [("TAKER", "2574", "5")]),
            ("trade_polypy__3", "cefa82ec-0ba0-5d8f-0000-000000000000", [("MAKER", "9578", "5")]),
            ("trade_polypy__4", "000000000-0000-0000-0000-000000000000", [("TAKER", "1571", "7")]),
            ("trade_polypy__4", "127cf06e-0000-0000-0000-000000000000", [("MAKER", "5443", "5")]),
            ("trade_polypy__4", "d67b2514-0000-0000-0000-000000000000", [("MAKER", "1571", "2")]),
        ],
    )
    def test_captured_sides_of_mint_and_merge(
        self, wire: Path, name: str, key: str, expected: list[tuple[str, str, str]]
    ) -> None:
        fills = sample(wire, name).fills_of(key)
        assert [(fill.role, fill.asset_id[:4], str(fill.size)) for fill in fills] == expected

    @given(TRADES, st.text(max_size=3))
    def test_anything_never_fails(self, trade: Trade, key: str) -> None:
        owners = {maker.owner for maker in trade.maker_orders} | {trade.owner, trade.trade_owner}
        lowered = {owner.lower() for owner in owners if owner}
        if key.lower() not in lowered:
            assert trade.fills_of(key) == ()


class TestText:
    def test_of_an_order_is_one_short_line(self) -> None:
        assert str(ORDER) == "Order 0xc6e9…cae9 UPDATE SELL 5 of 100 @ 0.50 LIVE"
        bare = attrs.evolve(ORDER, size_matched=None, status=None)
        assert str(bare) == "Order 0xc6e9…cae9 UPDATE SELL - of 100 @ 0.50"

    def test_says_what_was_recovered(self) -> None:
        assert str(TRADE) == "Trade 83b5c8…4c23 MATCHED BUY 9 @ 0.52"
        back = attrs.evolve(TRADE, recovered=True)
        assert str(back) == "Trade 83b5c8…4c23 MATCHED BUY 9 @ 0.52 (recovered)"
        assert str(attrs.evolve(ORDER, recovered=True)).endswith("@ 0.50 LIVE (recovered)")

    @given(USER_EVENTS)
    def test_of_anything_is_one_line(self, event: UserEvent) -> None:
        assert "\n" not in str(event)
        assert len(str(event)) <= 112

    @given(ORDERS)
    def test_of_a_free_status_is_cut(self, order: Order) -> None:
        assert len(str(attrs.evolve(order, status="CANCELED " * 99))) <= 112


def test_condition_id_is_the_market_under_another_name() -> None:
    assert ORDER.condition_id == TRADE.condition_id == "0xc0"


def test_time_is_the_timestamp_as_utc() -> None:
    moment = attrs.evolve(TRADE, timestamp=1725868885871).time
    assert moment == datetime(2024, 9, 9, 8, 1, 25, 871000, tzinfo=timezone.utc)
    assert TRADE.time is None


def test_recovered_is_in_the_json_only_where_it_is_so() -> None:
    assert "recovered" not in TRADE.to_dict()
    assert attrs.evolve(TRADE, recovered=True).to_dict()["recovered"] is True


def test_recovered_tells_one_event_from_another() -> None:
    assert attrs.evolve(TRADE, recovered=True) != TRADE
    assert attrs.evolve(TRADE, received_at=5.0, epoch=2) == TRADE
    assert len({TRADE, attrs.evolve(TRADE, epoch=2)}) == 1


def test_owner_is_an_api_key_and_not_shown_whole() -> None:
    key = "9180014b-33c8-9240-a14b-bdca11c0a465"
    maker = MakerOrder(
        order_id="0x1", owner=key, matched_amount=Decimal(1), price=Decimal(1), asset_id="1"
    )
    trade = Trade(
        market="0x", id="t", asset_id="1", side="BUY", size=Decimal(1), price=Decimal(1),
        status="MATCHED", owner=key, trade_owner=key, maker_orders=(maker,),
    )  # fmt: skip
    assert key not in repr(trade)
    assert "9180…" in repr(trade)
    assert trade.fills_of(key)
