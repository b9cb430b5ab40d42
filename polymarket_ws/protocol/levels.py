"""The levels of the market channel, from the texts on the wire to prices and sizes.

A busy feed is levels: eight numbers in a usual change, a hundred in a book. To make a ``Decimal``
costs five times as much as to look one up, and prices are few: a thousand steps, or ten
thousand, of which a market uses those around its own. So msgspec decodes into levels of texts, and
short texts that came before are not read again. ``Decimal`` is immutable, so events may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import (
    MAX_EMAX,
    MAX_PREC,
    MIN_EMIN,
    Clamped,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Rounded,
    Subnormal,
)
from typing import Any, cast

import msgspec

from polymarket_ws.events.market import Book, Level, LevelChange, PriceChange
from polymarket_ws.spelling import TOO_LARGE, are_sane, is_sane, may_be_signed

__all__ = ["SpelledChange", "SpelledLevel", "complete_book", "complete_change"]

#: A price has at most six, ``0.0005``, and so have the sizes that people type. Longer ones seldom
#: come twice, and to remember what does not costs as much as to make it.
_SHORT = 6

#: Every price of the finest tick size near both ends, and two thousand others: 1 MB.
_MOST_REMEMBERED = 4096

#: Exact: what cannot be is refused, and so is ``1_0``; the tolerant way takes it. Nothing is left
#: to a user's default context, and it takes 25 ns less than the class.
_read = Context(
    prec=MAX_PREC,
    Emin=MIN_EMIN,
    Emax=MAX_EMAX,
    clamp=0,
    traps=[InvalidOperation, Clamped, Inexact, Rounded, Subnormal],
).create_decimal


class SpelledLevel(msgspec.Struct, frozen=True, gc=False):
    """A ``Level`` whose numbers are not read yet."""

    price: str
    size: str


class SpelledChange(msgspec.Struct, frozen=True, gc=False):
    """A ``LevelChange`` whose numbers are not read yet."""

    asset_id: str
    price: str
    size: str
    side: str
    hash: str | None = None
    best_bid: str | None = None
    best_ask: str | None = None


def _number(text: str) -> Decimal:
    """Return the number that ``text`` spells.

    Raises:
        ArithmeticError: it is none.
        ValueError: it is not sane.
    """
    number = _read(text)
    if not number < TOO_LARGE or ("-" in text and not is_sane(number)):
        raise ValueError("a number is not sane")
    return number


class _Numbers(dict[str, Decimal]):
    """Short texts and what they spell. All connections share one, without a lock.

    Each step is one that the interpreter does not divide, and two threads that make the same
    number at once make equal ones.
    """

    __slots__ = ()

    def __missing__(self, text: str) -> Decimal:
        number = _number(text)
        if len(text) <= _SHORT:
            if len(self) >= _MOST_REMEMBERED:
                # Whatever a server sends. What is still in use is back after a look at each.
                self.clear()
            self[text] = number
        return number


_numbers = _Numbers()


_set_price_changes: Callable[[Any, object], None] = cast(Any, PriceChange).price_changes.__set__
_set_bids: Callable[[Any, object], None] = cast(Any, Book).bids.__set__
_set_asks: Callable[[Any, object], None] = cast(Any, Book).asks.__set__


def complete_change(event: Any, _: bytes) -> bool:
    """Give a ``PriceChange`` its levels in the place of ``SpelledChange``; see ``Spelling``."""
    numbers = _numbers
    changes: list[LevelChange] = []
    size, size_text = TOO_LARGE, None
    for change in event.price_changes:
        text = change.size
        # The exchange mirrors a change of one outcome as one of the other, of the same size.
        if text != size_text:
            size = numbers[text] if len(text) <= _SHORT else _number(text)
            size_text = text
        best_bid = change.best_bid
        best_ask = change.best_ask
        changes.append(
            LevelChange(
                asset_id=change.asset_id,
                price=numbers[change.price],
                size=size,
                side=change.side,
                hash=change.hash,
                best_bid=None if best_bid is None else numbers[best_bid],
                best_ask=None if best_ask is None else numbers[best_ask],
            )
        )
    _set_price_changes(event, tuple(changes))
    return True


def complete_book(event: Any, raw: bytes) -> bool:
    """Give a ``Book`` its levels in the place of ``SpelledLevel``; see ``Spelling``."""
    _set_bids(event, _levels(event.bids))
    _set_asks(event, _levels(event.asks))
    numbers = [event.tick_size, event.last_trade_price, event.min_order_size]
    if may_be_signed(raw):
        numbers += [level.size for level in (*event.bids, *event.asks)]
    return are_sane(numbers, raw)


def _levels(spelled: Sequence[SpelledLevel]) -> tuple[Level, ...]:
    numbers = _numbers
    levels: list[Level] = []
    for level in spelled:
        text = level.size
        if len(text) <= _SHORT:
            size = numbers[text]
        else:
            # Written out, because books have hundreds of them; ``complete_book`` looks for signs.
            size = _read(text)
            if not size < TOO_LARGE:
                raise ValueError("a size is not sane")
        levels.append(Level(numbers[level.price], size))
    return tuple(levels)
