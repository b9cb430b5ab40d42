from __future__ import annotations

import ast
import json
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_ws import conversion
from polymarket_ws.conversion import from_json
from polymarket_ws.events import (
    BestBidAsk,
    Book,
    DecodeFailure,
    Event,
    LastTradePrice,
    Level,
    Lifecycle,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
    UnknownEvent,
)
from polymarket_ws.protocol import decoding, market_vocabulary
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY
from tests.strategies import DATA_EVENTS, FAST_EVENTS, wire_texts

# The same channel with every class made the tolerant way.
ALL_TOLERANT = attrs.evolve(
    MARKET_VOCABULARY,
    fast=MappingProxyType({}),
    tolerant=MappingProxyType({**MARKET_VOCABULARY.fast, **MARKET_VOCABULARY.tolerant}),
)

BEST = b'{"event_type":"best_bid_ask","market":"0x1","asset_id":"7"'
GOOD = BEST + b',"best_bid":"0.1"}'
GOOD_EVENT = BestBidAsk(market="0x1", asset_id="7", best_bid=Decimal("0.1"))


def decode(raw: bytes | str, vocabulary: decoding.Vocabulary = MARKET_VOCABULARY) -> list[Event]:
    data = raw if isinstance(raw, bytes) else raw.encode()
    return Decoder(vocabulary, connection=3).decode(data, 12.5, 4)


def one(raw: bytes | str) -> Any:
    (event,) = decode(raw)
    return event


def described(events: list[Event]) -> list[str]:
    """Spelling included: equal events may still have other digits."""
    return [f"{event!r} {event.received_at} {event.epoch}" for event in events]


def is_own(path: Path) -> bool:
    return not path.name.startswith(("client_", "control_"))


def captured(wire: Path) -> list[str]:
    samples = [p.read_text() for p in sorted(wire.glob("samples/clob_market/*")) if is_own(p)]
    frames = []
    for path in sorted(wire.glob("recordings/clob_market__*.jsonl")):
        for line in path.read_text().splitlines():
            frame = json.loads(line)
            if frame["kind"] == "recv" and frame["text"][:1] in ("{", "["):
                frames.append(frame["text"])
    assert samples
    assert frames
    return samples + frames


def assert_equals_wire(value: object, wire: object) -> None:
    """Compare field by field with the JSON: same text, same digits, same order."""
    if isinstance(value, tuple):
        assert isinstance(wire, list)
        assert len(value) == len(wire)
        for item, wire_item in zip(value, wire, strict=True):
            assert_equals_wire(item, wire_item)
    elif attrs.has(type(value)):
        assert isinstance(wire, dict)
        unknown = set(wire) - {field.name for field in attrs.fields(type(value))}
        assert unknown == set()
        for name, wire_item in wire.items():
            assert_equals_wire(getattr(value, name), wire_item)
    elif isinstance(value, Decimal):
        text = str(wire)
        assert format(value, "f") == (f"0{text}" if text.startswith(".") else text)
    elif isinstance(value, int) and not isinstance(value, bool):
        assert str(value) == str(wire)
    elif value is None:
        assert wire in (None, "")
    else:
        assert value == wire


class TestTheCapturedWire:
    def test_every_frame_is_the_right_class_and_equals_its_json(self, wire: Path) -> None:
        seen = set()
        for text in captured(wire):
            parsed = json.loads(text)
            objects = parsed if isinstance(parsed, list) else [parsed]
            events = decode(text)
            assert len(events) == len(objects)
            for event, fields in zip(events, objects, strict=True):
                name = fields.get("event_type", "book")
                assert type(event) is ALL_TOLERANT.tolerant[name]
                if name == "price_change" and "price_changes" not in fields:
                    top = ("market", "timestamp", "event_type")
                    entry = {k: v for k, v in fields.items() if k not in top}
                    assert_equals_wire(event, {k: fields[k] for k in top})
                    assert_equals_wire(event, {"price_changes": [entry]})
                else:
                    assert_equals_wire(event, fields)
                seen.add(name)
        assert seen == set(ALL_TOLERANT.tolerant)

    def test_both_ways_agree_on_every_frame(self, wire: Path) -> None:
        for text in captured(wire):
            assert described(decode(text)) == described(decode(text, ALL_TOLERANT))

    def test_frames_of_2026_never_need_the_tolerant_way(
        self, wire: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decoding, "structure", None)
        for path in wire.glob("recordings/clob_market__nslaughter__*.jsonl"):
            for line in path.read_text().splitlines():
                frame = json.loads(line)
                if frame["kind"] == "recv" and frame["text"][:1] in ("{", "["):
                    assert not any(isinstance(e, Lifecycle) for e in decode(frame["text"]))

    def test_events_go_to_json_and_back(self, wire: Path) -> None:
        for text in captured(wire):
            for event in decode(text):
                again = conversion.from_json(event.to_json())
                assert again == event
                assert repr(again) == repr(event)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b"0," * 20_000 + b"0]",
        b"[" + b"{0}," * 20_000 + b"0]",
        b"[" + b"{}," * 1_000_000 + b"{}]",
        b"[" + b"{}," * 1_000_000,
    ],
    ids=["numbers", "broken", "many", "unending"],
)
def test_an_array_of_more_elements_than_anybody_sends_is_one_failure(raw: bytes) -> None:
    decoder = Decoder(MARKET_VOCABULARY, connection=1)
    (event,) = decoder.decode(raw, 1.0, 1)
    assert isinstance(event, DecodeFailure)
    assert "elements" in event.error
    assert len(event.raw) <= 4096


