from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.simulator import wire

BOOK = wire.BookText(
    market="0xab",
    asset_id="12",
    timestamp=1791128503230,
    hash="cd",
    bids=wire.level(10, 2500),
    asks=f"{wire.level(990, 100)},{wire.level(500, 1250)}",
)


@given(st.integers(0, 1000))
def test_prices_are_spelled_without_trailing_zeros(price: int) -> None:
    text = wire.price_text(price)
    assert Decimal(text) == Decimal(price) / 1000
    assert text == format(Decimal(text).normalize(), "f")


@given(st.integers(0, 10**12))
def test_sizes_are_spelled_without_trailing_zeros(size: int) -> None:
    text = wire.size_text(size)
    assert Decimal(text) == Decimal(size) / 100
    assert text == format(Decimal(text).normalize(), "f")


def keys(text: str) -> list[str]:
    assert json.dumps(json.loads(text), separators=(",", ":")) == text
    return list(json.loads(text))


def captured_keys(folder: Path, name: str) -> list[str]:
    value = json.loads((folder / "samples" / name).read_text(encoding="utf-8"))
    return list(value[0] if isinstance(value, list) else value)


def test_an_opening_book_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.opening_book(BOOK, tick_size="0.01", last_trade_price="0.500")
    assert keys(text) == captured_keys(wire_folder, "clob_market/initial_dump__1.json")


def test_a_post_trade_book_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.post_trade_book(BOOK)
    assert keys(text) == captured_keys(wire_folder, "clob_market/book_post_trade__2.json")


def test_a_rest_book_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.rest_book(
        BOOK, min_order_size="5", tick_size="0.01", neg_risk=True, last_trade_price="0.500"
    )
    assert keys(text) == captured_keys(wire_folder, "rest/clob_book__1.json")
    assert json.loads(text)["neg_risk"] is True


def test_a_price_change_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    entry = wire.Entry("12", "0.5", "0", "BUY", "cd", "0.49", "0.51")
    text = wire.price_change("0xab", (entry, entry), 1791128503230)
    name = "clob_market/price_change__1.json"
    assert keys(text) == captured_keys(wire_folder, name)
    captured = json.loads((wire_folder / "samples" / name).read_text(encoding="utf-8"))
    assert list(json.loads(text)["price_changes"][0]) == list(captured["price_changes"][0])


def test_a_trade_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.last_trade_price(
        market="0xab",
        asset_id="12",
        price=203,
        size=2463,
        side="BUY",
        timestamp=1791128503230,
        transaction_hash="0xef",
    )
    assert keys(text) == captured_keys(wire_folder, "clob_market/last_trade_price__1.json")


def test_a_best_bid_ask_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.best_bid_ask("0xab", "12", 202, 203, 1791128503230)
    assert keys(text) == captured_keys(wire_folder, "clob_market/best_bid_ask__1.json")
    assert json.loads(text)["spread"] == "0.001"


def test_a_resolution_has_the_layout_of_the_captures(wire_folder: Path) -> None:
    text = wire.market_resolved(
        number=1,
        market="0xab",
        asset_ids=("11", "22"),
        winning_asset_id="22",
        winning_outcome="No",
        timestamp=1791128503230,
    )
    assert keys(text) == captured_keys(wire_folder, "clob_market/market_resolved__1.json")


def test_a_tick_change_has_the_fields_of_the_captures(wire_folder: Path) -> None:
    text = wire.tick_size_change("0xab", "11", "0.01", "0.001", 1791128503230)
    captured = captured_keys(wire_folder, "clob_market/tick_size_change__2.json")
    assert sorted(keys(text)) == sorted(captured)


def test_a_new_market_has_the_fields_of_the_captures(wire_folder: Path) -> None:
    text = wire.new_market(
        number=1,
        question='Will "O\'Hara" win?',
        market="0xab",
        slug="will-ohara-win",
        asset_ids=("11", "22"),
        outcomes=("Yes", "No"),
        tick_size="0.01",
        timestamp=1791128503230,
    )
    captured = captured_keys(wire_folder, "clob_market/new_market__1.json")
    assert set(captured) <= set(json.loads(text))
    assert json.loads(text)["question"] == 'Will "O\'Hara" win?'


@pytest.fixture
def wire_folder(request: pytest.FixtureRequest) -> Path:
    """The captures, under a name that is not that of the module."""
    folder = request.getfixturevalue("wire")
    assert isinstance(folder, Path)
    return folder
