from __future__ import annotations

import click
import pytest

from polymarket_ws.cli.event_names import event_classes
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book, LastTradePrice, NewMarket, PriceChange
from polymarket_ws.subscriptions import Market

CONTEXT = click.Context(click.Command("stream"))
OPTION = click.Option(["--events"])


def parsed(*values: str) -> frozenset[type[Event]]:
    return frozenset(event_classes(CONTEXT, OPTION, values))


@pytest.mark.parametrize(
    "text",
    [
        "book,price_change",
        "Book,PriceChange",
        "BOOK,PRICE_CHANGE",
        " price_change , book ",
        "pricechange,book,Book",
    ],
)
def test_names_are_those_of_the_wire_or_of_classes_in_any_case(text: str) -> None:
    assert parsed(text) == {Book, PriceChange}


def test_option_given_twice_adds_up() -> None:
    assert parsed("book", "new_market,last_trade_price") == {Book, NewMarket, LastTradePrice}


def test_option_not_given_names_nothing() -> None:
    assert parsed() == frozenset()


@pytest.mark.parametrize("text", ["boook", "book,", "", "book price_change", "connected", "order"])
def test_unknown_name_lists_those_that_there_are(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parsed(text)
    assert "there are book, price_change, last_trade_price" in caught.value.message


def test_every_event_of_a_market_has_a_name() -> None:
    kinds = parsed(
        "book,price_change,last_trade_price,tick_size_change,best_bid_ask,new_market,"
        "market_resolved"
    )
    market: Market[Event] = Market("1", events=kinds)  # type: ignore[type-var]
    assert frozenset().union(*market.wishes.values()) == kinds
    assert len(kinds) == 7