class TestBothWays:
    @given(st.data())
    def test_any_spelling_of_an_event_is_that_event_both_ways(self, data: st.DataObject) -> None:
        event = data.draw(FAST_EVENTS)
        text = data.draw(wire_texts(event))
        fast, tolerant = decode(text), decode(text, ALL_TOLERANT)
        assert fast == tolerant == [event]
        assert described(fast) == described(tolerant)

    @given(st.data())
    def test_the_fast_way_takes_what_has_strings_for_numbers(self, data: st.DataObject) -> None:
        event = data.draw(FAST_EVENTS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoding, "structure", None)
            assert decode(event.to_json()) == [event]

    @given(st.lists(DATA_EVENTS, max_size=4))
    def test_an_array_is_its_events_in_order(self, events: list[Event]) -> None:
        text = "[" + ", ".join(event.to_json() for event in events) + "]\n"
        assert decode(text) == events

    @settings(max_examples=300)
    @given(
        st.sampled_from(
            [
                "timestamp",
                "best_bid",
                "hash",
                "neg_risk",
                "asset_id",
                "market",
                "price",
                "size",
                "side",
                "bids",
                "price_changes",
                "new_tick_size",
                "event_type",
                "received_at",
                "epoch",
                "unknown",
                "event_type_",
            ]
        ),
        st.sampled_from(
            [
                '""',
                '"',
                '"',
                '"null"',
                '"NULL"',
                "null",
                "true",
                "false",
                '"true"',
                '"TRUE"',
                '"yes"',
                "0",
                "1",
                "2",
                "-0",
                "-0.0",
                "1.0",
                "1.5",
                "-1",
                '"0"',
                '"1"',
                '"1.0"',
                '"-1"',
                '"+1"',
                '"01"',
                '"1_0"',
                '"',
                "1",
                '"',
                '"1e3"',
                "1e3",
                "1E+3",
                "1e-3",
                "1e99",
                "1e100",
                "1e101",
                '"1e-100"',
                "1e999999999",
                "1e99999999999999999999",
                '"1e999999999"',
                "NaN",
                '"NaN"',
                '"sNaN"',
                '"Infinity"',
                '"-inf"',
                "Infinity",
                '"x"',
                '"٣"',
                "1766790415",
                '"1766790415"',
                "1766790415.25",
                '"1766790415.25"',
                "1766790415550",
                '"1766790415550"',
                "1766790415550.0",
                "1766790415550.9",
                "99999999999",
                "100000000000",
                "-99999999999",
                "-100000000000",
                "1e11",
                "12345678901234567890",
                '"12345678901234567890123456789012345678901"',
                "0.1234567890123456789012345678901234567890",
                "0.110",
                '".48"',
                "[]",
                "[[]]",
                "[null]",
                "{}",
                "[{}]",
                '"[]"',
                '"{}"',
                '"\\ud800"',
                '"\\udc00x"',
                '"\\ud83d\\ude00"',
                '"\\u0000"',
                '"é"',
                '"book"',
                '"best_bid_ask"',
                "01",
                ".5",
                "5.",
                '[{"price":"1","size":"2"}]',
                '"[{\\"price\\":\\"1\\",\\"size\\":\\"2\\"}]"',
                "tru",
                '"',
                '[{"asset_id":7,"price":"1","size":2,"side":"BUY"}]',
            ]
        ),
        st.sampled_from(list(MARKET_VOCABULARY.fast)),
        st.booleans(),
    )
    def test_one_odd_value_comes_out_the_same_both_ways(
        self, field: str, odd: str, event_type: str, first: bool
    ) -> None:
        fields = {
            "market": '"0x1"', "asset_id": '"7"', "price": '"0.5"', "size": '"3"',
            "side": '"BUY"', "bids": "[]", "asks": "[]", "new_tick_size": '"0.01"',
            "price_changes": '[{"asset_id":"7","price":"1","size":"2","side":"BUY"}]',
        }  # fmt: skip
        fields[field] = odd
        rest = ",".join(f'"{name}":{value}' for name, value in fields.items())
        own = f'"event_type":"{event_type}"'
        text = "{" + (f"{own},{rest}" if first else f"{rest},{own}") + "}"
        assert described(decode(text)) == described(decode(text, ALL_TOLERANT))

    @settings(max_examples=300)
    @given(st.data())
    def test_a_damaged_frame_gives_events_and_the_same_both_ways(self, data: st.DataObject) -> None:
        raw = bytearray(data.draw(wire_texts(data.draw(DATA_EVENTS))).encode())
        if data.draw(st.booleans()):
            raw = bytearray(b"[" + raw + b"," + GOOD + b"]")
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(raw)))
            raw[at : at + data.draw(st.integers(0, 6))] = data.draw(
                st.binary(max_size=3)
                | st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"1e999", b"NaN"])
                | st.sampled_from([b'"event_type":"book"', b'{"event_type":"book"}', b"null"])
            )
        events = decode(bytes(raw))
        assert all(isinstance(event, Event) for event in events)
        assert all(event.received_at == 12.5 and event.epoch == 4 for event in events)
        try:
            bytes(raw).decode()
        except UnicodeDecodeError:
            return  # the transport refuses such a frame
        assert described(events) == described(decode(bytes(raw), ALL_TOLERANT))

    @given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
    def test_garbage_never_raises(self, raw: bytes) -> None:
        assert all(isinstance(event, Event) for event in decode(raw))


