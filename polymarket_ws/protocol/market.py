"""The market channel as it is spoken: frames, control texts, heartbeat."""

from __future__ import annotations

import json

from polymarket_ws.events.event import Event
from polymarket_ws.events.market import BestBidAsk, Book, MarketResolved, NewMarket
from polymarket_ws.protocol.heartbeat import TextPing
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY

__all__ = ["MarketDialect"]

#: Documented, and enough: without any frame the server hangs up after about 125 s.
PING_INTERVAL = 10.0

#: Texts that are no JSON and mean nothing to a user. ``NO NEW ASSETS`` comes with the
#: new-market feature; empty frames are known from a sister channel.
_CONTROL_TEXTS = frozenset((b"PONG", b"NO NEW ASSETS", b""))

#: Named as a control text by several clients; its trigger was never published.
_REJECTION = b"INVALID OPERATION"

_CUSTOM_FEATURES: frozenset[type[Event]] = frozenset((BestBidAsk, NewMarket, MarketResolved))


class MarketDialect:
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

    def is_control(self, text: bytes) -> bool:
        """Return whether a text that is no JSON means nothing to a user."""
        return text.strip() in _CONTROL_TEXTS

    def rejection(self, text: bytes) -> str | None:
        """Return the server's words if a text that is no JSON refuses something."""
        return _REJECTION.decode() if text.strip() == _REJECTION else None

    def first(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that opens a connection; it must be the first of all."""
        return _compact({"type": "market", "assets_ids": ids, "custom_feature_enabled": features})

    def subscribe(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that adds ids to an open connection."""
        return _compact(
            {"operation": "subscribe", "assets_ids": ids, "custom_feature_enabled": features}
        )

    def unsubscribe(self, ids: list[str]) -> str:
        """Return the frame that takes ids from an open connection."""
        return _compact({"operation": "unsubscribe", "assets_ids": ids})


def _compact(frame: dict[str, object]) -> str:
    # Spaces after separators make a sister channel's filters match nothing.
    return json.dumps(frame, separators=(",", ":"))
