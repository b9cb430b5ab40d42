"""The state of an account as one line of text, for logs and pipes."""

from __future__ import annotations

from datetime import datetime, tzinfo

from polymarket_ws.cli.watching.account_state import AccountState, FillState, OrderState
from polymarket_ws.cli.watching.figures import cents, clipped, lag, shares

__all__ = ["account_line"]

_NAME_CELLS = 40


def account_line(state: AccountState, wall: float, zone: tzinfo | None = None) -> str:
    """Return time, connection, counts, lag and losses, then the newest order and fill.

    Args:
        state: what is told.
        wall: Unix seconds.
        zone: of the time; ``None`` is the zone of this machine.
    """
    word, _ = state.link_word
    parts = [
        f"{datetime.fromtimestamp(wall, zone):%H:%M:%S}",
        word,
        f"{state.open_count} open",
        f"{state.filled} filled",
        f"{state.cancelled} cancelled",
        f"lag {lag(state.lag.milliseconds)}",
        state.missed,
    ]
    latest = max(state.orders, key=lambda order: order.at, default=None)
    pieces = ["  ".join(parts)]
    if latest is not None:
        pieces.append(_order(latest, state))
    if state.fills:
        pieces.append(_fill(state.last_fills[0], state))
    return " | ".join(pieces)


def _order(order: OrderState, state: AccountState) -> str:
    last = order.way[-1]
    return "  ".join(
        (
            f"order {order.side} {order.outcome}".rstrip(),
            f"{shares(order.matched)} of {shares(order.size)} @ {cents(order.price)}",
            last.word + ("*" if last.recovered else ""),
            clipped(state.name_of(order.market), _NAME_CELLS),
        )
    )


def _fill(row: FillState, state: AccountState) -> str:
    fill = row.fill
    return "  ".join(
        (
            f"fill {row.status} {fill.role.lower()} {fill.side or '?'}",
            f"{shares(fill.size)} @ {cents(fill.price)}" + (" *" if row.recovered else ""),
            clipped(state.name_of(row.market), _NAME_CELLS),
        )
    )
