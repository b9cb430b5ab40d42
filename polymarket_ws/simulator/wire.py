"""The spelling of what the exchange sends: compact JSON in the key order of October 2026.

Pure. Prices are ``int`` thousandths (260 is ``"0.26"``) and sizes ``int`` hundredths of a share
(1250 is ``"12.5"``), so that nothing is ever rounded. Nearly every value is made of digits or hex
digits and needs no escaping; that is why plain string formatting is exact here. Words go through
``json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

__all__ = [
    "ONE",
    "BookText",
    "Entry",
    "Message",
    "best_bid_ask",
    "last_trade_price",
    "level",
    "market_resolved",
    "new_market",
    "opening_book",
    "post_trade_book",
    "price_change",
    "price_text",
    "rest_book",
    "size_text",
    "tick_size_change",
    "unsealed",
]

#: Prices run from 0 to 1 dollar in thousandths, the finest tick there is.
ONE = 1000


@attrs.frozen
class Message:
    """One event on its way to the clients that asked for it.

    Attributes:
        text: the JSON object as it is sent.
        market: the condition id.
        asset_id: the token it is about; None when it concerns every token of the market.
        custom: whether only clients with ``custom_feature_enabled`` get it.
        everybody: whether it goes to every one of these, whatever its tokens.
        final: whether nothing follows about this market.
    """

    text: str
    market: str
    asset_id: str | None = None
    custom: bool = False
    everybody: bool = False
    final: bool = False


@attrs.frozen
class Entry:
    """One token's half of a change: its level, and the top of its book afterwards."""

    asset_id: str
    price: str
    size: str
    side: str
    hash: str
    best_bid: str
    best_ask: str


@attrs.frozen(kw_only=True)
class BookText:
    """A book that is spelled but for its layout.

    Attributes:
        market: the condition id.
        asset_id: the token.
        timestamp: Unix milliseconds of its last change.
        hash: 40 hex digits.
        bids: levels as text, worst first, without the brackets around them.
        asks: likewise.
    """

    market: str
    asset_id: str
    timestamp: int
    hash: str
    bids: str
    asks: str


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".")


_PRICES = tuple(_trimmed(f"{price // ONE}.{price % ONE:03d}") for price in range(ONE + 1))


def price_text(price: int) -> str:
    """Spell a price in thousandths as the wire does: ``260`` is ``"0.26"``, ``1000`` is ``"1"``."""
    return _PRICES[price]


def size_text(size: int) -> str:
    """Spell a size in hundredths of a share as the wire does: ``1250`` is ``"12.5"``."""
    return _trimmed(f"{size // 100}.{size % 100:02d}")


def level(price: int, size: int) -> str:
    """Spell one level of a book."""
    return f'{{"price":"{_PRICES[price]}","size":"{size_text(size)}"}}'


def unsealed(book: BookText) -> str:
    """Spell the beginning of a book with its hash left blank: the text that is hashed."""
    return _head(attrs.evolve(book, hash=""))


def _head(book: BookText) -> str:
    return (
        f'{{"market":"{book.market}","asset_id":"{book.asset_id}",'
        f'"timestamp":"{book.timestamp}","hash":"{book.hash}",'
        f'"bids":[{book.bids}],"asks":[{book.asks}]'
    )


def rest_book(
    book: BookText, *, min_order_size: str, tick_size: str, neg_risk: bool, last_trade_price: str
) -> str:
    """Spell a book as ``GET /book`` answers it."""
    return (
        f'{_head(book)},"min_order_size":"{min_order_size}","tick_size":"{tick_size}",'
        f'"neg_risk":{"true" if neg_risk else "false"},"last_trade_price":"{last_trade_price}"}}'
    )


def opening_book(book: BookText, *, tick_size: str, last_trade_price: str) -> str:
    """Spell a ``book`` as it is in the answer to a subscription."""
    return (
        f'{_head(book)},"tick_size":"{tick_size}","event_type":"book",'
        f'"last_trade_price":"{last_trade_price}"}}'
    )


