"""What clients say on the market channel, sorted out.

Pure. The first frame must be a subscription; later ones are ``PING``, or an operation on the
subscription that is there.
"""

from __future__ import annotations

import json

import attrs

__all__ = ["FirstSubscription", "Operation", "parse_first", "parse_operation"]


@attrs.frozen(kw_only=True)
class FirstSubscription:
    """The frame that opens a subscription.

    Attributes:
        asset_ids: the tokens, in the order of the frame, without repetitions.
        custom_feature_enabled: whether the custom events are wanted.
        initial_dump: whether the opening books are wanted.
    """

    asset_ids: tuple[str, ...]
    custom_feature_enabled: bool = False
    initial_dump: bool = True


@attrs.frozen(kw_only=True)
class Operation:
    """A later change of the subscription.

    Attributes:
        subscribe: False to unsubscribe.
        asset_ids: the tokens, in the order of the frame, without repetitions.
        custom_feature_enabled: the new value of the flag; None leaves it.
    """

    subscribe: bool
    asset_ids: tuple[str, ...]
    custom_feature_enabled: bool | None = None


def parse_first(text: str) -> FirstSubscription | None:
    """Return the subscription in a first frame; None when it is not a valid one."""
    frame = _object(text)
    if frame is None or frame.get("type") != "market":
        return None
    asset_ids = _asset_ids(frame)
    if asset_ids is None:
        return None
    return FirstSubscription(
        asset_ids=asset_ids,
        custom_feature_enabled=frame.get("custom_feature_enabled") is True,
        initial_dump=frame.get("initial_dump") is not False,
    )


def parse_operation(text: str) -> Operation | None:
    """Return the operation in a later frame; None when it is none, and so is ignored."""
    frame = _object(text)
    if frame is None or frame.get("operation") not in ("subscribe", "unsubscribe"):
        return None
    asset_ids = _asset_ids(frame)
    if asset_ids is None:
        return None
    flag = frame.get("custom_feature_enabled")
    return Operation(
        subscribe=frame["operation"] == "subscribe",
        asset_ids=asset_ids,
        custom_feature_enabled=flag if isinstance(flag, bool) else None,
    )


def _object(text: str) -> dict[str, object] | None:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def _asset_ids(frame: dict[str, object]) -> tuple[str, ...] | None:
    asset_ids = frame.get("assets_ids")
    if not isinstance(asset_ids, list):
        return None
    if not all(isinstance(asset_id, str) for asset_id in asset_ids):
        return None
    return tuple(dict.fromkeys(asset_ids))
