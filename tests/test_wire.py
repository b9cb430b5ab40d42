"""Every captured frame, served over a real WebSocket, comes out of a ``for`` loop unharmed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from polymarket_ws import (
    BestBidAsk,
    Book,
    Client,
    Endpoints,
    Event,
    LastTradePrice,
    Market,
    MarketEvent,
    MarketResolved,
    NewMarket,
    OrderBook,
    PriceChange,
    TickSizeChange,
    from_json,
)
from polymarket_ws.simulator.listening import accept

CLASSES: dict[str, type[MarketEvent]] = {
    "book": Book,
    "price_change": PriceChange,
    "last_trade_price": LastTradePrice,
    "best_bid_ask": BestBidAsk,
    "tick_size_change": TickSizeChange,
    "new_market": NewMarket,
    "market_resolved": MarketResolved,
}


@contextmanager
def serving(texts: list[str]) -> Iterator[str]:
    """Serve ``texts`` to whoever subscribes."""

    def script(connection: ServerConnection) -> None:
        connection.recv()
        for text in texts:
            connection.send(text)
        for text in connection:
            if text == "PING":
                connection.send("PONG")

    server = serve(script, "127.0.0.1", 0, compression=None, ping_interval=None)
    thread = threading.Thread(target=accept, args=(server,), daemon=True)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()


def received(texts: list[str], count: int, asset_ids: list[str]) -> list[Event]:
    """Return what a loop over a stream of everything yields for ``texts``."""
    found: list[Event] = []
    with serving(texts) as url, Client(endpoints=Endpoints.at(url)) as client:
        stream = client.subscribe(Market(*asset_ids, events=[MarketEvent]))
        while len(found) < count:
            found.append(stream.get(timeout=10))
        with pytest.raises(TimeoutError):
            stream.get(timeout=0.1)
        assert stream.stats.decode_failures == 0
        assert stream.stats.unknown_events == 0
    return found


def messages_of(text: str) -> list[dict[str, Any]]:
    if text.lstrip()[:1] not in ("{", "["):
        return []
    value = json.loads(text)
    return value if isinstance(value, list) else [value]


def asset_ids_of(messages: list[dict[str, Any]]) -> list[str]:
    found: dict[str, None] = {}
    for message in messages:
        ids = [message.get("asset_id"), *message.get("assets_ids", ())]
        ids += [change.get("asset_id") for change in message.get("price_changes", ())]
        found.update(dict.fromkeys(i for i in ids if isinstance(i, str) and i.isdecimal()))
    return list(found) or ["1"]


def kind_of(message: dict[str, Any]) -> type[MarketEvent]:
    # Only the books of 2024 were sent without a type.
    return CLASSES[message.get("event_type", "book")]


def assert_same(event: Any, wire: Any) -> None:
    """Compare field by field; ``""`` and null are both "none"."""
    for name, value in wire.items():
        if name == "timestamp":
            assert event.timestamp == int(value)
        elif hasattr(event, name):
            assert_value(getattr(event, name), value)


def assert_value(actual: Any, value: Any) -> None:
    if isinstance(actual, Decimal):
        assert actual == Decimal(value)
        assert format(actual, "f") == ("0" + value if value.startswith(".") else value)
    elif isinstance(actual, tuple):
        items = json.loads(value) if isinstance(value, str) else value
        assert len(actual) == len(items)
        for one, other in zip(actual, items, strict=True):
            if isinstance(other, dict):
                assert_same(one, other)
            else:
                assert_value(one, other)
    elif isinstance(value, dict):
        assert_same(actual, value)
    elif isinstance(actual, datetime):
        assert actual.tzinfo is not None
    elif actual is None:
        assert value in ("", None)
    else:
        assert actual == value


def layout_is_current(message: dict[str, Any]) -> bool:
    return message.get("event_type") != "price_change" or "price_changes" in message


def sample_paths(wire: Path) -> list[Path]:
    return sorted(
        path
        for path in (wire / "samples" / "clob_market").iterdir()
        if not path.name.startswith("client_") and path.suffix in (".json", ".txt")
        if path.name != "control_invalid_operation__1.txt"
    )


def test_every_sample_comes_out_of_the_loop(wire: Path) -> None:
    texts = [path.read_text() for path in sample_paths(wire)]
    messages = [message for text in texts for message in messages_of(text)]
    events = received(texts, len(messages), asset_ids_of(messages))
    for event, message in zip(events, messages, strict=True):
        assert type(event) is kind_of(message)
        if layout_is_current(message):
            assert_same(event, message)
        assert from_json(event.to_json()) == event
        assert from_json(event.to_json()).to_json() == event.to_json()


RECORDINGS = [
    "clob_market__nslaughter__stream-idle-close--no-ping.jsonl",
    "clob_market__nslaughter__stream-no-replay--repro.jsonl",
    "clob_market__nslaughter__vance-one-fill.jsonl",
    "clob_market__polypy__messages_hash__2025-10.jsonl",
    "clob_market__polypy__test_server_messages__2024-12.jsonl",
    "clob_market__polypy__test_server_multiple_last_trade_price__2024-12.jsonl",
]


def recorded_texts(wire: Path, name: str, of: Callable[[dict[str, Any]], bool]) -> list[str]:
    lines = (wire / "recordings" / name).read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    return [entry["text"] for entry in entries if entry["kind"] == "recv" and of(entry)]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recording_comes_out_of_the_loop(wire: Path, name: str) -> None:
    texts = recorded_texts(wire, name, lambda entry: True)
    messages = [message for text in texts for message in messages_of(text)]
    events = received(texts, len(messages), asset_ids_of(messages))
    for event, message in zip(events, messages, strict=True):
        assert type(event) is kind_of(message)
        if layout_is_current(message):
            assert_same(event, message)


@pytest.mark.parametrize("connection", ["reference", "test"])
def test_every_hash_of_the_no_replay_recording_is_reproduced(wire: Path, connection: str) -> None:
    name = "clob_market__nslaughter__stream-no-replay--repro.jsonl"
    texts = recorded_texts(wire, name, lambda entry: entry["conn"] == connection)
    messages = [message for text in texts for message in messages_of(text)]
    books: dict[str, OrderBook] = {}
    checked = 0
    for event in received(texts, len(messages), asset_ids_of(messages)):
        if isinstance(event, Book):
            book = books.setdefault(event.asset_id, OrderBook(event.asset_id))
            book.apply(event)
            assert book.verify(event.hash)
            checked += 1
        elif isinstance(event, PriceChange):
            for change in event.price_changes:
                books[change.asset_id].apply(event)
                assert books[change.asset_id].verify(change.hash)
                checked += 1
    assert checked
