from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.book import OrderBook
from polymarket_ws.book_hash import (
    HashFacts,
    book_hash,
    fitting_facts,
    hashed_levels,
    padded_price,
    wire_text,
)
from polymarket_ws.errors import StaleBook, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Dropped
from polymarket_ws.events.market import Book, LastTradePrice, Level, LevelChange, PriceChange
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY

MARKET = "0xce610556ec78cfd7894f4169d91fe70e31c2fb49f927fffd7fe7d06530f88d56"
YES = "55404192439775628931124671719520886657525387168536821457706619003199189099864"
NO = "79358475953126059185096320578578995575874288599466094920037110232928386404141"


def d(text: str) -> Decimal:
    return Decimal(text)


def levels(*pairs: str) -> tuple[Level, ...]:
    """Levels from texts such as ``"0.48x30"``."""
    return tuple(Level(*map(Decimal, pair.split("x"))) for pair in pairs)


def book_event(
    *, bids: str = "0.47x10 0.48x30", asks: str = "0.53x20 0.52x25", **more: Any
) -> Book:
    fields: dict[str, Any] = {
        "market": MARKET,
        "asset_id": YES,
        "timestamp": 1000,
        "hash": "a" * 40,
        "tick_size": d("0.01"),
        "last_trade_price": d("0.500"),
    }
    return Book(bids=levels(*bids.split()), asks=levels(*asks.split()), **{**fields, **more})


def change(
    side: str,
    level: str,
    *,
    asset_id: str = YES,
    at: int | None = 1001,
    hash: str | None = "b" * 40,
) -> PriceChange:
    price, size = level.split("x")
    entry = LevelChange(asset_id=asset_id, price=d(price), size=d(size), side=side, hash=hash)
    return PriceChange(market=MARKET, timestamp=at, price_changes=(entry,))


def trade(price: str, *, asset_id: str = YES, market: str = MARKET) -> LastTradePrice:
    return LastTradePrice(
        market=market, asset_id=asset_id, price=d(price), size=d("5"), side="BUY", timestamp=1002
    )


def live_book(**more: Any) -> OrderBook:
    book = OrderBook(YES, neg_risk=True)
    assert book.apply(book_event(**more))
    return book


def reference_hash(book: dict[str, Any]) -> str:
    text = json.dumps(book, separators=(",", ":"))
    return hashlib.sha1(text.encode()).hexdigest()


# -- the text that is hashed -----------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.20", "0.20"), ("1E+2", "100"), ("1E-7", "0.0000001"), (".48", "0.48"), ("0", "0")],
)
def test_wire_text_has_plain_digits_and_keeps_trailing_zeros(number: str, text: str) -> None:
    assert wire_text(d(number)) == text


def test_wire_text_of_none_is_empty() -> None:
    assert wire_text(None) == ""


@pytest.mark.parametrize(
    ("price", "text"), [("0.11", "0.110"), ("1", "1.000"), ("0.1100", "0.1100")]
)
def test_padded_price_has_at_least_three_decimals(price: str, text: str) -> None:
    assert str(padded_price(d(price))) == text


def test_hashed_levels_without_a_timestamp_are_hashed_with_an_empty_one() -> None:
    assert '"timestamp":"",' in hashed_levels(MARKET, YES, None, (), ())


@pytest.mark.parametrize("fields", ["2024-11", "2024-12", "2026"])
def test_fitting_facts_inverts_book_hash(fields: Any) -> None:
    text = hashed_levels(MARKET, YES, 1000, levels("0.4x1"), levels("0.6x1"))
    facts = HashFacts(d("5"), d("0.01"), True, d("0.250"))
    wanted = book_hash(text, facts, fields)
    assert fitting_facts(wanted, text, facts, (), fields) == facts
    assert fitting_facts("0" * 40, text, facts, (), fields) is None


# -- the hash --------------------------------------------------------------------------


def wire_form(**more: Any) -> dict[str, Any]:
    return {
        "market": MARKET,
        "asset_id": YES,
        "timestamp": "1000",
        "hash": "",
        "bids": [{"price": "0.47", "size": "10"}, {"price": "0.48", "size": "30"}],
        "asks": [{"price": "0.53", "size": "20"}, {"price": "0.52", "size": "25"}],
        **more,
    }


