"""Orders and trades to show, and the states that come of them."""

from __future__ import annotations

from decimal import Decimal

from polymarket_ws.cli.watching.account_state import AccountState
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, Disconnected, RecoveryFailed
from polymarket_ws.events.user import MakerOrder, Order, Trade
from polymarket_ws.market_info import MarketInfo
from tests.cli.watching.scenes import WALL, info

KEY = "6dd34055-44f1-455c-b696-25eed003f5ee"
MARKET = info()


def order(
    number: int = 1,
    matched: str = "0",
    kind: str = "PLACEMENT",
    status: str | None = "LIVE",
    *,
    side: str = "BUY",
    price: str = "0.52",
    size: str = "40",
    how: str = "GTC",
    market: str = MARKET.condition_id,
    at: float | None = WALL,
    recovered: bool = False,
) -> Order:
    return Order(
        market=market,
        type=kind,
        id=f"0x{number:064x}",
        asset_id="10",
        side=side,
        price=Decimal(price),
        original_size=Decimal(size),
        size_matched=Decimal(matched),
        status=status,
        order_type=how,
        outcome="Yes",
        owner=KEY,
        timestamp=None if at is None else int(at * 1000) + 5,
        received_at=(at or WALL) + 0.012,
        recovered=recovered,
    )


def cancelled(number: int = 1, matched: str = "0", how: str = "GTC") -> Order:
    return order(number, matched, "CANCELLATION", "CANCELED", how=how)


def trade(
    number: int = 1,
    status: str = "MATCHED",
    *,
    of_order: int = 1,
    size: str = "15",
    price: str = "0.52",
    maker: bool = False,
    recovered: bool = False,
) -> Trade:
    order_id = f"0x{of_order:064x}"
    own = MakerOrder(
        order_id=order_id,
        owner=KEY,
        matched_amount=Decimal(size),
        price=Decimal(price),
        asset_id="10",
        outcome="Yes",
        side="BUY",
    )
    return Trade(
        market=MARKET.condition_id,
        id=f"trade-{number}",
        taker_order_id="0xsomebody" if maker else order_id,
        asset_id="10",
        side="SELL" if maker else "BUY",
        size=Decimal("900" if maker else size),
        price=Decimal(price),
        status=status,
        outcome="Yes",
        trade_owner="somebody" if maker else KEY,
        match_time=int(WALL * 1000),
        timestamp=int(WALL * 1000),
        maker_orders=(own,) if maker else (),
        recovered=recovered,
    )


def connected(epoch: int = 1, gap: float = 0.0, *, recovers: bool = True) -> Connected:
    return Connected(channel="user", connection=1, epoch=epoch, gap_seconds=gap, recovers=recovers)


def disconnected(reason: str = "reset") -> Disconnected:
    return Disconnected(channel="user", connection=1, code=1006, reason=reason)


def failed_recovery() -> RecoveryFailed:
    return RecoveryFailed(
        channel="user", connection=1, since=1_000, until=5_000, error="no answer in 10 s"
    )


def state(*events: Event, infos: tuple[MarketInfo, ...] = (MARKET,)) -> AccountState:
    """An account to which this happened in the first second."""
    account = AccountState(KEY, infos, "127.0.0.1:8765", 0.0)
    for event in events:
        account.apply(event, 0.5, WALL)
    account.tick(1.0)
    return account


def live() -> AccountState:
    """Orders in every state, after a few seconds."""
    return state(
        connected(),
        order(1, side="BUY"),
        order(2, side="SELL", price="0.535", size="1250.5"),
        trade(1, of_order=2, maker=True),
        order(2, "15", "UPDATE", side="SELL", price="0.535", size="1250.5"),
        order(3),
        order(3, "40", "UPDATE", "MATCHED"),
        trade(2, of_order=3, size="40"),
        trade(2, "MINED", of_order=3, size="40"),
        order(4),
        order(4, "10", "UPDATE"),
        cancelled(4, "10"),
        trade(3, "FAILED", of_order=4, size="10"),
    )
