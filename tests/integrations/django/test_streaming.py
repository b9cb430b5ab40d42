from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from django.db import connections

from polymarket_ws import Client, Endpoints
from polymarket_ws.integrations.django.streaming import AsyncEvents, ThreadEvents
from polymarket_ws.integrations.sse.broadcast import Broadcast, Limits
from polymarket_ws.integrations.sse.responses import EventBody
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Message, Parser


@pytest.fixture
def broadcast(exchange: Exchange) -> Iterator[Broadcast]:
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        broadcast = Broadcast(lambda: client, limits=Limits(grace=0.1, browsers=50))
        yield broadcast
        assert broadcast.close(scaled(5))


def body(broadcast: Broadcast, exchange: Exchange, **options: Any) -> EventBody:
    return EventBody(
        broadcast,
        exchange.markets[:1],
        **{"user": False, "last_event_id": None, "keepalive": 60.0, "seconds": None, **options},
    )


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(coroutine, scaled(20))

    asyncio.run(limited())


class Reader:
    """A task that reads, and what it was told."""

    def __init__(self, events: AsyncEvents) -> None:
        self._parser = Parser()
        self.messages: list[Message] = []
        self.live = asyncio.Event()
        self.task = asyncio.create_task(self._read(events))

    @property
    def comments(self) -> int:
        return self._parser.comments

    async def _read(self, events: AsyncIterator[bytes]) -> None:
        async for chunk in events:
            self.messages += self._parser.feed(chunk)
            if any(message.body.get("state") == "live" for message in self.messages):
                self.live.set()


async def until(found: Callable[[], object]) -> None:
    while not found():  # noqa: ASYNC110 - asked of other threads
        await asyncio.sleep(0.01)


def test_a_loop_is_told_what_a_thread_is_told(broadcast: Broadcast, exchange: Exchange) -> None:
    async def read() -> None:
        reader = Reader(AsyncEvents(body(broadcast, exchange)))
        await reader.live.wait()
        assert reader.messages[0].kind == "ws-subscribed"
        before = len(reader.messages)
        exchange.step(200)
        await until(lambda: "market-update/trade" in [m.kind for m in reader.messages[before:]])
        broadcast.close()
        # Told that it is over, and over.
        await reader.task
        assert reader.messages[-1].kind == "ws-unsubscribed"

    run(read())


def test_many_browsers_of_a_loop_cost_no_thread(broadcast: Broadcast, exchange: Exchange) -> None:
    async def read() -> None:
        first = Reader(AsyncEvents(body(broadcast, exchange)))
        await first.live.wait()
        before = set(threading.enumerate())
        others = [Reader(AsyncEvents(body(broadcast, exchange))) for _ in range(40)]
        for other in others:
            await other.live.wait()
        assert set(threading.enumerate()) <= before
        broadcast.close()
        await asyncio.gather(first.task, *(other.task for other in others))

    run(read())


def test_a_browser_that_leaves_is_let_go_at_once(broadcast: Broadcast, exchange: Exchange) -> None:
    async def read() -> None:
        reader = Reader(AsyncEvents(body(broadcast, exchange)))
        await reader.live.wait()
        assert broadcast.reading().browsers == 1
        reader.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader.task
        assert broadcast.reading().browsers == 0

    run(read())


def test_a_browser_that_leaves_while_it_is_sent_to_is_let_go(
    broadcast: Broadcast, exchange: Exchange
) -> None:
    async def read() -> None:
        events = AsyncEvents(body(broadcast, exchange))
        await events.__anext__()
        assert broadcast.reading().browsers == 1
        # The server's task was cancelled in send(): it reads no more, and closes nothing.
        del events
        gc.collect()
        await until(lambda: broadcast.reading().browsers == 0)

    run(read())


def test_silence_is_broken_by_comments(broadcast: Broadcast, exchange: Exchange) -> None:
    async def read() -> None:
        reader = Reader(AsyncEvents(body(broadcast, exchange, keepalive=0.05)))
        await reader.live.wait()
        await until(lambda: reader.comments >= 3)
        reader.task.cancel()
        await asyncio.wait([reader.task])

    run(read())


def test_a_response_ends_after_its_time(broadcast: Broadcast, exchange: Exchange) -> None:
    async def read() -> None:
        reader = Reader(AsyncEvents(body(broadcast, exchange, seconds=0.2)))
        await reader.task
        assert broadcast.reading().browsers == 0

    run(read())


def test_closing_one_that_nobody_reads_costs_nothing(
    broadcast: Broadcast, exchange: Exchange
) -> None:
    for events in (AsyncEvents, ThreadEvents):
        events(body(broadcast, exchange)).close()
    assert broadcast.reading().browsers == 0

    async def read() -> None:
        events = AsyncEvents(body(broadcast, exchange))
        events.close()
        with pytest.raises(StopAsyncIteration):
            await events.__anext__()

    run(read())


def test_no_database_connection_is_kept_while_events_are_told(
    broadcast: Broadcast, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections["default"]
    connection.ensure_connection()
    closed: list[bool] = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    events = ThreadEvents(body(broadcast, exchange))
    next(events)
    assert closed == [True]
    next(events)
    events.close()
    assert closed == [True]
    # In a transaction it is somebody's who is not done with it: a test's.
    connection.in_atomic_block = True
    events = ThreadEvents(body(broadcast, exchange))
    next(events)
    events.close()
    connection.in_atomic_block = False
    assert closed == [True]
    monkeypatch.undo()
    connection.close()
