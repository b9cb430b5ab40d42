"""Which of the orders that rest in a market are somebody's own, and where they stand in line.

Pure. A level of the book is one number; an account needs to know how much of it is its own and
how much is in front of that. Everything here is in terms of the first outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from polymarket_ws.simulator.market import SimulatedMarket

__all__ = ["Match", "Owner", "Part", "Stakes"]


@attrs.frozen
class Part:
    """What one maker gave to a trade.

    Attributes:
        side: of the maker's order.
        price: of its level, in thousandths.
        size: in hundredths of a share.
        order_id: of an own order; None for somebody else's.
    """

    side: str
    price: int
    size: int
    order_id: str | None = None


@attrs.frozen(kw_only=True)
class Match:
    """A trade, seen from within.

    Attributes:
        market: where it happened.
        outcome: the taker's, 0 or 1.
        side: the taker's.
        price: of the first level that was hit, in thousandths of the taker's outcome.
        size: in hundredths of a share.
        parts: whom it was traded with, best price first.
        transaction_hash: as the market channel tells it.
    """

    market: SimulatedMarket
    outcome: int
    side: str
    price: int
    size: int
    parts: tuple[Part, ...]
    transaction_hash: str


class Owner(Protocol):
    """Whoever has own orders in a market."""

    def matched(self, match: Match, now_ms: int) -> None:
        """Take note of a trade in a market with own orders, now or once."""
        ...

    def dissolved(self, market: SimulatedMarket, now_ms: int) -> None:
        """Take note that a market is settled, which ends every order in it."""
        ...


@attrs.define
class _Stake:
    order_id: str
    size: int
    #: What others have in front of it.
    ahead: int


class Stakes:
    """The own orders in one market, each a part of a level that rests there.

    Own orders are not what the random traders cancel; only trades make them smaller.
    """

    def __init__(self) -> None:
        #: Told what happens; None while nobody has orders here.
        self.owner: Owner | None = None
        self._levels: dict[tuple[str, int], list[_Stake]] = {}

    def owned(self, side: str, price: int) -> int:
        """Return how much of a level is own."""
        return sum(stake.size for stake in self._levels.get((side, price), ()))

    def prices(self, side: str) -> list[int]:
        """Return the prices at which own orders rest on a side."""
        return [price for (its_side, price) in self._levels if its_side == side]

    def add(self, order_id: str, side: str, price: int, size: int, level: int) -> None:
        """Note an order that was added to the end of a level of ``level`` in all."""
        ahead = level - size - self.owned(side, price)
        self._levels.setdefault((side, price), []).append(_Stake(order_id, size, ahead))

    def withdraw(self, order_id: str) -> None:
        """Forget an order; what rests of it is anybody's from now on."""
        for stakes in self._levels.values():
            stakes[:] = [stake for stake in stakes if stake.order_id != order_id]
        self._drop_empty()

    def clear(self) -> None:
        """Forget all orders."""
        self._levels.clear()

    def shrunk(self, side: str, price: int, level: int) -> None:
        """Take note of the new size of a level: whoever left may have been in front."""
        others = level - self.owned(side, price)
        for stake in self._levels.get((side, price), ()):
            stake.ahead = min(stake.ahead, others)

    def take(self, side: str, price: int, size: int, level: int) -> Iterable[Part]:
        """Share out what a taker takes from a level, first come first served.

        Args:
            side: of the makers.
            price: of the level.
            size: what is taken.
            level: what rested there before.
        """
        stakes = self._levels.get((side, price), [])
        others = level - self.owned(side, price)
        left, passed = size, 0
        own: list[Part] = []
        for stake in stakes:
            passing = min(left, max(0, min(stake.ahead, others) - passed))
            passed += passing
            left -= passing
            taken = min(left, stake.size)
            left -= taken
            stake.size -= taken
            if taken:
                own.append(Part(side, price, taken, stake.order_id))
        passed += left
        for stake in stakes:
            stake.ahead = max(0, stake.ahead - passed)
        self._drop_empty()
        return [*([Part(side, price, passed)] if passed else []), *own]

    def _drop_empty(self) -> None:
        self._levels = {
            level: kept
            for level, stakes in self._levels.items()
            if (kept := [stake for stake in stakes if stake.size])
        }
