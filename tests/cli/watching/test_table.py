from __future__ import annotations

from polymarket_ws.cli.watching.canvas import Frame
from polymarket_ws.cli.watching.table import listed
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL


def rows(width: int, *outcomes: tuple[str, ...], count: int = 9) -> list[str]:
    markets = [
        scenes.info(number, f"Question {number}?", names)
        for number, names in enumerate(outcomes or [("Yes", "No")] * 3, 1)
    ]
    state = scenes.live(*markets)
    return [line.plain for line in listed(state, Frame(width=width, height=24, now=0.0), count)]


def test_columns_stand_under_their_heads() -> None:
    head, first, *_ = rows(120)
    for name, value in (
        ("price", "52.5¢"),
        ("change", "= 0¢"),
        ("spread", "1¢"),
        ("lag", "12 ms"),
        ("traded", "120"),
    ):
        end = head.index(name) + len(name)
        assert first[:end].endswith(value), name


def test_narrow_lists_leave_columns_out() -> None:
    wide, narrow = rows(120)[0], rows(44)[0]
    assert "spread" in wide
    assert "spread" not in narrow
    assert "price" in narrow


def test_outcome_is_named_unless_it_is_yes_everywhere() -> None:
    assert "Yes" not in rows(80)[1]
    mixed = rows(80, ("Yes", "No"), ("Lakers", "Celtics"))
    assert "Yes" in mixed[1]
    assert "Lakers" in mixed[2]


def test_part_of_a_list_says_which() -> None:
    lines = rows(80, count=2)
    assert len(lines) == 3
    assert "market 1–2 of 3" in lines[0]


def test_condition_stands_in_place_of_the_change() -> None:
    one, two = scenes.info(1), scenes.info(2)
    state = scenes.live(one, two)
    state.apply(scenes.disconnected(one), 5.0, WALL)
    state.apply(scenes.resolved(two, winner=1), 5.0, WALL)
    lines = [line.plain for line in listed(state, Frame(width=80, height=24, now=0.0), 9)]
    assert "stale" in lines[1]
    assert "No won" in lines[2]
