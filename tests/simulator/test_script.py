from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from polymarket_ws import Client, Endpoints, LastTradePrice, Market
from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.script import ScriptedMarket
from tests.conftest import scaled
from tests.simulator.clients import get, subscribed, text, to_the_end, tokens, until_pong


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None) as exchange:
        yield exchange


@pytest.fixture
def market(exchange: Exchange) -> ScriptedMarket:
    return exchange.market()


def heard(client: ClientConnection) -> list[dict[str, Any]]:
    return [json.loads(received) for received in until_pong(client)]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["event_type"] for message in messages]


def top(market: ScriptedMarket, outcome: str = "Yes") -> tuple[Decimal | None, Decimal | None]:
    return market.best_bid(outcome), market.best_ask(outcome)


def test_a_book_is_set_as_it_is_said(exchange: Exchange, market: ScriptedMarket) -> None:
    market.set_book("Yes", bids=[("0.58", 200), ("0.55", "10.5")], asks=[("0.62", 100)])
    assert top(market) == (Decimal("0.58"), Decimal("0.62"))
    assert top(market, "No") == (Decimal("0.38"), Decimal("0.42"))
    book = json.loads(get(exchange, f"/book?token_id={market.info.asset_ids[0]}")[2])
    assert book["bids"] == [{"price": "0.55", "size": "10.5"}, {"price": "0.58", "size": "200"}]
    assert book["asks"] == [{"price": "0.62", "size": "100"}]


def test_a_book_can_be_set_for_the_second_outcome_and_emptied(market: ScriptedMarket) -> None:
    market.set_book("No", bids=[("0.3", 5)], asks=[("0.4", 6)])
    assert top(market, "No") == (Decimal("0.3"), Decimal("0.4"))
    assert top(market, "Yes") == (Decimal("0.6"), Decimal("0.7"))
    market.set_book("Yes")
    assert top(market) == (None, None)


def test_subscribers_hear_of_an_order_and_its_cancellation(
    exchange: Exchange, market: ScriptedMarket
) -> None:
    market.set_book("Yes", bids=[("0.58", 200)], asks=[("0.62", 100)])
    with subscribed(exchange) as client:
        text(client)
        market.place("YES", "buy", "0.60", 50)
        market.cancel("Yes", "BUY", "0.60", 20)
        market.cancel("Yes", "BUY", Decimal("0.60"))
        changes = [message["price_changes"][0] for message in heard(client)]
    assert [(c["price"], c["size"], c["side"], c["best_bid"]) for c in changes] == [
        ("0.6", "50", "BUY", "0.6"),
        ("0.6", "30", "BUY", "0.6"),
        ("0.6", "0", "BUY", "0.58"),
    ]


def test_an_order_that_crosses_trades_and_leaves_the_rest(
    exchange: Exchange, market: ScriptedMarket
) -> None:
    market.set_book("Yes", bids=[("0.58", 200)], asks=[("0.62", 100)])
    with subscribed(exchange, market.info.asset_ids) as client:
        text(client)
        market.place("No", "BUY", "0.45", 250)
        messages = heard(client)
    assert kinds(messages) == ["last_trade_price", *["price_change"] * 2, *["book"] * 2]
    trade = messages[0]
    assert trade["asset_id"] == market.info.asset_ids[1]
    assert (trade["price"], trade["size"], trade["side"]) == ("0.42", "200", "BUY")
    assert top(market, "No") == (Decimal("0.45"), None)


def test_a_trade_is_seen_by_a_bot_as_it_was_said(
    exchange: Exchange, market: ScriptedMarket
) -> None:
    asset_id = market.info.asset_ids[0]
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        stream = client.subscribe(Market(*market.info.asset_ids, events=[LastTradePrice]))
        assert exchange.wait_for(lambda: asset_id in exchange.subscribed, scaled(5))
        market.trade("YES", "BUY", "0.62", 100)
        market.trade("No", "SELL", "0.9", "0.5")
        first, second = stream.get(timeout=scaled(5)), stream.get(timeout=scaled(5))
    assert isinstance(first, LastTradePrice)
    assert isinstance(second, LastTradePrice)
    assert (first.asset_id, first.side) == (asset_id, "BUY")
    assert (first.price, first.size) == (Decimal("0.62"), Decimal(100))
    assert (second.asset_id, second.side) == (market.info.asset_ids[1], "SELL")
    assert (second.price, second.size) == (Decimal("0.9"), Decimal("0.5"))


@pytest.mark.parametrize("twice", [False, True])
def test_a_tick_change_is_told_once_or_twice(
    exchange: Exchange, market: ScriptedMarket, twice: bool
) -> None:
    with subscribed(exchange, market.info.asset_ids) as client:
        text(client)
        market.change_tick_size("0.001", twice=twice)
        messages = heard(client)
    assert kinds(messages) == ["tick_size_change"] * (4 if twice else 2)
    assert market.info.tick_size == Decimal("0.001")
    market.trade("Yes", "BUY", "0.625", 1)


def test_a_resolution_is_told_and_ends_who_has_nothing_left(exchange: Exchange) -> None:
    first, second = exchange.market(0), exchange.market(1)
    asset_ids = first.info.asset_ids
    with (
        subscribed(exchange, asset_ids, custom_feature_enabled=True) as leaving,
        subscribed(exchange, custom_feature_enabled=True) as staying,
    ):
        text(leaving)
        text(staying)
        first.resolve("Yes")
        texts, closed = to_the_end(leaving)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1000
        assert closed.rcvd.reason == "all subscribed assets resolved"
        messages = list(map(json.loads, texts))
        assert messages[-1]["event_type"] == "market_resolved"
        assert messages[-1]["winning_asset_id"] == asset_ids[0]
        assert kinds(heard(staying)) == kinds(messages)
        second.resolve("No")
        assert len(to_the_end(staying)[0]) > 1
    assert [info.closed for info in exchange.markets] == [True, True]


