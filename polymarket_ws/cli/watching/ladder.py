"""The book of one token: the best levels of both sides, with their sizes as bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate

import attrs
from rich.cells import cell_len
from rich.text import Text

from polymarket_ws.cli.watching.canvas import (
    BOLD_GREEN,
    BOLD_RED,
    DIM,
    GREEN,
    PLAIN,
    RED,
    styled,
)
from polymarket_ws.cli.watching.figures import (
    bar,
    bar_leftward,
    cents,
    cents_places,
    clipped,
    fitted,
    shares,
)
from polymarket_ws.cli.watching.state import MarketState
from polymarket_ws.events.market import Level

__all__ = ["ladder"]

#: With decimals for what one usually trades, where there is room for them.
_SIZE_CELLS = 9
_NARROW_SIZE_CELLS = 7

#: Left of a half after its prices: from here on there is room for more than size and bar.
_WIDE_FROM = 24


def ladder(market: MarketState, width: int, rows: int) -> list[Text]:
    """Return a heading and the best levels of the first outcome, best first.

    Bids are at the left and asks at the right; bars of both are to one scale.

    Args:
        market: whose book is shown, true at the moment or not.
        width: cells of a line; none is longer.
        rows: lines, at least 1.
    """
    depth = market.depth
    half = (width - 1) // 2
    layout = _Layout.of(half, depth.bids[: rows - 1], depth.asks[: rows - 1])
    lines = [_heading(market.leading.name, depth.bids, depth.asks, half)]
    lines[0].append("─" * (width - lines[0].cell_len), DIM)
    bids = _rows(depth.bids[: rows - 1])
    asks = _rows(depth.asks[: rows - 1])
    for index in range(rows - 1):
        line = Text("")
        if index < len(bids):
            layout.bid(line, *bids[index], best=index == 0)
        line.append(" " * max(0, half - line.cell_len))
        line.append("│", DIM)
        if index < len(asks):
            layout.ask(line, *asks[index], best=index == 0)
        lines.append(line)
    if rows > 1 and not bids and not asks:
        words = market.condition or "the book is empty"
        lines[1] = styled(f" {clipped(words, width - 1)}", DIM)
    for line in lines:
        line.truncate(width, overflow="crop")
    return lines


def _rows(levels: Sequence[Level]) -> list[tuple[Level, Decimal]]:
    """Return levels with the sum of all sizes up to each."""
    return list(zip(levels, accumulate(level.size for level in levels), strict=True))


def _heading(name: str, bids: Sequence[Level], asks: Sequence[Level], half: int) -> Text:
    left, right = f"Bids for {name}", "Asks"
    noted = all(
        cell_len(title) + cell_len(_note(levels)) + 5 <= half
        for title, levels in ((left, bids), (right, asks))
    )
    line = Text("")
    for title, levels in ((left, bids), (right, asks)):
        began = line.cell_len
        line.append("─ ", DIM)
        line.append(f"{clipped(title, max(0, half - 3))} ")
        if noted:
            line.append(f"{_note(levels)} ", DIM)
        line.append("─" * max(0, began + half - line.cell_len), DIM)
        if title is left:
            line.append("┼", DIM)
    return line


def _note(levels: Sequence[Level]) -> str:
    total = shares(sum((level.size for level in levels), Decimal(0)))
    return f"{len(levels)} {'level' if len(levels) == 1 else 'levels'}, {total}"


@attrs.frozen(kw_only=True)
class _Layout:
    """Cells of one side, 0 leaves a column out; and what numbers are measured by."""

    size: int
    total: int
    bar: int
    price: int
    places: int
    largest: Decimal

    @classmethod
    def of(cls, half: int, bids: Sequence[Level], asks: Sequence[Level]) -> _Layout:
        levels = (*bids, *asks)
        places = cents_places(level.price for level in levels)
        price = max((len(cents(level.price, places)) for level in levels), default=0)
        # A blank at both ends of a price, and one before the size.
        room = half - price - 2
        size = _SIZE_CELLS if room >= _WIDE_FROM else min(_NARROW_SIZE_CELLS, max(0, room - 4))
        room -= size + 1
        total = _SIZE_CELLS if room >= _WIDE_FROM else 0
        room -= total + 1 if total else 0
        return cls(
            size=size,
            total=total,
            bar=max(0, room - 1),
            price=price,
            places=places,
            largest=max((level.size for level in levels), default=Decimal(1)),
        )

    def bid(self, line: Text, level: Level, total: Decimal, *, best: bool) -> None:
        for text, dim in reversed(list(self._numbers(level, total))):
            line.append(f" {text}", DIM if dim else PLAIN)
        line.append(" ")
        line.append(bar_leftward(float(level.size / self.largest), self.bar), GREEN)
        line.append(f" {self._price(level)} ", BOLD_GREEN if best else PLAIN)

    def ask(self, line: Text, level: Level, total: Decimal, *, best: bool) -> None:
        line.append(f" {self._price(level)} ", BOLD_RED if best else PLAIN)
        line.append(bar(float(level.size / self.largest), self.bar), RED)
        line.append(" ")
        for text, dim in self._numbers(level, total):
            line.append(f"{text} ", DIM if dim else PLAIN)

    def _price(self, level: Level) -> str:
        return fitted(cents(level.price, self.places), self.price, right=True)

    def _numbers(self, level: Level, total: Decimal) -> Iterator[tuple[str, bool]]:
        if self.size:
            yield fitted(shares(level.size, self.size), self.size, right=True), False
        if self.total:
            yield fitted(shares(total, self.total), self.total, right=True), True
