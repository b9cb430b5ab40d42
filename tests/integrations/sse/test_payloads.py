from __future__ import annotations

import json
from decimal import Decimal

import attrs

from polymarket_ws import (
    Connected,
    Disconnected,
    MakerOrder,
    MarketResolved,
    Order,
    OrderBook,
    TickSizeChange,
    Trade,
)
from polymarket_ws.integrations.sse import payloads
from tests.integrations.sse.wire import MARKET, book, level, told, trade

OWN_KEY = "11111111-aaaa-bbbb-cccc-222222222222"
OTHER_KEY = "99999999-dddd-eeee-ffff-000000000000"


def test_book_is_told_best_first_with_the_digits_of_the_wire() -> None:
    order_book = OrderBook.of(MARKET, "111")
    order_book.apply(book())
    body = payloads.book(
        order_book.snapshot(),
        market=MARKET.condition_id,
        outcome="Yes",
        last_trade_price=Decimal("0.410"),
        received_at=1.5,
    )
    assert told(body) == {
        "event": "polymarket-market-update",
        "v": 1,
        "market": MARKET.condition_id,
        "data": {
            "asset_id": "111",
            "outcome": "Yes",
            "type": "book",
            "best_bid": "0.40",
            "best_ask": "0.42",
            "last_trade_price": "0.410",
            "bids": [["0.40", "10.5"], ["0.30", "7"]],
            "asks": [["0.42", "20"], ["0.90", "7"]],
            "tick_size": "0.01",
            "state": "live",
            "timestamp": 1000,
            "received_at": 1.5,
        },
    }


def test_book_has_at_most_fifteen_levels_a_side() -> None:
    order_book = OrderBook.of(MARKET, "111")
    many = tuple(level(f"0.{at:02}", "1") for at in range(1, 40))
    order_book.apply(attrs.evolve(book(), bids=many))
    body = payloads.book(
        order_book.snapshot(), market="", outcome=None, last_trade_price=None, received_at=0
    )
    bids = told(body)["data"]["bids"]
    assert [price for price, _ in bids] == [f"0.{at:02}" for at in range(39, 24, -1)]


def test_empty_book_has_no_best_prices_and_says_that_it_waits() -> None:
    body = payloads.book(
        OrderBook("111").snapshot(allow_stale=True),
        market="m",
        outcome=None,
        last_trade_price=None,
        received_at=0.0,
    )
    data = told(body)["data"]
    assert (data["best_bid"], data["best_ask"], data["state"]) == (None, None, "syncing")


def test_trade_is_told_as_it_was() -> None:
    assert told(payloads.trade(trade(), market="m", outcome="Yes"))["data"] == {
        "asset_id": "111",
        "outcome": "Yes",
        "type": "trade",
        "price": "0.42",
        "size": "3",
        "side": "BUY",
        "timestamp": 3000,
        "transaction_hash": "0xfeed",
    }


def test_tick_size_and_resolution_are_market_updates() -> None:
    tick = TickSizeChange(
        market="m", asset_id="1", old_tick_size=Decimal("0.01"), new_tick_size=Decimal("0.001")
    )
    assert told(payloads.tick_size(tick, market="m"))["data"] == {
        "asset_id": "1",
        "type": "tick_size",
        "tick_size": "0.001",
        "old_tick_size": "0.01",
        "timestamp": None,
    }
    end = MarketResolved(
        market="m", assets_ids=("1", "2"), winning_asset_id="2", winning_outcome="No", timestamp=5
    )
    assert told(payloads.resolved(end, market="m"))["data"] == {
        "asset_id": "2",
        "type": "resolved",
        "outcome": "No",
        "asset_ids": ["1", "2"],
        "timestamp": 5,
    }


def test_order_has_its_kind_and_what_happened_to_it() -> None:
    order = Order(
        market="m",
        type="PLACEMENT",
        id="0xabc",
        asset_id="1",
        side="BUY",
        price=Decimal("0.5"),
        original_size=Decimal(7),
        owner=OWN_KEY,
        order_owner=OWN_KEY,
    )
    whole = told(payloads.user(order, OWN_KEY))
    assert (whole["event"], whole["market"]) == ("polymarket-user-update", "m")
    data = whole["data"]
    assert (data["type"], data["action"], data["id"]) == ("order", "PLACEMENT", "0xabc")
    assert (data["price"], data["original_size"]) == ("0.5", "7")


def test_no_api_key_leaves_the_server_neither_the_own_nor_a_foreign_one() -> None:
    maker = MakerOrder(
        order_id="0xmine",
        owner=OWN_KEY.upper(),
        matched_amount=Decimal(4),
        price=Decimal("0.3"),
        asset_id="2",
        outcome="No",
        side="BUY",
    )
    foreign = attrs.evolve(maker, order_id="0xtheirs", owner=OTHER_KEY)
    event = Trade(
        market="m",
        id="t",
        asset_id="1",
        side="BUY",
        size=Decimal(9),
        price=Decimal("0.7"),
        status="MATCHED",
        owner=OWN_KEY,
        trade_owner=OTHER_KEY,
        maker_orders=(maker, foreign),
        trader_side="MAKER",
    )
    body = payloads.user(event, OWN_KEY)
    for key in (OWN_KEY, OTHER_KEY):
        assert key not in body.decode().lower()
    data = told(body)["data"]
    assert data["type"] == "trade"
    assert [order["order_id"] for order in data["maker_orders"]] == ["0xmine", "0xtheirs"]
    assert data["fills"] == [
        {
            "order_id": "0xmine",
            "role": "MAKER",
            "asset_id": "2",
            "outcome": "No",
            "side": "BUY",
            "price": "0.3",
            "size": "4",
        }
    ]


def test_subscribed_has_all_that_a_page_needs_to_draw() -> None:
    whole = told(payloads.subscribed([MARKET], user=False))
    assert whole["market"] == MARKET.condition_id
    (market,) = whole["data"]["markets"]
    assert whole["data"]["asset_ids"] == ["111", "222"]
    assert market["question"] == "Will it rain?"
    assert (market["outcomes"], market["asset_ids"]) == (["Yes", "No"], ["111", "222"])
    assert market["tick_size"] == "0.01"
    assert "market" not in told(payloads.subscribed([], user=True))


def test_what_happens_to_the_connection_names_the_tokens_of_the_browser() -> None:
    lost = Disconnected(channel="market", code=1006, reason="gone", last_message_at=7.0)
    assert told(payloads.disconnected(lost, ["111"]))["data"] == {
        "code": 1006,
        "reason": "gone",
        "last_message_at": 7.0,
        "asset_ids": ["111"],
        "channel": "market",
    }
    back = Connected(channel="market", epoch=2, gap_seconds=1.23456)
    whole = told(payloads.reconnected(back, ["111"]))
    assert whole["event"] == "polymarket-ws-subscribed"
    assert whole["data"] == {"gap_seconds": 1.235, "asset_ids": ["111"], "channel": "market"}
    assert told(payloads.unsubscribed(MARKET))["event"] == "polymarket-ws-unsubscribed"


def test_a_refusal_is_the_same_json_as_an_error_in_the_stream() -> None:
    body = payloads.problem_json("refused", "no", count=3)
    assert json.loads(body)["data"] == {"type": "refused", "message": "no", "count": 3}
    assert told(payloads.problem("refused", "no", count=3)) == json.loads(body)
