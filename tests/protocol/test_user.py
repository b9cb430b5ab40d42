from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymarket_ws.credentials import Credentials
from polymarket_ws.events import Order, Trade
from polymarket_ws.protocol.user import UserDialect
from polymarket_ws.protocol.user_vocabulary import USER_VOCABULARY

API_KEY = "4f9c1d2e-aaaa-bbbb-cccc-0123456789ab"
SECRET = "c3VwZXItc2VjcmV0LWJ5dGVzLW9mLWEta2V5ISEhIQ=="
PASSPHRASE = "9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6"
DIALECT = UserDialect(Credentials(API_KEY, SECRET, PASSPHRASE))
AUTH = {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}


def sample(wire: Path, name: str) -> dict[str, object]:
    text = (wire / "samples" / "clob_user" / f"{name}.json").read_text()
    fields = json.loads(text)
    assert isinstance(fields, dict)
    return fields


def test_the_first_frame_for_all_markets_names_none() -> None:
    assert DIALECT.first([], features=False) == json.dumps(
        {"type": "user", "auth": AUTH}, separators=(",", ":")
    )


def test_the_first_frame_names_condition_ids() -> None:
    frame = json.loads(DIALECT.first(["0x1", "0x2"], features=True))
    assert frame == {"type": "user", "auth": AUTH, "markets": ["0x1", "0x2"]}


@pytest.mark.parametrize("name", ["client_subscribe_all__1", "client_subscribe_markets__1"])
def test_the_first_frame_is_the_documented_one(wire: Path, name: str) -> None:
    expected = sample(wire, name)
    ids = expected.get("markets", [])
    assert isinstance(ids, list)
    frame = json.loads(DIALECT.first(ids, features=False))
    assert {**frame, "auth": None} == {**expected, "auth": None}
    assert isinstance(expected["auth"], dict)
    assert frame["auth"].keys() == expected["auth"].keys()


@pytest.mark.parametrize(
    ("name", "verb"),
    [("client_subscribe_update__1", "subscribe"), ("client_unsubscribe_update__1", "unsubscribe")],
)
def test_updates_are_the_documented_ones(wire: Path, name: str, verb: str) -> None:
    expected = sample(wire, name)
    ids = expected["markets"]
    assert isinstance(ids, list)
    text = (
        DIALECT.subscribe(ids, features=True) if verb == "subscribe" else DIALECT.unsubscribe(ids)
    )
    assert json.loads(text) == expected
    assert " " not in text


def test_updates_carry_no_secret() -> None:
    for text in (DIALECT.subscribe(["0x1"], features=False), DIALECT.unsubscribe(["0x1"])):
        assert not any(value in text for value in AUTH.values())


def test_the_dialect_shows_no_secret() -> None:
    shown = repr(DIALECT) + repr(vars(DIALECT))
    assert not any(value[5:17] in shown for value in AUTH.values())


def test_what_a_session_asks_for() -> None:
    assert (DIALECT.channel, DIALECT.vocabulary) == ("user", USER_VOCABULARY)
    assert DIALECT.authenticates
    assert DIALECT.ids_narrow
    assert DIALECT.snapshot is None
    assert not DIALECT.features(frozenset((Order, Trade)))


@pytest.mark.parametrize("text", [b"PONG", b"PONG\n", b"NO NEW ASSETS", b"", b" \n"])
def test_control_texts_mean_nothing_to_a_user(text: bytes) -> None:
    assert DIALECT.is_control(text)
    assert DIALECT.rejection(text) is None


@pytest.mark.parametrize("text", [b"pong", b"INVALID OPERATION", b"null", b"\xff"])
def test_other_texts_are_no_control_texts(text: bytes) -> None:
    assert not DIALECT.is_control(text)


@pytest.mark.parametrize("text", [b"INVALID OPERATION", b" INVALID OPERATION\n"])
def test_a_refusal_is_told_in_the_words_of_the_server(text: bytes) -> None:
    assert DIALECT.rejection(text) == "INVALID OPERATION"


def test_the_heartbeat_is_a_ping_at_once_and_every_ten_seconds() -> None:
    ping, other = DIALECT.heartbeat(), DIALECT.heartbeat()
    ping.started(0.0)
    assert [ping.beat(now) for now in (0.0, 9.9, 10.0, 19.9, 20.0)] == [
        "PING",
        None,
        "PING",
        None,
        "PING",
    ]
    assert other.deadline is None
