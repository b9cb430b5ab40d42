from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.simulator.ledger import BUY, SELL
from polymarket_ws.simulator.stakes import Part, Stakes


def test_who_was_there_before_is_served_first() -> None:
    stakes = Stakes()
    stakes.add("mine", BUY, 400, 300, level=800)
    assert stakes.take(BUY, 400, 500, level=800) == [Part(BUY, 400, 500)]
    assert stakes.take(BUY, 400, 100, level=300) == [Part(BUY, 400, 100, "mine")]
    assert stakes.owned(BUY, 400) == 200


def test_who_comes_later_is_served_after_an_own_order() -> None:
    stakes = Stakes()
    stakes.add("mine", BUY, 400, 300, level=300)
    assert stakes.take(BUY, 400, 350, level=1000) == [
        Part(BUY, 400, 50),
        Part(BUY, 400, 300, "mine"),
    ]
    assert stakes.owned(BUY, 400) == 0


def test_own_orders_of_one_level_keep_their_order() -> None:
    stakes = Stakes()
    stakes.add("first", SELL, 600, 100, level=100)
    stakes.add("second", SELL, 600, 100, level=700)
    assert stakes.take(SELL, 600, 150, level=700) == [
        Part(SELL, 600, 50),
        Part(SELL, 600, 100, "first"),
    ]


def test_who_cancels_in_front_moves_an_own_order_up() -> None:
    stakes = Stakes()
    stakes.add("mine", BUY, 400, 300, level=800)
    stakes.shrunk(BUY, 400, 350)
    stakes.shrunk(BUY, 400, 900)
    assert stakes.take(BUY, 400, 100, level=900) == [
        Part(BUY, 400, 50),
        Part(BUY, 400, 50, "mine"),
    ]


def test_an_order_that_is_withdrawn_has_no_part_any_more() -> None:
    stakes = Stakes()
    stakes.add("mine", BUY, 400, 300, level=300)
    stakes.withdraw("mine")
    assert stakes.owned(BUY, 400) == 0
    assert stakes.prices(BUY) == []
    assert stakes.take(BUY, 400, 100, level=300) == [Part(BUY, 400, 100)]


@given(
    orders=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=5),
    behind=st.integers(0, 50),
    takes=st.lists(st.integers(1, 60), max_size=8),
)
def test_what_is_taken_is_shared_out_without_rest(
    orders: list[tuple[int, int]], behind: int, takes: list[int]
) -> None:
    stakes = Stakes()
    level = 0
    for number, (before, size) in enumerate(orders):
        level += before + size
        stakes.add(str(number), BUY, 400, size, level)
    level += behind
    for size in takes:
        taken = min(size, level)
        if not taken:
            break
        parts = list(stakes.take(BUY, 400, taken, level))
        level -= taken
        assert sum(part.size for part in parts) == taken
        assert all(part.size > 0 for part in parts)
        assert 0 <= stakes.owned(BUY, 400) <= level