FACTS = {"min_order_size": "5", "tick_size": "0.01", "neg_risk": True}


def test_hash_has_ten_keys_today() -> None:
    assert live_book().hash() == reference_hash(wire_form(**FACTS, last_trade_price="0.500"))


def test_hash_had_nine_keys_from_december_2024() -> None:
    assert live_book().hash("2024-12") == reference_hash(wire_form(**FACTS))


def test_hash_had_six_keys_before() -> None:
    assert live_book().hash("2024-11") == reference_hash(wire_form())


def test_hash_without_any_trade_has_an_empty_last_trade_price() -> None:
    book = live_book(last_trade_price=None)
    assert book.hash() == reference_hash(wire_form(**FACTS, last_trade_price=""))
    assert book.verify(book.hash())
    assert book.last_trade_price is None


def test_hash_has_plain_digits_for_numbers_with_an_exponent() -> None:
    book = live_book(bids="", asks="0.0000001x1E+2")
    levels_ = {"bids": [], "asks": [{"price": "0.0000001", "size": "100"}]}
    assert book.hash("2024-11") == reference_hash(wire_form(**levels_))


def test_hash_takes_the_last_trade_price_of_a_book_with_the_digits_it_came_with() -> None:
    book = live_book(last_trade_price=d("0.5"))
    assert book.hash() == reference_hash(wire_form(**FACTS, last_trade_price="0.5"))


@pytest.mark.parametrize(
    ("missing", "neg_risk", "tick_size"), [("tick_size", True, None), ("neg_risk", None, d("0.01"))]
)
def test_hash_names_the_fact_it_lacks(
    missing: str, neg_risk: bool | None, tick_size: Decimal | None
) -> None:
    book = OrderBook(YES, neg_risk=neg_risk)
    book.apply(book_event(tick_size=tick_size))
    with pytest.raises(UsageError, match=missing):
        book.hash()
    assert book.hash("2024-11") == reference_hash(wire_form())


def test_hash_refuses_an_unknown_set_of_fields() -> None:
    with pytest.raises(UsageError, match="2024-12"):
        live_book().hash("2023")  # type: ignore[arg-type]


def test_hash_of_a_stale_book_raises() -> None:
    book = live_book()
    book.apply(Dropped(count=1))
    with pytest.raises(StaleBook):
        book.hash()


@pytest.mark.parametrize("price", ["0.500", "0.203", "0.797", "0.000", "1.000", "0.441"])
def test_verify_finds_the_last_trade_price_and_remembers_it(price: str) -> None:
    book = live_book()
    book.apply(trade("0.203"))
    wanted = reference_hash(wire_form(**FACTS, last_trade_price=price))
    assert book.verify(wanted)
    assert str(book.last_trade_price) == price
    assert book.hash() == wanted


def test_verify_finds_a_price_of_four_decimals_that_was_announced() -> None:
    book = live_book()
    book.apply(trade("0.0005"))
    assert book.verify(reference_hash(wire_form(**FACTS, last_trade_price="0.9995")))


def test_verify_still_tries_the_announced_price_after_another_fitted() -> None:
    book = live_book()
    book.apply(trade("0.0005"))
    assert book.verify(reference_hash(wire_form(**FACTS, last_trade_price="0.100")))
    assert book.verify(reference_hash(wire_form(**FACTS, last_trade_price="0.0005")))


def test_verify_still_tries_the_price_that_fitted_after_another_was_announced() -> None:
    book = live_book()
    book.apply(trade("0.0005"))
    fitted = reference_hash(wire_form(**FACTS, last_trade_price="0.9995"))
    assert book.verify(fitted)
    book.apply(trade("0.6"))
    assert book.verify(fitted)


def test_verify_raises_the_version_only_when_it_learned_something() -> None:
    book = live_book()
    assert book.verify(book.hash())
    assert book.version == 1
    assert book.verify(reference_hash(wire_form(**FACTS, last_trade_price="0.100")))
    assert book.version == 2


