from __future__ import annotations

import decimal
import json
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    Dropped,
    Event,
    EventMessage,
    LastTradePrice,
    Level,
    LevelChange,
    Lifecycle,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
    UnknownEvent,
)
from polymarket_ws.spelling import parse_json
from tests.strategies import DATA_EVENTS, LIFECYCLE_EVENTS, wire_texts

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

    @given(DATA_EVENTS | LIFECYCLE_EVENTS)
    def test_is_compact_json_with_event_type_first(self, event: Event) -> None:
        text = to_json(event)
        assert text == event.to_json()
        assert "\n" not in text
        parsed = json.loads(text)
        assert parsed == to_dict(event)
        assert next(iter(parsed)) == "event_type"
        assert None not in (value for key, value in parsed.items() if key != "fee_schedule")

    @given(DATA_EVENTS | LIFECYCLE_EVENTS)
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
    @given(DATA_EVENTS | LIFECYCLE_EVENTS)
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
        event = data.draw(DATA_EVENTS)
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


class TestValues:
    @pytest.mark.parametrize("value", ["", " ", None, "null"])
    def test_of_none_are_none_where_a_field_is_optional(self, value: object) -> None:
        event = best(best_bid=value, best_ask=value, spread=value, timestamp=value)
        assert event == BestBidAsk(market="0x1", asset_id="7")
        market = new(line=value, game_start_time=value, active=value, fee_schedule=value)
        assert market == NewMarket(market="0x1")

    def test_of_text_stay_as_they_are_when_empty(self) -> None:
        event = new(market="", slug="", winning="x")
        assert (event.market, event.slug) == ("", "")

    @pytest.mark.parametrize(
        "number",
        ["7", "79358475953126059185096320578578995575874288599466094920037110232928386404141"],
    )
    def test_that_are_numbers_for_text_lose_no_digit(self, number: str) -> None:
        wire = parse_json('{"market":"0x1","asset_id":' + number + "}")
        assert structure(BestBidAsk, wire).asset_id == number  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "digits", ["0.110", "0.1234567890123456789012345678901", "-0.5", "3", "1E+2"]
    )
    def test_that_are_numbers_for_decimals_lose_no_digit(self, digits: str) -> None:
        wire = parse_json('{"market":"0x1","asset_id":"7","best_bid":' + digits + "}")
        bid = structure(BestBidAsk, wire).best_bid  # type: ignore[arg-type]
        assert bid is not None
        assert bid.as_tuple() == Decimal(digits).as_tuple()

    def test_that_are_floats_have_their_shortest_digits(self) -> None:
        assert best(best_bid=0.1, asset_id=0.25) == best(best_bid="0.1", asset_id="0.25")

    @pytest.mark.parametrize(
        "value", ["NaN", "sNaN", "Infinity", "-inf", float("nan"), float("inf"), "1e100", "0e-100"]
    )
    def test_that_are_no_finite_sane_decimal_are_refused_by_name(self, value: object) -> None:
        assert refused(BestBidAsk, {**BEST, "spread": value}).startswith("spread: ")

    @pytest.mark.parametrize("value", [True, [], {}, "x", "0x1"])
    def test_that_are_no_decimal_at_all_are_refused_by_name(self, value: object) -> None:
        assert refused(BestBidAsk, {**BEST, "spread": value}).startswith("spread: a decimal")

    @pytest.mark.parametrize("value", [True, None, [], {}, "\ud800"])
    def test_that_are_no_text_are_refused_by_name(self, value: object) -> None:
        assert refused(BestBidAsk, {**BEST, "market": value}).startswith("market: ")

    @pytest.mark.parametrize(
        ("value", "meaning"),
        [
            (True, True), (False, False), ("true", True), ("false", False), ("False", False),
            ("TRUE", True), (1, True), (0, False), ("1", True), ("0", False),
        ],
    )  # fmt: skip
    def test_of_truth_are_strict(self, value: object, meaning: bool) -> None:
        assert new(active=value).active is meaning

    @pytest.mark.parametrize("value", ["yes", "no", 2, -1, 1.0, [], {}, Decimal(1)])
    def test_of_truth_that_are_not_known_are_refused(self, value: object) -> None:
        error = refused(NewMarket, {"market": "", "active": value})
        assert error.startswith("active: true or false is wanted")

    @pytest.mark.parametrize("value", ["x", "nan", True, [], "1e999", 10**400, Decimal("Infinity")])
    def test_that_are_no_finite_number_are_refused(self, value: object) -> None:
        error = refused(Connected, {"epoch": 1, "gap_seconds": value})
        assert error.startswith("gap_seconds: a finite number is wanted")

    def test_that_are_no_whole_number_are_refused(self) -> None:
        assert refused(Dropped, {"count": 1.5}).startswith("count: a whole number is wanted")
        assert structure(Dropped, {"count": "3.0"}).count == 3

    def test_of_sides_pass_through_as_spelled(self) -> None:
        wire = {**BEST, "price": 1, "size": 2, "side": "buy"}
        assert structure(LastTradePrice, wire).side == "buy"

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


