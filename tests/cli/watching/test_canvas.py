from __future__ import annotations

from datetime import timezone
from decimal import Decimal

import pytest

from polymarket_ws.cli.watching.canvas import (
    BOLD,
    BOLD_RED,
    CYAN,
    DIM,
    GREEN,
    RED,
    Frame,
    condition_style,
    direction,
    rule,
    scaled,
    styled,
    tint,
)
from tests.cli.watching import scenes
from tests.cli.watching.scenes import WALL


def test_clock_is_in_the_zone_of_the_frame() -> None:
    assert Frame(width=1, height=1, now=0.0, zone=timezone.utc).clock(WALL) == "13:31:00"


@pytest.mark.parametrize("at", [1e20, -1e20, float("nan")])
def test_clock_of_an_impossible_time_is_blank(at: float) -> None:
    assert Frame(width=1, height=1, now=0.0, zone=timezone.utc).clock(at) == "--:--:--"


def test_rule_has_words_in_it_and_ends_at_the_edge() -> None:
    assert rule(20, [("Trades", BOLD)]).plain == "─ Trades ───────────"
    assert rule(24, [("Trades", BOLD)], "1 of 2").plain == "─ Trades ────── 1 of 2 ─"
    assert rule(5).plain == "─────"


def test_rule_clips_what_is_too_long_and_leaves_the_end_out() -> None:
    assert rule(12, [("a long title", BOLD)], "1 of 2").plain == "─ a long t… ─"[:12]


def test_style_of_the_first_words_is_theirs_alone() -> None:
    line = styled("one", BOLD).append(" two")
    assert [(span.start, span.end) for span in line.spans] == [(0, 3)]


def test_direction_has_a_colour() -> None:
    assert direction(Decimal("0.1")) == GREEN
    assert direction(Decimal("-0.1")) == RED
    assert direction(Decimal(0)) == direction(None) == DIM


def test_chart_is_never_dim() -> None:
    assert tint(Decimal("0.1")) == GREEN
    assert tint(Decimal("-0.1")) == RED
    assert tint(Decimal(0)) == tint(None) == CYAN


def test_condition_has_a_style() -> None:
    market = scenes.info()
    state = scenes.state(market)
    assert condition_style(state.shown) == DIM
    state.apply(scenes.book(market), 0.0, WALL)
    state.apply(scenes.disconnected(market), 0.0, WALL)
    assert condition_style(state.shown) == BOLD_RED
    state.apply(scenes.resolved(market), 0.0, WALL)
    assert condition_style(state.shown) == BOLD


def test_chart_is_scaled_to_its_extremes() -> None:
    drawn = scaled(scenes.live().shown, 40, 2)
    assert drawn is not None
    art, low, high = drawn
    assert len(art) == 2
    assert (low, high) == (Decimal("0.525"), Decimal("0.525"))


def test_chart_of_no_price_is_none() -> None:
    assert scaled(scenes.state().shown, 40, 2) is None
