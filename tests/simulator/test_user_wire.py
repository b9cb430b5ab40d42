from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymarket_ws.simulator.user_wire import (
    MakerState,
    OrderState,
    TradeState,
    order_frame,
    rest_order,
    rest_trade,
    trade_frame,
)

NOW = 1_791_072_000_123


def an_order(**changes: object) -> OrderState:
    fields: dict[str, object] = {
        "id": "0x01",
        "owner": "key",
        "maker_address": "0xaa",
        "market": "0xm",
        "asset_id": "7",
        "outcome": "Yes",
        "side": "BUY",
        "price": 480,
        "size": 1050,
        "order_type": "GTC",
        "created_ms": NOW,
    }
    return OrderState(**{**fields, **changes})  # type: ignore[arg-type]


def a_trade(**changes: object) -> TradeState:
    maker = MakerState(
        order_id="0x02",
        owner="other",
        maker_address="0xbb",
        asset_id="8",
        outcome="No",
        outcome_index=1,
        side="BUY",
        price=520,
        matched=500,
    )
    fields: dict[str, object] = {
        "id": "t",
        "number": 1,
        "taker_order_id": "0x01",
        "owner": "key",
        "maker_address": "0xaa",
        "market": "0xm",
        "asset_id": "7",
        "outcome": "Yes",
        "side": "BUY",
        "price": 480,
        "size": 500,
        "trader_side": "TAKER",
        "makers": (maker,),
        "matched_ms": NOW,
        "updated_ms": NOW + 2000,
        "transaction_hash": "0xhash",
    }
    return TradeState(**{**fields, **changes})  # type: ignore[arg-type]


def keys(wire: Path, name: str) -> set[str]:
    return set(json.loads((wire / "samples" / "clob_user" / name).read_text(encoding="utf-8")))


def test_order_events_have_the_captured_fields_in_the_captured_order(wire: Path) -> None:
    frame = json.loads(order_frame(an_order(), "PLACEMENT", NOW))
    assert set(frame) == keys(wire, "order_cancel__1.json")
    assert list(frame) == sorted(frame)


def test_trade_events_have_the_captured_fields_in_the_captured_order(wire: Path) -> None:
    frame = json.loads(trade_frame(a_trade()))
    assert set(frame) == keys(wire, "trade__1.json")
    assert list(frame) == sorted(frame)
    assert set(frame["maker_orders"][0]) == {
        "asset_id",
        "fee_rate_bps",
        "maker_address",
        "matched_amount",
        "order_id",
        "outcome",
        "outcome_index",
        "owner",
        "price",
        "side",
    }


def test_numbers_are_text_without_trailing_zeros() -> None:
    frame = json.loads(order_frame(an_order(matched=500), "UPDATE", NOW))
    assert (frame["price"], frame["original_size"], frame["size_matched"]) == ("0.48", "10.5", "5")


def test_an_order_counts_created_in_seconds_and_its_event_in_milliseconds() -> None:
    frame = json.loads(order_frame(an_order(), "PLACEMENT", NOW + 5))
    assert frame["created_at"] == "1791072000"
    assert frame["timestamp"] == "1791072000128"


def test_a_killed_order_is_as_blank_as_captured(wire: Path) -> None:
    captured = json.loads(
        (wire / "samples" / "clob_user" / "order_fok_killed__1.json").read_text(encoding="utf-8")
    )
    killed = an_order(order_type="FOK", status=captured["status"])
    frame = json.loads(order_frame(killed, "CANCELLATION", NOW))
    same = ("created_at", "outcome", "size_matched", "associate_trades", "expiration", "status")
    assert {name: frame[name] for name in same} == {name: captured[name] for name in same}


def test_what_the_exchange_cancels_counts_created_in_milliseconds() -> None:
    order = an_order(status="CANCELED_MARKET_RESOLVED")
    frame = json.loads(order_frame(order, "CANCELLATION", NOW))
    assert frame["created_at"] == str(NOW)


@pytest.mark.parametrize(
    ("status", "transaction_hash", "timestamp"),
    [
        ("MATCHED", "", str(NOW + 2000)),
        ("MINED", "0xhash", str(NOW + 2000)),
        ("CONFIRMED", "0xhash", "1791072002"),
        ("RETRYING", "", str(NOW + 2000)),
        ("FAILED", "", "1791072002"),
    ],
)
def test_a_trade_has_its_transaction_once_it_is_mined(
    status: str, transaction_hash: str, timestamp: str
) -> None:
    frame = json.loads(trade_frame(a_trade(status=status)))
    assert frame["transaction_hash"] == transaction_hash
    assert frame["timestamp"] == timestamp


def test_each_fourth_trade_spells_its_time_in_the_other_way() -> None:
    usual, other = (json.loads(trade_frame(a_trade(number=number))) for number in (3, 4))
    assert usual["match_time"] == other["matchtime"] == "1791072000"
    assert "matchtime" not in usual
    assert "match_time" not in other


def test_rest_spells_statuses_with_a_prefix() -> None:
    assert rest_trade(a_trade(status="MINED"))["status"] == "TRADE_STATUS_MINED"
    assert rest_order(an_order())["status"] == "ORDER_STATUS_LIVE"
    assert rest_order(an_order(status="CANCELED"))["status"] == "ORDER_STATUS_CANCELED"


def test_rest_has_no_free_text_as_a_status() -> None:
    killed = an_order(status="CANCELED_order couldn't be fully filled. …", order_type="FOK")
    assert rest_order(killed)["status"] == "ORDER_STATUS_CANCELED"
    resolved = an_order(status="CANCELED_MARKET_RESOLVED")
    assert rest_order(resolved)["status"] == "ORDER_STATUS_CANCELED_MARKET_RESOLVED"


def test_rest_tells_nothing_that_only_events_have() -> None:
    assert not {"event_type", "timestamp", "type", "trade_owner"} & set(rest_trade(a_trade()))
    assert not {"event_type", "timestamp", "type", "order_owner"} & set(rest_order(an_order()))
