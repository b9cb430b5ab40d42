from __future__ import annotations

import decimal
import json
import subprocess
import sys
import threading
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws import conversion, events
from polymarket_ws.conversion import from_json, structure, to_dict, to_json
from polymarket_ws.errors import UsageError
from polymarket_ws.events import (
    BestBidAsk,
    Book,
    Connected,
    DecodeFailure,
    Disconnected,
    Event,
    Level,
    Lifecycle,
    NewMarket,
    TickSizeChange,
    UnknownEvent,
)
from tests.conftest import scaled
from tests.strategies import DATA_EVENTS, EVENTS, USER_EVENTS, wire_texts

BEST: dict[str, object] = {"market": "0x1", "asset_id": "7"}
PRICE = Decimal("0.5")


def best(**fields: object) -> BestBidAsk:
    return structure(BestBidAsk, {**BEST, **fields})


def new(**fields: object) -> NewMarket:
    return structure(NewMarket, {"market": "0x1", **fields})


def refused(cls: type[Event], wire: dict[str, object]) -> str:
    with pytest.raises(UsageError) as caught:
        structure(cls, wire)
    return str(caught.value)


class TestToJson:
    def test_has_the_names_and_the_digits_of_the_wire(self) -> None:
        event = Book(
            received_at=1.5,
            epoch=3,
            market="0x1",
            timestamp=1766790415550,
            asset_id="7",
            bids=(Level(Decimal("0.110"), Decimal("1E+3")),),
            asks=(),
            neg_risk=False,
        )
        assert to_dict(event) == {
            "event_type": "book",
            "market": "0x1",
            "timestamp": "1766790415550",
            "asset_id": "7",
            "bids": [{"price": "0.110", "size": "1000"}],
            "asks": [],
            "neg_risk": False,
        }
        assert event.to_dict() == to_dict(event)

    @given(EVENTS)
    def test_is_compact_json_with_event_type_first(self, event: Event) -> None:
        text = to_json(event)
        assert text == event.to_json()
        assert "\n" not in text
        parsed = json.loads(text)
        assert parsed == to_dict(event)
        assert next(iter(parsed)) == "event_type"
        assert None not in (value for key, value in parsed.items() if key != "fee_schedule")

    @given(EVENTS)
    def test_never_has_received_at_or_epoch_of_the_socket(self, event: Event) -> None:
        if not isinstance(event, Connected):
            event = attrs.evolve(event, received_at=5.0, epoch=6)
        parsed = to_dict(event)
        assert "received_at" not in parsed
        assert ("epoch" in parsed) == isinstance(event, Connected)

    def test_names_lifecycle_events_in_snake_case(self) -> None:
        assert to_dict(Connected(channel="market", connection=1, epoch=2)) == {
            "event_type": "connected",
            "channel": "market",
            "connection": 1,
            "asset_ids": [],
            "condition_ids": [],
            "epoch": 2,
            "gap_seconds": 0.0,
        }
        assert to_dict(DecodeFailure(raw="x", error="y"))["event_type"] == "decode_failure"

    def test_keeps_the_type_of_an_unknown_event_beside_its_own(self) -> None:
        event = UnknownEvent(event_type="paused", raw="{}")
        parsed = to_dict(event)
        assert (parsed["event_type"], parsed["unknown_type"]) == ("unknown_event", "paused")
        assert from_json(to_json(event)) == event

    def test_writes_times_as_iso_8601(self) -> None:
        event = NewMarket(market="", game_start_time=datetime(2026, 8, 23, 19, tzinfo=timezone.utc))
        assert to_dict(event)["game_start_time"] == "2026-08-23T19:00:00+00:00"


