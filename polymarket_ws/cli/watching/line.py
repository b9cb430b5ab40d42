"""The state of some markets as one line of text, for logs and pipes."""

from __future__ import annotations

from datetime import datetime, tzinfo

from polymarket_ws.cli.watching.figures import cents, clipped, lag, move, rate
from polymarket_ws.cli.watching.state import MarketState, WatchState

__all__ = ["line"]

_QUESTION_CELLS = 40


def line(state: WatchState, wall: float, zone: tzinfo | None = None) -> str:
    """Return time, connection, rate, lag and losses, and then each market.

    Args:
        state: what is told.
        wall: Unix seconds.
        zone: of the time; ``None`` is the zone of this machine.
    """
    word, _ = state.link_word
    parts = [
        f"{datetime.fromtimestamp(wall, zone):%H:%M:%S}",
        word,
        f"{rate(state.rate.per_second)} msg/s",
        f"lag {lag(state.lag_milliseconds)}",
        state.missed,
    ]
    return " | ".join(["  ".join(parts), *(_market(market) for market in state.markets)])


def _market(market: MarketState) -> str:
    leading = market.leading
    quote = leading.quote
    words = [f"{clipped(market.question, _QUESTION_CELLS)}  {leading.name}"]
    if market.resolved:
        words.append(market.condition)
        return "  ".join(words)
    words.append(
        cents(quote.price) + (f" ({quote.basis})" if quote.basis not in ("", "mid") else "")
    )
    change = move(leading.change)
    if change:
        words.append(change)
    apart = market.depth.spread
    if apart is not None:
        words.append(f"spread {cents(apart)}")
    if market.condition:
        words.append(market.condition)
    return "  ".join(words)
