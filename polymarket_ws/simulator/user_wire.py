"""The spelling of an account's orders and trades: on the user channel and over REST.

Pure. Keys are sorted and the JSON is compact, as captured live. The stream spells times as text
in seconds or milliseconds, whichever the captures of that message show; REST spells statuses with
a prefix and times in seconds. Prices are ``int`` thousandths and sizes ``int`` hundredths of a
share, as everywhere in the simulated exchange.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import attrs

from polymarket_ws.simulator.wire import price_text, size_text

__all__ = [
    "MakerState",
    "OrderState",
    "TradeState",
    "order_frame",
    "rest_order",
    "rest_trade",
    "trade_frame",
]

# REST has one word for whatever else may end an order.
_REST_ORDER_STATUSES = ("LIVE", "MATCHED", "CANCELED_MARKET_RESOLVED")


@attrs.define(kw_only=True)
class OrderState:
    """An order, as it is at the moment.

    Attributes:
        id: ``0x`` and 64 hex digits.
        owner: the API key.
        maker_address: the wallet.
        market: the condition id.
        asset_id: the token.
        outcome: its name.
        side: ``BUY`` or ``SELL``.
        price: the limit.
        size: at first.
        order_type: ``GTC``, ``FOK`` or ``FAK``.
        created_ms: Unix milliseconds.
        matched: filled so far.
        status: as the stream spells it: ``LIVE``, ``MATCHED``, ``CANCELED`` or why it was.
        trades: ids of the trades that filled it.
    """

    id: str
    owner: str
    maker_address: str
    market: str
    asset_id: str
    outcome: str
    side: str
    price: int
    size: int
    order_type: str
    created_ms: int
    matched: int = 0
    status: str = "LIVE"
    trades: list[str] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class MakerState:
    """A maker's part of a trade, in terms of the maker's own order."""

    order_id: str
    owner: str
    maker_address: str
    asset_id: str
    outcome: str
    outcome_index: int
    side: str
    price: int
    matched: int


@attrs.define(kw_only=True)
class TradeState:
    """A trade, as it is at the moment.

    Attributes:
        id: a UUID.
        number: 1 for the first trade of the account, and so on: decides between spellings.
        taker_order_id: the taker's order.
        owner: the taker's API key.
        maker_address: the taker's wallet.
        market: the condition id.
        asset_id: the taker's token.
        outcome: its name.
        side: the taker's.
        price: of the first level that was hit.
        size: all of it.
        trader_side: what the account is in it: ``TAKER`` or ``MAKER``.
        makers: whom it was traded with.
        matched_ms: Unix milliseconds.
        updated_ms: Unix milliseconds of the last change of ``status``.
        status: ``MATCHED``, ``MINED``, ``CONFIRMED``, ``RETRYING`` or ``FAILED``.
        transaction_hash: the one that it has once it is mined.
        fails: whether the chain will refuse it.
    """

    id: str
    number: int
    taker_order_id: str
    owner: str
    maker_address: str
    market: str
    asset_id: str
    outcome: str
    side: str
    price: int
    size: int
    trader_side: Literal["TAKER", "MAKER"]
    makers: tuple[MakerState, ...]
    matched_ms: int
    updated_ms: int
    status: str = "MATCHED"
    transaction_hash: str
    fails: bool = False

    @property
    def mined_hash(self) -> str:
        """The transaction's hash, empty before it is mined."""
        return self.transaction_hash if self.status in ("MINED", "CONFIRMED") else ""


def order_frame(order: OrderState, kind: str, now_ms: int) -> str:
    """Spell an ``order`` event of type ``PLACEMENT``, ``UPDATE`` or ``CANCELLATION``."""
    killed = order.status.startswith("CANCELED_") and order.order_type in ("FOK", "FAK")
    by_exchange = order.status == "CANCELED_MARKET_RESOLVED"
    created_at = str(order.created_ms if by_exchange else order.created_ms // 1000)
    return _json(
        {
            "asset_id": order.asset_id,
            # Null at first, and a list from then on.
            "associate_trades": None if kind == "PLACEMENT" else list(order.trades),
            "created_at": "" if killed else created_at,
            "event_type": "order",
            "expiration": "0",
            "id": order.id,
            "maker_address": order.maker_address,
            "market": order.market,
            "order_owner": order.owner,
            "order_type": order.order_type,
            "original_size": size_text(order.size),
            "outcome": "" if killed else order.outcome,
            "owner": order.owner,
            "price": price_text(order.price),
            "side": order.side,
            "size_matched": "" if killed else size_text(order.matched),
            "status": order.status,
            "timestamp": str(now_ms),
            "type": kind,
        }
    )


def trade_frame(trade: TradeState) -> str:
    """Spell a ``trade`` event with the status of the moment."""
    final = trade.status in ("CONFIRMED", "FAILED")
    return _json(
        {
            **_trade(trade),
            "event_type": "trade",
            "status": trade.status,
            # Final ones were captured with seconds, the ones before with milliseconds.
            "timestamp": str(trade.updated_ms // 1000 if final else trade.updated_ms),
            "trade_owner": trade.owner,
            "type": "TRADE",
            # Both spellings of the time are about.
            "matchtime" if trade.number % 4 == 0 else "match_time": _seconds(trade.matched_ms),
        }
    )


def rest_order(order: OrderState) -> dict[str, Any]:
    """Return an order as ``GET /data/orders`` and ``GET /data/order/{id}`` do."""
    status = order.status if order.status in _REST_ORDER_STATUSES else "CANCELED"
    return {
        "id": order.id,
        "status": f"ORDER_STATUS_{status}",
        "owner": order.owner,
        "maker_address": order.maker_address,
        "market": order.market,
        "asset_id": order.asset_id,
        "side": order.side,
        "original_size": size_text(order.size),
        "size_matched": size_text(order.matched),
        "price": price_text(order.price),
        "outcome": order.outcome,
        "expiration": "0",
        "order_type": order.order_type,
        "associate_trades": list(order.trades),
        "created_at": order.created_ms // 1000,
    }


def rest_trade(trade: TradeState) -> dict[str, Any]:
    """Return a trade as ``GET /data/trades`` does."""
    return {
        **_trade(trade),
        "status": f"TRADE_STATUS_{trade.status}",
        "match_time": _seconds(trade.matched_ms),
    }


def _trade(trade: TradeState) -> dict[str, Any]:
    return {
        "asset_id": trade.asset_id,
        "bucket_index": 0,
        "fee_rate_bps": "0",
        "id": trade.id,
        "last_update": _seconds(trade.updated_ms),
        "maker_address": trade.maker_address,
        "maker_orders": [_maker(maker) for maker in trade.makers],
        "market": trade.market,
        "outcome": trade.outcome,
        "owner": trade.owner,
        "price": price_text(trade.price),
        "side": trade.side,
        "size": size_text(trade.size),
        "taker_order_id": trade.taker_order_id,
        "trader_side": trade.trader_side,
        "transaction_hash": trade.mined_hash,
    }


def _maker(maker: MakerState) -> dict[str, Any]:
    return {
        "asset_id": maker.asset_id,
        "fee_rate_bps": "",
        "maker_address": maker.maker_address,
        "matched_amount": size_text(maker.matched),
        "order_id": maker.order_id,
        "outcome": maker.outcome,
        "outcome_index": maker.outcome_index,
        "owner": maker.owner,
        "price": price_text(maker.price),
        "side": maker.side,
    }


def _seconds(milliseconds: int) -> str:
    return str(milliseconds // 1000)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