class TestTimes:
    @pytest.mark.parametrize(
        ("value", "milliseconds"),
        [
            (1766790415550, 1766790415550),
            ("1766790415550", 1766790415550),
            (1766790415550.0, 1766790415550),
            (1766790415, 1766790415000),
            ("1766790415", 1766790415000),
            (1766790415.5, 1766790415500),
            ("1766790415.550", 1766790415550),
            (Decimal("1766790415.55"), 1766790415550),
            (10**11, 10**11),
            (10**11 - 1, (10**11 - 1) * 1000),
        ],
    )
    def test_of_events_are_milliseconds(self, value: object, milliseconds: int) -> None:
        assert best(timestamp=value).timestamp == milliseconds

    @pytest.mark.parametrize("value", ["x", True, 10**30, "1e29.5", [], {}])
    def test_of_events_that_are_none_are_refused(self, value: object) -> None:
        assert refused(BestBidAsk, {**BEST, "timestamp": value}).startswith("timestamp: ")

    @pytest.mark.parametrize(
        "value",
        [
            "2026-08-23 19:00:00+00",
            "2026-08-23T19:00:00Z",
            "2026-08-23T19:00:00.000z",
            "2026-08-23T19:00:00",
            "2026-08-23 19:00",
            "2026-08-23T21:30:00+02:30",
            "2026-08-23T14:00:00-0500",
            "1787511600000",
            1787511600000,
            "1787511600",
            1787511600.0,
            datetime(2026, 8, 23, 19, tzinfo=timezone.utc),
        ],
    )
    def test_of_games_have_many_spellings(self, value: object) -> None:
        start = new(game_start_time=value).game_start_time
        assert start == datetime(2026, 8, 23, 19, tzinfo=timezone.utc)
        assert start.utcoffset() == timedelta(0)

    def test_of_games_may_be_a_day_or_have_a_fraction(self) -> None:
        day = datetime(2026, 8, 23, tzinfo=timezone.utc)
        assert new(game_start_time="2026-08-23").game_start_time == day
        assert new(
            game_start_time="2026-08-23T00:00:00.1234567Z"
        ).game_start_time == day + timedelta(microseconds=123456)

    @pytest.mark.parametrize(
        "value",
        [
            "soon",
            "2026-13-01",
            "2026-08-23T25:00:00Z",
            "0001-01-01T00:00:00+10:00",
            True,
            [],
            10**25,
        ],
    )
    def test_of_games_that_are_none_are_refused(self, value: object) -> None:
        error = refused(NewMarket, {"market": "", "game_start_time": value})
        assert error.startswith("game_start_time: an ISO 8601 time")


class TestLists:
    @pytest.mark.parametrize("value", [["a", "b"], ("a", "b"), '["a", "b"]', ' ["a","b"]'])
    def test_may_be_json_in_a_string(self, value: object) -> None:
        assert new(outcomes=value).outcomes == ("a", "b")

    @pytest.mark.parametrize("value", [None, "", "null", "[]", []])
    def test_may_be_nothing(self, value: object) -> None:
        assert new(tags=value).tags == ()
        assert structure(PriceChange, {"market": "0x1", "price_changes": value}).price_changes == ()

    def test_of_numbers_in_a_string_lose_no_digit(self) -> None:
        digits = "7" * 77
        assert new(assets_ids=f"[{digits}]").assets_ids == (digits,)

    @pytest.mark.parametrize("value", ["x", "[", 5, True, {}, "{}", [None]])
    def test_that_are_none_are_refused_by_name(self, value: object) -> None:
        assert refused(NewMarket, {"market": "", "tags": value}).startswith("tags")

    @pytest.mark.parametrize("name", ["assets_ids", "asset_ids", "token_ids"])
    @pytest.mark.parametrize("cls", [NewMarket, MarketResolved])
    def test_of_tokens_have_three_names(self, name: str, cls: Any) -> None:
        assert structure(cls, {"market": "0x1", name: ["1", "2"]}).assets_ids == ("1", "2")

    def test_of_tokens_are_taken_from_their_own_name_first(self) -> None:
        assert new(token_ids=["2"], assets_ids=["1"]).assets_ids == ("1",)


