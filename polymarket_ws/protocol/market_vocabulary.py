"""The event types of the market channel and the classes that they become."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.protocol.decoding import Vocabulary
from polymarket_ws.spelling import MAX_EXPONENT

__all__ = ["MARKET_VOCABULARY"]

_LOW = -MAX_EXPONENT
_HIGH = MAX_EXPONENT


def _infer(wire: Mapping[str, object]) -> str:
    # The books of November 2024 and those of REST carry no event_type.
    if ("bids" in wire or "buys" in wire) and ("asks" in wire or "sells" in wire):
        return "book"
    if "price_changes" in wire or "changes" in wire:
        return "price_change"
    return ""


def _sane(*values: Decimal | None) -> bool:
    return all(v is None or (v.is_finite() and _LOW < v.adjusted() < _HIGH) for v in values)


# These two are most of the traffic, and written out they cost a quarter of what a call of
# _sane a level does.


def _price_change_is_sane(event: PriceChange) -> bool:
    for change in event.price_changes:
        price = change.price
        size = change.size
        if not (
            price.is_finite()
            and size.is_finite()
            and _LOW < price.adjusted() < _HIGH
            and _LOW < size.adjusted() < _HIGH
        ):
            return False
        best = change.best_bid
        if best is not None and not (best.is_finite() and _LOW < best.adjusted() < _HIGH):
            return False
        best = change.best_ask
        if best is not None and not (best.is_finite() and _LOW < best.adjusted() < _HIGH):
            return False
    return True


def _book_is_sane(event: Book) -> bool:
    for side in (event.bids, event.asks):
        for level in side:
            price = level.price
            size = level.size
            if not (
                price.is_finite()
                and size.is_finite()
                and _LOW < price.adjusted() < _HIGH
                and _LOW < size.adjusted() < _HIGH
            ):
                return False
    return _sane(event.tick_size, event.last_trade_price, event.min_order_size)


def _last_trade_price_is_sane(event: LastTradePrice) -> bool:
    return _sane(event.price, event.size, event.fee_rate_bps)


def _best_bid_ask_is_sane(event: BestBidAsk) -> bool:
    return _sane(event.best_bid, event.best_ask, event.spread)


def _tick_size_change_is_sane(event: TickSizeChange) -> bool:
    return _sane(event.old_tick_size, event.new_tick_size)


MARKET_VOCABULARY = Vocabulary(
    channel="market",
    fast=MappingProxyType(
        {
            "price_change": PriceChange,
            "book": Book,
            "last_trade_price": LastTradePrice,
            "best_bid_ask": BestBidAsk,
            "tick_size_change": TickSizeChange,
        }
    ),
    # Rare, and spelled in too many ways for the fast way.
    tolerant=MappingProxyType({"new_market": NewMarket, "market_resolved": MarketResolved}),
    infer=_infer,
    sane=MappingProxyType(
        {
            PriceChange: _price_change_is_sane,
            Book: _book_is_sane,
            LastTradePrice: _last_trade_price_is_sane,
            BestBidAsk: _best_bid_ask_is_sane,
            TickSizeChange: _tick_size_change_is_sane,
        }
    ),
)
