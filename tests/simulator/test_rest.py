from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from polymarket_ws.simulator.rest import TOO_MANY, answer
from polymarket_ws.simulator.venue import Listing, SimulatedVenue

NOW = 1_791_128_503_230


@pytest.fixture
def venue() -> SimulatedVenue:
    return SimulatedVenue(seed=1, markets=3, now_ms=NOW)


def ok(target: str, venue: SimulatedVenue) -> Any:
    response = answer(target, venue)
    assert response.status == 200
    return json.loads(response.body)


def slugs(markets: list[dict[str, Any]]) -> list[str]:
    return [market["slug"] for market in markets]


def test_markets_are_found_by_slug(venue: SimulatedVenue) -> None:
    info = venue.infos[1]
    [market] = ok(f"/markets?slug={info.slug}", venue)
    assert market["conditionId"] == info.condition_id
    assert market["question"] == info.question


def test_the_lists_of_a_market_are_json_inside_of_strings(venue: SimulatedVenue) -> None:
    market = ok("/markets", venue)[0]
    assert json.loads(market["clobTokenIds"]) == list(venue.infos[0].asset_ids)
    assert json.loads(market["outcomes"]) == ["Yes", "No"]
    prices = [Decimal(price) for price in json.loads(market["outcomePrices"])]
    assert sum(prices) == 1


def test_the_fields_of_a_market_have_the_types_of_the_captures(
    venue: SimulatedVenue, wire: Path
) -> None:
    captured = json.loads((wire / "samples/rest/gamma_market__1.json").read_text("utf-8"))
    market = ok("/markets", venue)[0]
    assert market.keys() <= captured.keys()
    for name in market:
        kinds = (int, float) if isinstance(captured[name], (int, float)) else type(captured[name])
        assert isinstance(market[name], kinds), name
        assert isinstance(market[name], bool) is isinstance(captured[name], bool), name


def test_a_repeated_key_asks_for_several_markets(venue: SimulatedVenue) -> None:
    first, _, third = venue.infos
    query = f"condition_ids={first.condition_id}&condition_ids={third.condition_id}"
    assert slugs(ok(f"/markets?{query}", venue)) == [first.slug, third.slug]


def test_markets_are_found_by_any_of_their_tokens(venue: SimulatedVenue) -> None:
    info = venue.infos[2]
    assert slugs(ok(f"/markets?clob_token_ids={info.asset_ids[1]}", venue)) == [info.slug]


@pytest.mark.parametrize("query", ["slug=no", "condition_ids=0x1,0x2", "clob_token_ids=1"])
def test_what_is_not_there_is_an_empty_list(venue: SimulatedVenue, query: str) -> None:
    assert ok(f"/markets?{query}", venue) == []
    assert ok(f"/events?{query}", venue) == []


def test_one_market_is_found_under_its_slug(venue: SimulatedVenue) -> None:
    slug = venue.infos[0].slug
    assert ok(f"/markets/slug/{slug}", venue)["slug"] == slug
    assert answer("/markets/slug/no", venue).status == 404


def test_an_event_holds_its_market(venue: SimulatedVenue) -> None:
    info = venue.infos[0]
    [event] = ok(f"/events?slug={info.slug}", venue)
    assert event["title"] == info.question
    assert slugs(event["markets"]) == [info.slug]
    assert ok(f"/events/slug/{info.slug}", venue) == event


def test_closed_markets_are_shown_on_request_only(venue: SimulatedVenue) -> None:
    class Settled:
        def listings(self) -> list[Listing]:
            return [Listing(info=attrs.evolve(venue.infos[0], closed=True))]

        def rest_book(self, asset_id: str) -> str | None:
            return None

    assert json.loads(answer("/markets", Settled()).body) == []
    assert len(json.loads(answer("/markets?closed=true", Settled()).body)) == 1


def test_a_book_is_that_of_the_stream(venue: SimulatedVenue) -> None:
    asset_id = venue.infos[0].asset_ids[1]
    [opening] = json.loads(venue.dump([asset_id]))
    book = ok(f"/book?token_id={asset_id}", venue)
    del opening["event_type"]
    assert opening.items() <= book.items()
    assert (book["min_order_size"], book["neg_risk"]) == ("5", False)


def test_a_book_of_an_unknown_token_is_answered_as_live(venue: SimulatedVenue, wire: Path) -> None:
    response = answer("/book?token_id=1", venue)
    assert response.status == 404
    captured = (wire / "samples/rest/clob_book_error_404__1.json").read_text("utf-8")
    assert response.body == captured.strip()


def test_a_book_of_no_token_is_a_bad_request(venue: SimulatedVenue) -> None:
    assert answer("/book", venue).status == 400


@pytest.mark.parametrize("target", ["/", "/nothing", "/markets/1", "//", "/book/x?token_id=1"])
def test_other_paths_are_not_found(venue: SimulatedVenue, target: str) -> None:
    response = answer(target, venue)
    assert response.status == 404
    assert "error" in json.loads(response.body)


def test_an_event_of_several_markets_lists_them_all() -> None:
    venue = SimulatedVenue(seed=1, markets=8, now_ms=NOW)
    group = venue.infos[4:]
    [market] = ok(f"/markets?slug={group[0].slug}", venue)
    assert market["negRisk"] is True
    assert market["groupItemTitle"]
    slug = market["events"][0]["slug"]
    [event] = ok(f"/events?slug={slug}", venue)
    assert event["negRisk"] is True
    assert slugs(event["markets"]) == [info.slug for info in group]
    assert ok(f"/events/slug/{slug}", venue) == event
    assert len(ok("/events", venue)) == 5
    middles = [Decimal(json.loads(row["outcomePrices"])[0]) for row in event["markets"]]
    assert Decimal("0.9") < sum(middles) < Decimal("1.1")


def test_a_settled_market_is_closed_and_has_its_final_prices(venue: SimulatedVenue) -> None:
    slug = venue.infos[1].slug
    venue.markets[1].resolve(1, NOW)
    assert ok(f"/markets?slug={slug}", venue) == []
    [market] = ok(f"/markets?slug={slug}&closed=true", venue)
    assert (market["closed"], market["acceptingOrders"]) == (True, False)
    assert json.loads(market["outcomePrices"]) == ["0", "1"]
    assert answer(f"/book?token_id={venue.infos[1].asset_ids[0]}", venue).status == 404
    [event] = ok(f"/events?slug={slug}&closed=true", venue)
    assert event["closed"] is True


def test_who_comes_too_fast_is_told_when_to_come_again() -> None:
    assert TOO_MANY.status == 429
    assert int(TOO_MANY.headers["Retry-After"]) >= 1