class TestObjects:
    @pytest.mark.parametrize("value", [{"id": 5, "x": 1}, '{"id":"5"}'])
    def test_of_the_event_message(self, value: object) -> None:
        assert new(event_message=value).event_message == EventMessage(id="5")

    @pytest.mark.parametrize("value", ["x", 5, [], "[]"])
    def test_that_are_none_are_refused_by_name(self, value: object) -> None:
        error = refused(NewMarket, {"market": "", "event_message": value})
        assert error.startswith("event_message: ")
        error = refused(NewMarket, {"market": "", "fee_schedule": value})
        assert error.startswith("fee_schedule: ")

    def test_of_fees_are_what_json_loads_gives(self) -> None:
        text = '{"rate":0.02,"exponent":1,"takerOnly":true,"x":[null,{"y":"z"}]}'
        for value in (parse_json(text), text):
            event = new(fee_schedule=value)
            assert event.fee_schedule == json.loads(text)
            assert to_dict(event)["fee_schedule"] == json.loads(text)

    def test_of_fees_keep_the_digits_that_a_float_cannot(self) -> None:
        digits = ("0.1234567890123456789012", "1e400", "9" * 40, "1e99999999999999999999")
        text = '{"market":"","event_type":"new_market","fee_schedule":{"a":[%s]}}'
        event = from_json(text % ",".join(digits))
        assert isinstance(event, NewMarket)
        assert event.fee_schedule is not None
        assert event.fee_schedule["a"] == [digits[0], "1E+400", digits[2], digits[3]]
        assert from_json(to_json(event)) == event


class TestOldLayouts:
    CHANGE = LevelChange(asset_id="7", price=PRICE, size=Decimal(3), side="SELL", hash="h")

    def test_of_price_changes_were_flat_in_2024(self) -> None:
        wire = {**BEST, "price": "0.5", "size": "3", "side": "SELL", "hash": "h"}
        assert structure(PriceChange, wire).price_changes == (self.CHANGE,)

    @pytest.mark.parametrize("encoded", [False, True])
    def test_of_price_changes_then_had_changes_of_one_token(self, encoded: bool) -> None:
        changes = [{"price": "0.5", "size": "3", "side": "SELL"}] * 2
        wire = {**BEST, "hash": "h", "changes": json.dumps(changes) if encoded else changes}
        assert structure(PriceChange, wire).price_changes == (self.CHANGE,) * 2

    def test_of_price_changes_do_not_lend_the_hash_to_todays(self) -> None:
        entry = {"asset_id": "8", "price": "0.5", "size": "3", "side": "SELL"}
        wire = {**BEST, "hash": "h", "price_changes": [entry]}
        (change,) = structure(PriceChange, wire).price_changes
        assert change == attrs.evolve(self.CHANGE, asset_id="8", hash=None)

    def test_of_price_changes_that_miss_a_field_name_it(self) -> None:
        wire: dict[str, object] = {"market": "0x1", "price": "0.5", "size": "3", "side": "SELL"}
        assert refused(PriceChange, wire) == "price_changes[0].asset_id is missing"
        assert refused(PriceChange, {"market": "0x1"}) == "price_changes is missing"
        wire = {"market": "0x1", "changes": [5]}
        assert refused(PriceChange, wire) == "price_changes[0]: an object is wanted, not 5"

    def test_of_books_had_buys_and_sells(self) -> None:
        levels = [{"price": "0.5", "size": 3}]
        book = structure(Book, {**BEST, "buys": levels, "sells": json.dumps(levels)})
        assert book.bids == book.asks == (Level(PRICE, Decimal(3)),)

    def test_of_books_without_a_side_name_it(self) -> None:
        assert refused(Book, {**BEST, "bids": []}) == "asks is missing"


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
        subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=60)

    def test_may_be_used_first_by_many_threads_at_once(self) -> None:
        event = TickSizeChange(market="0x1", asset_id="7", new_tick_size=PRICE)
        for _ in range(20):
            conversion._converter.cache_clear()
            start = threading.Barrier(4)
            results: list[object] = []

            def work(start: threading.Barrier = start, results: list[object] = results) -> None:
                start.wait(10)
                results.append(from_json(to_json(event)))

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            assert results == [event] * 4
