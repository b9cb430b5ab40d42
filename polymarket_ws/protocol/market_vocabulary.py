"""The event types of the market channel and the classes that they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from polymarket_ws.protocol.decoding import Spelling, Vocabulary
from polymarket_ws.protocol.levels import (
    SpelledChange,
    SpelledLevel,
    complete_book,
    complete_change,
)

__all__ = ["MARKET_VOCABULARY"]


def _infer(wire: Mapping[str, object]) -> str:
    # The books of November 2024 and those of REST carry no event_type.
    if ("bids" in wire or "buys" in wire) and ("asks" in wire or "sells" in wire):
        return "book"
    if "price_changes" in wire or "changes" in wire:
        return "price_change"
    return ""


def _of_price_change(event: PriceChange) -> Iterator[Decimal | None]:
    for change in event.price_changes:
        yield from (change.price, change.size, change.best_bid, change.best_ask)


def _of_book(event: Book) -> Iterator[Decimal | None]:
    yield from (event.tick_size, event.last_trade_price, event.min_order_size)
    for level in (*event.bids, *event.asks):
        yield level.price
        yield level.size


def _of_last_trade_price(event: LastTradePrice) -> tuple[Decimal | None, ...]:
    return event.price, event.size, event.fee_rate_bps


def _of_best_bid_ask(event: BestBidAsk) -> tuple[Decimal | None, ...]:
    return event.best_bid, event.best_ask, event.spread


def _of_tick_size_change(event: TickSizeChange) -> tuple[Decimal | None, ...]:
    return event.old_tick_size, event.new_tick_size


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
    usual="price_change",
    # Rare, and spelled in too many ways for the fast way.
    tolerant=MappingProxyType({"new_market": NewMarket, "market_resolved": MarketResolved}),
    infer=_infer,
    decimals=MappingProxyType(
        {
            PriceChange: _of_price_change,
            Book: _of_book,
            LastTradePrice: _of_last_trade_price,
            BestBidAsk: _of_best_bid_ask,
            TickSizeChange: _of_tick_size_change,
        }
    ),
    spellings=MappingProxyType(
        {
            PriceChange: Spelling({"price_changes": list[SpelledChange]}, complete_change),
            Book: Spelling({"bids": list[SpelledLevel], "asks": list[SpelledLevel]}, complete_book),
        }
    ),
)