class TestTheEventType:
    @pytest.mark.parametrize(
        "raw",
        [
            b'{"event_type":"best_bid_ask","market":"0x1","asset_id":"7","best_bid":"0.1"}',
            b'{"market":"0x1","asset_id":"7","best_bid":"0.1","event_type":"best_bid_ask"}',
            b'{"market":"0x1", "asset_id":"7", "best_bid":"0.1", "event_type":"best_bid_ask"}',
            b'{"market":"0x1","event_type": "best_bid_ask","asset_id":"7","best_bid":"0.1"}\n',
            b' {"market":"0x1","event_\\u0074ype":"best_bid_ask","asset_id":"7","best_bid":0.1}',
        ],
    )
    def test_is_found_wherever_and_however_it_is_written(self, raw: bytes) -> None:
        assert decode(raw) == [GOOD_EVENT]

    def test_of_an_object_inside_does_not_count(self) -> None:
        raw = b'{"market":"0x1","asset_id":"7","x":{"a":1,"event_type":"best_bid_ask"}}'
        assert one(raw) == UnknownEvent(
            channel="market", connection=3, event_type="", raw=raw.decode()
        )

    def test_inside_a_string_does_not_count(self) -> None:
        raw = b'{"market":"0x1","asset_id":"7","x,\\"event_type":"best_bid_ask"}'
        assert isinstance(one(raw), UnknownEvent)

    def test_that_comes_twice_is_the_last_one(self) -> None:
        raw = b'{"event_type":"book","market":"0x1","asset_id":"7","best_bid":"0.1",'
        assert decode(raw + b'"event_type":"best_bid_ask"}') == [GOOD_EVENT]

    def test_of_a_book_may_be_missing(self) -> None:
        event = one(b'{"market":"0x1","asset_id":"7","bids":[{"price":1,"size":2}],"asks":[]}')
        bids = (Level(Decimal(1), Decimal(2)),)
        assert event == Book(market="0x1", asset_id="7", bids=bids, asks=())

    def test_that_nobody_knows_is_an_unknown_event(self) -> None:
        raw = '{"event_type":"market_paused","x":"ü"}'
        event = one(raw)
        assert event == UnknownEvent(
            channel="market", connection=3, event_type="market_paused", raw=raw
        )
        assert (event.received_at, event.epoch) == (12.5, 4)

    @pytest.mark.parametrize("value", ["5", "true", "[]", "{}", '"\\ud800"'])
    def test_that_is_no_text_is_a_failure(self, value: str) -> None:
        event = one('{"event_type":' + value + "}")
        assert isinstance(event, DecodeFailure)


