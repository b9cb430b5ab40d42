from __future__ import annotations

from typing import Any

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.subscriptions import EVERYWHERE, Market

DEFAULT = frozenset((Book, PriceChange, LastTradePrice, TickSizeChange))
LONGEST = "9" * 78


def market_info(*asset_ids: str) -> MarketInfo:
    return MarketInfo(
        question="Rain?", condition_id="0xabc", slug="rain", outcomes=(), asset_ids=asset_ids
    )


def test_market_wants_books_changes_trades_and_ticks_of_each_token() -> None:
    subscription = Market("1", LONGEST, "1")
    assert subscription.channel == "market"
    assert subscription.asset_ids == ("1", LONGEST)
    assert subscription.wishes == {"1": DEFAULT, LONGEST: DEFAULT}


def test_market_of_a_lookup_wants_all_its_tokens() -> None:
    assert Market(market_info("1", "2"), "3").asset_ids == ("1", "2", "3")


@pytest.mark.parametrize("events", [[Book], (Book,), {Book}, iter([Book])])
def test_classes_may_come_in_any_collection(events: Any) -> None:
    assert Market("1", events=events).wishes == {"1": frozenset((Book,))}


def test_base_class_stands_for_all() -> None:
    wishes = Market("1", events=[MarketEvent]).wishes
    assert wishes["1"] == DEFAULT | {BestBidAsk, MarketResolved}
    assert wishes[EVERYWHERE] == {NewMarket}


def test_new_markets_need_no_token_and_belong_to_none() -> None:
    alone = Market(events=[NewMarket])
    assert alone.asset_ids == ()
    assert alone.wishes == {EVERYWHERE: frozenset((NewMarket,))}
    beside = Market("1", events=(Book, NewMarket))
    assert beside.asset_ids == ("1",)
    assert beside.wishes["1"] == {Book}


@pytest.mark.parametrize(
    ("assets", "text"),
    [
        ((), r"Market\(\) names no token: write Market\(asset_id, …\) or Market\(lookup\(slug\)\)"),
        ((["1", "2"],), r"one by one, not in a list: write Market\(\*asset_ids\)"),
        ((("1",),), r"write Market\(\*asset_ids\)"),
        ((123,), r'token ids are strings, quote them: Market\("123"\)'),
        ((True,), "takes token ids as strings, not True"),
        ((None,), "takes token ids as strings, not None"),
        ((1.5,), r"takes token ids or what lookup\(\) returned, not 1\.5"),
        (("0x" + "a" * 64,), r"is a condition id; .* write Market\(lookup\('0xaaa"),
        (("will-it-rain",), r"for a slug or a URL write Market\(lookup\('will-it-rain'\)\)"),
        (("",), "is no token id"),
        ((" 1",), "is no token id"),
        (("-1",), "is no token id"),
        (("9" * 79,), "is no token id"),
        (("١٢٣",), "is no token id"),
        (("²",), "is no token id"),
    ],
)
def test_what_is_no_token_is_refused_with_the_right_call(assets: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Market(*assets)


def test_market_without_tokens_is_named() -> None:
    with pytest.raises(UsageError, match="the market rain has no tokens yet"):
        Market(market_info())


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (Book, r"takes a list of classes: Market\(…, events=\[Book\]\)"),
        ("book", r"takes a list of classes"),
        (7, "takes a list of classes"),
        ([], "events is empty: name the classes wanted, or leave it out"),
        ([Connected], "takes classes out of Book, PriceChange, .* is none of them"),
        ([Event], "is none of them"),
        (["book"], "'book' is none of them"),
    ],
)
def test_what_is_no_class_of_the_market_channel_is_refused(events: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Market("1", events=events)


def test_repr_is_short_and_says_what_is_wanted() -> None:
    assert repr(Market("1", "2", "3", "4", "5", events=[Book])) == (
        "Market('1', '2', '3', … 2 more, events=[Book])"
    )
    assert repr(Market(events=[NewMarket])) == "Market(events=[NewMarket])"
