from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.cli.watching.history import LagMeter, PriceHistory, RateMeter


def filled(points: int, limit: int = 2048) -> PriceHistory:
    history = PriceHistory(interval=0.5, limit=limit)
    for index in range(points):
        history.add(Decimal(index), index * 0.5)
    return history


def test_history_begins_with_the_first_known_price() -> None:
    history = PriceHistory()
    history.add(None, 0.0)
    assert history.columns(10) == []
    history.add(Decimal(7), 100.0)
    assert history.columns(10) == [7]


def test_columns_hold_every_point_while_they_fit() -> None:
    assert filled(5).columns(5) == [0, 1, 2, 3, 4]


def test_columns_halve_when_they_do_not_fit_and_end_with_the_newest() -> None:
    assert filled(6).columns(5) == [1, 3, 5]
    assert filled(7).columns(5) == [1, 3, 5, 6]


def test_columns_of_no_width_are_none() -> None:
    assert filled(3).columns(0) == []


@given(st.integers(1, 400), st.integers(1, 50))
def test_columns_use_half_of_the_width_at_least(points: int, width: int) -> None:
    columns = filled(points).columns(width)
    assert min(points, width // 2) <= len(columns) <= width
    assert columns[-1] == points - 1
    assert columns == sorted(columns, key=lambda price: price or 0)


def test_history_stays_bounded_and_spans_all_of_the_time() -> None:
    history = filled(10_000, limit=64)
    columns = history.columns(1000)
    assert 32 <= len(columns) <= 64
    assert columns[0] is not None
    assert columns[0] < 500
    assert columns[-1] == 9999


def test_time_in_which_nobody_asked_is_empty() -> None:
    history = filled(2)
    history.add(Decimal(9), 2.5)
    assert history.columns(10) == [0, 1, None, None, None, 9]


def test_a_very_long_pause_costs_no_memory() -> None:
    history = filled(2, limit=64)
    history.add(Decimal(9), 1e9)
    assert len(history.columns(1000)) <= 64
    assert history.columns(1000)[-1] == 9


def test_the_last_price_of_an_interval_counts() -> None:
    history = PriceHistory(interval=0.5)
    history.add(Decimal(1), 0.0)
    history.add(Decimal(2), 0.2)
    assert history.columns(10) == [2]


def test_rate_is_over_the_last_two_seconds() -> None:
    meter = RateMeter()
    for reading in range(9):
        meter.read(reading * 0.5)
        meter.count += 100 if reading < 4 else 10
    assert meter.per_second == pytest.approx(20)


def test_rate_of_a_single_reading_is_nothing() -> None:
    meter = RateMeter()
    meter.count = 5
    meter.read(1.0)
    assert meter.per_second == 0


def test_lag_is_the_median_and_stays_while_nothing_comes() -> None:
    meter = LagMeter()
    assert meter.read() == []
    assert meter.milliseconds is None
    for value in (1.0, 500.0, 3.0):
        meter.add(value)
    assert meter.read() == [1.0, 500.0, 3.0]
    assert meter.milliseconds == 3.0
    assert meter.read() == []
    assert meter.milliseconds == 3.0
