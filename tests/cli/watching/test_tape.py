from __future__ import annotations

from datetime import timezone

import pytest

from polymarket_ws.cli.watching.canvas import Frame
from polymarket_ws.cli.watching.tape import tape
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL

FRAME = Frame(width=80, height=24, now=0.0, zone=timezone.utc)
MARKET = scenes.info()


def drawn(width: int, rows: int = 3) -> list[str]:
    state = scenes.live(MARKET)
    state.apply(scenes.trade(MARKET, "0.475", "1234.5", "SELL", 1, at=WALL + 7), 5.0, WALL)
    state.apply(scenes.disconnected(MARKET), 5.0, WALL + 8)
    return [line.plain for line in tape(state.shown, FRAME, width, rows)]


def test_tape_has_time_side_outcome_size_and_price_newest_first() -> None:
    assert drawn(31) == [
        "13:31:08 connection lost",
        "13:31:07 SELL No    1,234 47.5¢",
        "13:31:00 BUY  Yes     120 53.0¢",
    ]


def test_wide_tape_adds_dollars_and_transaction() -> None:
    assert drawn(58)[1] == "13:31:07 SELL No   1,234.50 47.5¢     $586.39  0xabab…abab"


def test_tape_without_trades_says_so_and_has_its_rows() -> None:
    lines = tape(scenes.state().shown, FRAME, 31, 3)
    assert [line.plain for line in lines] == ["none yet", "", ""]


def test_time_that_is_none_is_shown_as_such() -> None:
    state = scenes.state(MARKET)
    state.apply(scenes.trade(MARKET, at=1e15), 0.0, WALL)
    assert tape(state.shown, FRAME, 31, 1)[0].plain.startswith("--:--:-- BUY")


@pytest.mark.parametrize("width", range(1, 60))
def test_tape_fits_any_width(width: int) -> None:
    state = scenes.live(MARKET)
    state.apply(scenes.disconnected(MARKET), 5.0, WALL)
    assert all(line.cell_len <= width for line in tape(state.shown, FRAME, width, 3))


def test_outcomes_of_different_length_keep_the_columns() -> None:
    market = scenes.info(outcomes=("Lakers", "Celtics of Boston"))
    state = scenes.live(market)
    state.apply(scenes.trade(market, outcome=1, tx=None), 5.0, WALL)
    for width in (31, 45):
        first, second = tape(state.shown, FRAME, width, 2)
        assert first.plain.index("53") == second.plain.index("53")