class TestArrays:
    @pytest.mark.parametrize(
        "bad",
        [
            b"5",
            b'"x"',
            b"null",
            b"[]",
            b"[" + GOOD + b"]",
            b"NaN",
            b"01",
            b"",
            b'{"event_type":"book"}',
            b'{"event_type":"best_bid_ask","market":NaN,"asset_id":"7"}',
            b'{"event_type":"best_bid_ask","market":"\\ud800","asset_id":"7"}',
            b'{"event_type":"best_bid_ask","market":"\\x","asset_id":"7"}',
            b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            BEST + b',"spread":' + b"9" * 5_000 + b"}",
            b'{"a" 5}',
        ],
        ids=range(15),
    )
    def test_one_bad_element_never_drops_the_rest(self, bad: bytes) -> None:
        first, failure, last = decode(b"[" + GOOD + b"," + bad + b" , " + GOOD + b"]\n")
        assert first == last == GOOD_EVENT
        assert isinstance(failure, DecodeFailure)
        assert failure.raw == bad.decode()[:4096]

    def test_an_empty_array_is_nothing(self) -> None:
        assert decode(b"[]\n") == []

    @pytest.mark.parametrize(
        "tail", [b"", b"," + GOOD[:-5], b",", b',{"a":"', b"}", b"]]", b"] x", b",]", b"}}", b"]}"]
    )
    def test_what_came_before_the_break_is_told(self, tail: bytes) -> None:
        first, *rest = decode(b"[" + GOOD + b"," + GOOD + tail)
        assert first == GOOD_EVENT
        assert any(isinstance(event, DecodeFailure) for event in rest)

    def test_an_unknown_element_has_its_own_json_only(self) -> None:
        events = decode(b'[{"event_type":"a"}, {"event_type":"b"}]')
        assert [(e.event_type, e.raw) for e in events if isinstance(e, UnknownEvent)] == [
            ("a", '{"event_type":"a"}'),
            ("b", '{"event_type":"b"}'),
        ]


class TestFailures:
    @pytest.mark.parametrize(
        ("raw", "error"),
        [
            (b"", "not JSON: Expecting value at character 0"),
            (b"5", "an event is a JSON object, and this is none"),
            (b'"text"', "an event is a JSON object, and this is none"),
            (GOOD[:-1], "not JSON: Expecting ',' delimiter at character 75"),
            (BEST + b',"spread":NaN}', "not JSON: NaN"),
            (BEST + b',"spread":"NaN"}', "spread: a finite decimal of sane size is wanted"),
            (BEST + b',"spread":"-Infinity"}', "spread: a finite decimal of sane size is wanted"),
            (BEST + b',"spread":"1e999999"}', "spread: a finite decimal of sane size is wanted"),
            (BEST + b',"spread":"0e-9999"}', "spread: a finite decimal of sane size is wanted"),
            (BEST + b',"timestamp":1e30}', "timestamp: Unix milliseconds are wanted, not 1E+30"),
            (BEST + b',"x":"\xff"}', "not UTF-8 text"),
            (b'{"event_type":"best_bid_ask","market":"0x1"}', "asset_id is missing"),
            (b'{"a":' * 100_000, "nested too deeply"),
            (BEST + b',"spread":' + b"9" * 5_000 + b"}", "spread: a finite decimal of sane size"),
        ],
        ids=range(14),
    )
    def test_say_what_is_wrong(self, raw: bytes, error: str) -> None:
        if raw.endswith(b'"\xff"}'):
            # Only a field that is read is checked; the transport checks the frame.
            raw = raw.replace(b'"x"', b'"market"')
        event = one(raw)
        assert isinstance(event, DecodeFailure)
        assert event.error.startswith(error)
        assert (event.channel, event.connection) == ("market", 3)
        assert (event.received_at, event.epoch) == (12.5, 4)

    @pytest.mark.parametrize("size", ["0." + "0" * 150 + "1", "0." + "0" * 150, "0e999"])
    def test_a_number_that_is_as_long_as_on_the_wire_is_none(self, size: str) -> None:
        raw = BEST + b',"spread":"' + size.encode() + b'"}'
        event = one(raw)
        assert isinstance(event, BestBidAsk)
        assert event.spread == Decimal(size)
        # Neither a minus sign elsewhere nor the tolerant way makes a difference.
        assert one(raw[:-1] + b',"x":"-"}') == event
        assert one(raw[:-1] + b',"timestamp":"1e3"}') == attrs.evolve(event, timestamp=10**6)
        assert from_json(event.to_json()) == event

    @pytest.mark.parametrize("character", ["x", "ü", "🎲"])
    def test_keep_four_kilobytes_and_no_half_character(self, character: str) -> None:
        text = '{"a":"' + character * 5_000
        raw = one(text).raw
        assert text.startswith(raw)
        assert 4096 - 3 <= len(raw.encode()) <= 4096

    def test_are_one_short_line_whatever_came(self) -> None:
        event = one(BEST + b',"spread":"' + b"a\\n" * 5_000 + b'"}')
        assert len(event.error) <= 200
        assert len(str(event)) <= 200
        assert "\n" not in event.error


