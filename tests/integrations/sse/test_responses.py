from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws import Client, Endpoints
from polymarket_ws.integrations.sse.broadcast import Broadcast, Limits
from polymarket_ws.integrations.sse.responses import EventBody, put_off
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Parser


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=2) as exchange:
        yield exchange


@pytest.fixture
def broadcast(exchange: Exchange) -> Iterator[Broadcast]:
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        broadcast = Broadcast(lambda: client, limits=Limits(browsers=3))
        yield broadcast
        assert broadcast.close(scaled(5))


def body(
    broadcast: Broadcast,
    exchange: Exchange,
    *,
    user: bool = False,
    keepalive: float = 60.0,
    seconds: float | None = None,
) -> EventBody:
    return EventBody(
        broadcast,
        exchange.markets[:1],
        user=user,
        last_event_id=None,
        keepalive=keepalive,
        seconds=seconds,
    )


def until_live(body: EventBody) -> None:
    parser = Parser()
    live: set[str] = set()
    while len(live) < 2:
        for message in parser.feed(next(body)):
            if message.body.get("state") == "live":
                live.add(message.body["asset_id"])


def test_a_body_that_nobody_reads_costs_nothing(broadcast: Broadcast, exchange: Exchange) -> None:
    unread = body(broadcast, exchange)
    assert broadcast.reading().browsers == 0
    unread.close()
    assert list(unread) == []
    assert exchange.connections == ()


def test_first_chunk_says_when_to_come_back(broadcast: Broadcast, exchange: Exchange) -> None:
    parser = Parser()
    events = body(broadcast, exchange)
    assert parser.feed(next(events))[0].kind == "ws-subscribed"
    assert parser.retry == 2000
    assert broadcast.reading().browsers == 1
    events.close()
    events.close()
    assert broadcast.reading().browsers == 0


def test_silence_is_broken_by_a_comment(broadcast: Broadcast, exchange: Exchange) -> None:
    events = body(broadcast, exchange, keepalive=0.05)
    until_live(events)
    parser = Parser()
    began = time.monotonic()
    while parser.comments < 3:
        assert parser.feed(next(events)) == []
    assert time.monotonic() - began >= 0.15
    events.close()


def test_a_response_of_limited_length_ends_by_itself(
    broadcast: Broadcast, exchange: Exchange
) -> None:
    began = time.monotonic()
    chunks = list(body(broadcast, exchange, seconds=0.3))
    assert time.monotonic() - began >= 0.3
    assert Parser().feed(b"".join(chunks))[0].kind == "ws-subscribed"
    assert broadcast.reading().browsers == 0


def test_closing_the_broadcast_ends_a_response_that_waits(
    broadcast: Broadcast, exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    events = body(broadcast, exchange)
    until_live(events)
    rest: list[bytes] = []
    reader = threading.Thread(target=lambda: rest.extend(events))
    reader.start()
    assert broadcast.close(seconds(5))
    reader.join(seconds(5))
    assert not reader.is_alive()
    assert Parser().feed(rest[-1])[-1].kind == "ws-unsubscribed"


def test_who_finds_no_room_is_told_to_come_back_later(
    broadcast: Broadcast, exchange: Exchange
) -> None:
    inside = [body(broadcast, exchange) for _ in range(3)]
    for events in inside:
        next(events)
    parser = Parser()
    (message,) = parser.feed(b"".join(body(broadcast, exchange)))
    assert (message.kind, parser.retry) == ("ws-error/refused", 10_000)
    for events in inside:
        events.close()


def test_an_account_without_credentials_is_put_off(
    broadcast: Broadcast, exchange: Exchange
) -> None:
    (message,) = Parser().feed(b"".join(body(broadcast, exchange, user=True)))
    assert message.kind == "ws-error/failed"
    assert "CredentialsNotFound" in message.data
    assert broadcast.reading().browsers == 0


def test_put_off_is_a_whole_response() -> None:
    parser = Parser()
    (message,) = parser.feed(put_off("failed", "later"))
    assert message.body == {"type": "failed", "message": "later"}


def test_the_same_can_be_read_in_steps_that_do_not_wait(
    broadcast: Broadcast, exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    rung = threading.Event()
    events = body(broadcast, exchange, keepalive=0.05)
    with pytest.raises(RuntimeError, match="nobody has begun"):
        events.look()
    (message, *_) = Parser().feed(events.begin(rung.set))
    assert message.kind == "ws-subscribed"
    assert rung.wait(seconds(10))
    rung.clear()
    assert b"polymarket-market-update" in (events.look() or b"")
    began = time.monotonic()
    events.resume()
    # How much of it is left depends on how late it is looked at.
    assert 0 <= events.patience() <= 0.05
    assert began + 0.05 <= events._silent_until <= time.monotonic() + 0.05
    deadline = time.monotonic() + seconds(10)
    while (text := events.look()) != b": \n\n":
        assert time.monotonic() < deadline, text
        rung.wait(0.01)
    assert broadcast.close(seconds(5))
    assert b"polymarket-ws-unsubscribed" in (events.look() or b"")
    assert events.over
