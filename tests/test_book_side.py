from __future__ import annotations

from decimal import Decimal

import pytest

from polymarket_ws.book_side import BookSide
from polymarket_ws.events.market import Level


def prices(side: BookSide) -> list[str]:
    return [str(level.price) for level in side.best_first()]


@pytest.mark.parametrize(
    ("highest_first", "order"),
    [(True, ["0.9", "0.5", "0.1"]), (False, ["0.1", "0.5", "0.9"])],
    ids=["bids", "asks"],
)
def test_best_first_orders_by_price(highest_first: bool, order: list[str]) -> None:
    side = BookSide(highest_first=highest_first)
    for price in ("0.5", "0.9", "0.1"):
        assert side.put(Decimal(price), Decimal(1))
    assert prices(side) == order
    assert str(side.best()) == order[0]


def test_best_first_is_the_same_tuple_until_the_next_change() -> None:
    side = BookSide(highest_first=True)
    side.put(Decimal("0.5"), Decimal(1))
    first = side.best_first()
    assert side.best_first() is first
    assert not side.put(Decimal("0.4"), Decimal(0))
    assert side.best_first() is first
    side.put(Decimal("0.4"), Decimal(1))
    assert prices(side) == ["0.5", "0.4"]
    assert len(first) == 1


def test_best_is_found_again_after_the_best_was_removed() -> None:
    side = BookSide(highest_first=False)
    for price in ("0.5", "0.6"):
        side.put(Decimal(price), Decimal(1))
    assert side.put(Decimal("0.50"), Decimal(0))
    assert side.best() == Decimal("0.6")
    assert side.put(Decimal("0.6"), Decimal(0))
    assert side.best() is None


def test_put_of_an_equal_size_is_no_change_and_takes_the_new_spelling() -> None:
    side = BookSide(highest_first=True)
    side.put(Decimal("0.2"), Decimal(1))
    assert not side.put(Decimal("0.20"), Decimal("1.0"))
    assert [(str(x.price), str(x.size)) for x in side.best_first()] == [("0.20", "1.0")]
    assert str(side.best()) == "0.20"


def test_replace_tells_whether_a_number_changed() -> None:
    side = BookSide(highest_first=True)
    one = Level(Decimal("0.2"), Decimal(1))
    assert side.replace([one])
    assert not side.replace([one, Level(Decimal("0.3"), Decimal(0))])
    assert side.replace([])
    assert (side.best(), side.best_first()) == (None, ())
