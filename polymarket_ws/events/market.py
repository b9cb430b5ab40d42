"""The events of the market channel, named after the wire.

Field facts are those of the live feed (October 2026); where the published documentation
differs, the live feed wins. A field that is ``None`` was not on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import attrs
import msgspec

from polymarket_ws.events._structs import known_to_attrs
from polymarket_ws.events.event import Event, aware_time, one_line, plain, short

__all__ = [
    "BestBidAsk",
    "Book",
    "EventMessage",
    "LastTradePrice",
    "Level",
    "LevelChange",
    "MarketEvent",
    "MarketResolved",
    "NewMarket",
    "PriceChange",
    "TickSizeChange",
]


@attrs.frozen(kw_only=True)
class MarketEvent(Event):
    """Base of the events of the market channel.

    Attributes:
        market: the condition id, ``0x`` and 64 hex digits.
        timestamp: the exchange's Unix milliseconds. For a ``Book`` the time of its last
            change, not of the snapshot: on a quiet book it is old.
    """

    market: str
    timestamp: int | None = None

    @property
    def time(self) -> datetime | None:
        """``timestamp`` as an aware UTC ``datetime``."""
        return aware_time(self.timestamp)


@attrs.frozen(kw_only=True)
class _OfOneMarket(MarketEvent):
    @property
    def condition_id(self) -> str:
        """``market`` under the name that it has elsewhere."""
        return self.market


# Levels are most of what is decoded and freed. As structs of msgspec they take a quarter less
# time, and the garbage collector does not know them: a few reads of a busy feed hold thousands,
# and it would look at all of them again and again. They hold nothing but text and numbers, so
# there is no cycle that it could miss.


@known_to_attrs
class Level(msgspec.Struct, frozen=True, gc=False):
    """One price level: ``size`` shares rest at ``price``."""

    price: Decimal
    size: Decimal


@known_to_attrs
class LevelChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One level after a change.

    Attributes:
        asset_id: the token whose book changed.
        price: the level.
        size: the new absolute size there; 0 removes the level.
        side: ``BUY`` for bids, ``SELL`` for asks, as the wire spells it.
        hash: hash of the book after the whole burst that this change belongs to.
        best_bid: top of the book after the change; 0 when that side is empty.
        best_ask: top of the book after the change; 1 when that side is empty.
    """

    asset_id: str
    price: Decimal
    size: Decimal
    side: str
    hash: str | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None


@attrs.frozen(kw_only=True)
class EventMessage:
    """The event (group of markets) that a market belongs to."""

    id: str | None = None
    ticker: str | None = None
    slug: str | None = None
    title: str | None = None
    description: str | None = None


@attrs.frozen(kw_only=True)
class Book(_OfOneMarket):
    """The whole order book of one token: on subscribing and after every trade.

    Attributes:
        asset_id: the token.
        bids: as on the wire, which is ascending: the best bid is the last.
        asks: as on the wire, which is descending: the best ask is the last.
        hash: SHA-1 over the book, see ``OrderBook.hash``.
        tick_size: only in the opening book.
        last_trade_price: only in the opening book; of the market, not of this token.
        min_order_size: only from REST.
        neg_risk: only from REST.
    """

    event_type: Literal["book"] = "book"
    asset_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    hash: str | None = None
    tick_size: Decimal | None = None
    last_trade_price: Decimal | None = None
    min_order_size: Decimal | None = None
    neg_risk: bool | None = None

    @property
    def best_bid(self) -> Decimal | None:
        """The highest bid, wherever it stands; ``None`` when there is none."""
        return max((level.price for level in self.bids if level.size), default=None)

    @property
    def best_ask(self) -> Decimal | None:
        """The lowest ask, wherever it stands; ``None`` when there is none."""
        return min((level.price for level in self.asks if level.size), default=None)

    def __str__(self) -> str:
        return (
            f"Book {short(self.asset_id)} {plain(self.best_bid)}/{plain(self.best_ask)} "
            f"({len(self.bids)} bids, {len(self.asks)} asks)"
        )


