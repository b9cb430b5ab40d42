from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.events import Book, DecodeFailure, Event, Level, PriceChange
from polymarket_ws.protocol import levels
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY

#: As prices and sizes are spelled, and as they are not.
NUMBERS = st.decimals("0", "10000000", places=4).map(str) | st.from_regex(
    r"-?[0-9_ ]{0,7}(\.[0-9]{0,7})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Decimal]]:
    numbers = levels._Numbers()
    monkeypatch.setattr(levels, "_numbers", numbers)
    yield numbers
    assert len(numbers) <= levels._MOST_REMEMBERED
    assert all(len(text) <= levels._SHORT for text in numbers)


def one(text: str) -> Any:
    (event,) = Decoder(MARKET_VOCABULARY, connection=1).decode(text.encode(), 0.0, 1)
    return event


def change_of(*changes: tuple[str, str]) -> str:
    entries = ",".join(
        f'{{"asset_id":"7","price":"{price}","size":"{size}","side":"BUY"}}'
        for price, size in changes
    )
    return f'{{"market":"0x1","price_changes":[{entries}],"event_type":"price_change"}}'


def book_of(*bids: tuple[str, str]) -> str:
    side = ",".join(f'{{"price":"{price}","size":"{size}"}}' for price, size in bids)
    return f'{{"market":"0x1","asset_id":"7","bids":[{side}],"asks":[],"event_type":"book"}}'


def levels_of(event: Event) -> list[tuple[Decimal, Decimal]]:
    assert isinstance(event, (Book, PriceChange))
    found = event.bids if isinstance(event, Book) else event.price_changes
    return [(level.price, level.size) for level in found]


FRAMES = pytest.mark.parametrize("frame_of", [change_of, book_of])


@FRAMES
def test_numbers_are_those_of_the_texts_also_the_second_time(
    frame_of: Callable[..., str],
) -> None:
    texts = [("0.50", "12345.67"), (".5", "12345.67"), ("0.5", "0"), ("0.0005", "0"), ("1", "100")]
    for _ in range(2):
        event = one(frame_of(*texts))
        assert [(str(p), str(s)) for p, s in levels_of(event)] == [
            (str(Decimal(price)), str(Decimal(size))) for price, size in texts
        ]
        assert all(isinstance(number, Decimal) for pair in levels_of(event) for number in pair)
        if isinstance(event, Book):
            assert all(type(level) is Level for level in event.bids)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6), st.sampled_from([change_of, book_of]))
def test_what_was_read_before_changes_nothing(
    pairs: list[tuple[str, str]], frame_of: Callable[..., str]
) -> None:
    text = frame_of(*pairs)
    seen = Decoder(MARKET_VOCABULARY, connection=1).decode(text.encode(), 0.0, 1)
    levels._numbers.clear()
    afresh = Decoder(MARKET_VOCABULARY, connection=1).decode(text.encode(), 0.0, 1)
    assert repr(seen) == repr(afresh)


def test_events_share_a_price() -> None:
    first, second = one(change_of(("0.617", "5"))), one(book_of(("0.617", "5")))
    assert levels_of(first)[0][0] is levels_of(second)[0][0]


@FRAMES
def test_what_is_remembered_is_bounded(frame_of: Callable[..., str]) -> None:
    prices = [f"{number / 10_000:.4f}" for number in range(3 * levels._MOST_REMEMBERED)]
    for first in range(0, len(prices), 100):
        part = prices[first : first + 100]
        event = one(frame_of(*((price, price) for price in part)))
        assert [str(price) for price, _ in levels_of(event)] == part


def test_a_long_text_is_not_remembered(remembered: dict[str, Decimal]) -> None:
    one(change_of(("0." + "0" * 5000 + "1", "7" * 90)))
    one(book_of(("0.5000001", "13245.67")))
    assert not remembered


@FRAMES
@pytest.mark.parametrize(
    "bad", ["", "NaN", "inf", "1e100", "1e9999", "-1e200", "-1e-200", "0e99999999999999999999", "x"]
)
def test_what_is_no_number_is_told_whatever_was_before_it(
    frame_of: Callable[..., str], bad: str
) -> None:
    for pairs in ([(bad, "1")], [("0.5", bad)], [("0.5", "1"), ("0.5", bad)]):
        event = one(frame_of(*pairs))
        assert isinstance(event, DecodeFailure), pairs


@FRAMES
def test_a_users_decimal_context_changes_nothing(frame_of: Callable[..., str]) -> None:
    with localcontext(Context(prec=1, traps=[])):
        event = one(frame_of(("0.1234567", "123456.789"), ("0.617", "12")))
        assert isinstance(one(frame_of(("NaN", "1"))), DecodeFailure)
        assert isinstance(one(frame_of(("0.5", "Infinity"))), DecodeFailure)
    with localcontext(Context(prec=1, Emax=50, traps=[])):
        # A limit that this context rounded to infinity would let it pass, and remember it.
        assert isinstance(one(frame_of(("-1e200", "1"))), DecodeFailure)
    assert isinstance(one(frame_of(("-1e200", "1"))), DecodeFailure)
    assert [str(n) for pair in levels_of(event) for n in pair] == [
        "0.1234567", "123456.789", "0.617", "12",
    ]  # fmt: skip
