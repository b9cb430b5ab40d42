"""Polymarket's live streams for sync Python: native threads, typed events, no silent loss.

::

    from polymarket_ws import Client, Market, lookup

    market = lookup("https://polymarket.com/event/…")
    with Client() as client:
        for event in client.subscribe(Market(market)):
            print(event)

Every public name is importable from here; each is loaded from its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_ws._version import __version__

if TYPE_CHECKING:
    from polymarket_ws.book import BookSnapshot, BookState, OrderBook
    from polymarket_ws.client import Client
    from polymarket_ws.conversion import from_json
    from polymarket_ws.credentials import Credentials
    from polymarket_ws.delivery import Delivery
    from polymarket_ws.endpoints import Endpoints
    from polymarket_ws.errors import (
        AuthenticationFailed,
        ClientClosed,
        ClientForked,
        ConnectionFailed,
        CredentialsNotFound,
        LookupFailed,
        PolymarketWSError,
        ProtocolViolation,
        SlowConsumer,
        StaleBook,
        StreamClosed,
        StreamGap,
        SubscriptionError,
        UsageError,
    )
    from polymarket_ws.events.event import Event
    from polymarket_ws.events.lifecycle import (
        CallbackFailed,
        Connected,
        DecodeFailure,
        Disconnected,
        Dropped,
        Lifecycle,
        RecoveryFailed,
        Subscribed,
        SubscriptionRejected,
        SubscriptionStalled,
        UnknownEvent,
        Unsubscribed,
    )
    from polymarket_ws.events.market import (
        BestBidAsk,
        Book,
        EventMessage,
        LastTradePrice,
        Level,
        LevelChange,
        MarketEvent,
        MarketResolved,
        NewMarket,
        PriceChange,
        TickSizeChange,
    )
    from polymarket_ws.events.user import Fill, MakerOrder, Order, Trade, UserEvent
    from polymarket_ws.health import ConnectionHealth, Health
    from polymarket_ws.market_info import MarketInfo
    from polymarket_ws.protocol.liveness import Liveness
    from polymarket_ws.rest import lookup
    from polymarket_ws.stream import Feed, Stats, Stream
    from polymarket_ws.subscriptions import Market, Subscription, User
    from polymarket_ws.transport.backoff import Backoff

__all__ = [
    "AuthenticationFailed",
    "Backoff",
    "BestBidAsk",
    "Book",
    "BookSnapshot",
    "BookState",
    "CallbackFailed",
    "Client",
    "ClientClosed",
    "ClientForked",
    "Connected",
    "ConnectionFailed",
    "ConnectionHealth",
    "Credentials",
    "CredentialsNotFound",
    "DecodeFailure",
    "Delivery",
    "Disconnected",
    "Dropped",
    "Endpoints",
    "Event",
    "EventMessage",
    "Feed",
    "Fill",
    "Health",
    "LastTradePrice",
    "Level",
    "LevelChange",
    "Lifecycle",
    "Liveness",
    "LookupFailed",
    "MakerOrder",
    "Market",
    "MarketEvent",
    "MarketInfo",
    "MarketResolved",
    "NewMarket",
    "Order",
    "OrderBook",
    "PolymarketWSError",
    "PriceChange",
    "ProtocolViolation",
    "RecoveryFailed",
    "SlowConsumer",
    "StaleBook",
    "Stats",
    "Stream",
    "StreamClosed",
    "StreamGap",
    "Subscribed",
    "Subscription",
    "SubscriptionError",
    "SubscriptionRejected",
    "SubscriptionStalled",
    "TickSizeChange",
    "Trade",
    "UnknownEvent",
    "Unsubscribed",
    "UsageError",
    "User",
    "UserEvent",
    "__version__",
    "from_json",
    "lookup",
]

_HOMES = {
    "BookSnapshot": "polymarket_ws.book",
    "BookState": "polymarket_ws.book",
    "OrderBook": "polymarket_ws.book",
    "Client": "polymarket_ws.client",
    "from_json": "polymarket_ws.conversion",
    "Credentials": "polymarket_ws.credentials",
    "Delivery": "polymarket_ws.delivery",
    "Endpoints": "polymarket_ws.endpoints",
    "AuthenticationFailed": "polymarket_ws.errors",
    "ClientClosed": "polymarket_ws.errors",
    "ClientForked": "polymarket_ws.errors",
    "ConnectionFailed": "polymarket_ws.errors",
    "CredentialsNotFound": "polymarket_ws.errors",
    "LookupFailed": "polymarket_ws.errors",
    "PolymarketWSError": "polymarket_ws.errors",
    "ProtocolViolation": "polymarket_ws.errors",
    "SlowConsumer": "polymarket_ws.errors",
    "StaleBook": "polymarket_ws.errors",
    "StreamClosed": "polymarket_ws.errors",
    "StreamGap": "polymarket_ws.errors",
    "SubscriptionError": "polymarket_ws.errors",
    "UsageError": "polymarket_ws.errors",
    "Event": "polymarket_ws.events.event",
    "CallbackFailed": "polymarket_ws.events.lifecycle",
    "Connected": "polymarket_ws.events.lifecycle",
    "DecodeFailure": "polymarket_ws.events.lifecycle",
    "Disconnected": "polymarket_ws.events.lifecycle",
    "Dropped": "polymarket_ws.events.lifecycle",
    "Lifecycle": "polymarket_ws.events.lifecycle",
    "RecoveryFailed": "polymarket_ws.events.lifecycle",
    "Subscribed": "polymarket_ws.events.lifecycle",
    "SubscriptionRejected": "polymarket_ws.events.lifecycle",
    "SubscriptionStalled": "polymarket_ws.events.lifecycle",
    "UnknownEvent": "polymarket_ws.events.lifecycle",
    "Unsubscribed": "polymarket_ws.events.lifecycle",
    "BestBidAsk": "polymarket_ws.events.market",
    "Book": "polymarket_ws.events.market",
    "EventMessage": "polymarket_ws.events.market",
    "LastTradePrice": "polymarket_ws.events.market",
    "Level": "polymarket_ws.events.market",
    "LevelChange": "polymarket_ws.events.market",
    "MarketEvent": "polymarket_ws.events.market",
    "MarketResolved": "polymarket_ws.events.market",
    "NewMarket": "polymarket_ws.events.market",
    "PriceChange": "polymarket_ws.events.market",
    "TickSizeChange": "polymarket_ws.events.market",
    "Fill": "polymarket_ws.events.user",
    "MakerOrder": "polymarket_ws.events.user",
    "Order": "polymarket_ws.events.user",
    "Trade": "polymarket_ws.events.user",
    "UserEvent": "polymarket_ws.events.user",
    "ConnectionHealth": "polymarket_ws.health",
    "Health": "polymarket_ws.health",
    "MarketInfo": "polymarket_ws.market_info",
    "Liveness": "polymarket_ws.protocol.liveness",
    "lookup": "polymarket_ws.rest",
    "Feed": "polymarket_ws.stream",
    "Stats": "polymarket_ws.stream",
    "Stream": "polymarket_ws.stream",
    "Market": "polymarket_ws.subscriptions",
    "Subscription": "polymarket_ws.subscriptions",
    "User": "polymarket_ws.subscriptions",
    "Backoff": "polymarket_ws.transport.backoff",
}

# Hidden from type checkers, which would take it as leave to import any name at all.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(home), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