@attrs.frozen(kw_only=True)
class PriceChange(_OfOneMarket):
    """Orders were placed, cancelled or matched: some levels have new sizes.

    A stream gets the changes of its own assets only; the wire names both outcomes.

    Attributes:
        price_changes: one entry a level, in wire order.
    """

    event_type: Literal["price_change"] = "price_change"
    price_changes: tuple[LevelChange, ...]

    def __str__(self) -> str:
        changes = ", ".join(
            f"{short(c.asset_id)} {short(c.side)} {plain(c.size)} @ {plain(c.price)}"
            for c in self.price_changes[:2]
        )
        more = len(self.price_changes) - 2
        return f"PriceChange {changes}" + (f" and {more} more" if more > 0 else "")


@attrs.frozen(kw_only=True)
class LastTradePrice(_OfOneMarket):
    """A trade. The token, side and size are the taker's.

    Attributes:
        asset_id: the taker's token.
        price: price of the level that was hit.
        size: shares.
        side: ``BUY`` or ``SELL``, the taker's, as the wire spells it.
        fee_rate_bps: legacy, 0 today.
        transaction_hash: absent before mid-2026.
    """

    event_type: Literal["last_trade_price"] = "last_trade_price"
    asset_id: str
    price: Decimal
    size: Decimal
    side: str
    fee_rate_bps: Decimal | None = None
    transaction_hash: str | None = None

    def __str__(self) -> str:
        return (
            f"LastTradePrice {short(self.asset_id)} {short(self.side)} "
            f"{plain(self.size)} @ {plain(self.price)}"
        )


@attrs.frozen(kw_only=True)
class BestBidAsk(_OfOneMarket):
    """The top of one book changed (a custom feature of the server).

    Not guaranteed, sometimes ahead of the changes it sums up: do not build a book from it.
    """

    event_type: Literal["best_bid_ask"] = "best_bid_ask"
    asset_id: str
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    spread: Decimal | None = None

    def __str__(self) -> str:
        return f"BestBidAsk {short(self.asset_id)} {plain(self.best_bid)}/{plain(self.best_ask)}"


@attrs.frozen(kw_only=True)
class TickSizeChange(_OfOneMarket):
    """The smallest price step changed, as it does near 0.96 and 0.04. May come twice."""

    event_type: Literal["tick_size_change"] = "tick_size_change"
    asset_id: str
    old_tick_size: Decimal | None = None
    new_tick_size: Decimal

    def __str__(self) -> str:
        return (
            f"TickSizeChange {short(self.asset_id)} "
            f"{plain(self.old_tick_size)} -> {plain(self.new_tick_size)}"
        )


@attrs.frozen(kw_only=True)
class NewMarket(MarketEvent):
    """A market was created anywhere on the exchange (a custom feature of the server).

    Global: not only your tokens. Repeated often.

    Attributes:
        market: the condition id; may be ``""``.
        condition_id: the condition id once more, a field of its own on the wire.
        assets_ids: the tokens, in the order of ``outcomes``.
        line: for sports, the handicap or total.
        game_start_time: aware UTC; the wire has three spellings.
        fee_schedule: as on the wire; not part of the hash of the event.
    """

    event_type: Literal["new_market"] = "new_market"
    id: str | None = None
    question: str | None = None
    slug: str | None = None
    description: str | None = None
    assets_ids: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    event_message: EventMessage | None = None
    tags: tuple[str, ...] = ()
    condition_id: str | None = None
    active: bool | None = None
    clob_token_ids: tuple[str, ...] = ()
    sports_market_type: str | None = None
    line: Decimal | None = None
    game_start_time: datetime | None = None
    order_price_min_tick_size: Decimal | None = None
    group_item_title: str | None = None
    taker_base_fee: Decimal | None = None
    fees_enabled: bool | None = None
    fee_schedule: Mapping[str, Any] | None = attrs.field(default=None, hash=False)

    def __str__(self) -> str:
        return one_line(f"NewMarket {self.slug or short(self.market)}: {self.question or ''}")


@attrs.frozen(kw_only=True)
class MarketResolved(_OfOneMarket):
    """A market was settled (a custom feature of the server). Delivery is not guaranteed."""

    event_type: Literal["market_resolved"] = "market_resolved"
    id: str | None = None
    assets_ids: tuple[str, ...] = ()
    winning_asset_id: str | None = None
    winning_outcome: str | None = None
    event_message: EventMessage | None = None
    tags: tuple[str, ...] = ()
    question: str | None = None
    slug: str | None = None
    description: str | None = None
    outcomes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return one_line(f"MarketResolved {short(self.market)} -> {self.winning_outcome or '?'}")
