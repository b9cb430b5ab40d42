from __future__ import annotations

from polymarket_ws.simulator.showcase import Showcase

NOW = 1_791_128_503_230

PERIOD = ["list", "repeat", "repeat", "rally", "settle", "resolve"]


def test_every_scene_is_due_once_a_period() -> None:
    showcase = Showcase(15.0)
    seen = [(scene, ms) for ms in range(0, 45_000, 100) for scene in showcase.due(NOW + ms)]
    assert [scene for scene, _ in seen] == PERIOD * 3
    assert [ms // 15_000 for _, ms in seen] == [0] * 6 + [1] * 6 + [2] * 6


def test_the_first_period_begins_with_the_first_call() -> None:
    showcase = Showcase(15.0)
    assert list(showcase.due(NOW)) == []
    assert list(showcase.due(NOW + 14_999)) == PERIOD


def test_a_long_absence_is_not_caught_up_on() -> None:
    showcase = Showcase(15.0)
    assert list(showcase.due(NOW)) == []
    assert len(list(showcase.due(NOW + 10**9))) <= 12


def test_a_clock_that_is_set_back_shows_nothing_twice() -> None:
    showcase = Showcase(15.0)
    list(showcase.due(NOW))
    list(showcase.due(NOW + 14_999))
    assert list(showcase.due(NOW - 10_000)) == []
    assert list(showcase.due(NOW + 14_999)) == []
