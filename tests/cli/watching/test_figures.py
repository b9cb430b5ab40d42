from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from polymarket_ws.cli.watching.figures import (
    ago,
    bar,
    bar_leftward,
    cents,
    cents_places,
    chart,
    clipped,
    fitted,
    lag,
    move,
    printable,
    rate,
    shares,
    span,
)

PRICES = st.decimals(0, 1, places=6)


@pytest.mark.parametrize(
    ("price", "places", "shown"),
    [
        ("0.5", 0, "50¢"),
        ("0.525", 0, "52.5¢"),
        ("0.52", 1, "52.0¢"),
        ("0.0005", 0, "0.05¢"),
        ("1", 0, "100¢"),
        ("0", 0, "0¢"),
        ("0.50", 0, "50¢"),
        ("-0.01", 0, "−1¢"),
    ],
)
def test_cents(price: str, places: int, shown: str) -> None:
    assert cents(Decimal(price), places) == shown


def test_cents_of_no_price_is_a_dash() -> None:
    assert cents(None) == "–"


@given(PRICES)
def test_cents_never_round(price: Decimal) -> None:
    assert Decimal(cents(price).removesuffix("¢")) == price * 100


@given(st.lists(PRICES, min_size=1))
def test_common_places_align_prices(prices: list[Decimal]) -> None:
    places = cents_places(prices)
    shown = [cents(price, places) for price in prices]
    assert len({len(text.partition(".")[2]) for text in shown}) == 1


@pytest.mark.parametrize(
    ("change", "shown"),
    [("0.015", "▲ 1.5¢"), ("-0.01", "▼ 1¢"), ("0", "= 0¢"), ("0.000", "= 0¢"), (None, "")],
)
def test_move(change: str | None, shown: str) -> None:
    assert move(None if change is None else Decimal(change)) == shown


@pytest.mark.parametrize(
    ("size", "width", "shown"),
    [
        ("0", 9, "0"),
        ("5", 9, "5"),
        ("12.5", 9, "12.50"),
        ("1250.123456", 9, "1,250.12"),
        ("1250.123456", 7, "1,250"),
        ("123456.7", 7, "123,457"),
        ("12345678", 9, "12.35M"),
        ("1234567", 9, "1,234,567"),
        ("0.000001", 9, "<0.01"),
    ],
)
def test_shares(size: str, width: int, shown: str) -> None:
    assert shares(Decimal(size), width) == shown


@given(st.decimals(0, 10**13, places=6), st.integers(7, 12))
def test_shares_fit_and_are_never_nothing(size: Decimal, width: int) -> None:
    shown = shares(size, width)
    assert len(shown) <= width
    assert (shown == "0") == (size == 0)


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(None, "–"), (0.2, "0 ms"), (-0.2, "0 ms"), (12.4, "12 ms"), (-3, "−3 ms"), (1234, "1.2 s")],
)
def test_lag(milliseconds: float | None, shown: str) -> None:
    assert lag(milliseconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.44, "0.4 s"),
        (9.9, "9.9 s"),
        (75, "75 s"),
        (300, "5 min"),
        (7300, "2 h"),
        (864000, "10 d"),
    ],
)
def test_span(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.9, "0 s ago"), (3.7, "3 s ago"), (-1, "0 s ago"), (65, "65 s ago")]
)
def test_ago_is_in_whole_seconds(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"), [(0, "0"), (0.5, "0.5"), (9.99, "10"), (1012.3, "1,012")]
)
def test_rate(per_second: float, shown: str) -> None:
    assert rate(per_second) == shown


@given(st.text(), st.integers(0, 40))
def test_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    text = printable(text)
    assert cell_len(fitted(text, width)) == width
    assert cell_len(fitted(text, width, right=True)) == width
    assert cell_len(clipped(text, width)) <= width


@given(st.text())
def test_printable_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not shown or shown.isprintable()


def test_printable_text_cannot_carry_a_sequence() -> None:
    assert printable("a\x1b[2J\r\nb\u200d\ufe0f") == "a [2J b"


@given(st.floats(0, 1), st.integers(0, 60))
def test_bars_have_their_width_and_show_whatever_there_is(fraction: float, width: int) -> None:
    for drawn in (bar(fraction, width), bar_leftward(fraction, width)):
        assert cell_len(drawn) == width
        assert bool(drawn.strip()) == (fraction > 0 and width > 0)


def test_bars_grow_from_their_side() -> None:
    assert bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   "
    assert bar_leftward(0.5, 4) == "  ██"
    assert bar_leftward(1 / 8, 4) == "   ▐"
    assert bar(2.0, 4) == bar_leftward(2.0, 4) == "████"


def test_chart_of_one_row_spans_its_levels() -> None:
    assert chart([0.0, 0.5, 1.0, None], 1, 0.0, 1.0) == ["▁▅█ "]


def test_chart_of_two_rows_stacks() -> None:
    assert chart([0.0, 1.0], 2, 0.0, 1.0) == [" █", "▁█"]


def test_chart_without_reach_lies_in_the_middle() -> None:
    assert chart([0.3], 1, 0.3, 0.3) == ["▅"]
