"""Numbers, texts and bars in so many cells of a terminal.

Nothing here rounds a price. Sizes are rounded to what a screen has room for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.cells import cell_len, set_cell_size

__all__ = [
    "ago",
    "bar",
    "bar_leftward",
    "cents",
    "cents_places",
    "chart",
    "clipped",
    "fitted",
    "lag",
    "move",
    "printable",
    "rate",
    "shares",
    "span",
]

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_RISING = " ▁▂▃▄▅▆▇█"
_MINUS = "\N{MINUS SIGN}"
_HUNDREDTH = Decimal("0.01")


# -- text --------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Return foreign text as one line without anything that a terminal would obey.

    Joiners and variation selectors go, too: terminals do not agree on how wide what they
    make is, and one cell more would push the line beyond the edge.
    """
    kept = (
        char if char.isprintable() else " "
        for char in text
        if char != "\u200d" and not "\ufe00" <= char <= "\ufe0f"
    )
    return " ".join("".join(kept).split())


def clipped(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` cells, with an ellipsis where it was longer."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return f"{set_cell_size(text, width - 1).rstrip()}…"


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Return ``text`` in exactly ``width`` cells."""
    text = clipped(text, width)
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


# -- numbers -----------------------------------------------------------------------------


def cents_places(prices: Iterable[Decimal | None], at_least: int = 0) -> int:
    """Return how many decimals show each of these prices exactly in cents."""
    places = at_least
    for price in prices:
        if price is not None:
            exponent = price.normalize().as_tuple().exponent
            if isinstance(exponent, int):
                places = max(places, -exponent - 2)
    return places


def cents(price: Decimal | None, places: int = 0) -> str:
    """Return a price such as ``52.5¢``, exact, with at least so many decimals."""
    if price is None:
        return "\N{EN DASH}"
    number = price.scaleb(2)
    return f"{number:.{cents_places((price,), places)}f}¢".replace("-", _MINUS)


def move(change: Decimal | None, places: int = 0) -> str:
    """Return a change of price such as ``▲ 1.5¢``; the arrow says it without colour, too."""
    if change is None:
        return ""
    if not change:
        return f"= {cents(abs(change), places)}"
    return f"{'▲' if change > 0 else '▼'} {cents(abs(change), places)}"


def shares(size: Decimal, width: int = 9) -> str:
    """Return a size as exactly as ``width`` cells allow: ``1,250.5``, ``123,457``, ``12.3M``."""
    if not size:
        return "0"
    if abs(size) < _HUNDREDTH:
        return "<0.01"  # not nothing
    for divisor, unit in ((1, ""), (10**6, "M"), (10**9, "B"), (10**12, "T")):
        # Of shares the hundredths or none, so that a column of them is quiet to look at.
        for places in (2, 1) if unit else (2, 0):
            text = f"{size / divisor:,.{places}f}".removesuffix(".00")
            if len(text) + len(unit) <= width:
                return text + unit
    return f"{size:.0e}"


def rate(per_second: float) -> str:
    """Return a rate, with a decimal where it is below ten."""
    if 0 < per_second < 9.95:
        return f"{per_second:.1f}"
    return f"{per_second:,.0f}"


def lag(milliseconds: float | None) -> str:
    """Return a lag such as ``12 ms``; negative where the clocks do not agree."""
    if milliseconds is None:
        return "\N{EN DASH}"
    if abs(milliseconds) < 999.5:
        return f"{milliseconds:.0f} ms".replace("-0 ms", "0 ms").replace("-", _MINUS)
    return span(milliseconds / 1000)


def span(seconds: float) -> str:
    """Return a duration in two digits or so: ``0.4 s``, ``75 s``, ``12 min``, ``3 h``, ``9 d``."""
    sign = _MINUS if seconds < 0 else ""
    seconds = abs(seconds)
    if seconds < 9.95:
        return f"{sign}{seconds:.1f} s"
    if seconds < 99.5:
        return f"{sign}{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{sign}{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{sign}{seconds / 3600:.0f} h"
    return f"{sign}{seconds / 86400:,.0f} d"


def ago(seconds: float) -> str:
    """Return how long ago something was, in whole units: ``3 s ago``."""
    whole = int(max(0.0, seconds))
    return f"{span(whole)} ago".replace(".0 s", " s")


# -- bars --------------------------------------------------------------------------------


def bar(fraction: float, width: int) -> str:
    """Return a bar that begins at the left, to an eighth of a cell."""
    eighths = _filled(fraction, width, 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def bar_leftward(fraction: float, width: int) -> str:
    """Return a bar that begins at the right, to half a cell: Unicode has no finer ones."""
    whole, rest = divmod(_filled(fraction, width, 2), 2)
    return (("▐" if rest else "") + "█" * whole).rjust(width)


def _filled(fraction: float, width: int, parts: int) -> int:
    if fraction <= 0 or width <= 0:
        return 0
    # What is there is seen, however small it is.
    return max(1, round(min(fraction, 1.0) * width * parts))


def chart(values: Sequence[float | None], rows: int, low: float, high: float) -> list[str]:
    """Return lines, the top one first, of one column for each value.

    Args:
        values: ``None`` leaves its column empty.
        rows: how many lines; each has eight levels.
        low: the value whose column is lowest, which is still seen.
        high: the value whose column is as high as the chart.
    """
    steps = rows * 8 - 1
    reach = high - low
    levels = [
        0
        if value is None
        else 1 + round(min(1.0, max(0.0, (value - low) / reach if reach else 0.5)) * steps)
        for value in values
    ]
    return [
        "".join(_RISING[min(8, max(0, level - 8 * row))] for level in levels)
        for row in range(rows - 1, -1, -1)
    ]
