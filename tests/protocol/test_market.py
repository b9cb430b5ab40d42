from __future__ import annotations

import json

import pytest

from polymarket_ws.events import BestBidAsk, Book, Event, MarketResolved, NewMarket, PriceChange
from polymarket_ws.protocol.market import MarketDialect

DIALECT = MarketDialect()


def test_the_first_frame_as_the_live_server_takes_it() -> None:
    assert (
        DIALECT.first(["1", "2"], features=True)
        == '{"type":"market","assets_ids":["1","2"],"custom_feature_enabled":true}'
    )


def test_the_subscribe_frame_as_the_live_server_takes_it() -> None:
    assert (
        DIALECT.subscribe(["1"], features=False)
        == '{"operation":"subscribe","assets_ids":["1"],"custom_feature_enabled":false}'
    )


def test_the_unsubscribe_frame_as_the_live_server_takes_it() -> None:
    assert DIALECT.unsubscribe(["1"]) == '{"operation":"unsubscribe","assets_ids":["1"]}'


def test_a_frame_of_two_hundred_ids_stays_below_what_every_hop_takes() -> None:
    ids = [str(10**77 + number) for number in range(200)]
    frame = DIALECT.subscribe(ids, features=True)
    assert len(frame) < 17_000
    assert json.loads(frame)["assets_ids"] == ids


@pytest.mark.parametrize("kind", [BestBidAsk, NewMarket, MarketResolved])
def test_custom_classes_need_the_features(kind: type[Event]) -> None:
    assert DIALECT.features(frozenset((Book, kind)))


def test_ordinary_classes_need_no_features() -> None:
    assert not DIALECT.features(frozenset((Book, PriceChange)))
    assert not DIALECT.features(frozenset())


@pytest.mark.parametrize("text", [b"PONG", b"PONG\n", b" PONG", b"NO NEW ASSETS", b"", b"\n", b" "])
def test_control_texts_mean_nothing_to_a_user(text: bytes) -> None:
    assert DIALECT.is_control(text)


@pytest.mark.parametrize("text", [b"PONG!", b"pong", b"INVALID OPERATION", b"null", b"\xff"])
def test_other_texts_are_no_control_texts(text: bytes) -> None:
    assert not DIALECT.is_control(text)


@pytest.mark.parametrize("text", [b"INVALID OPERATION", b"INVALID OPERATION\n"])
def test_a_refusal_is_told_in_the_words_of_the_server(text: bytes) -> None:
    assert DIALECT.rejection(text) == "INVALID OPERATION"


def test_another_text_is_no_refusal() -> None:
    assert DIALECT.rejection(b"INVALID") is None


def test_the_heartbeat_is_a_ping_every_ten_seconds() -> None:
    ping = DIALECT.heartbeat()
    ping.started(0.0)
    assert [ping.beat(now) for now in (9.9, 10.0, 19.9, 20.0)] == [None, "PING", None, "PING"]
