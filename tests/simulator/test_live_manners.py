"""The live exchange's manners, each seen through a real WebSocket.

Those that a subscription brings about are in ``test_market_channel.py``, the way connections end
in ``test_connection.py``, ``test_client_session.py`` and ``test_background.py``.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from polymarket_ws import Client, Endpoints, Market
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.simulator.breaking import head, line
from tests.simulator.clients import (
    get,
    joined,
    subscribed,
    text,
    to_the_end,
    tokens,
    until_pong,
    value,
)

Messages = list[dict[str, Any]]


@pytest.fixture(scope="module")
def session() -> Messages:
    """What a subscriber with the custom features hears of a market that moves 4,000 times."""
    with Exchange(rate=None, markets=8, seed=3) as exchange:
        with subscribed(exchange, custom_feature_enabled=True) as client:
            messages: Messages = []
            for _ in range(40):
                exchange.step(100)
                for received in until_pong(client):
                    messages += objects(received)
            return messages


def objects(received: str) -> Messages:
    decoded = json.loads(received)
    return decoded if isinstance(decoded, list) else [decoded]


def of_market(session: Messages) -> Iterator[Messages]:
    markets: dict[str, Messages] = defaultdict(list)
    for message in session:
        markets[message["market"]].append(message)
    yield from markets.values()


def changes(session: Messages) -> Iterator[tuple[str, dict[str, str]]]:
    for message in session:
        for entry in message.get("price_changes", ()):
            yield message["timestamp"], entry


def test_the_order_of_a_dump_is_arbitrary() -> None:
    with Exchange(rate=None) as exchange:
        orders = set()
        for _ in range(20):
            with subscribed(exchange, exchange.markets[0].asset_ids) as client:
                orders.add(tuple(book["asset_id"] for book in value(client)))
    assert len(orders) == 2


def test_bids_ascend_and_asks_descend_in_every_book(session: Messages) -> None:
    books = [message for message in session if message["event_type"] == "book"]
    assert books
    for book in books:
        bids = [float(level["price"]) for level in book["bids"]]
        asks = [float(level["price"]) for level in book["asks"]]
        assert bids == sorted(bids)
        assert asks == sorted(asks, reverse=True)
        assert bids[-1] < asks[-1]


def test_a_book_has_one_layout_at_first_and_another_after_a_trade(session: Messages) -> None:
    layouts = Counter(tuple(m) for m in session if m["event_type"] == "book")
    opening = "market asset_id timestamp hash bids asks tick_size event_type last_trade_price"
    after = "market asset_id bids asks hash timestamp event_type"
    assert layouts.keys() == {tuple(opening.split()), tuple(after.split())}
    assert layouts[tuple(opening.split())] == 16


def test_the_event_type_is_never_the_first_key(session: Messages) -> None:
    assert all(next(iter(message)) != "event_type" for message in session)


def test_messages_of_one_burst_share_time_and_hash(session: Messages) -> None:
    hashes = defaultdict(set)
    for stamp, entry in changes(session):
        hashes[stamp, entry["asset_id"]].add(entry["hash"])
    assert all(len(of_burst) == 1 for of_burst in hashes.values())
    sizes = Counter((m["timestamp"], m["market"]) for m in session if "price_changes" in m)
    assert sum(size > 2 for size in sizes.values()) > 20


def test_a_trade_is_announced_before_or_after_its_changes(session: Messages) -> None:
    places: Counter[str] = Counter()
    for messages in of_market(session):
        for before, message, after in zip(messages, messages[1:], messages[2:], strict=False):
            if message["event_type"] == "last_trade_price":
                stamp = message["timestamp"]
                places["first"] += after["timestamp"] == stamp
                places["last"] += (before["event_type"], before["timestamp"]) == ("book", stamp)
    assert places["first"] > places["last"] > 10


def test_a_fill_sends_the_books_of_both_outcomes_with_the_hash_of_its_changes(
    session: Messages,
) -> None:
    for messages in of_market(session):
        latest = {}
        for message in messages[2:]:
            for entry in message.get("price_changes", ()):
                latest[entry["asset_id"]] = entry["hash"]
            if message["event_type"] == "book" and "tick_size" not in message:
                assert latest[message["asset_id"]] == message["hash"]


def test_changes_come_twice_now_and_then(session: Messages) -> None:
    kinds: Counter[str] = Counter()
    for messages in of_market(session):
        for first, second in pairwise(messages):
            if "price_changes" in first and first != second:
                turned = second | {"price_changes": second.get("price_changes", [])[::-1]}
                kinds["turned"] += turned == first
            elif "price_changes" in first:
                kinds["same"] += 1
    assert 0 < kinds["same"] < 100
    assert 0 < kinds["turned"] < 100


def test_a_best_bid_ask_leads_its_changes_and_is_sometimes_missing(session: Messages) -> None:
    missing = told = 0
    for messages in of_market(session):
        known: dict[str, tuple[str, str]] = {}
        announced: dict[str, tuple[str, str]] = {}
        for message in messages:
            if message["event_type"] == "best_bid_ask":
                announced[message["asset_id"]] = (message["best_bid"], message["best_ask"])
            for entry in message.get("price_changes", ()):
                top = (entry["best_bid"], entry["best_ask"])
                if known.get(entry["asset_id"]) not in (None, top):
                    told += announced.get(entry["asset_id"]) == top
                    missing += announced.get(entry["asset_id"]) != top
                known[entry["asset_id"]] = top
    assert told > missing > 5


@pytest.mark.parametrize("price", ["0.97", "0.03"])
def test_the_tick_changes_when_the_price_passes_96_or_4_cents(price: str) -> None:
    counts = set()
    for seed in range(8):
        with Exchange(rate=None, seed=seed) as exchange:
            market = exchange.market()
            with subscribed(exchange, market.info.asset_ids) as client:
                text(client)
                market.trade("Yes", "BUY", price, 10)
                told = [m for m in map(json.loads, until_pong(client)) if "new_tick_size" in m]
        assert {(m["old_tick_size"], m["new_tick_size"]) for m in told} == {("0.01", "0.001")}
        assert {m["asset_id"] for m in told} == set(market.info.asset_ids)
        counts.add(len(told))
    assert counts == {2, 4}


def test_the_showcase_shows_all_that_is_rare_and_clients_without_markets_are_closed() -> None:
    with Exchange(rate=None, seed=1, showcase=1.0) as exchange:
        first, leaving = exchange.markets
        with (
            subscribed(exchange, custom_feature_enabled=True) as watching,
            subscribed(exchange, leaving.asset_ids, custom_feature_enabled=True) as ending,
        ):
            # Both are there before anything happens.
            assert value(watching)
            assert value(ending)
            # The scenes of one period, in steps of 20 ms.
            exchange.step(45)
            texts, closed = to_the_end(ending)
            told = [message for received in texts for message in objects(received)]
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1000
            heard = [message for received in until_pong(watching) for message in objects(received)]
            assert {message["event_type"] for message in heard} == {
                "book",
                "price_change",
                "last_trade_price",
                "best_bid_ask",
                "tick_size_change",
                "new_market",
                "market_resolved",
            }
        last = [m for m in told if "price_changes" in m][-1]["price_changes"]
        assert {(e["size"], e["best_bid"], e["best_ask"]) for e in last} == {("0", "0", "1")}
        assert told[-1]["event_type"] == "market_resolved"
        [gamma] = json.loads(get(exchange, f"/markets?slug={leaving.slug}&closed=true")[2])
        assert gamma["closed"] is True
        # New markets are not those of the subscription, and repeated.
        new = [m for m in told if m["event_type"] == "new_market"]
        assert len(new) == 3
        assert not set(new[0]["assets_ids"]) & set(leaving.asset_ids)
        assert exchange.markets[0].condition_id == first.condition_id
        assert not exchange.markets[0].closed


def test_settled_tokens_are_left_out_of_a_dump_and_do_not_end_a_connection() -> None:
    with Exchange(rate=None) as exchange:
        gone = exchange.market(0)
        gone.resolve("Yes")
        with subscribed(exchange) as both, subscribed(exchange, gone.info.asset_ids) as none:
            assert len(value(both)) == 2
            assert text(none) == "[]\n"
            assert until_pong(none) == []


def test_more_connections_than_allowed_are_answered_429() -> None:
    with Exchange(rate=None, upgrades_per_second=3) as exchange:
        refused: list[tuple[bytes, bytes]] = []
        accepted = 0
        # Again, where they did not all come within the second that counts.
        while not refused:
            assert accepted < 100
            with contextlib.ExitStack() as stack:
                # All asked for at once: one after the other might take that second.
                for client in [stack.enter_context(line(exchange.url)) for _ in range(4)]:
                    answer = head(client)
                    if answer.startswith(b"HTTP/1.1 101 "):
                        accepted += 1
                    else:
                        refused.append((answer, client.recv(4096)))
        assert accepted >= 3
        for answer, body in refused:
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert re.search(rb"\r\nRetry-After: [1-9]", answer)
            assert "error" in json.loads(body)
        # Look-ups are not connections.
        assert get(exchange, "/markets")[0] == 200


def test_our_client_waits_after_a_429_and_connects() -> None:
    with Exchange(rate=50, upgrades_per_second=1) as exchange, joined(exchange):
        with Client(endpoints=Endpoints.at(exchange.url)) as client:
            stream = client.subscribe(Market(*tokens(exchange)))
            assert stream.get(timeout=scaled(10)) is not None


def test_without_the_flag_nothing_custom_comes() -> None:
    with Exchange(rate=None, showcase=0.2, seed=1) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.step(100)
        heard = {json.loads(received)["event_type"] for received in until_pong(client)}
    assert heard == {"price_change", "last_trade_price", "book", "tick_size_change"}
