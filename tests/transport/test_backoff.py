from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.errors import UsageError
from polymarket_ws.transport.backoff import (
    MAX_RETRY_AFTER_SECONDS,
    NOT_NOW_SECONDS,
    Backoff,
    Reconnecting,
)

CHANCES = st.floats(0.0, 1.0, exclude_max=True)
#: A maximum below the default is the user's wish to try often, and switches the limits off.
UNLIMITED = Backoff(initial=1.0, maximum=16.0)


def waits(backoff: Backoff, chance: float, count: int) -> list[float]:
    reconnecting = Reconnecting(backoff, lambda: chance)
    return [reconnecting.wait(0.0) for _ in range(count)]


def test_upper_bound_doubles_up_to_the_maximum() -> None:
    assert waits(UNLIMITED, 1.0, 7) == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]


def test_jitter_is_full() -> None:
    assert waits(UNLIMITED, 0.0, 5) == [0.0] * 5
    assert waits(UNLIMITED, 0.5, 3) == [0.5, 1.0, 2.0]


@given(CHANCES, st.integers(1, 2000))
def test_wait_is_within_its_bounds_after_any_number_of_failures(chance: float, count: int) -> None:
    assert 0.0 <= waits(UNLIMITED, chance, count)[-1] <= 16.0


def test_row_starts_over_after_a_connection_that_lived_long_enough() -> None:
    reconnecting = Reconnecting(UNLIMITED, lambda: 1.0)
    for _ in range(4):
        reconnecting.wait(0.0)
    reconnecting.lived(60.0)
    assert reconnecting.wait(100.0) == 1.0


def test_row_goes_on_after_a_connection_that_was_dropped_soon() -> None:
    reconnecting = Reconnecting(UNLIMITED, lambda: 1.0)
    for _ in range(3):
        reconnecting.wait(0.0)
        reconnecting.lived(59.9)
    assert reconnecting.wait(100.0) == 8.0


def test_life_that_counts_can_be_chosen() -> None:
    reconnecting = Reconnecting(Backoff(initial=1.0, maximum=16.0, reset_after=0.0), lambda: 1.0)
    for _ in range(3):
        assert reconnecting.wait(0.0) == 1.0
        reconnecting.lived(0.0)


@given(CHANCES, st.floats(0.0, MAX_RETRY_AFTER_SECONDS), st.integers(0, 20))
def test_retry_after_is_the_least_and_hardly_exceeded(
    chance: float, asked: float, failures: int
) -> None:
    reconnecting = Reconnecting(UNLIMITED, lambda: chance)
    for _ in range(failures):
        reconnecting.wait(0.0)
    wait = reconnecting.wait(0.0, retry_after=asked, not_now=True)
    assert asked <= wait <= max(asked + NOT_NOW_SECONDS, 16.0)


def test_those_who_were_told_one_time_do_not_come_back_at_one_time() -> None:
    chance = random.Random(1).random
    times = {Reconnecting(Backoff(), chance).wait(0.0, retry_after=7.0) for _ in range(100)}
    assert len(times) == 100


def test_absurd_retry_after_is_cut() -> None:
    wait = Reconnecting(UNLIMITED, lambda: 0.0).wait(0.0, retry_after=1e9)
    assert wait == MAX_RETRY_AFTER_SECONDS


def test_not_now_waits_some_seconds_more() -> None:
    assert Reconnecting(UNLIMITED, lambda: 0.0).wait(0.0, not_now=True) == NOT_NOW_SECONDS
    assert Reconnecting(UNLIMITED, lambda: 1.0).wait(0.0, not_now=True) == 1.0 + NOT_NOW_SECONDS


def test_not_now_stays_below_a_small_maximum() -> None:
    quick = Backoff(initial=0.01, maximum=0.05)
    assert Reconnecting(quick, lambda: 0.5).wait(0.0, not_now=True) == 0.05


def attempts_in_an_hour(chances: list[float], life: float, *, not_now: bool = False) -> list[float]:
    """Simulate a server that accepts and drops after ``life`` seconds, or refuses."""
    draws = iter(chances)
    reconnecting = Reconnecting(Backoff(), lambda: next(draws, 0.0))
    now = 0.0
    attempts = []
    while now < 3600.0:
        attempts.append(now)
        reconnecting.attempted(now)
        now += life
        reconnecting.lived(life)
        now += reconnecting.wait(now, not_now=not_now)
    return attempts


@given(st.lists(CHANCES, max_size=400), st.floats(0.0, 20.0), st.booleans())
def test_hour_without_a_lasting_connection_is_no_hammering(
    chances: list[float], life: float, not_now: bool
) -> None:
    attempts = attempts_in_an_hour(chances, life, not_now=not_now)
    assert sum(at < 60.0 for at in attempts) <= 15
    for minute in range(1, 60):
        assert sum(minute * 60.0 <= at < minute * 60.0 + 60.0 for at in attempts) <= 5
    # Nor does it ever give up.
    assert max(after - before for before, after in pairwise([*attempts, 3600.0])) <= 80.0


def test_first_second_has_several_attempts() -> None:
    attempts = attempts_in_an_hour([0.5] * 400, 0.0)
    assert sum(at <= 1.0 for at in attempts) >= 3


def test_limits_start_over_after_a_connection_that_lived_long_enough() -> None:
    reconnecting = Reconnecting(Backoff(), lambda: 0.0)
    for number in range(15):
        reconnecting.attempted(float(number) / 100)
    assert reconnecting.wait(1.0) > 50.0
    reconnecting.lived(60.0)
    assert reconnecting.wait(1.0) == 0.0


def test_small_maximum_is_the_users_own_decision() -> None:
    reconnecting = Reconnecting(UNLIMITED, lambda: 0.0)
    for number in range(1000):
        reconnecting.attempted(float(number) / 1000)
        assert reconnecting.wait(float(number) / 1000) == 0.0


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", None, True])
@pytest.mark.parametrize("name", ["initial", "maximum", "reset_after"])
def test_what_is_no_number_of_seconds_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"Backoff\({name}=…\) takes seconds"):
        Backoff(**{name: value})  # type: ignore[arg-type]


def test_defaults_are_the_documented_ones() -> None:
    assert Backoff() == Backoff(initial=0.25, maximum=30.0, reset_after=60.0)
