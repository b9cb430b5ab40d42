from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from polymarket_ws import events
from polymarket_ws.events import DecodeFailure, Event, Level, LevelChange, MarketEvent
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY


def one(text: str) -> Event:
    (event,) = Decoder(MARKET_VOCABULARY, connection=1).decode(text.encode(), 0.0, 0)
    return event


@pytest.mark.parametrize("cls", list(MARKET_VOCABULARY.fast.values()))
def test_every_decimal_of_every_fast_class_is_checked(cls: type[Event]) -> None:
    amount = Decimal("0.5")
    levels = (Level(amount, amount),)
    change = LevelChange(
        asset_id="7", price=amount, size=amount, side="BUY", best_bid=amount, best_ask=amount
    )
    whole: dict[str, Any] = {
        "market": "0x1", "asset_id": "7", "side": "BUY",
        "bids": levels, "asks": levels, "price_changes": (change,),
    }  # fmt: skip
    attrs.resolve_types(cls)
    names = attrs.fields_dict(cls)
    decimals = {n for n, field in names.items() if "Decimal" in str(field.type)}
    event = cls(**{n: v for n, v in whole.items() if n in names}, **dict.fromkeys(decimals, amount))
    text = event.to_json()
    assert one(text) == event
    checked = text.count('"0.5"')
    assert checked
    for index in range(checked):
        parts = text.split('"0.5"')
        for bad in ('"NaN"', '"sNaN"', '"inf"', '"1e100"', '"1e-100"', "1e100", r'"1e\u002d100"'):
            broken = '"0.5"'.join(parts[: index + 1]) + bad + '"0.5"'.join(parts[index + 1 :])
            assert isinstance(one(broken), DecodeFailure), broken


def test_the_numbers_of_every_fast_class_are_known() -> None:
    assert set(MARKET_VOCABULARY.decimals) == set(MARKET_VOCABULARY.fast.values())


def test_every_event_of_the_channel_has_its_name() -> None:
    named = {**MARKET_VOCABULARY.fast, **MARKET_VOCABULARY.tolerant}
    for name, cls in named.items():
        assert attrs.fields_dict(cls)["event_type"].default == name
    exported = {getattr(events, name) for name in events.__all__}
    data = {c for c in exported if issubclass(c, MarketEvent) and c is not MarketEvent}
    assert set(named.values()) == data


@pytest.mark.parametrize(
    ("keys", "event_type"),
    [
        ("market asset_id bids asks hash", "book"),
        ("buys sells", "book"),
        ("market price_changes", "price_change"),
        ("market changes", "price_change"),
        ("bids", ""),
        ("market asset_id price size side", ""),
        ("", ""),
    ],
)
def test_an_object_without_event_type_is_known_by_its_keys(keys: str, event_type: str) -> None:
    assert MARKET_VOCABULARY.infer(dict.fromkeys(keys.split())) == event_type