def post_trade_book(book: BookText) -> str:
    """Spell a ``book`` as it is after a trade: other keys in another order."""
    return (
        f'{{"market":"{book.market}","asset_id":"{book.asset_id}",'
        f'"bids":[{book.bids}],"asks":[{book.asks}],'
        f'"hash":"{book.hash}","timestamp":"{book.timestamp}","event_type":"book"}}'
    )


def price_change(market: str, entries: tuple[Entry, ...], timestamp: int) -> str:
    """Spell a ``price_change``."""
    changes = ",".join(
        f'{{"asset_id":"{entry.asset_id}","price":"{entry.price}","size":"{entry.size}",'
        f'"side":"{entry.side}","hash":"{entry.hash}","best_bid":"{entry.best_bid}",'
        f'"best_ask":"{entry.best_ask}"}}'
        for entry in entries
    )
    return (
        f'{{"market":"{market}","price_changes":[{changes}],"timestamp":"{timestamp}",'
        f'"event_type":"price_change"}}'
    )


def last_trade_price(
    *,
    market: str,
    asset_id: str,
    price: int,
    size: int,
    side: str,
    timestamp: int,
    transaction_hash: str,
) -> str:
    """Spell a ``last_trade_price``; token, side and size are the taker's."""
    return (
        f'{{"market":"{market}","asset_id":"{asset_id}","price":"{_PRICES[price]}",'
        f'"size":"{size_text(size)}","fee_rate_bps":"0","side":"{side}",'
        f'"timestamp":"{timestamp}","event_type":"last_trade_price",'
        f'"transaction_hash":"{transaction_hash}"}}'
    )


def best_bid_ask(market: str, asset_id: str, best_bid: int, best_ask: int, timestamp: int) -> str:
    """Spell a ``best_bid_ask``."""
    return (
        f'{{"market":"{market}","asset_id":"{asset_id}","best_bid":"{_PRICES[best_bid]}",'
        f'"best_ask":"{_PRICES[best_ask]}","spread":"{_PRICES[best_ask - best_bid]}",'
        f'"timestamp":"{timestamp}","event_type":"best_bid_ask"}}'
    )


def tick_size_change(market: str, asset_id: str, old: str, new: str, timestamp: int) -> str:
    """Spell a ``tick_size_change``."""
    return (
        f'{{"market":"{market}","asset_id":"{asset_id}","old_tick_size":"{old}",'
        f'"new_tick_size":"{new}","timestamp":"{timestamp}","event_type":"tick_size_change"}}'
    )


def new_market(
    *,
    number: int,
    question: str,
    market: str,
    slug: str,
    asset_ids: Sequence[str],
    outcomes: Sequence[str],
    tick_size: str,
    timestamp: int,
) -> str:
    """Spell a ``new_market``; the event that it belongs to has the same name."""
    description = "A market of the simulated exchange."
    return _json(
        {
            "id": str(number),
            "question": question,
            "market": market,
            "slug": slug,
            "description": description,
            "assets_ids": list(asset_ids),
            "outcomes": list(outcomes),
            "event_message": {
                "id": str(number),
                "ticker": slug,
                "slug": slug,
                "title": question,
                "description": description,
            },
            "timestamp": str(timestamp),
            "event_type": "new_market",
            "tags": [],
            "condition_id": market,
            "active": True,
            "clob_token_ids": list(asset_ids),
            "sports_market_type": "",
            "line": "",
            "game_start_time": "",
            "order_price_min_tick_size": tick_size,
            "group_item_title": "",
            "taker_base_fee": "0",
            "fees_enabled": False,
        }
    )


def market_resolved(
    *,
    number: int,
    market: str,
    asset_ids: Sequence[str],
    winning_asset_id: str,
    winning_outcome: str,
    timestamp: int,
) -> str:
    """Spell a ``market_resolved``."""
    return _json(
        {
            "id": str(number),
            "market": market,
            "assets_ids": list(asset_ids),
            "winning_asset_id": winning_asset_id,
            "winning_outcome": winning_outcome,
            "event_message": None,
            "timestamp": str(timestamp),
            "event_type": "market_resolved",
            "tags": [],
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
