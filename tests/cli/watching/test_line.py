from __future__ import annotations

from datetime import timezone

from polymarket_ws.cli.watching.line import line
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL

ONE = scenes.info(1)
TWO = scenes.info(2, "Will the ferry leave?")


def test_line_has_the_essentials_of_each_market() -> None:
    text = line(scenes.live(ONE, TWO), WALL, timezone.utc)
    connection, first, second = text.split(" | ")
    assert connection.startswith("13:31:00  live  ")
    assert connection.endswith("msg/s  lag 12 ms  nothing missed")
    assert first == "Will it rain in Lisbon?  Yes  52.5¢  = 0¢  spread 1¢"
    assert second == "Will the ferry leave?  Yes  52.5¢  = 0¢  spread 1¢"


def test_line_before_anything_came() -> None:
    text = line(scenes.state(ONE), WALL, timezone.utc)
    assert text == (
        "13:31:00  connecting  0 msg/s  lag –  nothing missed | "
        "Will it rain in Lisbon?  Yes  –  waiting"
    )


def test_line_tells_what_is_wrong() -> None:
    state = scenes.live(ONE, TWO)
    state.apply(scenes.disconnected(ONE, TWO), 5.0, WALL)
    state.apply(scenes.resolved(TWO), 5.0, WALL)
    text = line(state, WALL, timezone.utc)
    assert "13:31:00  lost  " in text
    assert "spread 1¢  stale" in text
    assert text.endswith("Will the ferry leave?  Yes  Yes won")


def test_price_that_is_no_middle_says_what_it_is() -> None:
    state = scenes.live(ONE)
    state.apply(scenes.book(ONE, asks=()), 5.0, WALL)
    assert "53¢ (last)" in line(state, WALL, timezone.utc)
