"""The event types of the user channel and the classes that they become."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol.decoding import Vocabulary

__all__ = ["USER_VOCABULARY"]

_ORDER_TYPES = frozenset(("PLACEMENT", "UPDATE", "CANCELLATION"))


def _infer(wire: Mapping[str, object]) -> str:
    # Captures of 2025 carry only the second, inner type.
    inner = wire.get("type")
    if not isinstance(inner, str):
        return ""
    return "order" if inner in _ORDER_TYPES else "trade" if inner == "TRADE" else ""


USER_VOCABULARY = Vocabulary(
    channel="user",
    # A user's own orders are few and spelled in many ways: all go the tolerant way.
    fast=MappingProxyType({}),
    tolerant=MappingProxyType({"order": Order, "trade": Trade}),
    infer=_infer,
    decimals=MappingProxyType({}),
)
