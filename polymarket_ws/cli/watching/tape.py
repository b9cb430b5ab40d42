"""The last trades, and what else happened between them."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from polymarket_ws.cli.watching.canvas import BOLD_RED, CYAN, DIM, GREEN, PLAIN, RED, Frame
from polymarket_ws.cli.watching.figures import cents, cents_places, clipped, fitted, shares
from polymarket_ws.cli.watching.state import MarketState, Remark, Trade

__all__ = ["tape"]

_SIZE_CELLS = 9
_NARROW_SIZE_CELLS = 7

#: Cells: from here on there is room for more of the outcome's name and of the size.
_WIDE_FROM = 40


def tape(market: MarketState, frame: Frame, width: int, rows: int) -> list[Text]:
    """Return exactly so many lines, the newest first.

    Args:
        market: whose trades are shown.
        frame: for the time of day.
        width: cells of a line; none is longer.
        rows: lines.
    """
    shown = [market.tape[index] for index in range(min(rows, len(market.tape)))]
    places = cents_places(row.price for row in shown if isinstance(row, Trade))
    names = max(cell_len(outcome.name) for outcome in market.outcomes)
    names = min(max(3, names), 3 if width < _WIDE_FROM else 8)
    lines = [_row(row, frame, width, places, names) for row in shown]
    if not lines and rows:
        lines.append(Text(clipped("none yet", width), DIM))
    lines += [Text("") for _ in range(rows - len(lines))]
    return lines


def _row(row: Trade | Remark, frame: Frame, width: int, places: int, names: int) -> Text:
    line = Text("")
    line.append(f"{frame.clock(row.at)} ", DIM)
    if isinstance(row, Remark):
        text = clipped(row.text, width - line.cell_len)
        line.append(text, BOLD_RED if row.alarming else CYAN)
        line.truncate(width, overflow="crop")
        return line
    style = GREEN if row.side == "BUY" else RED if row.side == "SELL" else PLAIN
    line.append(f"{fitted(row.side, 4)} ", style)
    line.append(f"{fitted(row.outcome, names)} ")
    price = fitted(cents(row.price, places), max(5, 3 + places + (places > 0)), right=True)
    cells = _NARROW_SIZE_CELLS if width < _WIDE_FROM else _SIZE_CELLS
    cells = min(cells, max(0, width - line.cell_len - cell_len(price) - 1))
    line.append(fitted(shares(row.size, cells), cells, right=True))
    line.append(f" {price}", style)
    room = width - line.cell_len
    if room >= 10:
        dollars = f"${row.size * row.price:,.2f}"
        line.append(f" {fitted(dollars, min(11, room - 1), right=True)}", DIM)
    room = width - line.cell_len
    if room >= 13 and row.transaction_hash:
        line.append(f"  {row.transaction_hash[:6]}…{row.transaction_hash[-4:]}", DIM)
    line.truncate(width, overflow="crop")
    return line