def test_verify_finds_tick_size_and_neg_risk_where_they_are_not_known() -> None:
    book = OrderBook(YES)
    book.apply(book_event(tick_size=None))
    facts = {"min_order_size": "5", "tick_size": "0.0025", "neg_risk": True}
    assert book.verify(reference_hash(wire_form(**facts, last_trade_price="0.123")))
    assert (book.tick_size, book.neg_risk) == (d("0.0025"), True)


def test_verify_does_not_doubt_the_facts_it_was_given() -> None:
    book = OrderBook(YES, neg_risk=False)
    book.apply(book_event())
    assert not book.verify(reference_hash(wire_form(**FACTS, last_trade_price="0.500")))
    assert book.neg_risk is False


def test_verify_of_another_book_is_false_and_changes_nothing() -> None:
    book = live_book()
    before = book.snapshot()
    assert not book.verify("0" * 40)
    assert book.snapshot() == before


def test_verify_takes_the_last_hash_of_the_wire_by_itself() -> None:
    wanted = reference_hash(wire_form(**FACTS, last_trade_price="0.500"))
    assert live_book(hash=wanted).verify()
    assert not live_book(hash="c" * 40).verify()


def test_verify_needs_a_hash_from_somewhere() -> None:
    with pytest.raises(UsageError, match="carried no hash"):
        live_book(hash=None).verify()


def test_verify_works_on_a_stale_book_and_not_on_none() -> None:
    book = live_book()
    wanted = book.hash()
    book.apply(Dropped(count=1))
    assert book.verify(wanted)
    assert book.state == "stale"
    with pytest.raises(StaleBook):
        OrderBook(YES).verify(wanted)


def test_verify_fits_a_burst_at_its_last_message_only() -> None:
    # As measured: all messages of one burst carry the hash of the book after the last.
    end = live_book()
    end.apply(change("BUY", "0.49x1"))
    end.apply(change("SELL", "0.52x0"))
    book = live_book()
    book.apply(change("BUY", "0.49x1", hash=end.hash()))
    assert not book.verify()
    book.apply(change("SELL", "0.52x0", hash=end.hash()))
    assert book.verify()


# -- captures --------------------------------------------------------------------------


def decoded(raw: str | bytes) -> list[Event]:
    raw = raw.encode() if isinstance(raw, str) else raw
    return Decoder(MARKET_VOCABULARY, connection=1).decode(raw, 0.0, 1)


def recorded(wire: Path, name: str) -> Iterator[tuple[str, Event]]:
    """Connection and event of everything received in a recording."""
    with (wire / "recordings" / name).open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] in ("recv", "rest_book") and record["text"] != "PONG":
                for event in decoded(record["text"]):
                    yield record.get("conn", ""), event


def hashes_in(event: Event) -> list[tuple[str, str]]:
    """The tokens and hashes that an event names."""
    if isinstance(event, Book):
        return [(event.asset_id, str(event.hash))]
    if isinstance(event, PriceChange):
        return [(entry.asset_id, str(entry.hash)) for entry in event.price_changes]
    return []


def test_every_hash_of_the_no_replay_recording_is_reproduced_at_once(wire: Path) -> None:
    books: dict[tuple[str, str], OrderBook] = {}
    reproduced = 0
    for connection, event in recorded(
        wire, "clob_market__nslaughter__stream-no-replay--repro.jsonl"
    ):
        for asset_id, wire_hash in hashes_in(event):
            book = books.setdefault((connection, asset_id), OrderBook(asset_id, neg_risk=True))
            book.apply(event)
            assert book.hash() == wire_hash == book.to_book().hash
            reproduced += 1
    assert reproduced == 32


def test_the_best_prices_of_the_wire_are_those_of_the_book(wire: Path) -> None:
    books: dict[tuple[str, str], OrderBook] = {}
    compared = 0
    for connection, event in recorded(
        wire, "clob_market__nslaughter__stream-no-replay--repro.jsonl"
    ):
        for asset_id, _ in hashes_in(event):
            books.setdefault((connection, asset_id), OrderBook(asset_id)).apply(event)
        for entry in event.price_changes if isinstance(event, PriceChange) else ():
            book = books[connection, entry.asset_id]
            assert (book.best_bid, book.best_ask) == (entry.best_bid, entry.best_ask)
            compared += 1
    assert compared > 20


