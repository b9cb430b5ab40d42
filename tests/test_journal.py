from __future__ import annotations

from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.book import OrderBook
from polymarket_ws.events.market import (
    Book,
    Level,
    LevelChange,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.journal import Journal


def opening() -> Book:
    return Book(
        market="0xabc",
        asset_id="1",
        timestamp=1_791_128_525_000,
        bids=(Level(Decimal("0.40"), Decimal(10)),),
        asks=(Level(Decimal("0.60"), Decimal(10)),),
        tick_size=Decimal("0.01"),
    )


def change(price: int, size: int, side: str = "BUY") -> LevelChange:
    return LevelChange(asset_id="1", price=Decimal(price) / 100, size=Decimal(size), side=side)


FINER = TickSizeChange(
    market="0xabc",
    asset_id="1",
    timestamp=None,
    old_tick_size=Decimal("0.01"),
    new_tick_size=Decimal("0.001"),
)


def other(item: LevelChange) -> LevelChange:
    """Return a change of another token, as most messages have one."""
    return attrs.evolve(item, asset_id="2")


CHANGES = st.lists(
    st.one_of(
        st.builds(change, st.integers(1, 49), st.integers(0, 3), st.just("BUY")),
        st.builds(change, st.integers(51, 99), st.integers(0, 3), st.just("SELL")),
    ),
    max_size=60,
)


@given(CHANGES, st.integers(0, 60))
def test_folded_book_is_what_a_reader_has_who_saw_everything(
    changes: list[LevelChange], thinned_after: int
) -> None:
    journal = Journal(opening())
    book = OrderBook("1")
    book.apply(opening())
    for number, item in enumerate(changes):
        event = PriceChange(market="0xabc", timestamp=None, price_changes=(item, other(item)))
        journal.enter(event)
        book.apply(event)
        if number == thinned_after:
            assert journal.thin_out()
    folded = journal.fold()
    assert folded is not None
    assert set(folded.bids) == set(book.to_book().bids)
    assert set(folded.asks) == set(book.to_book().asks)


def test_tick_size_outlives_the_books_that_do_not_name_it() -> None:
    later = Book(market="0xabc", asset_id="1", timestamp=None, bids=(), asks=())
    assert Journal(later, Journal(opening()).tick_size).tick_size == Decimal("0.01")
    assert Journal(opening(), Decimal("0.001")).tick_size == Decimal("0.01")


def test_resolved_market_has_an_empty_book() -> None:
    journal = Journal(opening())
    journal.rebase(
        MarketResolved(
            market="0xabc",
            assets_ids=("1",),
            timestamp=None,
            winning_asset_id="1",
            winning_outcome="Yes",
        )
    )
    folded = journal.fold()
    assert folded is not None
    assert (folded.bids, folded.asks) == ((), ())


def test_finer_tick_is_in_the_book_of_whoever_joins() -> None:
    journal = Journal(opening())
    journal.rebase(FINER)
    folded = journal.fold()
    assert folded is not None
    assert folded.tick_size == Decimal("0.001")


def test_more_levels_than_a_book_can_have_are_no_book() -> None:
    journal = Journal(opening())
    journal.changes = [
        LevelChange(asset_id="1", price=Decimal(n).scaleb(-6), size=Decimal(1), side="BUY")
        for n in range(20_001)
    ]
    assert not journal.is_possible()


def test_what_could_not_be_folded_still_knows_the_tick_size() -> None:
    journal = Journal(opening())
    journal.changes.append(change(40, 1, "?"))
    assert journal.fold() is None
    journal.rebase(FINER)
    assert journal.fold() is None
    later = Book(market="0xabc", asset_id="1", timestamp=None, bids=(), asks=())
    assert Journal(later, journal.tick_size).tick_size == Decimal("0.001")
