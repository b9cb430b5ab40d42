from __future__ import annotations

import json

import attrs
import pytest

from polymarket_ws import simulator
from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import (
    FAULTS,
    BadFrame,
    Close,
    Cut,
    DripHandshake,
    Duplicate,
    Freeze,
    Garbage,
    HalfOpen,
    InvalidUtf8,
    Latency,
    Lose,
    Mute,
    NoBooks,
    Oversized,
    Redirect,
    Refuse,
    SlowDown,
    Stall,
    Unknown,
)
from polymarket_ws.transport.frames import MAX_MESSAGE_SIZE, FrameParser

CHANGE = '{"market":"0x1","price_changes":[{"asset_id":"1"},{"asset_id":"2"}],"timestamp":"5"}'


def test_every_fault_is_public_by_its_own_name() -> None:
    assert set(FAULTS) <= set(simulator.__all__)
    for name, fault in FAULTS.items():
        assert getattr(simulator, name) is fault


def test_no_argument_of_a_fault_is_called_like_one_that_says_when() -> None:
    when = set(attrs.fields_dict(At))
    for fault in FAULTS.values():
        assert not when & set(attrs.fields_dict(fault))


@pytest.mark.parametrize("fault", [Mute(), HalfOpen(), Stall()])
def test_silence_is_about_pong_too(fault: Mute | HalfOpen | Stall) -> None:
    assert fault.passes("PONG") == ()


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ('{"asset_id":"1","event_type":"book"}', ()),
        ('{"asset_id":"2","price":"1"}', ('{"asset_id":"2","price":"1"}',)),
        (
            CHANGE,
            ('{"market":"0x1","price_changes":[{"asset_id":"2"}],"timestamp":"5"}',),
        ),
        ('{"price_changes":[{"asset_id":"1"}]}', ()),
        ('[{"asset_id":"1"},{"asset_id":"2"}]\n', ('[{"asset_id":"2"}]\n',)),
        ('[{"asset_id":"1"}]\n', ("[]\n",)),
        ('{"assets_ids":["1","2"]}', ('{"assets_ids":["1","2"]}',)),
        ("1 is no JSON", ("1 is no JSON",)),
        ("1", ("1",)),
        ("PONG", ("PONG",)),
    ],
)
def test_a_freeze_takes_one_asset_out(told: str, left: tuple[str, ...]) -> None:
    assert Freeze("1").passes(told) == left


def test_a_freeze_leaves_the_bytes_of_others_alone() -> None:
    spaced = '{ "asset_id": "2",  "size": "1" }'
    assert Freeze("1").passes(spaced) == (spaced,)
    assert Freeze("3").passes(CHANGE) == (CHANGE,)


def test_no_books_is_about_arrays_only() -> None:
    assert NoBooks().passes("[]\n") == ()
    assert NoBooks().passes(CHANGE) == (CHANGE,)
    assert NoBooks("1").passes(CHANGE) == (CHANGE,)
    assert NoBooks(["1"]).passes('[{"asset_id":"1"},{"asset_id":"2"}]') == ('[{"asset_id":"2"}]\n',)
    assert NoBooks("1").passes("[broken 1") == ("[broken 1",)


def test_a_pong_never_comes_twice() -> None:
    assert Duplicate().passes("PONG") == ("PONG",)
    assert Duplicate().passes("x") == ("x", "x")


def test_losing_is_about_the_type_and_not_about_the_word() -> None:
    lose = Lose(["book", "best_bid_ask"])
    assert lose.passes('{"event_type":"book"}') == ()
    other = '{"event_type":"price_change","note":"book"}'
    assert lose.passes(other) == (other,)


def test_an_oversized_message_has_exactly_its_size_and_is_json() -> None:
    (told,) = Oversized(100).payloads()
    assert isinstance(told, str)
    assert len(told.encode()) == 100
    assert json.loads(told)["event_type"] == "oversized"
    assert Oversized().size == MAX_MESSAGE_SIZE + 1


def test_garbage_is_no_json_and_the_unknown_is() -> None:
    for told in Garbage().payloads():
        with pytest.raises(ValueError, match=r"."):
            json.loads(told)
    (told,) = Unknown("prophecy").payloads()
    assert json.loads(told)["event_type"] == "prophecy"


@pytest.mark.parametrize(("fault", "code"), [(BadFrame(), 1002), (InvalidUtf8(), 1007)])
def test_broken_bytes_are_a_violation(fault: BadFrame | InvalidUtf8, code: int) -> None:
    parser = FrameParser()
    for payload in fault.payloads():
        assert isinstance(payload, bytes)
        list(parser.feed(payload))
    assert parser.violation is not None
    assert parser.violation.code == code


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Refuse(200), "status of Refuse takes an HTTP status from 400 on, not 200"),
        (lambda: Refuse(429, -1), "retry_after of Refuse takes 0 to"),
        (lambda: Redirect(""), "location of Redirect takes text, not ''"),
        (lambda: Freeze(7), "asset_id of Freeze takes text, not 7"),  # type: ignore[arg-type]
        (lambda: NoBooks([7]), "asset_ids of NoBooks takes texts"),  # type: ignore[list-item]
        (lambda: Latency(-1), "delay of Latency takes 0 to 86400, not -1"),
        (lambda: SlowDown(0.5), "a whole number from 1 to"),  # type: ignore[arg-type]
        (lambda: DripHandshake(0), "interval of DripHandshake takes"),
        (lambda: Oversized(1), "size of Oversized takes"),
        (lambda: Cut("half"), "how of Cut takes one of reset, fin, half_frame"),  # type: ignore[arg-type]
        (lambda: Close(1006), "code of Close takes 1000 to 1014 or 3000 to 4999"),
        (lambda: Close(1000, "x" * 124), "reason of Close takes text of up to 123 bytes"),
        (lambda: Close(True), "code of Close"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(make: object, told: str) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match=told):
        make()
