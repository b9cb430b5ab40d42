"""The market channel as it is spoken: frames, control texts, heartbeat."""

from __future__ import annotations

from polymarket_ws.events.event import Event
from polymarket_ws.events.market import BestBidAsk, Book, MarketResolved, NewMarket
from polymarket_ws.protocol.clob import PING_INTERVAL, ClobTexts, compact
from polymarket_ws.protocol.heartbeat import TextPing
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY

__all__ = ["MarketDialect"]

_CUSTOM_FEATURES: frozenset[type[Event]] = frozenset((BestBidAsk, NewMarket, MarketResolved))


class MarketDialect(ClobTexts):
    """What a session must know about the market channel."""

    channel = "market"
    vocabulary = MARKET_VOCABULARY
    authenticates = False
    ids_narrow = False
    snapshot: type[Book] = Book

    def heartbeat(self) -> TextPing:
        """Return a heartbeat for one connection."""
        return TextPing(PING_INTERVAL)

    def features(self, kinds: frozenset[type[Event]]) -> bool:
        """Return whether these classes come only with the server's custom features."""
        return bool(kinds & _CUSTOM_FEATURES)

    def first(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that opens a connection; it must be the first of all."""
        return compact({"type": "market", "assets_ids": ids, "custom_feature_enabled": features})

    def subscribe(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that adds ids to an open connection."""
        return compact(
            {"operation": "subscribe", "assets_ids": ids, "custom_feature_enabled": features}
        )

    def unsubscribe(self, ids: list[str]) -> str:
        """Return the frame that takes ids from an open connection."""
        return compact({"operation": "unsubscribe", "assets_ids": ids})
