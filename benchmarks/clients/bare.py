"""The least that typed events need: msgspec into attrs, for the peers that bring no events.

No base class, no ``received_at``, no epoch, timestamps as they came, nothing tolerated that
msgspec refuses. What a client adds to this is what it costs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import attrs
import msgspec

from polymarket_ws.protocol.clob import compact

__all__ = ["Book", "LastTradePrice", "PriceChange", "decode", "first_frame"]


@attrs.frozen
class Level:
    """One price level."""

    price: Decimal
    size: Decimal


@attrs.frozen
class LevelChange:
    """One level after a change."""

    asset_id: str
    price: Decimal
    size: Decimal
    side: str
    hash: str
    best_bid: Decimal
    best_ask: Decimal


@attrs.frozen(kw_only=True)
class PriceChange:
    """Levels with new sizes."""

    event_type: Literal["price_change"]
    market: str
    timestamp: str
    price_changes: tuple[LevelChange, ...]


@attrs.frozen(kw_only=True)
class Book:
    """The whole book of a token."""

    event_type: Literal["book"]
    market: str
    asset_id: str
    timestamp: str
    hash: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick_size: Decimal | None = None
    last_trade_price: Decimal | None = None


@attrs.frozen(kw_only=True)
class LastTradePrice:
    """A trade."""

    event_type: Literal["last_trade_price"]
    market: str
    asset_id: str
    price: Decimal
    size: Decimal
    side: str
    fee_rate_bps: Decimal
    timestamp: str
    transaction_hash: str


@attrs.frozen(kw_only=True)
class BestBidAsk:
    """The top of one book."""

    event_type: Literal["best_bid_ask"]
    market: str
    asset_id: str
    best_bid: Decimal
    best_ask: Decimal
    spread: Decimal
    timestamp: str


_price_change = msgspec.json.Decoder(PriceChange).decode
_HINTS = (
    (b'"event_type":"price_change"', _price_change),
    (b'"event_type":"book"', msgspec.json.Decoder(Book).decode),
    (b'"event_type":"last_trade_price"', msgspec.json.Decoder(LastTradePrice).decode),
    (b'"event_type":"best_bid_ask"', msgspec.json.Decoder(BestBidAsk).decode),
)
_books = msgspec.json.Decoder(list[Book]).decode


def decode(raw: bytes) -> Any:
    """Return the event of one message; a list of books for the opening array."""
    if raw[:1] == b"[":
        return _books(raw)
    for hint, decoder in _HINTS:
        # A hint only: the decoder's Literal verifies it.
        if hint in raw:
            return decoder(raw)
    raise ValueError("an unknown event")


def first_frame(ids: list[str]) -> str:
    """Return the frame that subscribes."""
    return compact({"type": "market", "assets_ids": ids, "custom_feature_enabled": True})
