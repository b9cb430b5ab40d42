"""The official Python client on the simulated exchange, beside ours."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from polymarket_ws import Client, Endpoints, Market
from polymarket_ws.events.event import Event
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
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

polymarket = pytest.importorskip("polymarket", reason="polymarket-client needs Python 3.11")
environments = pytest.importorskip("polymarket.environments")
streams = pytest.importorskip("polymarket.streams")

TYPES = {
    "book",
    "price_change",
    "last_trade_price",
    "best_bid_ask",
    "tick_size_change",
    "new_market",
    "market_resolved",
}

Key = tuple[object, ...]


class Official(threading.Thread):
    """The official client, in an event loop of its own."""

    def __init__(self, exchange: Exchange, asset_ids: list[str]) -> None:
        super().__init__(daemon=True)
        self.exchange = exchange
        self.asset_ids = asset_ids
        self.keys: list[Key] = []
        self.dropped: list[int] = []
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()

    def run(self) -> None:
        try:
            self._loop.run_until_complete(self._listen())
        except BaseException as error:  # noqa: BLE001  finish() raises it
            self.error = error
        finally:
            self._loop.close()

    def finish(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self.join(scaled(10))
        assert not self.is_alive()
        if self.error is not None:
            raise self.error

    async def _listen(self) -> None:
        url = self.exchange.url
        http = url.replace("ws://", "http://")
        config = dataclasses.replace(
            environments.PRODUCTION._config,
            clob_url=http,
            gamma_url=http,
            clob_market_ws_url=f"{url}/ws/market",
        )
        environment = environments._create_environment(name="simulated", config=config)
        async with polymarket.AsyncPublicClient(environment) as client:
            handle = await client.subscribe(
                streams.MarketSpec(asset_ids=self.asset_ids, custom_feature_enabled=True)
            )
            reading = asyncio.create_task(self._read(handle))
            await self._ending.wait()
            manager = client._get_market_manager()
            self.dropped = [handle.dropped, manager.dropped_events]
            await handle.close()
            await reading

    async def _read(self, handle: Any) -> None:
        async for event in handle:
            self.keys.append(official_key(event))


def milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def official_key(event: Any) -> Key:
    payload = event.payload
    stamp = milliseconds(payload.timestamp)
    details: Callable[[], Any] = {
        "book": lambda: book_details(payload),
        "price_change": lambda: tuple(map(change_details, payload.price_changes)),
        "last_trade_price": lambda: trade_details(payload),
        "best_bid_ask": lambda: best_details(payload),
        "tick_size_change": lambda: tick_details(payload),
        "new_market": lambda: (payload.question, payload.slug, tuple(payload.asset_ids)),
        "market_resolved": lambda: (payload.winning_asset_id, tuple(payload.asset_ids)),
    }[event.type]
    return (event.type, payload.market, stamp, details())


def own_key(event: Event) -> Key:
    assert isinstance(event, MarketEvent)
    details: object
    if isinstance(event, Book):
        details = book_details(event)
    elif isinstance(event, PriceChange):
        details = tuple(map(change_details, event.price_changes))
    elif isinstance(event, LastTradePrice):
        details = trade_details(event)
    elif isinstance(event, BestBidAsk):
        details = best_details(event)
    elif isinstance(event, TickSizeChange):
        details = tick_details(event)
    elif isinstance(event, NewMarket):
        details = (event.question, event.slug, event.assets_ids)
    else:
        assert isinstance(event, MarketResolved)
        details = (event.winning_asset_id, event.assets_ids)
    return (event.event_type, event.market, event.timestamp, details)


def book_details(book: Any) -> object:
    levels = [tuple((level.price, level.size) for level in side) for side in (book.bids, book.asks)]
    # Only opening books have one; they are in no order.
    return (book.asset_id, book.hash, *levels, book.tick_size)


def change_details(change: Any) -> object:
    level = (change.asset_id, change.price, change.size, change.side)
    return (*level, change.hash, change.best_bid, change.best_ask)


def trade_details(trade: Any) -> object:
    return (trade.asset_id, trade.price, trade.size, trade.side, trade.transaction_hash)


def best_details(best: Any) -> object:
    return (best.asset_id, best.best_bid, best.best_ask, best.spread)


def tick_details(change: Any) -> object:
    return (change.asset_id, change.old_tick_size, change.new_tick_size)


def without_opening(keys: list[Key]) -> list[Key]:
    position = 0
    while keys[position][0] == "book" and keys[position][3][4] is not None:  # type: ignore[index]
        position += 1
    return keys[position:]


def common(first: list[Key], second: list[Key]) -> tuple[list[Key], list[Key]]:
    """Cut both down to what lies between the first and the last event that both have."""
    in_both = set(first) & set(second)

    def cut(keys: list[Key]) -> list[Key]:
        places = [place for place, key in enumerate(keys) if key in in_both]
        return keys[places[0] : places[-1] + 1]

    return cut(first), cut(second)


@pytest.mark.parametrize(
    ("duration", "period"),
    [(8.0, 2.5), pytest.param(30.0, 15.0, marks=pytest.mark.slow)],
    ids=["short", "long"],
)
def test_the_official_client_receives_what_ours_receives(duration: float, period: float) -> None:
    with (
        Exchange(rate=200, markets=8, showcase=period) as exchange,
        Client(endpoints=Endpoints.at(exchange.url)) as client,
    ):
        asset_ids = [asset_id for market in exchange.markets for asset_id in market.asset_ids]
        official = Official(exchange, asset_ids)
        official.start()
        assert exchange.wait_for(
            lambda: exchange.connections and exchange.connections[0].subscribed, scaled(10)
        ), official.error
        stream = client.subscribe(Market(*asset_ids, events=[MarketEvent]))
        own: list[Key] = []
        # As many as come in that time, however long that takes.
        wanted = 200 * duration
        while len(own) < wanted or {key[0] for key in own} != TYPES:
            own.append(own_key(stream.get(timeout=scaled(5))))
        official.finish()
    assert official.dropped == [0, 0]
    assert {key[0] for key in official.keys} == TYPES
    theirs, ours = common(without_opening(official.keys), without_opening(own))
    assert len(theirs) > 0.9 * wanted
    assert Counter(theirs) == Counter(ours)
    assert theirs == ours
