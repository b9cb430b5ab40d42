from __future__ import annotations

from decimal import Decimal

import attrs

from polymarket_ws import Disconnected, MarketInfo, MarketResolved, TickSizeChange
from polymarket_ws.integrations.sse.board import Board
from tests.integrations.sse.wire import MARKET, Numbers, book, change, told, trade


def flushed(board: Board, numbers: Numbers) -> list[dict[str, object]]:
    since = numbers.last
    board.flush(numbers)
    frames = sorted(board.since(since), key=lambda frame: frame.number)
    return [told(frame.body)["data"] for frame in frames]


def test_of_many_changes_the_newest_book_is_told_once() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    assert board.apply(book())
    for size in range(1, 50):
        assert board.apply(change("111", "0.41", str(size)))
    (data,) = flushed(board, numbers)
    assert (data["type"], data["bids"]) == (
        "book",
        [["0.41", "49"], ["0.40", "10.5"], ["0.30", "7"]],
    )
    assert (data["received_at"], data["state"]) == (2.5, "live")
    assert flushed(board, numbers) == []
    assert numbers.last == 1


def test_every_trade_is_told_before_the_book_that_it_led_to() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    board.apply(book("111"))
    board.apply(book("222", bid="0.58", ask="0.60"))
    board.flush(numbers)
    for price in ("0.42", "0.43"):
        board.apply(trade("111", price))
    first, second, yes, no = flushed(board, numbers)
    assert [(first["price"], first["outcome"]), second["price"]] == [("0.42", "Yes"), "0.43"]
    assert (yes["asset_id"], yes["last_trade_price"]) == ("111", "0.43")
    # The other outcome changed hands for the rest to 1.
    assert (no["asset_id"], no["last_trade_price"]) == ("222", "0.57")


def test_a_market_of_three_outcomes_has_no_complement() -> None:
    market = attrs.evolve(MARKET, outcomes=("A", "B", "C"), asset_ids=("111", "222", "333"))
    board, numbers = Board(market, since=0), Numbers()
    board.apply(trade("111"))
    data = flushed(board, numbers)
    prices = {each["asset_id"]: each.get("last_trade_price") for each in data[1:]}
    assert prices["111"] == "0.42"
    assert {prices.get("222"), prices.get("333")} == {None}


def test_a_market_whose_outcomes_have_no_names_is_shown_all_the_same() -> None:
    board = Board(MarketInfo(question="?", condition_id="0x1", asset_ids=("1",)), since=0)
    (state,) = board.states()
    assert "outcome" not in told(state)["data"]


def test_an_event_of_another_market_changes_nothing() -> None:
    board = Board(MARKET, since=0)
    assert not board.apply(book("999"))
    assert not board.apply(change("999", "0.5", "1"))


def test_a_lost_connection_makes_the_book_stale_and_keeps_its_levels() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    board.apply(book())
    board.flush(numbers)
    assert board.apply(Disconnected(channel="market", code=1006, asset_ids=("111", "222")))
    (data,) = flushed(board, numbers)
    assert (data["state"], data["best_bid"]) == ("stale", "0.40")


def test_a_tick_size_change_that_comes_twice_is_told_once() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    event = TickSizeChange(
        market=MARKET.condition_id, asset_id="111", new_tick_size=Decimal("0.001")
    )
    board.apply(event)
    board.apply(event)
    kinds = [data["type"] for data in flushed(board, numbers)]
    assert kinds == ["tick_size", "book"]


def test_a_resolution_that_comes_twice_is_told_once() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    board.apply(book())
    event = MarketResolved(market=MARKET.condition_id, assets_ids=MARKET.asset_ids)
    board.apply(event)
    board.apply(event)
    data = flushed(board, numbers)
    assert [each["type"] for each in data] == ["resolved", "book", "book"]
    assert data[1]["resolved"] is True
    assert data[1]["bids"] == []


def test_who_comes_after_the_resolution_is_told_of_it_and_of_the_winner() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    board.apply(book())
    board.flush(numbers)
    event = MarketResolved(
        market=MARKET.condition_id,
        assets_ids=MARKET.asset_ids,
        winning_asset_id="222",
        winning_outcome="No",
    )
    board.apply(event)
    # As with books: who joins now gets it with its number a moment later.
    assert len(board.states()) == 2
    board.flush(numbers)
    *books, last = (told(state)["data"] for state in board.states())
    assert [each["resolved"] for each in books] == [True, True]
    assert (last["type"], last["asset_id"], last["outcome"]) == ("resolved", "222", "No")


def test_states_are_what_was_shown_last_and_not_what_is_about_to_be() -> None:
    board, numbers = Board(MARKET, since=0), Numbers()
    assert [told(state)["data"]["state"] for state in board.states()] == ["syncing", "syncing"]
    board.apply(book())
    board.flush(numbers)
    board.apply(change("111", "0.41", "5"))
    # The change has a number of its own a moment later: who joins now gets it then.
    assert told(board.states()[0])["data"]["best_bid"] == "0.40"
    board.flush(numbers)
    assert told(board.states()[0])["data"]["best_bid"] == "0.41"
    assert board.newest == 2
