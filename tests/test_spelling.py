from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polymarket_ws import spelling
from polymarket_ws.conversion import from_json, structure, to_dict, to_json
from polymarket_ws.errors import UsageError
from polymarket_ws.events import (
    BestBidAsk,
    Book,
    Connected,
    Dropped,
    Event,
    EventMessage,
    LastTradePrice,
    Level,
    LevelChange,
    MarketResolved,
    NewMarket,
    Order,
    PriceChange,
    Trade,
)
from polymarket_ws.spelling import json_value, parse_json, shown, time_digits

BEST: dict[str, object] = {"market": "0x1", "asset_id": "7"}
PRICE = Decimal("0.5")
ORDER: dict[str, object] = {
    **BEST, "id": "0xa", "side": "BUY", "price": "0.5", "original_size": "5",
}  # fmt: skip
TRADE: dict[str, object] = {
    **BEST, "id": "t", "side": "BUY", "price": "0.5", "size": "5", "status": "MINED",
}  # fmt: skip


def best(**fields: object) -> BestBidAsk:
    return structure(BestBidAsk, {**BEST, **fields})


def new(**fields: object) -> NewMarket:
    return structure(NewMarket, {"market": "0x1", **fields})


def order(**fields: object) -> Order:
    return structure(Order, {**ORDER, **fields})


def trade(**fields: object) -> Trade:
    return structure(Trade, {**TRADE, **fields})


def refused(cls: type[Event], wire: dict[str, object]) -> str:
    with pytest.raises(UsageError) as caught:
        structure(cls, wire)
    return str(caught.value)


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
        assert start is not None
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


class TestUserEvents:
    @pytest.mark.parametrize(
        "value", ["0", 0, "", None, "null", "0.0", " 0 ", "-0", 0.0, Decimal("0E+3"), "0.0001"]
    )
    def test_without_an_end_have_no_expiration(self, value: object) -> None:
        event = order(expiration=value)
        assert event.expiration is None
        assert from_json(event.to_json()) == event

    @pytest.mark.parametrize("value", ["soon", "NaN", [0], True])
    def test_with_an_end_that_is_no_time_name_it(self, value: object) -> None:
        assert refused(Order, {**ORDER, "expiration": value}).startswith("expiration: ")

    @pytest.mark.parametrize(
        ("value", "milliseconds"),
        [
            ("1735689600", 1735689600000),
            (1735689600, 1735689600000),
            ("1774377384000", 1774377384000),
            ("1234567", 1234567000),
        ],
    )
    def test_have_times_in_seconds_or_milliseconds(self, value: object, milliseconds: int) -> None:
        event = order(expiration=value, created_at=value, timestamp=value)
        assert (event.expiration, event.created_at, event.timestamp) == (milliseconds,) * 3
        told = trade(match_time=value, last_update=value, timestamp=value)
        assert (told.match_time, told.last_update, told.timestamp) == (milliseconds,) * 3
        assert from_json(event.to_json()) == event
        assert from_json(told.to_json()) == told

    @pytest.mark.parametrize("wire", [{"matchtime": "1672290701"}, {"match_time": 1672290701}])
    def test_have_two_names_for_the_time_of_a_match(self, wire: dict[str, object]) -> None:
        assert trade(**wire).match_time == 1672290701000

    def test_take_the_time_of_a_match_from_its_own_name_first(self) -> None:
        assert trade(matchtime="1", match_time="1672290701").match_time == 1672290701000
        assert trade(matchtime="1672290701", match_time="").match_time == 1672290701000

    def test_have_empty_numbers_and_lists(self) -> None:
        event = order(size_matched="", created_at="", timestamp="", associate_trades=None)
        assert event == order()
        assert (event.size_matched, event.associate_trades) == (None, ())
        assert trade(fee_rate_bps="", bucket_index="", maker_orders=None) == trade()

    def test_keep_free_text_as_it_is(self) -> None:
        words = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
        assert order(status=words, outcome="").to_dict()["status"] == words
        assert order(outcome="").outcome == ""

    def test_name_the_maker_order_that_cannot_be_read(self) -> None:
        maker = {"order_id": "1", "matched_amount": "5", "price": "x", "asset_id": "7"}
        error = refused(Trade, {**TRADE, "maker_orders": [{**maker, "price": "1"}, maker]})
        assert error == "maker_orders[1].price: a decimal is wanted, not 'x'"


class TestFunctions:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (None, "null"),
            (True, "true"),
            ("x" * 100, repr("x" * 59 + "…")),
            (5, "5"),
            (Decimal("0.1"), "0.1"),
            (10**5000, "a very long number"),
            ({}, "an object"),
            ([], "a list"),
        ],
        ids=range(8),
    )
    def test_show_a_value_in_few_words(self, value: object, words: str) -> None:
        assert shown(value) == words

    @pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "", "{", "{'a':1}"])
    def test_refuse_what_is_no_json(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)

    def test_keep_numbers_beyond_any_reason_as_text(self) -> None:
        long = "9" * 5000
        assert parse_json(f"[1.50,{long},1e{long}]") == [Decimal("1.50"), long, f"1e{long}"]

    @given(st.integers(-(10**15), 10**15) | st.integers(-(10**4), 10**4))
    @example(500)
    @example(-1500)
    def test_write_times_that_read_as_the_same(self, milliseconds: int) -> None:
        assert spelling.as_milliseconds(time_digits(milliseconds)) == milliseconds

    def test_take_free_form_json_as_deep_as_a_deep_stack_can_write_it(self) -> None:
        deep: object = {}
        for _ in range(63):
            deep = {"a": deep}
        event = new(fee_schedule=deep)
        assert event.fee_schedule == deep

        def written(frames: int) -> str:
            return event.to_json() if not frames else written(frames - 1)

        assert from_json(written(sys.getrecursionlimit() - 400)) == event
        error = refused(NewMarket, {"market": "0x1", "fee_schedule": {"a": [deep]}})
        assert error == "fee_schedule: nested too deeply"

    def test_make_no_json_of_what_is_none(self) -> None:
        with pytest.raises(ValueError, match="a JSON value is wanted, not a set"):
            json_value({1})

    def test_take_a_time_without_a_zone_for_utc(self) -> None:
        naive = datetime(2026, 1, 1)  # noqa: DTZ001 that is what this is about
        assert spelling.in_utc(naive) == datetime(2026, 1, 1, tzinfo=timezone.utc)

    def test_export_every_name_that_is_listed(self) -> None:
        assert all(hasattr(spelling, name) for name in spelling.__all__)
