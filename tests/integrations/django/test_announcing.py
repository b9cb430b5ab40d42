from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections
from django.dispatch import Signal

from polymarket_ws import (
    Book,
    Client,
    Connected,
    Disconnected,
    Endpoints,
    Event,
    LastTradePrice,
    Lifecycle,
    Market,
    Order,
    Trade,
    User,
)
from polymarket_ws.integrations.django.announcing import Announcer
from polymarket_ws.integrations.django.signals import lifecycle, market_event, user_event
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled


@pytest.fixture
def connected() -> Iterator[Callable[..., None]]:
    """Connects receivers for one test."""
    with ExitStack() as stack:

        def connect(signal: Signal, receiver: Any, **options: Any) -> None:
            signal.connect(receiver, weak=False, **options)
            stack.callback(signal.disconnect, receiver, **options)

        yield connect


@pytest.fixture
def client(exchange: Exchange) -> Iterator[Client]:
    with Client(exchange.account.credentials, endpoints=Endpoints.at(exchange.url)) as client:
        yield client


def test_each_sort_of_event_goes_to_its_signal_in_order(
    exchange: Exchange, client: Client, connected: Callable[..., None]
) -> None:
    account = exchange.account
    market = exchange.markets[0]
    stream = client.subscribe(Market(market), User())
    said: list[Event] = []
    announcer = Announcer(stream, api_key=account.credentials.api_key, said=said.append)
    seen: list[tuple[str, Event]] = []
    noted: list[Any] = []
    acting: list[threading.Thread] = []

    def of_market(sender: type[Event], event: Event, **_: Any) -> None:
        assert sender is type(event)
        seen.append(("market", event))
        if isinstance(event, Book) and not acting:
            acting.append(threading.Thread(target=act))
            acting[0].start()

    def act() -> None:
        assert exchange.wait_for(
            lambda: any("PING" in text for _, text in exchange.received), scaled(20)
        )
        account.place(market.asset_ids[0], "BUY", "0.99", 5, "FOK")
        account.finish_trades()

    def of_user(event: Event, fills: Any, **_: Any) -> None:
        seen.append(("user", event))
        noted.append(fills)
        if isinstance(event, Trade) and event.status == "CONFIRMED":
            stream.close()

    connected(market_event, of_market)
    connected(user_event, of_user)
    connected(lifecycle, lambda event, **_: seen.append(("lifecycle", event)))
    announcer.run()
    acting[0].join()

    assert [event for _, event in seen] == said
    assert announcer.sent == len(said)
    assert announcer.failed == 0
    for name, event in seen:
        kind = {"market": (Book,), "user": (Order, Trade), "lifecycle": (Lifecycle,)}[name]
        assert isinstance(event, kind) or name == "market"
    assert isinstance(said[0], Connected)
    (of_the_last,) = noted[-1]
    assert (of_the_last.side, str(of_the_last.size)) == ("BUY", "5")
    assert () in noted


def test_a_receiver_that_fails_is_logged_and_stops_nothing(
    exchange: Exchange,
    client: Client,
    connected: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = client.subscribe(Market(exchange.markets[0]))
    announcer = Announcer(stream)
    books: list[Event] = []

    def broken(event: Event, **_: Any) -> None:
        raise ValueError("not my day")

    def last(event: Event, **_: Any) -> None:
        books.append(event)
        if len(books) == 2:
            stream.close()

    connected(market_event, broken)
    connected(market_event, last, sender=Book)
    with caplog.at_level(logging.ERROR, "polymarket_ws.integrations"):
        announcer.run()
    assert len(books) == 2
    assert announcer.failed == announcer.sent - 2  # Connected and Subscribed were nobody's
    own = [each for each in caplog.records if each.name == "polymarket_ws.integrations"]
    assert "broken failed for Book" in own[0].getMessage()
    assert "ValueError: not my day" in own[0].getMessage()
    # The traceback once: the same again and again hides everything.
    assert own[0].exc_info
    assert [bool(each.exc_info) for each in own[1:]] == [False] * (len(own) - 1)
    assert len(own) == announcer.failed


def test_a_lost_connection_is_a_signal(
    exchange: Exchange, client: Client, connected: Callable[..., None]
) -> None:
    stream = client.subscribe(Market(exchange.markets[0]))
    told: list[Event] = []

    def lost(event: Event, **_: Any) -> None:
        told.append(event)
        if isinstance(event, Connected) and event.epoch == 2:
            stream.close()

    connected(lifecycle, lost)
    connected(market_event, lambda **_: exchange.drop() if len(told) < 3 else None, sender=Book)
    Announcer(stream).run()
    assert Disconnected in [type(event) for event in told]


def test_connections_that_have_become_old_are_closed_around_a_batch(
    exchange: Exchange,
    client: Client,
    connected: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = client.subscribe(Market(exchange.markets[0]))
    connection = connections["default"]
    moments: list[int] = []
    sent: list[Event] = []
    monkeypatch.setattr(
        connection, "close_if_unusable_or_obsolete", lambda: moments.append(len(sent))
    )

    def use(event: Event, **_: Any) -> None:
        sent.append(event)
        connection.ensure_connection()
        if len(sent) == 3:
            # What waits already is one batch; what comes next is another.
            exchange.step(20)
        if len(sent) == 10:
            stream.close()

    connected(market_event, use)
    connected(lifecycle, use)
    Announcer(stream).run()
    assert moments[0] == 0
    # Before the first of a batch and after the last of it, and not for each event.
    assert moments[-1] == 10
    assert len(moments) % 2 == 0
    assert all(a == b for a, b in zip(moments[1:-1:2], moments[2:-1:2], strict=True))
    connection.close()


def test_the_end_of_the_client_is_the_end(client: Client, exchange: Exchange) -> None:
    stream = client.subscribe(Market(exchange.markets[0], events=(LastTradePrice,)))
    timer = threading.Timer(0.2, client.close)
    timer.start()
    Announcer(stream).run()
    timer.join()


def test_a_broken_pipe_of_a_receivers_own_stops_nothing(
    exchange: Exchange, client: Client, connected: Callable[..., None]
) -> None:
    stream = client.subscribe(Market(exchange.markets[0]))

    def broken(event: Event, **_: Any) -> None:
        raise BrokenPipeError("a cache has hung up")

    connected(market_event, broken)
    connected(market_event, lambda **_: stream.close(), sender=Book)
    announcer = Announcer(stream)
    announcer.run()
    assert announcer.failed >= 1
