"""The list of markets: a line each."""

from __future__ import annotations

import attrs
from rich.cells import cell_len
from rich.text import Text

from polymarket_ws.cli.watching.canvas import (
    BOLD,
    BOLD_CYAN,
    DIM,
    PLAIN,
    Frame,
    condition_style,
    direction,
    scaled,
    styled,
    tint,
)
from polymarket_ws.cli.watching.figures import cents, fitted, lag, move, rate, shares
from polymarket_ws.cli.watching.state import MarketState, OutcomeState, WatchState

__all__ = ["listed"]


@attrs.frozen
class _Columns:
    """Cells of each column of the list; 0 leaves it out."""

    question: int
    outcome: int
    price: int
    move: int
    spark: int
    spread: int
    rate: int
    lag: int
    volume: int


def _columns(state: WatchState, width: int) -> _Columns:
    names = {market.leading.name for market in state.markets}
    longest = max(cell_len(name) for name in names)
    outcome = 0 if names == {"Yes"} else min(longest, 12 if width >= 100 else 6)
    # The first to go are the last to come, each with the width from which it has a place.
    spark = 0 if width < 56 else 10 if width < 100 else width // 6
    spread = 6 if width >= 76 else 0
    per_second = 6 if width >= 64 else 0
    lag_cells = 8 if width >= 110 else 0
    volume = 9 if width >= 100 else 0
    price, change = 7, 8 if width >= 40 else 0
    taken = 3 + (outcome + 1 if outcome else 0) + 2 + price
    for cells in (change, spark, spread, per_second, lag_cells, volume):
        taken += cells + 2 if cells else 0
    return _Columns(
        question=max(0, width - taken - 1),
        outcome=outcome,
        price=price,
        move=change,
        spark=spark,
        spread=spread,
        rate=per_second,
        lag=lag_cells,
        volume=volume,
    )


def listed(state: WatchState, frame: Frame, rows: int) -> list[Text]:
    """Return a heading and at most so many markets, the selected one among them.

    Args:
        state: whose markets are listed.
        frame: how wide a line is; none is longer.
        rows: lines below the heading, at least 1.
    """
    columns = _columns(state, frame.width)
    count = len(state.markets)
    rows = min(rows, count)
    # The selected one stays in view, with its neighbours where there are some.
    first = min(max(0, state.selected - rows // 2), count - rows)
    title = "market" if rows == count else f"market {first + 1}\N{EN DASH}{first + rows} of {count}"
    head = Text(f"   {fitted(title, columns.question)}", DIM)
    before = columns.outcome + 1 if columns.outcome else 0
    head.append(" " * before + "  " + fitted("price", columns.price, right=True))
    for cells, name, right in (
        (columns.move, "change", True),
        (columns.spark, "since start" if columns.spark > 10 else "trend", False),
        (columns.spread, "spread", True),
        (columns.rate, "msg/s", True),
        (columns.lag, "lag", True),
        (columns.volume, "traded", True),
    ):
        if cells:
            head.append(f"  {fitted(name, cells, right=right)}")
    return [head] + [
        _table_row(state.markets[index], columns, selected=index == state.selected)
        for index in range(first, first + rows)
    ]


def _table_row(market: MarketState, columns: _Columns, *, selected: bool) -> Text:
    leading = market.leading
    quote = leading.quote
    faded = quote.stale or market.resolved
    line = styled(" ▸ " if selected else "   ", BOLD_CYAN)
    line.append(fitted(market.question, columns.question), BOLD if selected else PLAIN)
    if columns.outcome:
        line.append(f" {fitted(leading.name, columns.outcome)}", DIM)
    line.append("  ")
    price = fitted(cents(quote.price), columns.price, right=True)
    line.append(price, DIM if faded else BOLD)
    condition = market.condition
    if columns.move:
        change = leading.change
        text = fitted(condition or move(change), columns.move, right=True)
        line.append("  ")
        line.append(text, condition_style(market) if condition else direction(change))
    if columns.spark:
        line.append("  ")
        line.append(fitted(_spark(market, columns.spark), columns.spark), tint(leading.change))
    if columns.spread:
        line.append("  ")
        line.append(fitted(_spread(leading), columns.spread, right=True), DIM if faded else PLAIN)
    if columns.rate:
        text = rate(market.rate.per_second)
        line.append(f"  {fitted(text, columns.rate, right=True)}")
    if columns.lag:
        line.append(f"  {fitted(lag(market.lag.milliseconds), columns.lag, right=True)}")
    if columns.volume:
        line.append(
            f"  {fitted(shares(market.volume, columns.volume), columns.volume, right=True)}"
        )
    return line


def _spread(outcome: OutcomeState) -> str:
    seen = outcome.book.snapshot(allow_stale=True)
    return cents(seen.spread) if seen.spread is not None else "\N{EN DASH}"


def _spark(market: MarketState, width: int) -> str:
    drawn = scaled(market, width, 1)
    return drawn[0][0] if drawn else ""
