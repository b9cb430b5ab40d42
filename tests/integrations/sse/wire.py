"""Markets and events for the tests of what is told."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from polymarket_ws import Book, LastTradePrice, Level, LevelChange, MarketInfo, PriceChange
from polymarket_ws.integrations.sse.ring import Frame

MARKET = MarketInfo(
    question="Will it rain?",
    condition_id="0x" + "ab" * 32,
    slug="will-it-rain",
    outcomes=("Yes", "No"),
    asset_ids=("111", "222"),
    tick_size=Decimal("0.01"),
)


def level(price: str, size: str) -> Level:
    return Level(Decimal(price), Decimal(size))


def book(asset_id: str = "111", *, bid: str = "0.40", ask: str = "0.42", at: int = 1000) -> Book:
    return Book(
        market=MARKET.condition_id,
        asset_id=asset_id,
        timestamp=at,
        bids=(level("0.30", "7"), level(bid, "10.5")),
        asks=(level("0.90", "7"), level(ask, "20")),
        received_at=1.5,
    )


def change(asset_id: str, price: str, size: str, side: str = "BUY", at: int = 2000) -> PriceChange:
    changes = (LevelChange(asset_id=asset_id, price=Decimal(price), size=Decimal(size), side=side),)
    return PriceChange(
        market=MARKET.condition_id, timestamp=at, price_changes=changes, received_at=2.5
    )


def trade(asset_id: str = "111", price: str = "0.42", size: str = "3") -> LastTradePrice:
    return LastTradePrice(
        market=MARKET.condition_id,
        asset_id=asset_id,
        price=Decimal(price),
        size=Decimal(size),
        side="BUY",
        timestamp=3000,
        transaction_hash="0xfeed",
    )


def told(body: bytes) -> dict[str, Any]:
    """Return the JSON of one message."""
    name, data = body.decode().removesuffix("\n\n").split("\n")
    whole = json.loads(data.removeprefix("data: "))
    assert name == f"event: {whole['event']}"
    assert isinstance(whole, dict)
    return whole


class Numbers:
    """Makes frames, as a broadcast does."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def __call__(self, body: bytes) -> Frame:
        self.last += 1
        return Frame(self.last, body, b"id: %d\n%b" % (self.last, body))
