from __future__ import annotations

import json
from collections import Counter

import pytest

from polymarket_ws.book import OrderBook
from polymarket_ws.errors import UsageError
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.simulator.catalogue import Topic
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

NOW = 1_791_128_503_230


def played(seed: int, steps: int = 300) -> list[str]:
    venue = SimulatedVenue(seed, markets=3, now_ms=NOW)
    texts = [venue.dump(a for info in venue.infos for a in info.asset_ids)]
    for step in range(steps):
        texts += [message.text for message in venue.step(NOW + step)]
    return texts


def test_the_same_seed_gives_the_same_texts() -> None:
    assert played(42) == played(42)


def test_another_seed_gives_other_texts() -> None:
    assert played(42) != played(43)


def test_a_market_does_not_depend_on_how_many_there_are() -> None:
    few, many = SimulatedVenue(1, 1, NOW), SimulatedVenue(1, 20, NOW)
    assert few.infos[0] == many.infos[0]


def test_ids_and_slugs_are_unique_and_of_the_live_form() -> None:
    infos = SimulatedVenue(1, 50, NOW).infos
    asset_ids = [asset_id for info in infos for asset_id in info.asset_ids]
    assert len(set(asset_ids)) == 100
    assert all(a.isdigit() and 75 <= len(a) <= 78 for a in asset_ids)
    assert len({info.slug for info in infos}) == 50
    assert all(len(i.condition_id) == 66 and int(i.condition_id, 16) for i in infos)


def test_a_dump_leaves_unknown_tokens_out_and_ends_with_a_newline() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    known = venue.infos[0].asset_ids
    text = venue.dump(["123", *known])
    assert text.endswith("]\n")
    assert {book["asset_id"] for book in json.loads(text)} == set(known)


def test_a_dump_of_nothing_known_is_an_empty_array() -> None:
    assert SimulatedVenue(1, 1, NOW).dump(["123"]) == "[]\n"


def test_the_order_of_a_dump_is_arbitrary() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    orders = {
        tuple(book["asset_id"] for book in json.loads(venue.dump(venue.infos[0].asset_ids)))
        for _ in range(30)
    }
    assert len(orders) == 2


def test_a_listing_has_the_prices_of_the_moment() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    [listing] = venue.listings()
    asset_id = venue.infos[0].asset_ids[0]
    book = json.loads(venue.rest_book(asset_id) or "")
    assert listing.best_bid == book["bids"][-1]["price"]
    assert listing.best_ask == book["asks"][-1]["price"]
    assert listing.last_trade_price == book["last_trade_price"]


def test_an_unknown_token_has_neither_book_nor_market() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    assert venue.rest_book("123") is None
    assert venue.market_of("123") is None


def event_types(messages: list[Message]) -> list[str]:
    return [json.loads(message.text)["event_type"] for message in messages]


def test_a_group_excludes_each_other_and_sums_to_about_one() -> None:
    venue = SimulatedVenue(1, 8, NOW)
    group = venue.markets[4:]
    assert [market.info.neg_risk for market in venue.markets] == [False] * 4 + [True] * 4
    sums = []
    for step in range(20_000):
        venue.step(NOW + step * 5)
        sums.append(sum(sum(market.ledger.top(0)) / 2000 for market in group))
    assert all(0.85 < total < 1.15 for total in sums)
    assert 0.97 < sum(sums) / len(sums) < 1.03


def test_the_hash_of_a_negative_risk_market_has_it() -> None:
    venue = SimulatedVenue(1, 8, NOW)
    info = venue.infos[5]
    book = json.loads(venue.rest_book(info.asset_ids[0]) or "")
    assert book["neg_risk"] is True
    own = OrderBook.of(info, info.asset_ids[0])
    decoder = Decoder(MarketDialect.vocabulary, connection=1)
    for event in decoder.decode(venue.dump(info.asset_ids[:1]).encode(), 0.0, 1):
        own.apply(event)
    assert own.hash() == book["hash"]


def test_some_markets_are_busy_while_others_sleep() -> None:
    venue = SimulatedVenue(1, 12, NOW)
    busy: set[str] = set()
    silent: set[str] = set()
    for second in range(120):
        heard: Counter[str] = Counter()
        for step in range(100):
            for message in venue.step(NOW + second * 1000 + step * 10):
                heard[message.market] += 1
        for info in venue.infos:
            if heard[info.condition_id] > 40:
                busy.add(info.condition_id)
            if heard[info.condition_id] <= 1:
                silent.add(info.condition_id)
    assert len(busy) > 4
    assert len(silent) > 4


def test_a_market_is_found_by_slug_condition_or_token() -> None:
    venue = SimulatedVenue(1, 3, NOW)
    market = venue.markets[2]
    info = market.info
    assert all(venue.find(w) is market for w in (info.slug, info.condition_id, *info.asset_ids))
    assert venue.find("no") is None


def test_a_settled_market_is_gone_from_dumps_books_and_moves() -> None:
    venue = SimulatedVenue(1, 2, NOW)
    gone, left = venue.markets
    gone.resolve(0, NOW)
    asset_ids = [*gone.info.asset_ids, *left.info.asset_ids]
    assert {book["asset_id"] for book in json.loads(venue.dump(asset_ids))} == set(
        left.info.asset_ids
    )
    assert venue.rest_book(gone.info.asset_ids[0]) is None
    assert venue.market_of(gone.info.asset_ids[0]) == gone.info.condition_id
    heard = {message.market for step in range(200) for message in venue.step(NOW + step)}
    assert heard == {left.info.condition_id}
    assert [listing.winner for listing in venue.listings()] == [0, None]


def test_nothing_moves_when_every_market_is_settled() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    venue.step(NOW)
    venue.markets[0].resolve(0, NOW)
    assert venue.step(NOW + 1) == []


def test_the_showcase_lists_refines_settles_and_resolves_in_every_period() -> None:
    venue = SimulatedVenue(1, 2, NOW, showcase=15.0)
    for period in range(4):
        seen: list[str] = []
        final = []
        for step in range(1500):
            messages = venue.step(NOW + period * 15_000 + step * 10)
            seen += event_types(messages)
            final += [message.market for message in messages if message.final]
        assert seen.count("new_market") == 3
        assert seen.count("tick_size_change") in (2, 4)
        assert seen.count("market_resolved") == 1
        assert final == [venue.markets[period + 1].info.condition_id]
    assert venue.markets[0].winner is None
    assert len(venue.markets) == 6


def test_a_market_with_the_question_of_another_is_refused() -> None:
    venue = SimulatedVenue(1, 1, NOW)
    with pytest.raises(UsageError, match="of its own"):
        venue.add(Topic.alone(venue.infos[0].question), NOW)
