from __future__ import annotations

import random

from polymarket_ws.simulator.activity import Activity

NOW = 1_791_128_503_230


def phases(seed: int, step: int, until: int = 3_600_000) -> list[str]:
    activity = Activity(random.Random(seed), NOW)
    names = [activity.phase(NOW + passed).name for passed in range(0, until, step)]
    return [name for name, before in zip(names, [None, *names], strict=False) if name != before]


def test_an_hour_has_bursts_and_quiet_times_after_a_steady_beginning() -> None:
    names = phases(seed=1, step=100)
    assert names[0] == "steady"
    assert set(names) == {"steady", "burst", "quiet"}
    assert len(names) > 40


def test_the_same_seed_has_the_same_phases_however_often_it_is_asked() -> None:
    assert phases(seed=3, step=100) == phases(seed=3, step=50)
    assert phases(seed=3, step=100) != phases(seed=4, step=100)


def test_a_burst_is_livelier_and_a_quiet_time_is_not_quite_silent() -> None:
    activity = Activity(random.Random(1), NOW)
    weights = {}
    for passed in range(0, 3_600_000, 500):
        phase = activity.phase(NOW + passed)
        weights[phase.name] = phase.weight
    assert weights["burst"] > weights["steady"] > weights["quiet"] > 0


def test_a_clock_that_leaps_begins_anew_at_once() -> None:
    activity = Activity(random.Random(1), NOW)
    assert activity.phase(NOW + 10**15).name == "steady"
    assert activity.phase(NOW).name == "steady"
