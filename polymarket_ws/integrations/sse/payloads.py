"""Our events as the six kinds of messages that a page is told. Pure.

``docs/reference/sse.md`` describes them. What changes its meaning raises ``VERSION``; a field
that is added does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from polymarket_ws.book import BookSnapshot
from polymarket_ws.conversion import to_dict
from polymarket_ws.events.lifecycle import Connected, Disconnected
from polymarket_ws.events.market import (
    LastTradePrice,
    Level,
    MarketResolved,
    TickSizeChange,
)
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.integrations.sse.text import message
from polymarket_ws.market_info import MarketInfo

__all__ = [
    "MOST_LEVELS",
    "VERSION",
    "Problem",
    "book",
    "disconnected",
    "price_text",
    "problem",
    "problem_json",
    "reconnected",
    "resolved",
    "subscribed",
    "tick_size",
    "trade",
    "unsubscribed",
    "user",
]

VERSION: Final = 1

#: Of each side. A ladder on a page shows fewer; a whole book can have hundreds.
MOST_LEVELS: Final = 15

Problem = Literal["gap", "dropped", "stalled", "rejected", "refused", "failed"]

_MARKET: Final = "polymarket-market-update"
_USER: Final = "polymarket-user-update"
_SUBSCRIBED: Final = "polymarket-ws-subscribed"
_UNSUBSCRIBED: Final = "polymarket-ws-unsubscribed"
_DISCONNECTED: Final = "polymarket-ws-disconnected"
_ERROR: Final = "polymarket-ws-error"

#: API keys, the user's own and other people's. They end at the server.
_SECRET: Final = frozenset(("owner", "order_owner", "trade_owner"))


def price_text(value: Decimal | None) -> str | None:
    """Return a price or size with its own digits."""
    return None if value is None else format(value, "f")


def book(
    snapshot: BookSnapshot,
    *,
    market: str,
    outcome: str | None,
    last_trade_price: Decimal | None,
    received_at: float,
) -> bytes:
    """Return the state of one book, at most :data:`MOST_LEVELS` a side."""
    data: dict[str, Any] = {"asset_id": snapshot.asset_id}
    _add(data, "outcome", outcome)
    data["type"] = "book"
    data["best_bid"] = price_text(snapshot.best_bid)
    data["best_ask"] = price_text(snapshot.best_ask)
    _add(data, "last_trade_price", price_text(last_trade_price))
    data["bids"] = _levels(snapshot.bids)
    data["asks"] = _levels(snapshot.asks)
    _add(data, "tick_size", price_text(snapshot.tick_size))
    data["state"] = snapshot.state.value
    if snapshot.resolved:
        data["resolved"] = True
    data["timestamp"] = snapshot.timestamp
    data["received_at"] = received_at
    return _message(_MARKET, data, market)


def trade(event: LastTradePrice, *, market: str, outcome: str | None) -> bytes:
    """Return a trade of anybody."""
    data: dict[str, Any] = {"asset_id": event.asset_id}
    _add(data, "outcome", outcome)
    data["type"] = "trade"
    data["price"] = price_text(event.price)
    data["size"] = price_text(event.size)
    data["side"] = event.side
    data["timestamp"] = event.timestamp
    _add(data, "transaction_hash", event.transaction_hash)
    return _message(_MARKET, data, market)


def tick_size(event: TickSizeChange, *, market: str) -> bytes:
    """Return a change of the smallest price step."""
    data: dict[str, Any] = {"asset_id": event.asset_id, "type": "tick_size"}
    data["tick_size"] = price_text(event.new_tick_size)
    _add(data, "old_tick_size", price_text(event.old_tick_size))
    data["timestamp"] = event.timestamp
    return _message(_MARKET, data, market)


def resolved(event: MarketResolved, *, market: str) -> bytes:
    """Return that a market was settled; ``asset_id`` is the token that won."""
    data = {
        "asset_id": event.winning_asset_id,
        "type": "resolved",
        "outcome": event.winning_outcome,
        "asset_ids": list(event.assets_ids),
        "timestamp": event.timestamp,
    }
    return _message(_MARKET, data, market)


def user(event: Order | Trade, api_key: str) -> bytes:
    """Return what became of one of the user's orders, without anybody's API key.

    Args:
        event: as the user channel told it.
        api_key: whose fills are told, since a page cannot find them out itself.
    """
    data = _without_secrets(to_dict(event))
    # The wire's own "type" of an order is PLACEMENT, UPDATE or CANCELLATION.
    action = data.pop("type", None)
    told: dict[str, Any] = {"type": event.event_type, **data}
    if isinstance(event, Order):
        _add(told, "action", action)
    else:
        told["fills"] = [
            {
                "order_id": fill.order_id,
                "role": fill.role,
                "asset_id": fill.asset_id,
                "outcome": fill.outcome,
                "side": fill.side,
                "price": price_text(fill.price),
                "size": price_text(fill.size),
            }
            for fill in event.fills_of(api_key)
        ]
    return _message(_USER, told, event.market)


def subscribed(markets: Iterable[MarketInfo], *, user: bool) -> bytes:
    """Return the first event of a response: all that a page needs to draw."""
    listed = list(markets)
    data = {
        "asset_ids": [asset_id for market in listed for asset_id in market.asset_ids],
        "markets": [_market(market) for market in listed],
        "user": user,
    }
    return _message(_SUBSCRIBED, data, listed[0].condition_id if len(listed) == 1 else None)


def reconnected(event: Connected, asset_ids: Sequence[str]) -> bytes:
    """Return that the exchange is back, and how long nothing was heard of it."""
    data = {
        "gap_seconds": round(event.gap_seconds, 3),
        "asset_ids": list(asset_ids),
        "channel": event.channel,
    }
    return _message(_SUBSCRIBED, data)


def unsubscribed(market: MarketInfo) -> bytes:
    """Return that a market is not told any more."""
    data = {"asset_ids": list(market.asset_ids), "markets": [_market(market)]}
    return _message(_UNSUBSCRIBED, data, market.condition_id)


def disconnected(event: Disconnected, asset_ids: Sequence[str]) -> bytes:
    """Return that the exchange is lost."""
    data = {
        "code": event.code,
        "reason": event.reason,
        "last_message_at": event.last_message_at,
        "asset_ids": list(asset_ids),
        "channel": event.channel,
    }
    return _message(_DISCONNECTED, data)


def problem(kind: Problem, text: str, **facts: object) -> bytes:
    """Return what went wrong, in words for a person, with facts for a program."""
    return message(_ERROR, problem_json(kind, text, **facts))


def problem_json(kind: Problem, text: str, **facts: object) -> bytes:
    """Return the same as JSON alone, for the body of a refusal."""
    return _json(_ERROR, {"type": kind, "message": text, **facts})


def _message(name: str, data: Mapping[str, object], market: str | None = None) -> bytes:
    return message(name, _json(name, data, market))


def _json(name: str, data: Mapping[str, object], market: str | None = None) -> bytes:
    whole: dict[str, object] = {"event": name, "v": VERSION}
    if market is not None:
        whole["market"] = market
    whole["data"] = data
    return msgspec.json.encode(whole)


def _add(data: dict[str, Any], key: str, value: object) -> None:
    if value is not None:
        data[key] = value


def _levels(levels: Sequence[Level]) -> list[tuple[str, str]]:
    return [(format(level.price, "f"), format(level.size, "f")) for level in levels[:MOST_LEVELS]]


def _market(market: MarketInfo) -> dict[str, object]:
    return {
        "condition_id": market.condition_id,
        "question": market.question,
        "slug": market.slug,
        "outcomes": list(market.outcomes),
        "asset_ids": list(market.asset_ids),
        "tick_size": price_text(market.tick_size),
        "neg_risk": market.neg_risk,
        "closed": market.closed,
        "end_date": market.end_date,
    }


def _without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in fields.items() if key not in _SECRET}
    if "maker_orders" in kept:
        kept["maker_orders"] = [_without_secrets(order) for order in kept["maker_orders"]]
    return kept
