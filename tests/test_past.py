from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.book import OrderBook
from polymarket_ws.events.market import (
    Book,
    Level,
    LevelChange,
    MarketEvent,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.past import Log, Past
from polymarket_ws.protocol.decoding import Source

YES, NO = "1", "2"
MARKET = "0xabc"


def level(price: int, size: int) -> Level:
    return Level(Decimal(price) / 100, Decimal(size))


def book(asset_id: str = YES, *, tick_size: str | None = None, market: str = MARKET) -> Book:
    return Book(
        market=market,
        asset_id=asset_id,
        bids=(level(40, 10),),
        asks=(level(60, 10),),
        tick_size=None if tick_size is None else Decimal(tick_size),
        received_at=12.5,
        epoch=3,
    )


def change(*asset_ids: str, price: int = 30, size: int = 1, side: str = "BUY") -> PriceChange:
    return PriceChange(
        market=MARKET,
        price_changes=tuple(
            LevelChange(
                asset_id=asset_id,
                price=Decimal(price) / 100,
                size=Decimal(size),
                side=side,
                hash=f"{price}/{size}",
            )
            for asset_id in asset_ids
        ),
    )


def tick(asset_id: str, size: str) -> TickSizeChange:
    return TickSizeChange(market=MARKET, asset_id=asset_id, new_tick_size=Decimal(size))


def ignore(_: str) -> None:
    pass


def text(event: MarketEvent) -> bytes:
    return event.to_json().encode()


EVENTS = st.lists(
    st.one_of(
        st.builds(book, st.sampled_from([YES, NO]), tick_size=st.sampled_from([None, "0.01"])),
        st.builds(
            lambda ids, price, size, side: change(*ids, price=price, size=size, side=side),
            # Both outcomes, or one of them.
            st.sampled_from([(YES, NO), (NO, YES), (YES,), (NO,)]),
            st.integers(1, 99),
            st.integers(0, 3),
            st.sampled_from(["BUY", "SELL"]),
        ),
        st.builds(tick, st.sampled_from([YES, NO]), st.sampled_from(["0.01", "0.001"])),
    ),
    max_size=60,
)


class Keeper:
    """A past, and the books of a reader who saw everything."""

    def __init__(self, *, as_texts: bool) -> None:
        self.past = Past(ignore)
        self.books = {asset_id: OrderBook(asset_id) for asset_id in (YES, NO)}
        self._logs: dict[str, Log] = {}
        self._as_texts = as_texts

    def note(self, event: MarketEvent) -> None:
        for true in self.books.values():
            true.apply(event)
        source: Source = text(event) if self._as_texts else event
        if isinstance(event, Book):
            self._logs[event.asset_id] = self.past.note_book(source, event)
        elif isinstance(event, TickSizeChange):
            self.past.rebase((event.asset_id,), event)
        elif isinstance(event, PriceChange):
            named = {change.asset_id for change in event.price_changes}
            for log in {self._logs[asset_id] for asset_id in named if asset_id in self._logs}:
                if log.note(source, event):
                    self.past.enter(log)


@given(EVENTS, st.booleans(), st.sets(st.integers(0, 60)))
def test_a_late_joiner_gets_the_book_of_a_reader_who_saw_everything(
    happened: list[MarketEvent], as_texts: bool, asked_after: set[int]
) -> None:
    keeper = Keeper(as_texts=as_texts)
    opened: set[str] = set()
    for number, event in enumerate((*happened, change(YES, NO))):
        if isinstance(event, Book):
            opened.add(event.asset_id)
        keeper.note(event)
        if number in asked_after or number == len(happened):
            for asset_id, true in keeper.books.items():
                folded = keeper.past.fold(asset_id)
                assert (folded is not None) == (asset_id in opened)
                if folded is not None:
                    assert set(folded.bids) == set(true.to_book().bids)
                    assert set(folded.asks) == set(true.to_book().asks)
                    assert (folded.received_at, folded.epoch) == (12.5, 3)


def test_what_is_older_than_the_latest_books_is_let_go() -> None:
    past = Past(ignore)
    log = past.note_book(text(book(YES)), book(YES))
    assert past.note_book(text(book(NO)), book(NO)) is log
    for _ in range(3):
        assert not log.note(b"never read", change(YES, NO))
    past.note_book(text(book(YES)), book(YES))
    assert len(log.items) == 3
    assert not log.note(text(change(YES, NO)), change(YES, NO))
    past.note_book(text(book(NO)), book(NO))
    assert len(log.items) == 1
    assert past.fold(YES) is not None


def test_where_changes_are_many_the_later_ones_are_kept_as_events() -> None:
    past = Past(ignore)
    log = past.note_book(book(), book())
    due = [log.note(text(change(YES)), change(YES)) for _ in range(256)]
    assert due == [False] * 255 + [True]
    assert [type(item) for item in log.items] == [bytes] * 128 + [PriceChange] * 128
    past.enter(log)
    assert log.items == []
    assert past.fold(YES) is not None


def test_a_change_of_many_levels_is_entered_at_once() -> None:
    log = Past(ignore).note_book(book(), book())
    assert not log.note(b"", change(*[YES] * 64))
    assert log.note(b"", change(*[YES] * 65))


def test_a_token_with_more_changes_than_a_book_has_levels_is_given_up() -> None:
    forgotten: list[str] = []
    past = Past(forgotten.append)
    log = past.note_book(book(YES), book(YES))
    past.note_book(book(NO), book(NO))
    (one,) = change(YES).price_changes
    levels = tuple(attrs.evolve(one, price=Decimal(n).scaleb(-6)) for n in range(20_001))
    event = attrs.evolve(change(YES), price_changes=levels)
    assert log.note(event, event)
    past.enter(log)
    assert forgotten == [YES]
    assert past.fold(YES) is None
    assert past.fold(NO) is not None


def test_the_tick_size_outlives_books_that_do_not_name_it() -> None:
    past = Past(ignore)
    first = book(tick_size="0.01")
    past.note_book(text(first), first)
    past.note_book(text(book()), book())
    folded = past.fold(YES)
    assert folded is not None
    assert folded.tick_size == Decimal("0.01")
    past.rebase([YES], tick(YES, "0.001"))
    past.note_book(text(book()), book())
    folded = past.fold(YES)
    assert folded is not None
    assert folded.tick_size == Decimal("0.001")


def test_a_token_moves_with_the_market_that_its_book_names() -> None:
    past = Past(ignore)
    first = past.note_book(book(), book())
    other = book(market="0xdef")
    second = past.note_book(other, other)
    assert second is not first
    assert past._logs == {"0xdef": second}


@pytest.mark.parametrize("how", ["forget", "clear"])
def test_nothing_stays_of_what_is_forgotten(how: str) -> None:
    past = Past(ignore)
    past.note_book(book(), book())
    if how == "forget":
        past.forget(YES)
        past.forget(YES)
    else:
        past.clear()
    assert past.fold(YES) is None
    assert not past._logs
    assert not past._log_of


@pytest.mark.parametrize(
    "unreadable", [b"", b"[]", b'{"event_type":"book"}', text(tick(YES, "0.01"))]
)
def test_what_cannot_be_read_once_more_is_given_up_and_nothing_else(unreadable: bytes) -> None:
    forgotten: list[str] = []
    past = Past(forgotten.append)
    past.note_book(text(book(NO)), book(NO))
    log = past.note_book(text(book(YES)), book(YES))
    log.note(unreadable, change(YES, NO))
    past.note_book(text(book(NO)), book(NO))
    assert past.fold(YES) is None
    assert past.fold(NO) is not None
    assert forgotten == [YES]
    past.note_book(unreadable, book(YES))
    assert past.fold(YES) is None
    assert past.fold(NO) is not None
    assert forgotten == [YES, YES]


def test_padding_is_not_kept() -> None:
    past = Past(ignore)
    padded = text(change(YES))[:-1] + b',"x":"' + b"x" * 4096 + b'"}'
    log = past.note_book(text(book())[:-1] + b',"x":"' + b"x" * 8192 + b'"}', book())
    log.note(padded, change(YES))
    assert log.items == [change(YES)]
    assert log.pages[YES].source == book()
