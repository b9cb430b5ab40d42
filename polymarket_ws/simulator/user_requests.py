"""What clients say on the user channel, sorted out.

Pure. Markets are condition ids here; no market at all means every market, as the official SDK
takes it: so subscribing to one narrows, and unsubscribing from the last one widens.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

__all__ = ["UserOperation", "UserSubscription", "parse_first", "parse_operation"]


@attrs.frozen(kw_only=True)
class UserSubscription:
    """The frame that opens a subscription.

    Attributes:
        keys: API key, secret and passphrase, right or wrong.
        markets: condition ids in lower case; none for all.
    """

    keys: tuple[str, str, str] = attrs.field(repr=False)
    markets: tuple[str, ...]


@attrs.frozen(kw_only=True)
class UserOperation:
    """A later change of the subscription.

    Attributes:
        subscribe: False to unsubscribe.
        markets: condition ids in lower case.
    """

    subscribe: bool
    markets: tuple[str, ...]


def parse_first(text: str) -> UserSubscription | None:
    """Return the subscription in a first frame; None when it is not a valid one."""
    frame = _object(text)
    if frame is None or frame.get("type") != "user":
        return None
    auth = frame.get("auth")
    markets = _markets(frame.get("markets", []))
    if not isinstance(auth, dict) or markets is None:
        return None
    api_key, secret, passphrase = map(auth.get, ("apiKey", "secret", "passphrase"))
    if isinstance(api_key, str) and isinstance(secret, str) and isinstance(passphrase, str):
        return UserSubscription(keys=(api_key, secret, passphrase), markets=markets)
    return None


def parse_operation(text: str) -> UserOperation | None:
    """Return the operation in a later frame; None when it is none, and so is ignored."""
    frame = _object(text)
    if frame is None or frame.get("operation") not in ("subscribe", "unsubscribe"):
        return None
    markets = _markets(frame.get("markets"))
    if markets is None:
        return None
    return UserOperation(subscribe=frame["operation"] == "subscribe", markets=markets)


def _object(text: str) -> dict[str, Any] | None:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def _markets(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(market, str) for market in value):
        return None
    return tuple(dict.fromkeys(market.lower() for market in value))
