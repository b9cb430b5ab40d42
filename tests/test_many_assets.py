"""As many assets as anybody follows: spread, opened one by one, filled up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from polymarket_ws.book import OrderBook
from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, SubscriptionStalled
from polymarket_ws.events.market import Book, NewMarket, PriceChange
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.rest import fetch_book
from polymarket_ws.simulator import At, Exchange, NoBooks
from polymarket_ws.stream import Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport import spacing as spacing_module
from polymarket_ws.transport.spacing import OPENING_SECONDS
from tests.conftest import scaled
from tests.market_server import eventually

Seconds = Callable[[float], float]
BOOKS: list[type[Any]] = [Book, PriceChange]


def all_ids(exchange: Exchange) -> list[str]:
    return [asset_id for market in exchange.markets for asset_id in market.asset_ids]


def take_books(stream: Stream[Any], count: int) -> dict[str, OrderBook]:
    books: dict[str, OrderBook] = {}
    while len(books) < count:
        event = stream.get(scaled(30))
        if isinstance(event, Book):
            books.setdefault(event.asset_id, OrderBook(event.asset_id)).apply(event)
    return books


def follow(assets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that those which a loaded machine holds up do not come all at once.
    monkeypatch.setattr(spacing_module, "OPENING_SECONDS", scaled(OPENING_SECONDS))
    # One more opening a second than the spacing allows would be answered 429.
    allowed = round(1 / OPENING_SECONDS) + 1
    with (
        Exchange(rate=None, markets=assets // 2, upgrades_per_second=allowed) as exchange,
        Client(endpoints=Endpoints.at(exchange.url)) as client,
    ):
        ids = all_ids(exchange)
        stream = client.subscribe(Market(*ids, events=BOOKS))
        assert set(take_books(stream, assets)) == set(ids)
        health = client.health()
        assert health.pending == ()
        assert [item.last_error for item in health.connections] == [None] * (assets // 200)
        assert [len(item.asset_ids) for item in exchange.connections] == [200] * (assets // 200)
        assert client.close(scaled(5))


def test_five_thousand_assets_each_get_their_book(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(5_000, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_thousand_assets_each_get_their_book(monkeypatch: pytest.MonkeyPatch) -> None:
    follow(20_000, monkeypatch)


def test_assets_without_a_book_are_named(seconds: Seconds) -> None:
    with Exchange(rate=None, markets=200) as exchange:
        ids = all_ids(exchange)
        missing = ids[::40]
        exchange.inject(At(NoBooks(tuple(missing))))
        limits = Liveness(first_book=scaled(0.5))
        with Client(
            endpoints=Endpoints.at(exchange.url), liveness=limits, assets_per_connection=100
        ) as client:
            stream = client.subscribe(Market(*ids, events=BOOKS))
            take_books(stream, len(ids) - len(missing))
            eventually(lambda: set(client.health().pending) == set(missing), "names")
            stalled: set[str] = set()
            while stalled != set(missing):
                event: Event = stream.all().get(seconds(30))
                if isinstance(event, SubscriptionStalled):
                    stalled.update(event.asset_ids)
            assert set(client.health().pending) == set(missing)


def test_connections_open_one_by_one(seconds: Seconds) -> None:
    with (
        Exchange(rate=None, markets=20) as exchange,
        Client(endpoints=Endpoints.at(exchange.url), assets_per_connection=8) as client,
    ):
        began = time.time()
        stream = client.subscribe(Market(*all_ids(exchange), events=BOOKS))
        moments: list[float] = []
        while len(moments) < 5:
            event = stream.all().get(seconds(10))
            if isinstance(event, Connected):
                moments.append(event.received_at)
        assert moments[-1] - began >= 4 * OPENING_SECONDS * 0.9


def test_places_that_became_free_are_filled_again(seconds: Seconds) -> None:
    with (
        Exchange(rate=None, markets=300) as exchange,
        Client(endpoints=Endpoints.at(exchange.url)) as client,
    ):
        ids = all_ids(exchange)
        stream = client.subscribe(Market(*ids[:400], events=BOOKS))
        take_books(stream, 400)
        stream.replace(*ids[200:])
        take_books(stream, 200)
        assert exchange.wait_for(lambda: exchange.subscribed == set(ids[200:]), seconds(10))
        assert [len(item.asset_ids) for item in exchange.connections] == [200, 200]
        assert exchange.connections[-1].number == 2


def test_new_market_comes_once_however_many_connections(seconds: Seconds) -> None:
    with (
        Exchange(rate=None, markets=20) as exchange,
        Client(endpoints=Endpoints.at(exchange.url), assets_per_connection=10) as client,
    ):
        everything = Market(*all_ids(exchange), events=[Book, NewMarket])
        streams = [client.subscribe(everything), client.subscribe(everything)]
        for stream in streams:
            take_books(stream, 40)
        assert len(exchange.connections) == 4
        born: list[str] = []
        client.on(NewMarket, lambda event: born.append(event.question))
        for name in ("one", "two"):
            exchange.list_market(f"Will there be {name}?")
        for stream in streams:
            assert [next_question(stream, seconds(5)) for _ in range(2)] == [
                "Will there be one?",
                "Will there be two?",
            ]
            with pytest.raises(TimeoutError):
                next_question(stream, 0.2)
        eventually(lambda: len(born) == 2)
        assert len(born) == 2


def next_question(stream: Stream[Any], timeout: float) -> str | None:
    """Read past books: for a stream that comes after the first ones they come once more."""
    while True:
        event = stream.get(timeout)
        if isinstance(event, NewMarket):
            return event.question


def test_late_stream_has_the_same_books_on_every_connection(seconds: Seconds) -> None:
    with (
        Exchange(rate=None, markets=30) as exchange,
        Client(endpoints=Endpoints.at(exchange.url), assets_per_connection=13) as client,
    ):
        ids = all_ids(exchange)
        early = client.subscribe(Market(*ids))
        books = {asset_id: OrderBook(asset_id) for asset_id in ids}
        exchange.step(400)
        late = client.subscribe(Market(*ids))
        late_books = {asset_id: OrderBook(asset_id) for asset_id in ids}
        exchange.step(400)
        # From here on nothing moves.
        true = {asset_id: OrderBook(asset_id) for asset_id in ids}
        for asset_id, book in true.items():
            book.apply(fetch_book(asset_id, endpoints=Endpoints.at(exchange.url)))
        for stream, own in ((early, books), (late, late_books)):
            follow_until(stream, own, true)
        assert all(book.state == "live" for book in (*books.values(), *late_books.values()))


def levels(book: OrderBook) -> tuple[object, ...]:
    snapshot = book.snapshot()
    return snapshot.bids, snapshot.asks


def follow_until(
    stream: Stream[Any], books: dict[str, OrderBook], true: dict[str, OrderBook]
) -> None:
    """Apply what comes until every book is the true one."""
    behind = set(books)
    while behind:
        event = stream.get(scaled(10))
        for asset_id, book in books.items():
            if book.apply(event):
                behind.discard(asset_id)
                if levels(book) != levels(true[asset_id]):
                    behind.add(asset_id)
