"""What a reader gets of an order book: its state, and its levels at one version."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import attrs

from polymarket_ws.book_hash import EXACT
from polymarket_ws.events.market import Level

__all__ = ["BookSnapshot", "BookState", "crossed", "midpoint", "spread"]

_TWO = Decimal(2)


class BookState(str, Enum):
    """Whether a book is true. Equal to its text: ``book.state == "live"``."""

    SYNCING = "syncing"
    """No ``Book`` has come yet."""

    LIVE = "live"
    """Everything since the last ``Book`` was applied."""

    STALE = "stale"
    """Something was missed since; only the next ``Book`` ends this."""

    def __str__(self) -> str:
        return self.value


@attrs.frozen(kw_only=True)
class BookSnapshot:
    """An order book at one version, immutable and safe to share between threads.

    Attributes:
        asset_id: the token.
        market: the condition id; empty as long as nothing named it.
        state: whether it was true when it was taken.
        version: the version of the order book it was taken from.
        timestamp: Unix milliseconds of the last change, by the exchange's clock.
        bids: best first, which is descending.
        asks: best first, which is ascending.
        tick_size: smallest price step, if known.
        last_trade_price: of the market, if known; may be in terms of the other outcome.
        resolved: whether the market was settled.
    """

    asset_id: str
    market: str
    state: BookState
    version: int
    timestamp: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick_size: Decimal | None
    last_trade_price: Decimal | None
    resolved: bool

    @property
    def best_bid(self) -> Decimal | None:
        """The highest bid; ``None`` when there is none."""
        return self.bids[0].price if self.bids else None

    @property
    def best_ask(self) -> Decimal | None:
        """The lowest ask; ``None`` when there is none."""
        return self.asks[0].price if self.asks else None

    @property
    def spread(self) -> Decimal | None:
        """``best_ask - best_bid``, negative when crossed; ``None`` with an empty side."""
        return spread(self.best_bid, self.best_ask)

    @property
    def midpoint(self) -> Decimal | None:
        """The exact middle of bid and ask; ``None`` with an empty side."""
        return midpoint(self.best_bid, self.best_ask)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return crossed(self.best_bid, self.best_ask)


def spread(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return ``ask - bid`` exactly, ``None`` with an empty side."""
    return None if bid is None or ask is None else EXACT.subtract(ask, bid)


def midpoint(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return the exact middle, ``None`` with an empty side."""
    if bid is None or ask is None:
        return None
    return EXACT.divide(EXACT.add(bid, ask), _TWO)


def crossed(bid: Decimal | None, ask: Decimal | None) -> bool:
    """Return whether the bid is at or above the ask."""
    return bid is not None and ask is not None and bid >= ask
