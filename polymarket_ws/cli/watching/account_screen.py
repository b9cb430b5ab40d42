"""One frame of an account: its orders and its fills, in exactly so many lines.

Pure: the same state and frame give the same lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from polymarket_ws.cli.watching.account_state import AccountState, FillState, OrderState
from polymarket_ws.cli.watching.canvas import (
    BOLD,
    BOLD_CYAN,
    BOLD_RED,
    CYAN,
    DIM,
    GREEN,
    PLAIN,
    RED,
    TONES,
    Frame,
    footer,
    rule,
    with_right,
)
from polymarket_ws.cli.watching.figures import (
    bar,
    cents,
    cents_places,
    clipped,
    fitted,
    lag,
    shares,
)

__all__ = ["compose_account"]

#: Cells: from here on orders have their time, and their bar is longer.
_WIDE_FROM = 100

#: Cells: below that a way is its last word, and fills have no time.
_WHOLE_WAY_FROM = 72

_STATUS_STYLES = {"CONFIRMED": GREEN, "RETRYING": BOLD_RED, "FAILED": BOLD_RED}
_ENDS = {"": PLAIN, "filled": GREEN, "cancelled": DIM}

#: As wide as ``placed ▸ partly ▸ cancelled``.
_WAY_CELLS = 27


def compose_account(state: AccountState, frame: Frame) -> list[Text]:
    """Return the lines of the screen, the top one first; none is wider than the frame."""
    height = frame.height
    lines = [_header(state, frame)]
    if height >= 2:
        room = height - 2
        fills = room * 2 // 5 if room >= 5 else 0
        lines += _orders(state, frame, room - fills)
        lines += _fills(state, frame, fills)
        lines.append(footer(state.status(frame.now), frame))
    for line in lines:
        if line.cell_len > frame.width:
            line.truncate(frame.width, overflow="crop")
    return lines


def _header(state: AccountState, frame: Frame) -> Text:
    word, tone = state.link_word
    parts = [
        Text.assemble((f"{'●' if state.connected else '○'} {word}", TONES[tone])),
        Text.assemble((f"{state.open_count:,}", BOLD), " open"),
        Text.assemble((f"{state.filled:,}", BOLD), " filled"),
        Text.assemble((f"{state.cancelled:,}", BOLD), " cancelled"),
    ]
    if state.gaps or state.dropped or state.unrecovered:
        parts.append(Text(state.missed, RED))
    parts.append(Text.assemble("lag ", (lag(state.lag.milliseconds), BOLD)))
    line = Text(" ")
    for index, part in enumerate(parts):
        gap = "   " if index else ""
        if line.cell_len + len(gap) + part.cell_len <= frame.width:
            line.append(gap)
            line.append_text(part)
    return with_right(line, frame.width, (("polymarket-ws ", BOLD_CYAN), (state.where, DIM)))


# -- orders ------------------------------------------------------------------------------


def _orders(state: AccountState, frame: Frame, room: int) -> list[Text]:
    if room < 1:
        return []
    orders = state.orders
    rows = room - 1
    first = min(state.scrolled, max(0, len(orders) - rows))
    shown = orders[first : first + rows]
    place = f"{first + 1} to {first + len(shown)} of {len(orders)}" if rows < len(orders) else ""
    lines = [rule(frame.width, [("Orders", BOLD)], place)]
    places = cents_places(order.price for order in shown)
    lines += [_order(order, state, frame, places) for order in shown]
    if not shown and rows:
        text = " none yet: an order is shown as soon as something happens to it"
        lines.append(Text(clipped(text, frame.width), DIM))
    return lines + [Text("") for _ in range(room - len(lines))]


def _order(order: OrderState, state: AccountState, frame: Frame, places: int) -> Text:
    width = frame.width
    line = Text(" ")
    if width >= _WIDE_FROM:
        line.append(f"{frame.clock(order.at)}  ", DIM)
    line.append(f"{fitted(order.side, 4)} ", _side_style(order.side))
    line.append(f"{_price(order.price, places)}  ", DIM if order.end else BOLD)
    cells = 16 if width >= _WIDE_FROM else 8 if width >= _WHOLE_WAY_FROM else 3
    # What is not filled is seen, too: where the bar would end.
    line.append(bar(order.filled, cells), CYAN if not order.end else _ENDS[order.end])
    line.append("│", DIM)
    number = 7 if width >= _WIDE_FROM else 5
    part = f"{shares(order.matched, number)}/{shares(order.size, number)}"
    line.append(f" {fitted(part, 2 * number + 1)} ", DIM if order.end == "cancelled" else PLAIN)
    room = width - line.cell_len
    line.append_text(_way(order, min(room, _WAY_CELLS) if width >= _WHOLE_WAY_FROM else room))
    room = width - line.cell_len - 1
    if room >= 4:
        name = f"{order.outcome} {state.name_of(order.market)}".strip()
        line.append(f" {clipped(name, room)}", DIM if order.end else PLAIN)
    return line


def _way(order: OrderState, width: int) -> Text:
    """Return the steps of an order in exactly so many cells; the last ones matter most."""
    words = [step.word + ("*" if step.recovered else "") for step in order.way]
    dropped = False
    while len(words) > 1 and cell_len(_joined(words, dropped)) > width:
        words.pop(0)
        dropped = True
    before, last = _joined([*words[:-1], ""], dropped), words[-1]
    if cell_len(before + last) > width:
        before = ""
    line = Text("").append(before, DIM)
    last = fitted(last, width - line.cell_len)
    return line.append(last, GREEN if order.end == "filled" else DIM if order.end else CYAN)


def _joined(words: Sequence[str], dropped: bool) -> str:
    return ("… ▸ " if dropped else "") + " ▸ ".join(words)


# -- fills -------------------------------------------------------------------------------


def _fills(state: AccountState, frame: Frame, room: int) -> list[Text]:
    if room < 1:
        return []
    lines = [rule(frame.width, [("Fills", BOLD)])]
    shown = state.last_fills[: room - 1]
    places = cents_places(row.fill.price for row in shown)
    lines += [_fill(row, state, frame, places) for row in shown]
    if not shown and room > 1:
        lines.append(Text(" none yet", DIM))
    return lines + [Text("") for _ in range(room - len(lines))]


def _fill(row: FillState, state: AccountState, frame: Frame, places: int) -> Text:
    fill = row.fill
    line = Text(" ")
    if frame.width >= _WHOLE_WAY_FROM:
        line.append(f"{frame.clock(row.at)}  ", DIM)
    line.append(f"{fitted(fill.side or '?', 4)} ", _side_style(fill.side))
    line.append(f"{fitted(fill.role.lower(), 5)} ", DIM)
    size = fitted(shares(fill.size), 9 if frame.width >= _WHOLE_WAY_FROM else 5, right=True)
    line.append(f"{size} @ ")
    line.append(f"{_price(fill.price, places)}  ", BOLD)
    mark = "*" if row.recovered else ""
    line.append(fitted(row.status + mark, 11), _STATUS_STYLES.get(row.status, CYAN))
    room = frame.width - line.cell_len
    if row.recovered and frame.width >= _WHOLE_WAY_FROM:
        line.append("recovered  ", CYAN)
        room = frame.width - line.cell_len
    if room >= 5:
        name = f"{fill.outcome or ''} {state.name_of(row.market)}".strip()
        line.append(clipped(name, room))
    return line


def _price(price: Decimal, places: int) -> str:
    return fitted(cents(price, places), 3 + places + (places > 0), right=True)


def _side_style(side: str | None) -> Style:
    return GREEN if side == "BUY" else RED if side == "SELL" else PLAIN
