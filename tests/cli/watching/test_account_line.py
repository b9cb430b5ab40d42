from __future__ import annotations

from datetime import timezone

from polymarket_ws.cli.watching.account_line import account_line
from tests.cli.watching import account_scenes as scenes
from tests.cli.watching.account_scenes import connected, order, trade
from tests.cli.watching.scenes import WALL


def test_line_tells_counts_and_the_newest_order_and_fill() -> None:
    state = scenes.state(
        connected(),
        order(),
        order(matched="15.5", kind="UPDATE"),
        trade(1, "CONFIRMED", recovered=True),
    )
    assert account_line(state, WALL, timezone.utc) == (
        "13:31:00  live  1 open  0 filled  0 cancelled  lag 7 ms  nothing missed"
        " | order BUY Yes  15.50 of 40 @ 52¢  partly  Will it rain in Lisbon?"
        " | fill CONFIRMED taker BUY  15 @ 52¢ *  Will it rain in Lisbon?"
    )


def test_line_before_anything_happened() -> None:
    assert account_line(scenes.state(), WALL, timezone.utc) == (
        "13:31:00  connecting  0 open  0 filled  0 cancelled  lag –  nothing missed"
    )
