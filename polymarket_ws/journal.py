"""What happened to one book since it was told, for those who join later. Pure."""

from __future__ import annotations

from decimal import Decimal

import attrs

from polymarket_ws.book import OrderBook
from polymarket_ws.book_snapshot import BookState
from polymarket_ws.events.market import (
    Book,
    LevelChange,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)

__all__ = ["Journal"]

#: Changes that are collected before they are thinned out to one a level.
_CHANGES = 256

#: Levels that a true book can have: every price of the finest step, 0.0001, on both sides.
_MOST_LEVELS = 20_000


class Journal:
    """A book of one token, and what changed since.

    Args:
        book: what was told.
        tick_size: where the book does not name it, which only an opening book does.
    """

    __slots__ = ("_is_broken", "_limit", "book", "changes", "tick_size", "timestamp")

    def __init__(self, book: Book, tick_size: Decimal | None = None) -> None:
        self.book = book
        self.tick_size = tick_size if book.tick_size is None else book.tick_size
        self.timestamp = book.timestamp
        self.changes: list[LevelChange] = []
        self._limit = _CHANGES
        self._is_broken = False

    def enter(self, event: PriceChange) -> None:
        """Enter the changes that are the token's."""
        asset_id = self.book.asset_id
        timestamp = event.timestamp
        for change in event.price_changes:
            if change.asset_id != asset_id:
                continue
            if timestamp is not None:
                # A change stamped before the book is part of it already (seen right after
                # connecting).
                if self.timestamp is not None and timestamp < self.timestamp:
                    continue
                self.timestamp = timestamp
            self.changes.append(change)

    def is_possible(self) -> bool:
        """Return whether there are no more changes than a book can have levels."""
        return len(self.changes) < self._limit or self.thin_out()

    def thin_out(self) -> bool:
        """Keep the latest change of each level; False if there are more than a book can have."""
        latest: dict[tuple[str, object], LevelChange] = {}
        for change in self.changes:
            # Re-inserted, so that the last entry stays the one with the newest hash.
            latest.pop((change.side, change.price), None)
            latest[change.side, change.price] = change
        self.changes = list(latest.values())
        self._limit = max(_CHANGES, 2 * len(self.changes))
        return len(self.changes) <= _MOST_LEVELS

    def rebase(self, event: TickSizeChange | MarketResolved) -> None:
        """Take an event that is no change of a level.

        Where there is no true book, only the tick size is kept for the next one.
        """
        folded = self.fold()
        if folded is None:
            self._is_broken = True
            self.changes = []
            if isinstance(event, TickSizeChange):
                self.tick_size = event.new_tick_size
            return
        if isinstance(event, MarketResolved):
            folded = attrs.evolve(folded, bids=(), asks=(), hash=None)
        elif event.new_tick_size != self.tick_size:
            # The hash was taken over the old step.
            folded = attrs.evolve(folded, tick_size=event.new_tick_size, hash=None)
        self.book = folded
        self.tick_size = folded.tick_size
        self.changes = []

    def fold(self) -> Book | None:
        """Return the book as it is now, ``None`` if a change could not be applied."""
        if self._is_broken:
            return None
        book = OrderBook(self.book.asset_id, tick_size=self.tick_size)
        book.apply(self.book)
        if self.changes:
            book.apply(
                PriceChange(
                    market=self.book.market,
                    timestamp=self.timestamp,
                    price_changes=tuple(self.changes),
                )
            )
        if book.state is not BookState.LIVE:
            return None
        return attrs.evolve(
            book.to_book(), received_at=self.book.received_at, epoch=self.book.epoch
        )
