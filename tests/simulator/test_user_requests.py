from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymarket_ws.simulator.user_requests import (
    UserOperation,
    UserSubscription,
    parse_first,
    parse_operation,
)

AUTH = {"apiKey": "k", "secret": "s", "passphrase": "p"}


def test_a_first_frame_without_markets_is_for_all() -> None:
    keys = ("k", "s", "p")
    everything = UserSubscription(keys=keys, markets=())
    assert parse_first(json.dumps({"type": "user", "auth": AUTH})) == everything
    assert parse_first(json.dumps({"type": "user", "auth": AUTH, "markets": []})) == everything


def test_markets_are_kept_once_and_in_lower_case() -> None:
    frame = {"type": "user", "auth": AUTH, "markets": ["0xAB", "0xab", "0xcd"]}
    first = parse_first(json.dumps(frame))
    assert first is not None
    assert first.markets == ("0xab", "0xcd")


@pytest.mark.parametrize(
    "text",
    [
        "PING",
        "",
        "[]",
        '{"type":"user"}',
        '{"type":"market","auth":{"apiKey":"k","secret":"s","passphrase":"p"}}',
        '{"type":"user","auth":{"apiKey":"k","secret":"s"}}',
        '{"type":"user","auth":{"apiKey":"k","secret":"s","passphrase":1}}',
        '{"type":"user","auth":{"apiKey":"k","secret":"s","passphrase":"p"},"markets":"0xab"}',
        '{"operation":"subscribe","markets":["0xab"]}',
    ],
)
def test_what_is_no_subscription_is_none(text: str) -> None:
    assert parse_first(text) is None


def test_operations_name_their_markets() -> None:
    text = '{"operation":"unsubscribe","markets":["0xAB"]}'
    assert parse_operation(text) == UserOperation(subscribe=False, markets=("0xab",))


@pytest.mark.parametrize(
    "text",
    [
        '{"operation":"subscribe"}',
        '{"operation":"x","markets":[]}',
        "PING",
        '{"operation":"subscribe","markets":[1]}',
    ],
)
def test_what_is_no_operation_is_none(text: str) -> None:
    assert parse_operation(text) is None


def test_the_captured_frames_of_clients_are_understood(wire: Path) -> None:
    folder = wire / "samples" / "clob_user"
    for path in folder.glob("client_subscribe_*.json"):
        text = path.read_text(encoding="utf-8")
        parse = parse_operation if "operation" in text else parse_first
        assert parse(text) is not None, path.name


def test_the_repr_of_a_subscription_shows_no_key() -> None:
    first = parse_first(json.dumps({"type": "user", "auth": {**AUTH, "secret": "verysecret"}}))
    assert "verysecret" not in repr(first)
