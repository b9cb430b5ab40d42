from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.simulator.pacing import Admission, Pacer, SteppedClock


def test_nothing_is_due_before_the_first_interval_is_over() -> None:
    pacer = Pacer(rate=10, now=100.0)
    assert pacer.due(100.05) == 0
    assert pacer.due(100.11) == 1


def test_what_was_not_sent_stays_due() -> None:
    pacer = Pacer(rate=10, now=0.0)
    assert pacer.due(0.51) == 5
    pacer.sent(3)
    assert pacer.due(0.51) == 2


def test_sending_more_than_was_due_delays_the_next() -> None:
    pacer = Pacer(rate=10, now=0.0)
    pacer.sent(4)
    assert pacer.due(0.45) == 0
    assert pacer.delay(0.45) == pytest.approx(0.05)


def test_high_rates_go_out_in_batches() -> None:
    assert Pacer(rate=2000, now=0.0).delay(0.0) == pytest.approx(0.01)


def test_a_stall_is_not_caught_up_on_for_more_than_a_second() -> None:
    assert Pacer(rate=100, now=0.0).due(3600.0) <= 101


@given(st.floats(1, 2000), st.lists(st.floats(0.001, 0.5), min_size=1, max_size=50))
def test_the_rate_is_kept_however_time_is_sliced(rate: float, slices: list[float]) -> None:
    pacer = Pacer(rate, now=0.0)
    now, sent = 0.0, 0
    for seconds in slices:
        now += seconds
        due = pacer.due(now)
        pacer.sent(due)
        sent += due
    assert sent == pytest.approx(now * rate, abs=1.01)


def test_so_many_are_admitted_within_any_second() -> None:
    admission = Admission(per_second=3)
    assert [admission.admit(now) for now in (0.0, 0.1, 0.2, 0.3)] == [True, True, True, False]
    assert [admission.admit(now) for now in (0.9, 1.01, 1.02, 1.11)] == [False, True, False, True]


def test_a_stepped_clock_goes_when_it_is_told() -> None:
    clock = SteppedClock()
    begin = clock()
    assert clock() == begin
    clock.advance(0.25)
    assert clock() - begin == pytest.approx(0.25)


def test_stepped_time_does_not_depend_on_how_it_is_sliced() -> None:
    one, many = SteppedClock(), SteppedClock()
    one.advance(100.0)
    for _ in range(1000):
        many.advance(0.1)
    assert one() == many()
