"""One frame: the state of some markets as exactly so many lines of at most that width.

Pure: the same state and frame give the same lines.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from polymarket_ws.cli.watching.canvas import (
    BOLD,
    BOLD_CYAN,
    DIM,
    PLAIN,
    RED,
    TONES,
    Frame,
    condition_style,
    direction,
    footer,
    rule,
    scaled,
    styled,
    tint,
    with_right,
)
from polymarket_ws.cli.watching.figures import (
    cents,
    cents_places,
    fitted,
    lag,
    move,
    rate,
    shares,
)
from polymarket_ws.cli.watching.ladder import ladder
from polymarket_ws.cli.watching.state import MarketState, WatchState
from polymarket_ws.cli.watching.table import listed
from polymarket_ws.cli.watching.tape import tape

__all__ = ["Frame", "compose"]

#: Of so many eighths of the lines the list of markets gets at most these: eight markets of 24.
_TABLE_EIGHTHS = 3

_TRADES_BESIDE_FROM = 72  # cells: below that the trades stand under the book


def compose(state: WatchState, frame: Frame) -> list[Text]:
    """Return the lines of the screen, the top one first; none is wider than the frame."""
    height = frame.height
    lines = [_header(state, frame)]
    if height >= 2:
        last = footer(state.status(frame.now), frame)
        room = height - 2
        if len(state.markets) > 1 and room >= 4:
            table = listed(state, frame, max(1, height * _TABLE_EIGHTHS // 8 - 1))
            lines += table
            room -= len(table)
        lines += _details(state.shown, state, frame, room)
        lines = [*lines[: height - 1], last]
    for line in lines:
        if line.cell_len > frame.width:
            line.truncate(frame.width, overflow="crop")
    return lines


# -- the first and the last line -----------------------------------------------------------


def _header(state: WatchState, frame: Frame) -> Text:
    word, tone = state.link_word
    left = [Text.assemble((f"{'●' if state.connected else '○'} {word}", TONES[tone]))]
    left.append(Text.assemble((rate(state.rate.per_second), BOLD), " msg/s"))
    left.append(Text.assemble("lag ", (lag(state.lag_milliseconds), BOLD)))
    if state.gaps or state.dropped:
        left.append(Text(state.missed, RED))
    if len(state.markets) > 1:
        left.append(Text(f"{len(state.markets)} markets", DIM))
    line = Text(" ")
    for index, part in enumerate(left):
        gap = "   " if index else ""
        if line.cell_len + len(gap) + part.cell_len <= frame.width:
            line.append(gap)
            line.append_text(part)
    return with_right(line, frame.width, (("polymarket-ws ", BOLD_CYAN), (state.where, DIM)))


# -- the details of one market -------------------------------------------------------------


def _details(market: MarketState, state: WatchState, frame: Frame, room: int) -> list[Text]:
    if room < 1:
        return []
    place = f"{state.selected + 1} of {len(state.markets)}" if len(state.markets) > 1 else ""
    title = [(market.question, BOLD)]
    if market.condition:
        title = [(market.condition, condition_style(market)), ("·", DIM), *title]
    lines = [rule(frame.width, title, place)]
    room -= 1
    summary = min(room, 2 if room < 10 else min(12, max(3, room // (4 if room < 30 else 3))))
    lines += _summary(market, frame, summary)
    room -= summary
    if room < 2:
        return lines + [Text("") for _ in range(room)]
    if frame.width >= _TRADES_BESIDE_FROM:
        return lines + _book_andtape(market, frame, room)
    trades = room // 3 if room >= 6 else 0
    lines += ladder(market, frame.width, room - trades)
    if trades:
        lines.append(rule(frame.width, [("Trades", DIM)]))
        for row in tape(market, frame, frame.width - 2, trades - 1):
            lines.append(styled(" ", PLAIN).append_text(row))
    return lines


def _summary(market: MarketState, frame: Frame, rows: int) -> list[Text]:
    """Prices at the left, their chart at the right."""
    left = _prices(market, frame, rows)
    wide = frame.width >= 60
    cells = max((line.cell_len for line in left), default=0) if wide else frame.width
    cells = min(max(cells, 32), frame.width)
    lines = []
    drawn = scaled(market, frame.width - cells - 12, rows) if wide else None
    for index in range(rows):
        line = left[index] if index < len(left) else Text("")
        line.truncate(cells, overflow="ellipsis")
        if drawn is not None:
            art, low, high = drawn
            columns = frame.width - cells - 12
            line.append(" " * (cells - line.cell_len + 2))
            line.append(fitted(art[index], columns), tint(market.leading.change))
            if index == 0:
                line.append(f" {fitted(cents(high), 8, right=True)}", DIM)
            elif index == rows - 1:
                line.append(f" {fitted(cents(low), 8, right=True)}", DIM)
        lines.append(line)
    return lines


def _prices(market: MarketState, frame: Frame, rows: int) -> list[Text]:
    outcomes = market.outcomes
    quotes = [outcome.quote for outcome in outcomes]
    places = cents_places(quote.price for quote in quotes)
    places = cents_places((outcome.change for outcome in outcomes), places)
    names = min(max((cell_len(outcome.name) for outcome in outcomes), default=0), 14)
    lines = []
    named = max(1, rows - 1 if rows > 2 else rows)
    for outcome, quote in list(zip(outcomes, quotes, strict=True))[:named]:
        line = Text(" ")
        line.append(fitted(outcome.name, names), PLAIN)
        if outcome.won is not None:
            line.append("  won" if outcome.won else "  lost", BOLD if outcome.won else DIM)
            lines.append(line)
            continue
        price = fitted(cents(quote.price, places), 4 + max(places, 1) + 1, right=True)
        line.append(f"  {price}", DIM if quote.stale else BOLD)
        if quote.basis and quote.basis != "mid":
            line.append(f" {quote.basis}", DIM)
        change = outcome.change
        line.append(f"  {move(change, places)}", direction(change))
        lines.append(line)
    depth = market.depth
    facts = []
    spread = depth.spread
    apart = [("spread ", DIM), (cents(spread), PLAIN)]
    if spread is not None and spread < 0:
        apart.append((" crossed", RED))
    facts.append(apart)
    if depth.tick_size is not None:
        facts.append([("tick ", DIM), (cents(depth.tick_size), PLAIN)])
    facts.append([(rate(market.rate.per_second), PLAIN), (" msg/s", DIM)])
    facts.append([("lag ", DIM), (lag(market.lag.milliseconds), PLAIN)])
    facts.append([("traded ", DIM), (shares(market.volume), PLAIN)])
    line = Text(" ")
    limit = min(frame.width, 38)
    for fact in facts:
        if len(lines) >= rows:
            break
        text = Text.assemble(*fact)
        if line.cell_len > 1 and line.cell_len + 3 + text.cell_len > limit:
            lines.append(line)
            line = Text(" ")
        if line.cell_len > 1:
            line.append("   ")
        line.append_text(text)
    if len(lines) < rows and line.cell_len > 1:
        lines.append(line)
    return lines


def _book_andtape(market: MarketState, frame: Frame, rows: int) -> list[Text]:
    beside = 31 if frame.width < 96 else 45 if frame.width < 140 else 58
    width = frame.width - beside - 3
    left = ladder(market, width, rows)
    right = [rule(beside + 2, [("Trades", PLAIN)]), *tape(market, frame, beside, rows - 1)]
    lines = []
    for index, (book, trade) in enumerate(zip(left, right, strict=True)):
        line = book
        line.append(" " * (width - line.cell_len))
        line.append("┬" if index == 0 else "│ ", DIM)
        line.append_text(trade)
        lines.append(line)
    return lines