def test_two_connections_of_one_recording_end_in_the_same_book(wire: Path) -> None:
    books: dict[tuple[str, str], OrderBook] = {}
    for connection, event in recorded(
        wire, "clob_market__nslaughter__stream-no-replay--repro.jsonl"
    ):
        for asset_id, _ in hashes_in(event):
            books.setdefault((connection, asset_id), OrderBook(asset_id)).apply(event)
    assert books["reference", YES].to_book() == books["test-2", YES].to_book()
    assert books["reference", NO].to_book() == books["test-2", NO].to_book()


def test_a_fill_is_reproduced_with_the_complement_of_the_announced_price(wire: Path) -> None:
    events = [event for _, event in recorded(wire, "clob_market__nslaughter__vance-one-fill.jsonl")]
    market = next(event.market for event in events if isinstance(event, PriceChange))
    tokens = {asset_id for event in events for asset_id, _ in hashes_in(event)}
    books = {
        asset_id: OrderBook(asset_id, market=market, neg_risk=True, tick_size=d("0.001"))
        for asset_id in tokens
    }
    at_once = searched = 0
    for event in events:
        for book in books.values():
            book.apply(event)
        for asset_id, wire_hash in hashes_in(event):
            book = books[asset_id]
            if book.state == "syncing":  # The recording begins in the middle.
                continue
            at_once += book.hash() == wire_hash
            searched += book.hash() != wire_hash
            assert book.verify()
            assert book.last_trade_price == d("0.797")
    # Each token has a book of its own here, so the price is found once for each.
    assert (at_once, searched) == (2, 2)


def test_a_fill_is_reproduced_by_a_book_that_was_told_nothing(wire: Path) -> None:
    books: dict[str, OrderBook] = {}
    for _, event in recorded(wire, "clob_market__nslaughter__vance-one-fill.jsonl"):
        for asset_id, _ in hashes_in(event):
            book = books.setdefault(asset_id, OrderBook(asset_id))
            book.apply(event)
            if book.state == "live":
                assert book.verify()
    assert {(book.tick_size, book.neg_risk) for book in books.values()} == {(d("0.001"), True)}


def test_every_hash_of_the_mixed_dump_is_reproduced_at_once(wire: Path) -> None:
    books = decoded((wire / "samples/clob_market/initial_dump__3.json").read_bytes())
    assert len(books) == 2
    for event in books:
        assert isinstance(event, Book)
        book = OrderBook(event.asset_id, neg_risk=True)
        book.apply(event)
        assert book.hash() == event.hash


def test_every_hash_of_october_2025_is_reproduced_with_nine_keys(wire: Path) -> None:
    token = "94022367472047775158269173293876979533288470167463650966689320774843018181757"
    book = OrderBook(token, neg_risk=False, tick_size=d("0.01"))
    reproduced = 0
    for _, event in recorded(wire, "clob_market__polypy__messages_hash__2025-10.jsonl"):
        book.apply(event)
        for asset_id, wire_hash in hashes_in(event):
            if asset_id == token:
                assert book.hash("2024-12") == wire_hash
                assert book.verify(fields="2024-12")
                reproduced += 1
    assert reproduced == 5


@pytest.mark.parametrize("name", ["server_messages", "server_multiple_last_trade_price"])
def test_every_book_of_december_2024_is_reproduced_with_nine_keys(wire: Path, name: str) -> None:
    reproduced = 0
    for _, event in recorded(wire, f"clob_market__polypy__test_{name}__2024-12.jsonl"):
        if isinstance(event, Book):
            book = OrderBook(event.asset_id)
            book.apply(event)
            assert book.verify(fields="2024-12")
            assert book.hash("2024-12") == event.hash
            reproduced += 1
    assert reproduced == (2 if name == "server_messages" else 1)


def test_the_book_of_november_2024_is_reproduced_with_six_keys(wire: Path) -> None:
    (event,) = decoded((wire / "samples/clob_market/book_legacy_2024__2.json").read_bytes())
    assert isinstance(event, Book)
    book = OrderBook(event.asset_id)
    book.apply(event)
    assert book.hash("2024-11") == event.hash
    assert book.verify(fields="2024-11")
    assert not book.verify()
