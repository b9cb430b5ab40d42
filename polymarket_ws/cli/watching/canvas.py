"""What the parts of a screen share: its size, its few styles, rules and charts.

Colours are the terminal's own green, red and cyan on its own background, and bold and dim of
its own foreground: nothing of that vanishes on a light or on a dark one. What a colour says is
also said by an arrow, a word or a place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

import attrs
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from polymarket_ws.cli.watching.connections import Status
from polymarket_ws.cli.watching.figures import chart, clipped, fitted
from polymarket_ws.cli.watching.state import MarketState

__all__ = [
    "BOLD",
    "BOLD_CYAN",
    "BOLD_GREEN",
    "BOLD_RED",
    "CYAN",
    "DIM",
    "GREEN",
    "PLAIN",
    "RED",
    "TONES",
    "Frame",
    "condition_style",
    "direction",
    "footer",
    "rule",
    "scaled",
    "styled",
    "tint",
    "with_right",
]

PLAIN = Style()
BOLD = Style(bold=True)
DIM = Style(dim=True)
GREEN = Style(color="green")
RED = Style(color="red")
CYAN = Style(color="cyan")
BOLD_GREEN = Style(color="green", bold=True)
BOLD_RED = Style(color="red", bold=True)
BOLD_CYAN = Style(color="cyan", bold=True)

TONES = {"good": BOLD_GREEN, "bad": BOLD_RED, "plain": BOLD}


@attrs.frozen(kw_only=True)
class Frame:
    """What a frame is made for.

    Attributes:
        width: cells in a line, at least 1.
        height: lines, at least 1.
        now: monotonic seconds.
        zone: for the time of trades; ``None`` is the zone of this machine.
        keys: what the keyboard does, for the last line; empty without a keyboard.
    """

    width: int
    height: int
    now: float
    zone: tzinfo | None = None
    keys: str = ""

    def clock(self, at: float) -> str:
        """Return Unix seconds as ``13:31:07``."""
        try:
            return f"{datetime.fromtimestamp(at, self.zone):%H:%M:%S}"
        except (OSError, OverflowError, ValueError):
            return "--:--:--"  # a time that the exchange made up


def styled(text: str, style: Style) -> Text:
    """Return a line that begins with some styled words."""
    # Not Text(text, style): that would be the style of everything that is appended.
    return Text("").append(text, style)


def rule(width: int, parts: Iterable[tuple[str, Style]] = (), right: str = "") -> Text:
    """Return a line across, with words in it."""
    line = styled("─", DIM)
    room = width - 3
    end = f" {right} ─" if right and cell_len(right) + 8 <= room else ""
    room -= cell_len(end)
    for text, style in parts:
        shown = clipped(text, room)
        if shown:
            line.append(f" {shown}", style)
            room -= cell_len(shown) + 1
    if line.cell_len > 1:
        line.append(" ")
    line.append("─" * (width - line.cell_len - cell_len(end)) + end, DIM)
    return line


def direction(change: Decimal | None) -> Style:
    """Return the style of a change of price."""
    if not change:
        return DIM
    return GREEN if change > 0 else RED


def tint(change: Decimal | None) -> Style:
    """Return the style of a chart: dim blocks would be hard to see."""
    return direction(change) if change else CYAN


def condition_style(market: MarketState) -> Style:
    """Return the style of a market's condition."""
    if market.resolved:
        return BOLD
    return DIM if market.condition == "waiting" else BOLD_RED


def footer(status: Status, frame: Frame) -> Text:
    """Return the last line: the status, and the keys where there is room for them."""
    style = DIM if status.tone == "plain" else TONES[status.tone]
    keys = f"{frame.keys} " if frame.keys else ""
    room = frame.width - 1
    if cell_len(status.text) + cell_len(keys) + 2 <= room:
        room -= cell_len(keys)
    else:
        keys = ""
    line = Text(" ")
    line.append(fitted(status.text, room), style)
    return line.append(keys, DIM)


def with_right(line: Text, width: int, right: Sequence[tuple[str, Style]]) -> Text:
    """Put as much at the right edge as there is room for; the first parts matter most."""
    kept = [(text.rstrip(), style) for text, style in right if text.strip()]
    while kept:
        needed = sum(cell_len(text) for text, _ in kept) + len(kept)
        blank = width - line.cell_len - needed
        if blank >= 2:
            line.append(" " * blank)
            for text, style in kept:
                line.append(text, style)
                line.append(" ")
            return line
        kept.pop()
    return line


def scaled(market: MarketState, width: int, rows: int) -> tuple[list[str], Decimal, Decimal] | None:
    """Return the chart of a market with its highest and its lowest price."""
    points = market.history.columns(width)
    known = [point for point in points if point is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    # Within a cent nothing much happened, and it should look like that.
    missing = max(0.0, 0.01 - float(high - low)) / 2
    values = [None if point is None else float(point) for point in points]
    return chart(values, rows, float(low) - missing, float(high) + missing), low, high