class TestSettling:
    def test_received_at_and_epoch_are_never_those_of_the_wire(self) -> None:
        event = one(BEST + b',"received_at":99.5,"epoch":77}')
        assert (event.received_at, event.epoch) == (12.5, 4)

    @pytest.mark.parametrize(
        ("value", "timestamp"),
        [
            ("1766790415", 1766790415000),
            ('"1766790415"', 1766790415000),
            ("1766790415.25", 1766790415250),
            ('"1766790415.25"', 1766790415250),
            ("1766790415550", 1766790415550),
            ('"1766790415550"', 1766790415550),
            ("99999999999", 99999999999000),
            ("100000000000", 100000000000),
            ('""', None),
            ("null", None),
            ("0", 0),
        ],
    )
    def test_seconds_become_milliseconds(self, value: str, timestamp: int | None) -> None:
        assert one(BEST + b',"timestamp":' + value.encode() + b"}").timestamp == timestamp

    def test_the_limits_of_a_decimal_are_the_same_both_ways(self) -> None:
        for value in ("1e99", "9.9e99", "1e-99", "-1e99", "0e99"):
            text = BEST.decode() + f',"spread":"{value}"}}'
            assert one(text).spread == Decimal(value)
            assert described(decode(text)) == described(decode(text, ALL_TOLERANT))


class TestWanted:
    def test_everything_is_wanted_at_first(self) -> None:
        assert Decoder(MARKET_VOCABULARY, connection=1).wanted == {
            Book, PriceChange, LastTradePrice, BestBidAsk, TickSizeChange, NewMarket,
            MarketResolved,
        }  # fmt: skip

    @given(st.data())
    def test_what_is_not_wanted_is_skipped_and_counted(self, data: st.DataObject) -> None:
        event = data.draw(DATA_EVENTS)
        raw = data.draw(wire_texts(event)).encode()
        decoder = Decoder(MARKET_VOCABULARY, connection=1)
        everything = decoder.wanted
        decoder.wanted = everything - {type(event)}
        assert decoder.decode(raw, 0.0, 0) == []
        assert decoder.skipped == 1
        decoder.wanted = frozenset({type(event)})
        assert decoder.decode(raw, 0.0, 0) == [event]
        assert decoder.skipped == 1

    @pytest.mark.parametrize(
        ("raw", "reported"),
        [
            (b'{"event_type":"future"}', UnknownEvent),
            (b'{"x":{"event_type":"book"}}', UnknownEvent),
            (b'{"event_type":"book","x":{},"event_type":"future"}', UnknownEvent),
            (b'{"event_type":"future","x":' + b"9" * 5_000 + b"}", UnknownEvent),
            (b'{"market":"0x1","event_type":"book"', DecodeFailure),
            (b'{"market":NaN,"event_type":"future"}', DecodeFailure),
            (b"5", DecodeFailure),
        ],
    )
    def test_what_nobody_can_read_is_told_when_nothing_is_wanted(
        self, raw: bytes, reported: type[Event]
    ) -> None:
        decoder = Decoder(MARKET_VOCABULARY, connection=1)
        decoder.wanted = frozenset()
        (event,) = decoder.decode(raw, 0.0, 0)
        assert type(event) is reported
        assert decoder.skipped == 0

    def test_elements_of_an_array_are_skipped_one_by_one(self) -> None:
        decoder = Decoder(MARKET_VOCABULARY, connection=1)
        decoder.wanted = frozenset({BestBidAsk})
        book = b'{"event_type":"book","market":"0x1","asset_id":"7","bids":[],"asks":[]}'
        nameless = b'{"market":"0x1","asset_id":"7","bids":[],"asks":[]}'
        raw = b"[" + b",".join([book, GOOD, nameless]) + b"]"
        assert decoder.decode(raw, 0.0, 0) == [GOOD_EVENT]
        assert decoder.skipped == 2


@pytest.mark.parametrize("module", [decoding, market_vocabulary])
def test_the_module_is_pure(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"socket", "threading", "time", "queue", "random", "websocket", "cattrs"}
