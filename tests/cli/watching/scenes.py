"""Markets and events to show, and the states that come of them."""

from __future__ import annotations

from decimal import Decimal

from polymarket_ws.cli.watching.state import WatchState
from polymarket_ws.events.lifecycle import Connected, Disconnected
from polymarket_ws.events.market import (
    Book,
    LastTradePrice,
    Level,
    LevelChange,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo

#: 2026-10-05 13:31:00 UTC.
WALL = 1_791_207_060.0


def info(
    number: int = 1,
    question: str = "Will it rain in Lisbon?",
    outcomes: tuple[str, ...] = ("Yes", "No"),
    tick: str = "0.01",
) -> MarketInfo:
    return MarketInfo(
        question=question,
        condition_id=f"0x{number:064x}",
        slug=f"market-{number}",
        outcomes=outcomes,
        asset_ids=tuple(str(number * 10 + index) for index in range(len(outcomes))),
        tick_size=Decimal(tick),
    )


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(size)) for price, size in pairs)


def book(
    market: MarketInfo,
    outcome: int = 0,
    bids: tuple[Level, ...] = levels(("0.51", "250"), ("0.52", "1000")),
    asks: tuple[Level, ...] = levels(("0.54", "12.5"), ("0.53", "800")),
    at: float = WALL,
) -> Book:
    return Book(
        market=market.condition_id,
        asset_id=market.asset_ids[outcome],
        bids=bids,
        asks=asks,
        timestamp=int(at * 1000),
        received_at=at,
    )


def mirrored(market: MarketInfo, of: Book) -> Book:
    def turned(side: tuple[Level, ...]) -> tuple[Level, ...]:
        return tuple(Level(1 - level.price, level.size) for level in side)

    return book(market, 1, turned(of.asks), turned(of.bids))


def change(
    market: MarketInfo,
    price: str,
    size: str,
    side: str = "BUY",
    *,
    at: float = WALL,
    lag: float = 0.0,
) -> PriceChange:
    entry = LevelChange(
        asset_id=market.asset_ids[0], price=Decimal(price), size=Decimal(size), side=side
    )
    return PriceChange(
        market=market.condition_id,
        timestamp=int(at * 1000),
        received_at=at + lag,
        price_changes=(entry,),
    )


def trade(
    market: MarketInfo,
    price: str = "0.53",
    size: str = "120",
    side: str = "BUY",
    outcome: int = 0,
    *,
    at: float = WALL,
    lag: float = 0.0,
    tx: str | None = "0x" + "ab" * 32,
) -> LastTradePrice:
    return LastTradePrice(
        market=market.condition_id,
        asset_id=market.asset_ids[outcome],
        price=Decimal(price),
        size=Decimal(size),
        side=side,
        timestamp=int(at * 1000),
        received_at=at + lag,
        transaction_hash=tx,
    )


def tick(market: MarketInfo, new: str = "0.001", outcome: int = 0) -> TickSizeChange:
    return TickSizeChange(
        market=market.condition_id,
        asset_id=market.asset_ids[outcome],
        old_tick_size=Decimal("0.01"),
        new_tick_size=Decimal(new),
    )


def resolved(market: MarketInfo, winner: int = 0) -> MarketResolved:
    return MarketResolved(
        market=market.condition_id,
        assets_ids=market.asset_ids,
        winning_asset_id=market.asset_ids[winner],
        winning_outcome=market.outcomes[winner],
    )


def connected(*markets: MarketInfo, epoch: int = 1, gap: float = 0.0, number: int = 1) -> Connected:
    ids = tuple(asset_id for market in markets for asset_id in market.asset_ids)
    return Connected(
        channel="market", connection=number, asset_ids=ids, epoch=epoch, gap_seconds=gap
    )


def disconnected(*markets: MarketInfo, number: int = 1, reason: str = "reset") -> Disconnected:
    ids = tuple(asset_id for market in markets for asset_id in market.asset_ids)
    return Disconnected(
        channel="market", connection=number, asset_ids=ids, code=1006, reason=reason
    )


def state(*markets: MarketInfo, now: float = 0.0) -> WatchState:
    """Markets that nothing has come for yet."""
    return WatchState(markets or (info(),), "127.0.0.1:8765", now)


def live(*markets: MarketInfo) -> WatchState:
    """Markets with books and a trade, after a few seconds."""
    markets = markets or (info(),)
    watched = state(*markets)
    watched.apply(connected(*markets), 0.0, WALL)
    for market in markets:
        first = book(market)
        watched.apply(first, 0.0, WALL)
        if len(market.asset_ids) == 2:
            watched.apply(mirrored(market, first), 0.0, WALL)
    watched.tick(0.0)
    for step in range(1, 8):
        for market in markets:
            watched.apply(change(market, f"0.5{step % 3}", f"{step}00", lag=0.012), step / 2, WALL)
        watched.tick(step / 2)
    for market in markets:
        watched.apply(trade(market, lag=0.012), 4.0, WALL)
    watched.tick(4.0)
    return watched
