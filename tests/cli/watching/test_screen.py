from __future__ import annotations

from collections.abc import Callable
from datetime import timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from polymarket_ws.cli.watching.canvas import Frame
from polymarket_ws.cli.watching.screen import compose
from polymarket_ws.cli.watching.state import WatchState
from polymarket_ws.events.lifecycle import Dropped, SubscriptionStalled
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL

SIZES = [(80, 24), (120, 40), (40, 12), (200, 60), (72, 20), (20, 6), (1, 1)]

LONG = "Will " + "the very long name of something that nobody reads to its end " * 5 + "happen?"
WIDE = "大谷翔平は今シーズン五十本塁打を打ちますか？ ⚾️ 👨\u200d👩\u200d👧 é̂"


def many() -> WatchState:
    return scenes.live(
        *(scenes.info(number, f"Will number {number} win?") for number in range(1, 41))
    )


def empty_books() -> WatchState:
    market = scenes.info()
    state = scenes.state(market)
    state.apply(scenes.connected(market), 0.0, WALL)
    state.apply(scenes.book(market, bids=(), asks=()), 0.0, WALL)
    state.tick(0.0)
    return state


def one_sided() -> WatchState:
    market = scenes.info()
    state = scenes.state(market)
    state.apply(scenes.connected(market), 0.0, WALL)
    state.apply(scenes.book(market, asks=()), 0.0, WALL)
    state.tick(0.0)
    return state


def deep() -> WatchState:
    market = scenes.info(tick="0.001")
    state = scenes.live(market)
    bids = scenes.levels(*((f"0.{400 + step}", f"{step * 98765}.123456") for step in range(1, 90)))
    asks = scenes.levels(*((f"0.{500 + step}", f"{step * 12}") for step in range(1, 90)))
    state.apply(scenes.book(market, bids=bids, asks=asks), 5.0, WALL)
    for step in range(100):
        state.apply(scenes.trade(market, f"0.{450 + step}", f"{step}.5", tx=None), 5.0, WALL)
    state.tick(5.0)
    return state


def odd_texts() -> WatchState:
    return scenes.live(
        scenes.info(1, LONG, outcomes=("Manchester United of the North", "大谷翔平 " * 5)),
        scenes.info(2, WIDE),
        scenes.info(3, "", outcomes=("", "")),
    )


def settled() -> WatchState:
    one, two = scenes.info(1), scenes.info(2)
    state = scenes.live(one, two)
    for market in (one, two):
        state.apply(scenes.resolved(market), 5.0, WALL)
    state.tick(5.0)
    return state


def trouble() -> WatchState:
    one, two = scenes.info(1), scenes.info(2)
    state = scenes.live(one, two)
    state.apply(scenes.tick(one), 5.0, WALL)
    state.apply(scenes.disconnected(one, two, reason=LONG), 5.0, WALL)
    state.apply(scenes.connected(one, two, epoch=2, gap=1.2), 6.0, WALL)
    state.apply(Dropped(count=123456789), 6.0, WALL)
    state.apply(SubscriptionStalled(asset_ids=two.asset_ids), 7.0, WALL)
    state.apply(scenes.disconnected(one, two, reason=LONG), 8.0, WALL)
    state.tick(8.0)
    return state


STATES: list[Callable[[], WatchState]] = [
    scenes.state,
    scenes.live,
    many,
    empty_books,
    one_sided,
    deep,
    odd_texts,
    settled,
    trouble,
]


def frame(width: int, height: int, now: float = 10.0, keys: str = "↑↓ market  q quit") -> Frame:
    return Frame(width=width, height=height, now=now, zone=timezone.utc, keys=keys)


def shown(state: WatchState, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in compose(state, frame(width, height))]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", STATES, ids=lambda scene: scene.__name__)
def test_frame_has_exactly_its_lines_and_none_is_too_wide(
    scene: Callable[[], WatchState], size: tuple[int, int]
) -> None:
    state = scene()
    for _ in state.markets[:3]:
        lines = compose(state, frame(*size))
        assert len(lines) == size[1]
        assert [line.plain for line in lines if line.cell_len > size[0]] == []
        state.select(1)


@given(
    st.integers(1, 220),
    st.integers(1, 70),
    st.sampled_from([scene() for scene in STATES]),
    st.integers(0, 39),
)
def test_frame_of_any_size_fits(width: int, height: int, state: WatchState, selected: int) -> None:
    state.selected = selected % len(state.markets)
    lines = compose(state, frame(width, height))
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    assert all(line.plain.isprintable() for line in lines)


