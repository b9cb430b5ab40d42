from __future__ import annotations

import contextlib
import json
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosedError

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.simulator.clients import joined, subscribed, text, tokens, until_pong, value


@pytest.fixture
def exchange() -> Exchange:
    """An exchange whose market only moves by ``step``."""
    return Exchange(rate=None, markets=3)


def operation(name: str, *asset_ids: str, **fields: object) -> str:
    return json.dumps({"operation": name, "assets_ids": asset_ids, **fields})


def kinds(texts: list[str]) -> list[str]:
    return [json.loads(text)["event_type"] for text in texts]


def test_the_answer_to_a_subscription_is_one_array_of_books(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        dump = text(client)
        assert dump.startswith("[{")
        assert dump.endswith("}]\n")
        assert {book["asset_id"] for book in json.loads(dump)} == set(tokens(exchange))
        assert until_pong(client) == []


def test_unknown_tokens_are_subscribed_and_left_out_of_the_answer(exchange: Exchange) -> None:
    with exchange:
        known = tokens(exchange)[0]
        with subscribed(exchange, ["123", known]) as client:
            assert [book["asset_id"] for book in value(client)] == [known]
            assert exchange.connections[0].asset_ids == ("123", known)


@pytest.mark.parametrize("asset_ids", [[], ["123"]])
def test_the_answer_is_an_empty_array_when_nothing_named_is_live(
    exchange: Exchange, asset_ids: list[str]
) -> None:
    with exchange, subscribed(exchange, asset_ids) as client:
        assert text(client) == "[]\n"


def test_the_answer_can_be_declined(exchange: Exchange) -> None:
    with exchange, subscribed(exchange, initial_dump=False) as client:
        assert until_pong(client) == []


def test_more_than_500_tokens_get_no_answer(exchange: Exchange) -> None:
    with exchange:
        asset_ids = [*tokens(exchange), *map(str, range(495))]
        with subscribed(exchange, asset_ids) as client:
            assert until_pong(client) == []


@pytest.mark.parametrize(
    "first", ["PING", "{}", '{"operation":"subscribe","assets_ids":[]}', b"\x00"]
)
def test_a_first_frame_that_is_no_subscription_closes_with_1008(
    exchange: Exchange, first: str | bytes
) -> None:
    with exchange, joined(exchange) as client:
        client.send(first)
        with pytest.raises(ConnectionClosedError) as caught:
            text(client)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert caught.value.rcvd.reason == "invalid subscription payload"


def test_ping_is_answered_behind_what_is_queued(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        exchange.step(50)
        assert len(until_pong(client)) >= 50


def test_a_new_token_gets_its_book_and_no_acknowledgement(exchange: Exchange) -> None:
    with exchange:
        first, second, *_ = tokens(exchange)
        with subscribed(exchange, [first]) as client:
            text(client)
            client.send(operation("subscribe", first, second))
            assert [book["asset_id"] for book in value(client)] == [second]
            assert until_pong(client) == []
            assert exchange.connections[0].asset_ids == (first, second)


def test_a_duplicate_is_ignored_in_silence(exchange: Exchange) -> None:
    with exchange:
        first = tokens(exchange)[0]
        with subscribed(exchange, [first]) as client:
            text(client)
            client.send(operation("subscribe", first))
            assert until_pong(client) == []


def test_a_duplicate_still_switches_the_custom_features(exchange: Exchange) -> None:
    with exchange:
        first = tokens(exchange)[0]
        with subscribed(exchange, [first]) as client:
            text(client)
            client.send(operation("subscribe", first, custom_feature_enabled=True))
            until_pong(client)
            assert exchange.connections[0].custom_feature_enabled
            client.send(operation("subscribe", first, custom_feature_enabled=False))
            until_pong(client)
            assert not exchange.connections[0].custom_feature_enabled


def test_an_operation_without_the_flag_leaves_it(exchange: Exchange) -> None:
    with exchange:
        first, second, *_ = tokens(exchange)
        with subscribed(exchange, [first], custom_feature_enabled=True) as client:
            text(client)
            client.send(operation("subscribe", second))
            until_pong(client)
            assert exchange.connections[0].custom_feature_enabled


def test_nothing_comes_for_a_token_after_unsubscribing(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        client.send(operation("unsubscribe", *tokens(exchange)))
        assert until_pong(client) == []
        exchange.step(100)
        assert until_pong(client) == []
        assert exchange.subscribed == frozenset()


def test_subscribing_again_gives_the_book_again(exchange: Exchange) -> None:
    with exchange:
        first = tokens(exchange)[0]
        with subscribed(exchange, [first]) as client:
            before = value(client)
            client.send(operation("unsubscribe", first))
            client.send(operation("subscribe", first))
            assert value(client) == before


@pytest.mark.parametrize("frame", ["nonsense", "{}", "[1]", b"PING", '{"operation":"pause"}'])
def test_later_frames_that_mean_nothing_are_ignored(exchange: Exchange, frame: str | bytes) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        client.send(frame)
        assert until_pong(client) == []


def test_a_subscriber_hears_of_its_markets_only(exchange: Exchange) -> None:
    with exchange:
        info = exchange.markets[1]
        with subscribed(exchange, info.asset_ids) as client:
            text(client)
            exchange.step(200)
            heard = [json.loads(received) for received in until_pong(client)]
            assert heard
            assert {message["market"] for message in heard} == {info.condition_id}


def test_a_subscriber_to_one_token_gets_changes_of_both_and_books_of_one(
    exchange: Exchange,
) -> None:
    with exchange:
        info = exchange.markets[0]
        with subscribed(exchange, info.asset_ids[:1]) as client:
            text(client)
            exchange.step(1000)
            heard = [json.loads(received) for received in until_pong(client)]
    books = [message for message in heard if message["event_type"] == "book"]
    changes = [message for message in heard if message["event_type"] == "price_change"]
    assert {book["asset_id"] for book in books} == {info.asset_ids[0]}
    assert {entry["asset_id"] for change in changes for entry in change["price_changes"]} == set(
        info.asset_ids
    )


def test_best_bid_ask_comes_with_the_flag_only(exchange: Exchange) -> None:
    with exchange:
        with (
            subscribed(exchange) as plain,
            subscribed(exchange, custom_feature_enabled=True) as custom,
        ):
            text(plain)
            text(custom)
            exchange.step(300)
            plain_texts, custom_texts = until_pong(plain), until_pong(custom)
    assert "best_bid_ask" not in kinds(plain_texts)
    extra = [text for text in custom_texts if "best_bid_ask" in text]
    assert extra
    assert [text for text in custom_texts if text not in extra] == plain_texts


def test_best_bid_ask_comes_before_the_change_that_it_sums_up(exchange: Exchange) -> None:
    with exchange, subscribed(exchange, custom_feature_enabled=True) as client:
        text(client)
        exchange.step(300)
        messages = [json.loads(received) for received in until_pong(client)]
    for message, after in pairwise(messages):
        if message["event_type"] == "best_bid_ask" != after["event_type"]:
            assert after["event_type"] == "price_change"
            assert (after["market"], after["timestamp"]) == (
                message["market"],
                message["timestamp"],
            )


def test_an_asset_is_told_to_its_subscribers_only_whatever_came_and_went() -> None:
    with Exchange(rate=None, markets=3) as exchange:
        first, second, _ = (market.asset_ids for market in exchange.markets)
        with subscribed(exchange, first) as one:
            text(one)
            with subscribed(exchange, [first[0], second[0]]) as other:
                text(other)
                other.send(json.dumps({"operation": "unsubscribe", "assets_ids": [first[0]]}))
                assert until_pong(other) == []
                exchange.market(0).place("Yes", "BUY", "0.01", 40)
                exchange.market(1).place("Yes", "BUY", "0.01", 40)
                assert len(until_pong(one)) == 1
                assert len(until_pong(other)) == 1
            assert exchange.wait_for(lambda: len(exchange.connections) == 1, scaled(5))
            exchange.market(0).place("Yes", "BUY", "0.01", 40)
            exchange.market(1).place("Yes", "BUY", "0.01", 40)
            assert len(until_pong(one)) == 1


def test_twenty_five_clients_get_two_hundred_opening_books_each() -> None:
    with Exchange(rate=None, markets=2500) as exchange, contextlib.ExitStack() as stack:
        assets = tokens(exchange)
        clients = [
            stack.enter_context(subscribed(exchange, assets[start : start + 200]))
            for start in range(0, 5000, 200)
        ]
        for client, start in zip(clients, range(0, 5000, 200), strict=True):
            books = {book["asset_id"] for book in value(client)}
            assert books == set(assets[start : start + 200])
