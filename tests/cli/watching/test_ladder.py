from __future__ import annotations

import pytest

from polymarket_ws.cli.watching.ladder import ladder
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL


def drawn(width: int, rows: int, *, bids: tuple[tuple[str, str], ...] | None = None) -> list[str]:
    market = scenes.info()
    state = scenes.live(market)
    event = scenes.book(market)
    if bids is not None:
        event = scenes.book(market, bids=scenes.levels(*bids), asks=())
    state.apply(event, 5.0, WALL)
    return [line.plain for line in ladder(state.shown, width, rows)]


def test_levels_stand_best_first_with_bars_to_one_scale() -> None:
    assert drawn(47, 4) == [
        "─ Bids for Yes ────────┼─ Asks ────────────────",
        "   1,000 █████████ 52¢ │ 53¢ ███████▎      800 ",
        "     250        ██ 51¢ │ 54¢ ▏           12.50 ",
        "                       │",
    ]


def test_wide_ladder_adds_sums_and_counts() -> None:
    lines = drawn(101, 3)
    assert "2 levels, 1,250" in lines[0]
    assert "2 levels, 812.50" in lines[0]
    assert lines[2].split()[0] == "1,250"
    assert lines[2].split()[-1] == "812.50"


def test_prices_of_a_column_have_equal_places() -> None:
    lines = drawn(60, 3, bids=(("0.52", "5"), ("0.515", "5")))
    assert "52.0¢ │" in lines[1]
    assert "51.5¢ │" in lines[2]


def test_empty_book_says_so() -> None:
    assert drawn(60, 3, bids=())[1] == " the book is empty"


def test_book_that_has_not_come_says_so() -> None:
    assert ladder(scenes.state().shown, 60, 3)[1].plain == " waiting"


@pytest.mark.parametrize("width", range(1, 60))
def test_ladder_fits_any_width(width: int) -> None:
    market = scenes.info()
    for line in ladder(scenes.live(market).shown, width, 4):
        assert line.cell_len <= width


def test_one_row_is_the_heading() -> None:
    assert len(drawn(60, 1)) == 1
