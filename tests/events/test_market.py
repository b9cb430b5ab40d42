from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given

from polymarket_ws.events import (
    BestBidAsk,
    Book,
    Event,
    LastTradePrice,
    Level,
    LevelChange,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from tests.strategies import BOOKS

TOKEN = "7935847595312605918509632057857899557587"


def level(price: str, size: str = "1") -> Level:
    return Level(Decimal(price), Decimal(size))


def change(price: str, size: str) -> LevelChange:
    return LevelChange(asset_id=TOKEN, price=Decimal(price), size=Decimal(size), side="BUY")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            Book(market="0x1", asset_id=TOKEN, bids=(level("0.1"), level("0.110")), asks=()),
            "Book 793584…7587 0.110/- (2 bids, 0 asks)",
        ),
        (
            PriceChange(market="0x1", price_changes=(change("0.5", "1E+2"),)),
            "PriceChange 793584…7587 BUY 100 @ 0.5",
        ),
        (
            PriceChange(market="0x1", price_changes=(change("0.5", "1"),) * 5),
            "PriceChange 793584…7587 BUY 1 @ 0.5, 793584…7587 BUY 1 @ 0.5 and 3 more",
        ),
        (
            LastTradePrice(
                market="0x1", asset_id="7", price=Decimal("0.203"), size=Decimal(5), side="SELL"
            ),
            "LastTradePrice 7 SELL 5 @ 0.203",
        ),
        (
            BestBidAsk(market="0x1", asset_id="7", best_bid=Decimal("0.1")),
            "BestBidAsk 7 0.1/-",
        ),
        (
            TickSizeChange(
                market="0x1",
                asset_id="7",
                old_tick_size=Decimal("0.01"),
                new_tick_size=Decimal("0.001"),
            ),
            "TickSizeChange 7 0.01 -> 0.001",
        ),
        (NewMarket(market="0x1", slug="s", question="Will\nit?"), "NewMarket s: Will it?"),
        (NewMarket(market="0x1"), "NewMarket 0x1:"),
        (MarketResolved(market="0x1", winning_outcome="Yes"), "MarketResolved 0x1 -> Yes"),
        (MarketResolved(market="0x1"), "MarketResolved 0x1 -> ?"),
        # What no exchange sends.
        (
            LastTradePrice(
                market="0x1", asset_id="a\nb", price=Decimal(1), size=Decimal(2), side="\r\nBUY "
            ),
            "LastTradePrice a b BUY 2 @ 1",
        ),
        (
            TickSizeChange(market="0x1", asset_id="7", new_tick_size=Decimal("0." + "1" * 5000)),
            "TickSizeChange 7 - -> 0." + "1" * 29 + "…",
        ),
        (
            PriceChange(
                market="0x1",
                price_changes=(
                    LevelChange(
                        asset_id="7", price=Decimal("1e99"), size=Decimal(0), side="x" * 5000
                    ),
                ),
            ),
            "PriceChange 7 xxxxxx…xxxx 0 @ 1" + "0" * 30 + "…",
        ),
    ],
)
def test_str_is_one_short_line(event: Event, text: str) -> None:
    assert str(event) == text


def test_time_is_the_timestamp_as_aware_utc() -> None:
    event = BestBidAsk(market="0x1", asset_id="7", timestamp=1766790415550)
    assert event.time == datetime(2025, 12, 26, 23, 6, 55, 550_000, tzinfo=timezone.utc)
    assert BestBidAsk(market="0x1", asset_id="7").time is None


def test_condition_id_is_the_market_where_the_wire_has_no_such_field() -> None:
    assert MarketResolved(market="0x1").condition_id == "0x1"
    assert Book(market="0x1", asset_id="7", bids=(), asks=()).condition_id == "0x1"
    assert NewMarket(market="0x1", condition_id="0x2").condition_id == "0x2"


def test_the_best_prices_are_found_wherever_they_stand() -> None:
    book = Book(
        market="0x1",
        asset_id="7",
        bids=(level("0.3"), level("0.4"), level("0.5", "0"), level("0.1")),
        asks=(level("0.8"), level("0.6", "0"), level("0.7"), level("0.9")),
    )
    assert (book.best_bid, book.best_ask) == (Decimal("0.4"), Decimal("0.7"))


def test_an_empty_side_has_no_best_price() -> None:
    book = Book(market="0x1", asset_id="7", bids=(), asks=(level("1", "0"),))
    assert (book.best_bid, book.best_ask) == (None, None)


@given(BOOKS)
def test_the_best_prices_are_the_maximum_and_minimum(book: Book) -> None:
    assert book.best_bid == max((x.price for x in book.bids if x.size), default=None)
    assert book.best_ask == min((x.price for x in book.asks if x.size), default=None)


def test_fee_schedule_does_not_keep_an_event_from_being_hashed() -> None:
    free, dear = (NewMarket(market="0x1", fee_schedule={"rate": rate}) for rate in (0, 1))
    assert hash(free) == hash(dear)
    assert free != dear