@pytest.mark.parametrize("scene", STATES, ids=lambda scene: scene.__name__)
def test_only_colours_that_no_background_swallows_are_used(scene: Callable[[], WatchState]) -> None:
    used = set()
    for line in compose(scene(), frame(120, 40)):
        for style in (line.style, *(span.style for span in line.spans)):
            assert not isinstance(style, str) or style == ""
            if not isinstance(style, str):
                assert style.bgcolor is None
                used.add(style.color.name if style.color else None)
    assert used <= {None, "green", "red", "cyan"}


def test_small_terminal_shows_everything_of_one_market() -> None:
    lines = shown(scenes.live())
    text = "\n".join(lines)
    for part in (
        "● live",
        "msg/s",
        "lag 12 ms",
        "polymarket-ws 127.0.0.1:8765",
        "Will it rain in Lisbon?",
        "Yes   52.5¢",
        "No    47.5¢",
        "spread 1¢",
        "tick 1¢",
        "Bids for Yes",
        "Asks",
        "13:31:00 BUY  Yes     120   53¢",
        "q quit",
    ):
        assert part in text, part
    assert lines[-1].startswith(" connected 10 s ago, nothing missed")


def test_several_markets_are_listed_and_the_selected_one_is_marked() -> None:
    state = scenes.live(scenes.info(1), scenes.info(2, "Will the ferry leave?"))
    state.select(1)
    text = "\n".join(shown(state))
    assert "   Will it rain in Lisbon?" in text
    assert " ▸ Will the ferry leave?" in text
    assert "─ Will the ferry leave? ──" in text
    assert "2 of 2 ─" in text


def test_larger_terminals_show_more() -> None:
    def trades(lines: list[str]) -> int:
        return sum("BUY" in line for line in lines)

    def book_levels(lines: list[str]) -> int:
        return sum("█" in line and "│" in line for line in lines)

    small, large = shown(deep()), shown(deep(), 120, 40)
    assert trades(large) > trades(small) >= 8
    assert book_levels(large) > book_levels(small) >= 8
    listed = [sum("Will number" in line for line in shown(many(), *size)) for size in SIZES[:2]]
    assert listed[1] > listed[0] >= 6


def test_selected_market_stays_in_view_of_a_long_list() -> None:
    state = many()
    for selected in (0, 17, 39):
        state.selected = selected
        text = "\n".join(shown(state))
        assert f" ▸ Will number {selected + 1} win?" in text


def test_gap_is_seen_in_header_tape_and_status() -> None:
    market = scenes.info()
    state = scenes.live(market)
    state.apply(scenes.disconnected(market), 5.0, WALL)
    assert "○ lost" in shown(state)[0]
    assert "stale" in "\n".join(shown(state))
    state.apply(scenes.connected(market, epoch=2, gap=1.2), 7.0, WALL)
    state.apply(scenes.book(market), 7.0, WALL)
    lines = shown(state)
    assert "1 gap: 1.2 s missed" in lines[0]
    assert any("back, 1.2 s missed" in line for line in lines)
    assert lines[-1].startswith(" reconnected 3 s ago, 1.2 s missed")


def test_settled_market_shows_its_outcomes() -> None:
    text = "\n".join(shown(settled()))
    assert "Yes won" in text
    assert "lost" in text
    assert "every market here is settled" in text


def test_price_that_is_no_middle_says_what_it_is() -> None:
    assert "52¢ bid" in "\n".join(shown(one_sided())).replace(".0¢", "¢")


def test_crossed_book_is_told() -> None:
    market = scenes.info()
    state = scenes.live(market)
    state.apply(scenes.book(market, asks=scenes.levels(("0.5", "1"))), 5.0, WALL)
    assert "spread −2¢ crossed" in "\n".join(shown(state))


def test_keys_make_way_for_a_long_status() -> None:
    state = scenes.live()
    state.tell("x" * 70, 10.0)
    last = shown(state)[-1]
    assert "x" * 70 in last
    assert "quit" not in last


def test_without_a_keyboard_no_key_is_named() -> None:
    lines = compose(scenes.live(), frame(80, 24, keys=""))
    assert "quit" not in lines[-1].plain


def test_same_state_gives_the_same_frame() -> None:
    def once() -> list[Text]:
        return compose(odd_texts(), frame(100, 30))

    assert once() == once()
