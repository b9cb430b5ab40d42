"""The account over REST: signed requests in, the state of the moment out.

Pure. Paths, paging and shapes are those of the official SDK 0.14.0 and of the CLOB's OpenAPI
description. Orders that are not open are in no list, and a trade has the status that it has now.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from polymarket_ws.simulator.account import Account, Keys
from polymarket_ws.simulator.rest import Answer
from polymarket_ws.simulator.user_wire import rest_order, rest_trade

__all__ = ["DOWN", "answer", "is_private"]

#: What every request gets while the account's REST is told to be down.
DOWN = Answer(503, '{"error":"the service is not available"}')

_UNAUTHORIZED = Answer(401, '{"error":"Unauthorized/Invalid api key"}')
_NOT_FOUND = Answer(404, '{"error":"not found"}')

_API_KEYS = "/auth/api-keys"
_ORDERS = "/data/orders"
_ORDER = "/data/order/"
_TRADES = "/data/trades"

_END_CURSOR = "LTE="

# A signature is good for so long, in either direction: clocks differ.
_SIGNED_SECONDS = 60


def is_private(target: str) -> bool:
    """Return whether a request is about the account."""
    path = urlsplit(target).path
    return path in (_API_KEYS, _ORDERS, _TRADES) or path.startswith(_ORDER)


def answer(
    target: str, headers: Mapping[str, str], account: Account, *, now: float, page_size: int
) -> Answer:
    """Answer a ``GET`` about the account.

    Args:
        target: path and query, as in the request line.
        headers: of the request; names in any case.
        account: whose keys sign, and whose orders they are.
        now: Unix seconds by the clock on the wall, which is what clients sign with.
        page_size: the most items of one page.

    Returns:
        401 where the signature or a key is wrong, 400 for a query that makes no sense, and 404
        for an order that is not the account's.
    """
    parts = urlsplit(target)
    if not _is_signed(parts.path, headers, account.keys, now):
        return _UNAUTHORIZED
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.path == _API_KEYS:
        return _json({"apiKeys": [account.keys.api_key]})
    if parts.path.startswith(_ORDER):
        order = account.orders.get(unquote(parts.path.removeprefix(_ORDER)))
        return _NOT_FOUND if order is None else _json(rest_order(order))
    if parts.path == _ORDERS:
        return _page([rest_order(order) for order in account.open_orders], query, page_size)
    try:
        after, before = (
            None if query.get(name) is None else int(query[name]) for name in ("after", "before")
        )
    except ValueError:
        return Answer(400, '{"error":"invalid trade params payload"}')
    # Newest first: while a client turns pages, new trades move the old ones on.
    found = [
        rest_trade(trade)
        for trade in reversed(tuple(account.trades.values()))
        if (after is None or trade.matched_ms // 1000 >= after)
        and (before is None or trade.matched_ms // 1000 <= before)
    ]
    return _page(found, query, page_size)


def _page(items: Sequence[dict[str, Any]], query: Mapping[str, str], page_size: int) -> Answer:
    found = [
        item
        for item in items
        if all(query.get(name, item[name]) == item[name] for name in ("id", "market", "asset_id"))
    ]
    try:
        start = int(base64.b64decode(query.get("next_cursor", "MA=="), validate=True))
    except (binascii.Error, ValueError):
        start = -1
    if start < 0:
        return Answer(400, '{"error":"invalid next_cursor"}')
    page = found[start : start + page_size]
    end = start + len(page)
    cursor = base64.b64encode(str(end).encode()).decode() if end < len(found) else _END_CURSOR
    return _json({"limit": page_size, "next_cursor": cursor, "count": len(page), "data": page})


def _is_signed(path: str, headers: Mapping[str, str], keys: Keys, now: float) -> bool:
    timestamp = headers.get("POLY_TIMESTAMP", "")
    if not (timestamp.isascii() and timestamp.isdecimal()):
        return False
    # Not the client's own code: a mistake in that one must not be made here, too.
    message = f"{timestamp}GET{path}".encode()
    digest = hmac.new(base64.urlsafe_b64decode(keys.secret), message, hashlib.sha256).digest()
    wanted = {
        "POLY_API_KEY": keys.api_key,
        "POLY_PASSPHRASE": keys.passphrase,
        "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
    }
    return (
        abs(now - int(timestamp)) <= _SIGNED_SECONDS
        and headers.get("POLY_ADDRESS", "").lower() == keys.address.lower()
        and all(
            hmac.compare_digest(headers.get(name, "").encode(), value.encode())
            for name, value in wanted.items()
        )
    )


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value, separators=(",", ":")))