class TestRoundTrip:
    @given(EVENTS)
    def test_is_exact(self, event: Event) -> None:
        again = from_json(to_json(event))
        assert type(again) is type(event)
        assert again == event
        assert to_json(again) == to_json(event)
        assert from_json(to_json(event).encode()) == event

    @pytest.mark.parametrize(
        ("wire", "written"),
        [("0.110", "0.110"), (".48", "0.48"), ("100", "100"), ("0", "0"), ("0.00", "0.00")],
    )
    def test_keeps_the_digits(self, wire: str, written: str) -> None:
        event = best(best_bid=wire)
        assert to_dict(event)["best_bid"] == written
        assert to_dict(from_json(to_json(event)))["best_bid"] == written

    @given(st.data())
    def test_takes_any_spelling_of_the_wire(self, data: st.DataObject) -> None:
        event = data.draw(DATA_EVENTS | USER_EVENTS)
        assert from_json(data.draw(wire_texts(event))) == event

    def test_does_not_depend_on_the_decimal_context_of_the_thread(self) -> None:
        event = best(best_bid="0.123456789012345", timestamp="1766790415.123")
        with decimal.localcontext() as context:
            context.prec = 3
            context.traps[decimal.InvalidOperation] = False
            assert from_json(to_json(event)) == event
            assert to_dict(event)["best_bid"] == "0.123456789012345"
            assert best(timestamp="1766790415.123").timestamp == 1766790415123
            assert "best_bid: " in refused(BestBidAsk, {**BEST, "best_bid": "x"})

    def test_covers_every_exported_event(self) -> None:
        named = set(conversion._classes().values())
        for name in events.__all__:
            cls = getattr(events, name)
            abstract = cls in (Event, Lifecycle, events.MarketEvent, events.UserEvent)
            assert (cls in named) == (issubclass(cls, Event) and not abstract)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[]", "an event is a JSON object, not a list"),
            ("{}", "event_type: no event of this version is called null"),
            ('{"event_type":"paused"}', "event_type: no event of this version is called 'paused'"),
            ('{"event_type":[]}', "event_type: "),
            ('{"event_type":"book"}', "market is missing"),
            (b"\xff", "not UTF-8 text"),
            ("[" * 100_000, "nested too deeply"),
            ('{"event_type":"dropped","count":"x"}', "count: a decimal is wanted, not 'x'"),
        ],
        ids=range(10),
    )
    def test_says_what_is_no_event(self, text: str | bytes, error: str) -> None:
        with pytest.raises(UsageError) as caught:
            from_json(text)
        assert str(caught.value).startswith(error)


class TestStructure:
    def test_that_nobody_knows_are_ignored(self) -> None:
        event = best(received_at=9.5, epoch=8, level=2)
        assert (event.received_at, event.epoch) == (0.0, 0)

    def test_that_are_missing_are_named(self) -> None:
        assert refused(BestBidAsk, {"market": "0x1"}) == "asset_id is missing"
        wire = {**BEST, "asks": [], "bids": [{"price": "1", "size": "2"}, {"price": "1"}]}
        assert refused(Book, wire) == "bids[1].size is missing"

    def test_of_another_type_of_event_are_refused(self) -> None:
        error = refused(BestBidAsk, {**BEST, "event_type": "book"})
        assert error == "event_type is 'book', not 'best_bid_ask'"

    @pytest.mark.parametrize(
        "value",
        ["x" * 10**6, "a\nb" * 1000, 10**5000, [["x" * 1000]], {"k" * 1000: 1}],
        ids=range(5),
    )
    def test_that_are_refused_are_shown_in_one_short_line(self, value: object) -> None:
        for field in ("timestamp", "spread"):
            error = refused(BestBidAsk, {**BEST, field: value})
            assert len(error) <= 200
            assert "\n" not in error
            assert error.startswith(f"{field}: ")


class TestLifecycle:
    def test_epoch_of_connected_is_data(self) -> None:
        event = Connected(epoch=5, gap_seconds=0.1)
        assert from_json(to_json(event)).epoch == 5

    def test_floats_are_exact(self) -> None:
        event = Disconnected(code=1006, last_message_at=1791124740.562849)
        assert from_json(to_json(event)) == event


class TestTheConverter:
    def test_is_not_the_global_one(self) -> None:
        assert conversion._converter() is not cattrs.global_converter
        assert conversion._converter() is conversion._converter()
        with pytest.raises(cattrs.BaseValidationError):
            cattrs.structure({**BEST, "spread": ""}, BestBidAsk)

    def test_is_not_imported_before_it_is_needed(self) -> None:
        program = (
            "import sys\n"
            "from polymarket_ws.protocol.decoding import Decoder\n"
            "from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY\n"
            'raw = b\'{"market":"0x1","asset_id":"7","event_type":"best_bid_ask"}\'\n'
            "(event,) = Decoder(MARKET_VOCABULARY, connection=1).decode(raw, 0.0, 0)\n"
            "assert 'cattrs' not in sys.modules\n"
            "event.to_json()\n"
            "assert 'cattrs' in sys.modules\n"
        )
        root = Path(__file__).resolve().parents[1]
        subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=scaled(60))

    def test_may_be_used_first_by_many_threads_at_once(self) -> None:
        event = TickSizeChange(market="0x1", asset_id="7", new_tick_size=PRICE)
        for _ in range(20):
            conversion._converter.cache_clear()
            start = threading.Barrier(4)
            results: list[object] = []

            def work(start: threading.Barrier = start, results: list[object] = results) -> None:
                start.wait(scaled(10))
                results.append(from_json(to_json(event)))

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(scaled(10))
            assert results == [event] * 4
