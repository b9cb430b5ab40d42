from __future__ import annotations

from collections.abc import Callable
from datetime import timezone

import pytest

from polymarket_ws.cli.watching.account_screen import compose_account
from polymarket_ws.cli.watching.account_state import AccountState
from polymarket_ws.cli.watching.canvas import Frame
from polymarket_ws.events.lifecycle import Dropped
from tests.cli.watching import account_scenes as scenes
from tests.cli.watching import scenes as markets
from tests.cli.watching.account_scenes import connected, order, trade

SIZES = [(80, 24), (120, 40), (40, 12), (200, 60), (72, 20), (20, 6), (8, 3), (1, 1)]


def many() -> AccountState:
    events = [order(number, matched=str(number % 41)) for number in range(1, 200)]
    return scenes.state(connected(), *events, *(trade(number) for number in range(90)))


def odd_texts() -> AccountState:
    wide = markets.info(1, "大谷翔平は今シーズン五十本塁打を打ちますか？ ⚾️ " * 4)
    return scenes.state(
        connected(),
        order(1, status="A_VERY_LONG_STATUS_THAT_NOBODY_HAS_SEEN_YET" * 3, how="GTD"),
        order(2, size="123456789.123456", matched="98765432.1", price="0.1234"),
        order(3, size="0", side=""),
        trade(1, "SOMETHING_NEW_AND_LONG", size="123456789"),
        infos=(wide,),
    )


def trouble() -> AccountState:
    return scenes.state(
        connected(),
        order(1),
        scenes.disconnected("a reason " * 30),
        connected(2, 3.0),
        scenes.failed_recovery(),
        Dropped(count=123456789),
        order(1, "40", "", "MATCHED", recovered=True),
        trade(1, "CONFIRMED", recovered=True),
        scenes.disconnected("a reason " * 30),
    )


STATES: list[Callable[[], AccountState]] = [scenes.state, scenes.live, many, odd_texts, trouble]


def shown(state: AccountState, width: int = 80, height: int = 24) -> list[str]:
    frame = Frame(width=width, height=height, now=10.0, zone=timezone.utc, keys="↑↓ orders  q quit")
    lines = compose_account(state, frame)
    assert len(lines) == height
    assert [line.plain for line in lines if line.cell_len > width] == []
    return [line.plain for line in lines]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", STATES, ids=lambda scene: scene.__name__)
def test_frame_has_exactly_its_lines_and_none_is_too_wide(
    scene: Callable[[], AccountState], size: tuple[int, int]
) -> None:
    state = scene()
    before = shown(state, *size)
    assert shown(state, *size) == before


def test_screen_of_80_by_24_has_it_all() -> None:
    lines = shown(scenes.live())
    assert lines[0].startswith(" ● live   2 open   1 filled   1 cancelled")
    assert lines[1].startswith("─ Orders ──")
    name = "Yes Will it rain…"
    assert [line.rstrip() for line in lines[2:6]] == [
        f" SELL 53.5¢  ▏       │ 15/1,250    placed ▸ partly             {name}",
        f" BUY  52.0¢          │ 0/40        placed                      {name}",
        f" BUY  52.0¢  ██      │ 10/40       placed ▸ partly ▸ cancelled {name}",
        f" BUY  52.0¢  ████████│ 40/40       placed ▸ filled             {name}",
    ]
    fills = lines.index("─ Fills " + "─" * 72)
    name = "Yes Will it rain in Lisbon?"
    assert lines[fills + 1 : fills + 4] == [
        f" 13:31:00  BUY  taker        10 @ 52¢  FAILED     {name}",
        f" 13:31:00  BUY  taker        40 @ 52¢  MINED      {name}",
        f" 13:31:00  BUY  maker        15 @ 52¢  MATCHED    {name}",
    ]
    assert lines[-1].startswith(" connected 9 s ago, nothing missed")
    assert lines[-1].rstrip().endswith("q quit")


def test_wide_screen_has_the_time_of_orders_and_whole_names() -> None:
    lines = shown(scenes.live(), 120, 40)
    assert lines[2].startswith(" 13:31:00  SELL 53.5¢  ▎               │ 15/1,250 ")
    assert lines[2].rstrip().endswith("Yes Will it rain in Lisbon?")


def test_small_screen_keeps_part_and_status() -> None:
    lines = shown(scenes.live(), 40, 12)
    assert "10/40" in lines[4]
    assert lines[4].rstrip().endswith("cancelled")
    assert any("FAILED" in line for line in lines)


def test_what_was_recovered_is_marked() -> None:
    text = "\n".join(shown(trouble()))
    assert "placed ▸ filled*" in text
    assert "CONFIRMED* recovered" in text


def test_more_orders_than_lines_are_scrolled() -> None:
    state = many()
    first = shown(state)
    assert "1 to 13 of 199" in first[1]
    for _ in range(300):
        state.select(1)
    last = shown(state)
    assert "187 to 199 of 199" in last[1]
    assert all(line.strip() for line in last[2:15])


def test_nothing_yet_says_so() -> None:
    lines = shown(scenes.state(connected()))
    assert "none yet" in lines[2]
    assert sum("none yet" in line for line in lines) == 2