def test_a_settlement_may_come_long_before_the_resolution(
    exchange: Exchange, market: ScriptedMarket
) -> None:
    with subscribed(exchange) as client:
        text(client)
        market.settle()
        assert set(kinds(heard(client))) == {"price_change"}
        with pytest.raises(UsageError, match="settled"):
            market.place("Yes", "BUY", "0.5", 1)
        market.resolve("No")
        # Without the custom features nobody hears of it.
        assert heard(client) == []
        with pytest.raises(UsageError, match="settled"):
            market.resolve("No")


def test_a_new_market_is_told_to_everybody_with_the_flag(exchange: Exchange) -> None:
    with (
        subscribed(exchange, [], custom_feature_enabled=True) as custom,
        subscribed(exchange) as plain,
    ):
        text(custom)
        text(plain)
        market = exchange.list_market("Will it snow in June?", tick_size="0.001")
        market.announce()
        first, again = heard(custom)
        assert heard(plain) == []
        assert first["event_type"] == "new_market"
        assert first["slug"] == market.info.slug == "will-it-snow-in-june"
        assert {k: first[k] for k in first if k != "timestamp"} == {
            k: again[k] for k in again if k != "timestamp"
        }
        with subscribed(exchange, market.info.asset_ids) as client:
            assert len(json.loads(text(client))) == 2
    assert exchange.markets[-1] == market.info


def test_a_cut_ends_the_subscribers_of_that_market_only(
    exchange: Exchange, market: ScriptedMarket
) -> None:
    other = exchange.market(1).info.asset_ids
    with subscribed(exchange, market.info.asset_ids) as cut, subscribed(exchange, other) as kept:
        text(cut)
        text(kept)
        market.cut("reset")
        with pytest.raises(ConnectionClosed):
            text(cut)
        assert heard(kept) == []


def test_a_market_is_found_by_what_is_known_of_it(exchange: Exchange) -> None:
    info = exchange.markets[1]
    known: list[Any] = [1, info, info.slug, info.condition_id, *info.asset_ids]
    for what in known:
        assert exchange.market(what).info == info
    unknown: list[Any] = [2, -1, "no", ""]
    for wrong in unknown:
        with pytest.raises(UsageError, match="no market"):
            exchange.market(wrong)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda m: m.place("Maybe", "BUY", "0.5", 1), "an outcome is one of Yes, No"),
        (lambda m: m.place(2, "BUY", "0.5", 1), "an outcome"),
        (lambda m: m.place("Yes", "HOLD", "0.5", 1), "a side"),
        (lambda m: m.place("Yes", "BUY", 0.5, 1), "a price is text"),
        (lambda m: m.place("Yes", "BUY", "half", 1), "a price is text"),
        (lambda m: m.place("Yes", "BUY", "NaN", 1), "a price is text"),
        (lambda m: m.place("Yes", "BUY", "0.505", 1), "in steps of 0.01"),
        (lambda m: m.place("Yes", "BUY", "1", 1), "between 0 and 1"),
        (lambda m: m.trade("Yes", "BUY", "1.5", 1), "between 0 and 1"),
        (lambda m: m.place("Yes", "BUY", "0.5", 0), "a size is above 0"),
        (lambda m: m.place("Yes", "BUY", "0.5", "1.005"), "two decimals"),
        (lambda m: m.place("Yes", "BUY", "0.5", 1.5), "a size is text"),
        (lambda m: m.cancel("Yes", "BUY", "0.01"), "nothing rests"),
        (lambda m: m.change_tick_size("0.02"), "a tick size"),
        (lambda m: m.set_book("Yes", bids=[("0.5", 1)], asks=[("0.5", 1)]), "no book"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    exchange: Exchange, call: Callable[[Any], object], reason: str
) -> None:
    market = exchange.market()
    before = get(exchange, f"/book?token_id={market.info.asset_ids[0]}")
    with pytest.raises(UsageError, match=reason):
        call(market)
    assert get(exchange, f"/book?token_id={market.info.asset_ids[0]}") == before


def test_many_threads_may_script_at_once(exchange: Exchange, market: ScriptedMarket) -> None:
    def place_many() -> None:
        for _ in range(50):
            market.place("Yes", "BUY", "0.5", 1)

    market.set_book("Yes", bids=[("0.4", 1)], asks=[("0.6", 1)])
    with subscribed(exchange, market.info.asset_ids) as client:
        text(client)
        workers = [threading.Thread(target=place_many) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(scaled(10))
        sizes = [int(message["price_changes"][0]["size"]) for message in heard(client)]
    assert sizes == list(range(1, 201))


def test_a_recording_cannot_be_scripted(tmp_path: Any) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text('{"kind":"recv","text":"x"}\n')
    exchange = Exchange(recording=path)
    with pytest.raises(UsageError, match="recording"):
        exchange.market()
    with pytest.raises(UsageError, match="recording"):
        exchange.list_market("Will it?")


def test_every_token_is_of_a_market(exchange: Exchange) -> None:
    assert all(t in exchange.market(t).info.asset_ids for t in tokens(exchange))
