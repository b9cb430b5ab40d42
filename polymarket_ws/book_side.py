"""One side of an order book: levels by price, in any order they come."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from operator import attrgetter

from polymarket_ws.events.market import Level

__all__ = ["BookSide"]

_by_price = attrgetter("price")


class BookSide:
    """Bids or asks: levels by price, the best one and the order as far as they are known."""

    __slots__ = ("_best", "_best_known", "_highest_first", "_levels", "_ordered")

    def __init__(self, *, highest_first: bool) -> None:
        self._highest_first = highest_first
        # Equal decimals are one key however they are spelled; the Level has the spelling.
        self._levels: dict[Decimal, Level] = {}
        self._best: Decimal | None = None
        self._best_known = True
        self._ordered: tuple[Level, ...] | None = ()

    def put(self, price: Decimal, size: Decimal) -> bool:
        """Set one absolute size, 0 removes the level; return whether a number changed."""
        levels = self._levels
        if not size:
            if levels.pop(price, None) is None:
                return False
            if self._best == price:
                self._best_known = False
            self._ordered = None
            return True
        old = levels.get(price)
        levels[price] = Level(price, size)
        self._ordered = None
        if self._best_known:
            best = self._best
            if best is None or (price >= best if self._highest_first else price <= best):
                self._best = price
        return old is None or old.size != size

    def replace(self, levels: Iterable[Level]) -> bool:
        """Forget every level for these; return whether a number changed."""
        old = self._levels
        self._levels = {level.price: level for level in levels if level.size}
        self._best_known = False
        self._ordered = None
        return old != self._levels

    def best(self) -> Decimal | None:
        """Return the best price, ``None`` when the side is empty."""
        if not self._best_known:
            # Not over the keys: a key keeps the spelling that it was first seen with.
            pick = max if self._highest_first else min
            best = pick(self._levels.values(), key=_by_price, default=None)
            self._best = None if best is None else best.price
            self._best_known = True
        return self._best

    def best_first(self) -> tuple[Level, ...]:
        """Return the levels, best first; the same tuple until the next change."""
        ordered = self._ordered
        if ordered is None:
            ordered = self._ordered = tuple(
                sorted(self._levels.values(), key=_by_price, reverse=self._highest_first)
            )
        return ordered
