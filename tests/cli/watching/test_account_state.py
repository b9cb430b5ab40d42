from __future__ import annotations

from decimal import Decimal

import pytest

from polymarket_ws.cli.watching.account_state import AccountState, OrderState
from polymarket_ws.events.user import Order
from tests.cli.watching import account_scenes as scenes
from tests.cli.watching.account_scenes import KEY, cancelled, connected, order, trade
from tests.cli.watching.scenes import WALL


def way(shown: OrderState) -> list[str]:
    return [step.word for step in shown.way]


def only(state: AccountState) -> OrderState:
    (found,) = state.orders
    return found


@pytest.mark.parametrize(
    ("events", "words", "end"),
    [
        ([order()], ["placed"], ""),
        ([order(), order(matched="1", kind="UPDATE")], ["placed", "partly"], ""),
        (
            [order(), *(order(matched=part, kind="UPDATE") for part in ("1", "2", "40"))],
            ["placed", "partly", "filled"],
            "filled",
        ),
        ([order(), cancelled()], ["placed", "cancelled"], "cancelled"),
        ([order(how="FOK"), cancelled(how="FOK")], ["placed", "killed"], "cancelled"),
        (
            [order(), order(kind="", status="CANCELED_MARKET_RESOLVED")],
            ["placed", "cancelled"],
            "cancelled",
        ),
        ([order(status="DELAYED"), order()], ["delayed", "placed"], ""),
        ([order(status="INVALID")], ["invalid"], "cancelled"),
        ([order(matched="5", kind="UPDATE", status=None)], ["partly"], ""),
        # Partly matched orders have been seen with this status; the rest of them rests.
        ([order(matched="5", kind="UPDATE", status="MATCHED")], ["partly"], ""),
    ],
)
def test_order_goes_its_way_in_words(events: list[Order], words: list[str], end: str) -> None:
    shown = only(scenes.state(*events))
    assert way(shown) == words
    assert shown.end == end


def test_filled_part_is_a_fraction_and_never_shrinks() -> None:
    state = scenes.state(order(matched="10", kind="UPDATE"), order(matched="5", kind="UPDATE"))
    assert only(state).filled == 0.25
    assert only(state).matched == Decimal(10)


def test_order_that_ended_stays_so_whatever_comes_late() -> None:
    state = scenes.state(order(), cancelled(), order(matched="5", kind="UPDATE"))
    assert only(state).end == "cancelled"
    assert only(state).matched == 5
    assert (state.open_count, state.cancelled, state.filled) == (0, 1, 0)


def test_open_orders_come_first_and_the_newest_of_each() -> None:
    state = scenes.state(order(1), order(2), order(3), cancelled(2), order(4), cancelled(1))
    assert [int(shown.id, 16) for shown in state.orders] == [4, 3, 1, 2]


def test_ended_orders_and_fills_are_bounded_and_open_ones_are_not() -> None:
    state = scenes.state()
    for number in range(1, 1001):
        state.apply(order(number), 1.0, WALL)
        state.apply(trade(number), 1.0, WALL)
    assert state.open_count == 1000
    assert len(state.fills) == 500
    for number in range(1, 1001):
        state.apply(cancelled(number), 1.0, WALL)
    assert len(state.orders) == 200
    assert state.cancelled == 1000


@pytest.mark.parametrize("maker", [False, True])
def test_fill_is_what_fell_to_the_key(maker: bool) -> None:
    (row,) = scenes.state(trade(maker=maker)).last_fills
    assert row.fill.role == ("MAKER" if maker else "TAKER")
    assert (row.fill.side, row.fill.size) == ("BUY", Decimal(15))


def test_trade_of_somebody_else_is_not_shown() -> None:
    state = AccountState("another-key", (), "here", 0.0)
    state.apply(trade(), 0.5, WALL)
    assert state.last_fills == []


def test_fill_is_one_row_for_all_its_statuses() -> None:
    state = scenes.state(trade(1), trade(2), trade(1, "MINED"), trade(1, "CONFIRMED"))
    assert [(row.fill.trade_id, row.status) for row in state.last_fills] == [
        ("trade-2", "MATCHED"),
        ("trade-1", "CONFIRMED"),
    ]


@pytest.mark.parametrize("final", ["CONFIRMED", "FAILED"])
def test_final_status_is_not_taken_back(final: str) -> None:
    state = scenes.state(trade(1, final), trade(1, "MINED", recovered=True))
    (row,) = state.last_fills
    assert (row.status, row.recovered) == (final, False)


def test_what_was_recovered_is_marked_on_orders_and_fills() -> None:
    state = scenes.state(
        order(),
        order(matched="40", kind="", status="MATCHED", at=None, recovered=True),
        trade(1),
        trade(1, "CONFIRMED", recovered=True),
    )
    assert [step.recovered for step in only(state).way] == [False, True]
    assert state.last_fills[0].recovered


def test_lag_is_of_live_events_only() -> None:
    state = scenes.state(order(), order(2, at=WALL - 900, recovered=True))
    assert state.lag.milliseconds == pytest.approx(7, abs=1)


def test_gap_that_is_recovered_is_not_called_missed() -> None:
    state = scenes.state(connected(), scenes.disconnected())
    assert "connection lost" in state.status(1.0).text
    state.apply(connected(2, 1.5), 2.0, WALL)
    assert state.status(3.0).text == "reconnected 1 s ago, what 1.5 s hid is recovered (*)"
    assert state.missed == "1 gap"
    assert state.link_word == ("live", "good")


def test_gap_without_an_address_is_told_as_missed() -> None:
    state = scenes.state(connected(recovers=False), connected(2, 1.5, recovers=False))
    assert "the key has no address" in state.status(1.0).text
    assert state.missed == "1 gap: 1.5 s missed"


def test_failed_recovery_is_told_and_counted() -> None:
    state = scenes.state(connected(), connected(2, 4.0), scenes.failed_recovery())
    said = "fills of 4.0 s may be missing, asking again: no answer in 10 s"
    assert state.status(1.0).text == said
    assert state.missed == "1 gap, 1 not recovered in time"
    assert state.link_word == ("live", "bad")


def test_scrolling_stays_within_the_orders() -> None:
    state = scenes.state(order(1), order(2), order(3))
    state.select(-1)
    assert state.scrolled == 0
    for _ in range(9):
        state.select(1)
    assert state.scrolled == 2


def test_market_without_a_known_name_is_its_condition_id() -> None:
    state = scenes.state()
    assert state.name_of(scenes.MARKET.condition_id.upper()) == "Will it rain in Lisbon?"
    assert state.name_of("0x0123456789") == "0x012345…"


def test_text_of_the_exchange_cannot_reach_the_terminal() -> None:
    state = scenes.state(order(status="\x1b[2JODD", side="\x1b]0;x\x07"))
    assert "\x1b" not in only(state).side + only(state).way[0].word
    assert KEY not in repr(only(state))
