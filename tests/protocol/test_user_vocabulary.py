from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws import events
from polymarket_ws.conversion import from_json
from polymarket_ws.events import DecodeFailure, Event, Order, Trade, UnknownEvent, UserEvent
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.user_vocabulary import USER_VOCABULARY
from tests.strategies import USER_EVENTS, wire_texts

NAMES = [
    "order_cancel__1",
    "order_cancel__2",
    "order_fok_killed__1",
    "order_placement__2",
    "order_polypy__1",
    "order_polypy__2",
    "order_venue_cancel__1",
    "trade__1",
    "trade__2",
    "trade__4",
    "trade__5",
    "trade__6",
    "trade_polypy__2",
    "trade_polypy__3",
    "trade_polypy__4",
]
TIMES = {"timestamp", "created_at", "expiration", "match_time", "last_update"}


def decoded(text: str) -> list[Event]:
    return Decoder(USER_VOCABULARY, connection=1).decode(text.encode(), 1.5, 2)


def one(text: str) -> Event:
    (event,) = decoded(text)
    return event


def read(wire: Path, name: str) -> str:
    return (wire / "samples" / "clob_user" / f"{name}.json").read_text()


def milliseconds(value: Any) -> int | None:
    if value == "":
        return None
    number = int(value)
    return number if number >= 10**11 else number * 1000


def assert_same(event: Any, wire: dict[str, Any]) -> None:
    """Compare field by field, both ways."""
    fields = {field.name for field in attrs.fields(type(event))}
    assert wire.keys() <= fields
    for name in fields - {"received_at", "epoch", "recovered", "event_type"}:
        actual = getattr(event, name)
        if name not in wire:
            assert actual is None, name
            continue
        value = wire[name]
        if name == "expiration" and value in ("0", 0):
            assert actual is None
        elif name in TIMES:
            assert actual == milliseconds(value), name
        elif isinstance(actual, Decimal):
            assert format(actual, "f") == str(value), name
        elif name == "maker_orders":
            assert len(actual) == len(value)
            for item, other in zip(actual, value, strict=True):
                assert_same(item, other)
        elif isinstance(actual, tuple):
            assert actual == tuple(value or ()), name
        elif actual is None:
            assert value in ("", None), name
        else:
            assert actual == value, name


def test_every_captured_event_is_looked_at(wire: Path) -> None:
    found = {path.stem for path in (wire / "samples" / "clob_user").glob("*.json")}
    assert {name for name in found if not name.startswith("client_")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_captured_events_are_decoded_field_by_field(wire: Path, name: str) -> None:
    text = read(wire, name)
    event = one(text)
    assert type(event) is (Order if name.startswith("order") else Trade)
    assert_same(event, json.loads(text))
    assert (event.received_at, event.epoch) == (1.5, 2)
    assert not getattr(event, "recovered", True)


@pytest.mark.parametrize("name", NAMES)
def test_captured_events_come_back_from_their_json(wire: Path, name: str) -> None:
    event = one(read(wire, name))
    again = from_json(event.to_json())
    assert again == event
    assert again.to_json() == event.to_json()
    assert one(event.to_json()) == event


def test_captured_events_in_one_array_are_decoded_in_order(wire: Path) -> None:
    texts = [read(wire, name) for name in NAMES]
    assert decoded(f"[{','.join(texts)}]") == [one(text) for text in texts]


@pytest.mark.parametrize("name", ["order_fok_killed__1", "order_cancel__1"])
def test_free_text_and_empty_values_of_captures(wire: Path, name: str) -> None:
    event = one(read(wire, name))
    assert isinstance(event, Order)
    if name == "order_cancel__1":
        assert (event.associate_trades, event.timestamp) == ((), 1725841743272)
        return
    assert event.status is not None
    assert event.status.startswith("CANCELED_order couldn't be fully filled.")
    assert (event.size_matched, event.created_at, event.outcome) == (None, None, "")


@given(st.data())
def test_any_spelling_is_decoded(data: st.DataObject) -> None:
    event = data.draw(USER_EVENTS)
    live = attrs.evolve(event, recovered=False)
    assert one(data.draw(wire_texts(event))) == live


@pytest.mark.parametrize(
    ("wire", "event_type"),
    [
        ({"type": "PLACEMENT"}, "order"),
        ({"type": "UPDATE"}, "order"),
        ({"type": "CANCELLATION"}, "order"),
        ({"type": "TRADE"}, "trade"),
        ({"type": "user"}, ""),
        ({"type": ["TRADE"]}, ""),
        ({"type": None}, ""),
        ({}, ""),
    ],
)
def test_an_object_without_event_type_is_known_by_its_inner_type(
    wire: dict[str, object], event_type: str
) -> None:
    assert USER_VOCABULARY.infer(wire) == event_type


@pytest.mark.parametrize("text", ['{"event_type":"balance","x":1}', '{"type":["TRADE"]}', "{}"])
def test_a_type_that_nobody_knows_is_told(text: str) -> None:
    event = one(text)
    assert isinstance(event, UnknownEvent)
    assert event.channel == "user"


@pytest.mark.parametrize("name", ["price", "size", "status", "id", "market"])
def test_a_trade_that_misses_what_it_needs_is_told(wire: Path, name: str) -> None:
    fields = json.loads(read(wire, "trade__2"))
    del fields[name]
    event = one(json.dumps(fields))
    assert isinstance(event, DecodeFailure)
    assert event.error == f"{name} is missing"


@pytest.mark.parametrize("value", ["NaN", "inf", "1e100", "x", [], {}, True])
@pytest.mark.parametrize("name", ["price", "size", "fee_rate_bps"])
def test_a_number_that_is_none_is_told(wire: Path, name: str, value: object) -> None:
    fields = json.loads(read(wire, "trade__2"))
    event = one(json.dumps({**fields, name: value}))
    assert isinstance(event, DecodeFailure)
    assert event.error.startswith(f"{name}: ")


def test_every_event_of_the_channel_has_its_name() -> None:
    named = {**USER_VOCABULARY.fast, **USER_VOCABULARY.tolerant}
    for name, cls in named.items():
        assert attrs.fields_dict(cls)["event_type"].default == name
    exported = {getattr(events, name) for name in events.__all__}
    data = {c for c in exported if issubclass(c, UserEvent) and c is not UserEvent}
    assert set(named.values()) == data


@pytest.mark.parametrize("said", ["true", '"true"', "1", '"perhaps"'])
def test_what_the_stream_brings_is_not_recovered_whatever_it_says(said: str) -> None:
    order = '"event_type":"order","market":"0x1","id":"0xa","asset_id":"7","side":"BUY"'
    event = one(f'{{{order},"price":"0.5","original_size":"5","recovered":{said}}}')
    assert isinstance(event, Order)
    assert not event.recovered
