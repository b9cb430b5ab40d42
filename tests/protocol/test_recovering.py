from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import UnknownEvent
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol import recovering as recovering_module
from polymarket_ws.protocol.recovering import (
    CLOCKS_APART_MILLISECONDS,
    LOOK_AGAIN_SECONDS,
    MARGIN_MILLISECONDS,
    MOST_TRADE_IDS,
    REACH_MILLISECONDS,
    RETRY_SECONDS,
    Account,
    Question,
    Recovering,
    is_open,
    normalised_status,
)

#: Unix seconds of monotonic 0, in these tests.
START = 1_800_000_000
TIMEOUT = 10.0
MANY = 1_000


def unix(now: float) -> int:
    """Return monotonic seconds of these tests as Unix milliseconds."""
    return int((START + now) * 1000)


def trade(trade_id: str, status: str, at: float, matched: float | None = None) -> Trade:
    """Return a trade that got ``status`` at monotonic ``at``, in the wire's whole seconds."""
    return Trade(
        market="0x1",
        id=trade_id,
        asset_id="7",
        side="BUY",
        size=Decimal(5),
        price=Decimal("0.5"),
        status=status,
        match_time=unix(at if matched is None else matched) // 1000 * 1000,
        last_update=unix(at) // 1000 * 1000,
    )


def order(
    order_id: str,
    kind: str = "",
    matched: int | None = 0,
    status: str | None = "LIVE",
    created: float | None = None,
) -> Order:
    return Order(
        market="0x1",
        id=order_id,
        asset_id="7",
        side="BUY",
        price=Decimal("0.5"),
        original_size=Decimal(10),
        size_matched=None if matched is None else Decimal(matched),
        type=kind,
        status=status,
        created_at=None if created is None else unix(created) // 1000 * 1000,
    )


def account(
    *trades: Trade,
    resting: Iterable[Order] = (),
    ended: Iterable[Order] = (),
    missing: Iterable[str] = (),
    is_complete: bool = True,
) -> Account:
    return Account(
        trades=trades,
        open_orders=tuple(resting),
        ended_orders=tuple(ended),
        missing_orders=tuple(missing),
        is_complete=is_complete,
    )


def told(events: Iterable[Event]) -> list[tuple[str, str, bool]]:
    """Return what tells one event of these tests from another."""
    return [
        (event.id, event.status if isinstance(event, Trade) else event.type, event.recovered)
        for event in events
        if isinstance(event, (Order, Trade))
    ]


def fresh(since: int | None = None, **limits: int) -> Recovering:
    return Recovering(timeout=TIMEOUT, since=since, **{"most_held": MANY, **limits})


def reopen(
    recovering: Recovering, now: float, last_frame: float | None, *, asks: bool = True
) -> Question | None:
    recovering.opened(now, START + now, None if last_frame is None else START + last_frame)
    return recovering.question(now) if asks else None


def settled(*live: Event, baseline: Account | None = None) -> Recovering:
    """Return one that was connected at 0, learnt a baseline and was told ``live`` at 10."""
    recovering = fresh()
    assert reopen(recovering, 0, None) is not None
    assert recovering.answered(account() if baseline is None else baseline, 0) == []
    assert recovering.take(live, 100) == list(live)
    return recovering


class TestBaseline:
    def test_of_the_first_connection_is_asked_for_and_told_to_nobody(self) -> None:
        recovering = fresh()
        question = reopen(recovering, 1000, None)
        assert question == Question(unix(1000) - REACH_MILLISECONDS, ())
        old = account(trade("t", "MATCHED", 900), resting=[order("o", created=500)])
        assert recovering.answered(old, 1001) == []
        assert recovering.deadline is None

    def test_holds_nothing_back(self) -> None:
        recovering = fresh()
        reopen(recovering, 0, None)
        live = trade("t", "MATCHED", 1)
        assert recovering.take([live], 9) == [live]

    def test_does_not_hide_a_live_event_that_rest_was_quicker_to_tell(self) -> None:
        live = [trade("t", "MATCHED", 1), order("o", "PLACEMENT", created=1)]
        baseline = account(trade("t", "MATCHED", 1), resting=[order("o", created=1)])
        assert settled(*live, baseline=baseline) is not None

    def test_does_not_take_for_told_what_was_lost_on_its_way(self) -> None:
        seen = account(trade("t", "MATCHED", 1), resting=[order("o", created=1)])
        recovering = settled(baseline=seen)
        recovering.closed()
        reopen(recovering, 3, 0.5)
        assert told(recovering.answered(seen, 3)) == [
            ("t", "MATCHED", True),
            ("o", "PLACEMENT", True),
        ]

    def test_is_compared_with_what_a_gap_changed(self) -> None:
        before = account(trade("t", "MATCHED", -100), resting=[order("o", created=-100)])
        recovering = settled(baseline=before)
        recovering.closed()
        question = reopen(recovering, 50, 20)
        assert question is not None
        assert question.order_ids == ("o",)
        assert question.after == unix(-100)
        after = account(
            trade("t", "CONFIRMED", 30, matched=-100),
            trade("old", "MATCHED", -100),
            resting=[order("o", matched=3, created=-100), order("p", created=-100)],
        )
        assert told(recovering.answered(after, 50)) == [
            ("t", "CONFIRMED", True),
            ("o", "UPDATE", True),
        ]

    def test_that_failed_does_not_swallow_the_first_gap(self) -> None:
        recovering = fresh()
        reopen(recovering, 0, None)
        recovering.failed(1)
        recovering.closed()
        question = reopen(recovering, 100, 50)
        assert question is not None
        assert question.after <= unix(0) - MARGIN_MILLISECONDS
        seen = account(trade("old", "CONFIRMED", -30), trade("t", "MATCHED", 70))
        assert told(recovering.answered(seen, 100)) == [("t", "MATCHED", True)]

    def test_that_comes_after_the_first_gap_does_not_swallow_it(self) -> None:
        recovering = fresh()
        reopen(recovering, 0, None)
        recovering.closed()
        reopen(recovering, 20, 5)
        seen = account(trade("t", "MATCHED", 10))
        assert told(recovering.answered(seen, 21)) == [("t", "MATCHED", True)]

    def test_allows_for_clocks_that_differ(self) -> None:
        almost = -CLOCKS_APART_MILLISECONDS // 1000
        recovering = settled()
        recovering.closed()
        reopen(recovering, 20, 1)
        seen = account(trade("t", "MATCHED", almost), trade("old", "MATCHED", almost - 1))
        assert told(recovering.answered(seen, 20)) == [("t", "MATCHED", True)]

    def test_allows_for_a_clock_that_is_known_to_be_ahead(self) -> None:
        almost = -30 - CLOCKS_APART_MILLISECONDS // 1000
        recovering = settled(baseline=attrs.evolve(account(), ahead=30_000))
        recovering.closed()
        reopen(recovering, 20, 1)
        seen = account(trade("t", "MATCHED", almost), trade("old", "MATCHED", almost - 1))
        assert told(recovering.answered(seen, 20)) == [("t", "MATCHED", True)]


class TestSince:
    def test_tells_each_trade_since_then_once(self) -> None:
        recovering = fresh(since=unix(-50) + 700)
        question = reopen(recovering, 0, None)
        assert question is not None
        assert question.after <= unix(-50)
        seen = account(
            trade("before", "CONFIRMED", -51),
            trade("at", "CONFIRMED", -50),
            trade("after", "MATCHED", -10),
            resting=[order("old", created=-80), order("new", created=-20)],
        )
        expected = [("at", "CONFIRMED", True), ("after", "MATCHED", True)]
        assert told(recovering.answered(seen, 1)) == [*expected, ("new", "PLACEMENT", True)]
        assert recovering.question(1 + LOOK_AGAIN_SECONDS) is not None
        assert recovering.answered(seen, 7) == []
        assert recovering.deadline is None

    def test_holds_live_events_back_from_the_beginning(self) -> None:
        recovering = fresh(since=unix(-50))
        reopen(recovering, 0, None)
        assert recovering.take([trade("t", "MATCHED", 0)], 9) == []
        assert told(recovering.answered(account(trade("s", "MINED", -9)), 1)) == [
            ("s", "MINED", True),
            ("t", "MATCHED", False),
        ]

    def test_may_be_before_there_was_an_exchange(self) -> None:
        question = reopen(fresh(since=0), 0, None)
        assert question is not None
        assert question.after == 0

    def test_is_not_listed_a_second_time_when_it_is_long_ago(self) -> None:
        recovering = fresh(since=unix(-100_000))
        reopen(recovering, 0, None)
        recovering.answered(account(), 1)
        question = recovering.question(1 + LOOK_AGAIN_SECONDS)
        assert question is not None
        assert question.after == unix(0) - MARGIN_MILLISECONDS

    def test_tells_more_trades_than_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recovering_module, "MEMORY", 5)
        recovering = fresh(since=unix(-900))
        reopen(recovering, 0, None)
        seen = account(*(trade(str(n), "CONFIRMED", -800 + n) for n in range(50)))
        assert len(recovering.answered(seen, 1)) == 50


class TestTradesOfAGap:
    def test_arrive_once_with_the_status_they_have_now(self) -> None:
        recovering = settled(trade("k", "MATCHED", 10))
        recovering.closed()
        question = reopen(recovering, 100, 20)
        assert question is not None
        assert question.after <= unix(10)
        seen = account(trade("k", "CONFIRMED", 60, matched=10), trade("t", "MINED", 60, matched=30))
        assert told(recovering.answered(seen, 100)) == [
            ("k", "CONFIRMED", True),
            ("t", "MINED", True),
        ]
        recovering.question(100 + LOOK_AGAIN_SECONDS)
        assert recovering.answered(seen, 106) == []

    def test_that_were_told_before_it_are_not_told_again(self) -> None:
        recovering = settled(trade("k", "MATCHED", 10))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(trade("k", "TRADE_STATUS_MATCHED", 10))
        assert recovering.answered(seen, 100) == []

    def test_come_before_the_live_events_that_waited(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        assert recovering.take([trade("l", "MATCHED", 100)], 9) == []
        assert told(recovering.answered(account(trade("t", "MINED", 60)), 101)) == [
            ("t", "MINED", True),
            ("l", "MATCHED", False),
        ]
        assert told(recovering.take([trade("l", "MINED", 102)], 9)) == [("l", "MINED", False)]

    def test_are_not_told_from_rest_when_the_stream_tells_all_of_them(self) -> None:
        recovering = settled(trade("k", "MATCHED", 10))
        recovering.closed()
        reopen(recovering, 100, 20)
        live = [
            trade("t", "MATCHED", 100),
            trade("t", "MINED", 101, matched=100),
            trade("k", "MINED", 101, matched=10),
        ]
        assert recovering.take(live, 9) == []
        seen = account(
            trade("k", "CONFIRMED", 102, matched=10), trade("t", "CONFIRMED", 102, matched=100)
        )
        assert recovering.answered(seen, 103) == live
        last = trade("t", "CONFIRMED", 102, matched=100)
        assert recovering.take([last], 9) == [last]

    @pytest.mark.parametrize("before", [(), (trade("t", "MATCHED", 10),)])
    def test_whose_step_was_hidden_are_told_from_rest_although_the_stream_tells_the_next(
        self, before: tuple[Trade, ...]
    ) -> None:
        recovering = settled(*before)
        recovering.closed()
        reopen(recovering, 100, 20)
        live = trade("t", "CONFIRMED", 101, matched=10)
        recovering.take([live], 9)
        seen = account(trade("t", "CONFIRMED", 101, matched=10))
        assert told(recovering.answered(seen, 102)) == [("t", "CONFIRMED", True)]
        assert recovering.take([live], 9) == []

    def test_of_a_rest_that_lags_go_before_what_the_stream_tells(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        recovering.take([trade("t", "MINED", 101, matched=50)], 9)
        seen = account(trade("t", "MATCHED", 50))
        assert told(recovering.answered(seen, 102)) == [
            ("t", "MATCHED", True),
            ("t", "MINED", False),
        ]

    @pytest.mark.parametrize(
        ("known", "stale"),
        [("MINED", "MATCHED"), ("CONFIRMED", "MINED"), ("FAILED", "RETRYING"),
         ("MINED", "RETRYING"), ("MATCHED", "MATCHED_NOT_BROADCASTED"),
         ("CONFIRMED", "SOMETHING_NEW")],
    )  # fmt: skip
    def test_of_a_rest_that_lags_are_not_told_after_something_newer(
        self, known: str, stale: str
    ) -> None:
        recovering = settled(trade("t", known, 10))
        recovering.closed()
        reopen(recovering, 100, 20)
        assert recovering.answered(account(trade("t", stale, 9, matched=9)), 101) == []

    @pytest.mark.parametrize(
        ("recovered", "late"),
        [("CONFIRMED", "MATCHED"), ("CONFIRMED", "MINED"), ("CONFIRMED", "FAILED"),
         ("MINED", "MATCHED"), ("MINED", "MINED")],
    )  # fmt: skip
    def test_are_not_followed_by_something_older_of_the_stream(
        self, recovered: str, late: str
    ) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(trade("t", recovered, 50))
        assert len(recovering.answered(seen, 101)) == 1
        assert recovering.take([trade("t", late, 50)], 9) == []

    def test_that_a_reorganised_chain_undid_are_told(self) -> None:
        recovering = settled(trade("t", "MINED", 10))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(trade("t", "RETRYING", 50, matched=10))
        assert told(recovering.answered(seen, 101)) == [("t", "RETRYING", True)]
        late = trade("t", "FAILED", 102, matched=10)
        assert recovering.take([late], 9) == [late]

    def test_are_not_told_with_a_status_again_that_a_reorganised_chain_undid(self) -> None:
        recovering = settled(trade("t", "MINED", 10), trade("t", "RETRYING", 15, matched=10))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(trade("t", "MINED", 50, matched=10))
        assert recovering.answered(seen, 101) == []

    @pytest.mark.parametrize("status", ["WAITING", "waiting"])
    def test_with_a_status_that_nobody_knows_are_told_once(self, status: str) -> None:
        recovering = settled(trade("t", "RETRYING", 10))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(trade("t", status, 10))
        assert told(recovering.answered(seen, 101)) == [("t", status, True)]
        assert recovering.take([trade("t", "WAITING", 10)], 9) == []

    def test_without_times_are_compared_by_their_status(self) -> None:
        bare = attrs.evolve(trade("t", "MINED", 10), last_update=None, match_time=None)
        recovering = settled(bare)
        recovering.closed()
        question = reopen(recovering, 100, 20)
        assert question is not None
        assert question.trade_ids == ("t",)
        assert recovering.answered(account(attrs.evolve(bare, status="MATCHED")), 101) == []
        recovering.question(200)
        seen = account(attrs.evolve(bare, status="CONFIRMED"))
        assert told(recovering.answered(seen, 201)) == [("t", "CONFIRMED", True)]

    def test_that_were_not_settled_long_before_it_are_asked_for_by_id(self) -> None:
        recovering = settled(
            *(trade(str(n), "MATCHED", 10) for n in range(MOST_TRADE_IDS + 5)),
            trade("done", "CONFIRMED", 10),
        )
        recovering.closed()
        question = reopen(recovering, 5000, 4000)
        assert question is not None
        assert question.after == unix(4000) - MARGIN_MILLISECONDS
        assert question.trade_ids == tuple(str(n) for n in range(5, MOST_TRADE_IDS + 5))

    def test_of_a_second_look_reach_those_that_rest_did_not_know_yet(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        assert recovering.answered(account(), 101) == []
        assert recovering.deadline == 101 + LOOK_AGAIN_SECONDS
        assert recovering.question(101 + LOOK_AGAIN_SECONDS / 2) is None
        live = trade("l", "MATCHED", 103)
        assert recovering.take([live], 9) == [live]
        question = recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert question is not None
        assert question.after == unix(100) - MARGIN_MILLISECONDS
        seen = account(trade("t", "MATCHED", 99), trade("l", "MINED", 105, matched=103))
        assert told(recovering.answered(seen, 107)) == [("t", "MATCHED", True)]
        assert recovering.deadline is None


class TestOrdersOfAGap:
    def test_that_ended_arrive_in_their_final_state(self) -> None:
        recovering = settled(*(order(name, "PLACEMENT", created=1) for name in "abc"))
        recovering.closed()
        question = reopen(recovering, 100, 20)
        assert question is not None
        assert question.order_ids == ("a", "b", "c")
        ended = [
            order("a", matched=10, status="MATCHED"),
            order("b", matched=2, status="CANCELED"),
            order("c", matched=0, status="CANCELED_MARKET_RESOLVED"),
        ]
        events = recovering.answered(account(ended=ended), 101)
        assert told(events) == [
            ("a", "UPDATE", True),
            ("b", "CANCELLATION", True),
            ("c", "CANCELLATION", True),
        ]
        assert [event.size_matched for event in events if isinstance(event, Order)] == [10, 2, 0]
        question = recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert question is not None
        assert question.order_ids == ()

    def test_that_were_filled_or_placed_arrive_as_they_are(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1), order("b", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        resting = [
            order("a", matched=4, status="ORDER_STATUS_LIVE", created=1),
            order("b", created=1),
            order("new", matched=1, created=50),
        ]
        assert told(recovering.answered(account(resting=resting), 101)) == [
            ("a", "UPDATE", True),
            ("new", "PLACEMENT", True),
        ]
        recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert recovering.answered(account(resting=resting), 107) == []

    def test_that_ended_do_not_come_back_from_a_rest_that_lags(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1), order("a", "CANCELLATION"))
        recovering.closed()
        reopen(recovering, 100, 20)
        assert recovering.answered(account(resting=[order("a", created=1)]), 101) == []

    def test_that_the_stream_tells_of_are_left_to_it(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1), order("b", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        live = [order("a", "UPDATE", 2), order("b", "CANCELLATION", 0, "CANCELED")]
        assert recovering.take(live, 9) == []
        seen = account(
            resting=[order("a", matched=3, created=1)],
            ended=[order("b", status="CANCELED")],
            missing=["b"],
        )
        assert recovering.answered(seen, 101) == live

    def test_are_not_followed_by_something_older_of_the_stream(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1), order("b", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(
            resting=[order("a", matched=4, created=1)],
            ended=[order("b", matched=2, status="CANCELED")],
        )
        assert len(recovering.answered(seen, 101)) == 2
        late: list[Event] = [
            order("a", "PLACEMENT"),
            order("a", "UPDATE", 4),
            order("b", "UPDATE", 2),
            order("b", "CANCELLATION", 2),
            order("b", "CANCELLATION", None),
        ]
        assert recovering.take(late, 9) == []
        newer: list[Event] = [order("a", "UPDATE", 5), order("a", "CANCELLATION", 5)]
        assert recovering.take(newer, 9) == newer

    def test_that_the_list_does_not_have_yet_are_not_ended(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        found = order("a", status="ORDER_STATUS_LIVE", created=1)
        assert recovering.answered(account(ended=[found]), 101) == []
        question = recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert question is not None
        assert question.order_ids == ("a",)
        found = order("a", matched=3, status="LIVE", created=1)
        assert told(recovering.answered(account(ended=[found]), 107)) == [("a", "UPDATE", True)]

    def test_that_rest_has_forgotten_are_given_up_after_the_second_look(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        recovering.answered(account(missing=["a"]), 101)
        question = recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert question is not None
        assert question.order_ids == ("a",)
        recovering.answered(account(missing=["a"]), 107)
        recovering.closed()
        question = reopen(recovering, 200, 150)
        assert question is not None
        assert question.order_ids == ()

    def test_that_a_rest_which_lags_misses_twice_in_a_row_are_kept(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=10))
        for now in (11.0, 12.0):
            recovering.closed()
            question = reopen(recovering, now, 10)
            assert question is not None
            assert question.order_ids == ("a",)
            recovering.answered(account(missing=["a"]), now)

    def test_that_there_was_no_time_for_are_asked_for_at_once(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1), order("b", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        recovering.take([trade("l", "MATCHED", 101)], 9)
        part = account(ended=[order("b", status="CANCELED")], is_complete=False)
        assert told(recovering.answered(part, 102)) == [("b", "CANCELLATION", True)]
        question = recovering.question(102)
        assert question is not None
        assert question.order_ids == ("a",)
        rest = account(ended=[order("a", status="CANCELED")])
        assert told(recovering.answered(rest, 103)) == [
            ("a", "CANCELLATION", True),
            ("l", "MATCHED", False),
        ]

    def test_stay_as_told_from_rest_after_an_answer_with_nothing_new(self) -> None:
        recovering = settled(order("a", "PLACEMENT", created=1))
        recovering.closed()
        reopen(recovering, 100, 20)
        seen = account(resting=[order("a", matched=4, created=1)])
        assert len(recovering.answered(seen, 101)) == 1
        recovering.question(101 + LOOK_AGAIN_SECONDS)
        assert recovering.answered(seen, 107) == []
        assert recovering.take([order("a", "UPDATE", 3)], 9) == []

    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            (order("a", "PLACEMENT"), True),
            (order("a", "PLACEMENT", status=None), True),
            (order("a", "PLACEMENT", matched=None), True),
            (order("a", "UPDATE", 4, "MATCHED"), True),
            (order("a", "UPDATE", 4, "whatever comes"), True),
            (order("a", "UPDATE", 10, "MATCHED"), False),
            (order("a", "CANCELLATION", 0, "LIVE"), False),
            (order("a", "PLACEMENT", 0, "INVALID"), False),
            (order("a", "UPDATE", 3, "CANCELED_order couldn't be fully filled."), False),
        ],
    )
    def test_are_open_until_filled_or_cancelled(self, event: Order, expected: bool) -> None:
        assert is_open(event) is expected


class TestHolding:
    def test_ends_at_the_timeout_and_live_events_go_on(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        held = trade("l", "MATCHED", 101)
        assert recovering.take([held], 9) == []
        assert recovering.give_up(100 + TIMEOUT - 0.1) is None
        assert recovering.deadline == 100 + TIMEOUT
        assert recovering.give_up(100 + TIMEOUT) == (unix(20), [held])
        assert recovering.give_up(200) is None
        live = trade("l", "MINED", 112, matched=101)
        assert recovering.take([live], 9) == [live]
        seen = account(trade("t", "MATCHED", 50), trade("l", "MATCHED", 101))
        assert told(recovering.answered(seen, 113)) == [("t", "MATCHED", True)]

    def test_ends_when_too_many_are_held(self) -> None:
        recovering = fresh(since=0, most_held=2)
        reopen(recovering, 0, None)
        first, second = trade("a", "MATCHED", 1), order("b", "PLACEMENT")
        assert recovering.take([first], 9) == []
        assert recovering.give_up(0) is None
        assert recovering.take([second], 9) == []
        assert recovering.is_full
        assert recovering.give_up(0) == (0, [first, second])

    def test_ends_when_too_many_bytes_are_held(self) -> None:
        recovering = fresh(since=0, most_bytes=100)
        reopen(recovering, 0, None)
        recovering.take([trade("a", "MATCHED", 1)], 99)
        assert not recovering.is_full
        recovering.take([trade("b", "MATCHED", 1)], 1)
        assert recovering.is_full

    def test_does_not_concern_other_events(self) -> None:
        recovering = fresh(since=0)
        reopen(recovering, 0, None)
        other = UnknownEvent(event_type="x", raw="{}")
        assert recovering.take([other, trade("a", "MATCHED", 1)], 9) == [other]

    def test_ends_with_the_connection(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        held = trade("l", "MATCHED", 101)
        recovering.take([held], 9)
        assert recovering.closed() == [held]
        reopen(recovering, 150, 120, asks=False)
        assert recovering.deadline == 150 + TIMEOUT


class TestAsking:
    def test_is_repeated_with_growing_waits_when_it_fails(self) -> None:
        recovering = settled()
        recovering.closed()
        question = reopen(recovering, 100, 20)
        now = 100.0
        for wait in (*RETRY_SECONDS, RETRY_SECONDS[-1]):
            recovering.failed(now)
            recovering.give_up(now + TIMEOUT)
            assert recovering.question(now + wait - 0.01) is None
            now += wait
            assert recovering.question(now) == question

    def test_goes_on_one_at_a_time(self) -> None:
        recovering = settled()
        recovering.closed()
        assert reopen(recovering, 100, 20) is not None
        assert recovering.question(101) is None
        assert recovering.deadline == 100 + TIMEOUT

    def test_stops_until_the_next_connection_when_it_is_refused(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        held = trade("l", "MATCHED", 101)
        recovering.take([held], 9)
        recovering.refused(102)
        assert recovering.give_up(102) == (unix(20), [held])
        assert recovering.deadline is None
        recovering.closed()
        question = reopen(recovering, 200, 150)
        assert question is not None
        assert question.after == unix(20) - MARGIN_MILLISECONDS

    def test_that_is_refused_at_the_baseline_holds_nothing_back(self) -> None:
        recovering = fresh()
        reopen(recovering, 0, None)
        recovering.refused(1)
        assert recovering.deadline is None
        assert recovering.give_up(99) is None

    def test_is_extended_by_a_second_gap(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        recovering.closed()
        assert reopen(recovering, 200, 110) is None
        assert recovering.take([trade("l", "MATCHED", 201)], 9) == []
        first = account(trade("t", "MATCHED", 50))
        assert told(recovering.answered(first, 202)) == [("t", "MATCHED", True)]
        question = recovering.question(202)
        assert question is not None
        assert question.after <= unix(100)
        second = account(trade("t", "MATCHED", 50), trade("u", "MATCHED", 150))
        assert told(recovering.answered(second, 203)) == [
            ("u", "MATCHED", True),
            ("l", "MATCHED", False),
        ]

    def test_that_fails_reaches_back_to_the_first_gap_after_a_second_one(self) -> None:
        recovering = settled()
        recovering.closed()
        reopen(recovering, 100, 20)
        recovering.closed()
        reopen(recovering, 200, 110)
        recovering.failed(201)
        question = recovering.question(201)
        assert question is not None
        assert question.after == unix(20) - MARGIN_MILLISECONDS
        given_up = recovering.give_up(200 + TIMEOUT)
        assert given_up is not None
        assert given_up[0] == unix(20)

    def test_reaches_back_to_a_connection_that_heard_nothing(self) -> None:
        recovering = settled()
        recovering.closed()
        question = reopen(recovering, 5000, None)
        assert question is not None
        assert question.after == unix(0) - MARGIN_MILLISECONDS


class TestMemory:
    def test_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recovering_module, "MEMORY", 7)
        recovering = settled()
        for n in range(100):
            name = str(n)
            recovering.take([trade(name, "MATCHED", n), trade(name, "MINED", n)], 9)
            recovering.take([order(name, "PLACEMENT"), order(f"{n}e", "CANCELLATION")], 9)
        seen = account(
            *(trade(f"r{n}", "MATCHED", 200) for n in range(100)),
            resting=[order(f"r{n}", created=200) for n in range(100)],
        )
        recovering.closed()
        reopen(recovering, 300, 150)
        assert len(recovering.answered(seen, 300)) == 200
        for memory in (recovering._trades, recovering._open, recovering._ended):
            assert len(memory) == 7

    def test_keeps_an_order_that_rests_while_many_come_and_go(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recovering_module, "MEMORY", 7)
        recovering = settled(order("rests", "PLACEMENT"))
        for n in range(100):
            recovering.take([order(str(n), "PLACEMENT"), order(str(n), "CANCELLATION")], 9)
        recovering.closed()
        question = reopen(recovering, 300, 150)
        assert question is not None
        assert question.order_ids == ("rests",)


@pytest.mark.parametrize(
    ("spelled", "normalised"),
    [
        ("TRADE_STATUS_CONFIRMED", "CONFIRMED"),
        ("ORDER_STATUS_LIVE", "LIVE"),
        ("matched", "MATCHED"),
        ("MINED", "MINED"),
    ],
)
def test_statuses_of_rest_and_stream_are_the_same(spelled: str, normalised: str) -> None:
    assert normalised_status(spelled) == normalised


# ------------------------------------------------------------------------------ the model

#: Whole trades' ways; only the last is left out where the model stops half-way.
WAYS = (
    ("MATCHED", "MINED", "CONFIRMED"),
    ("MATCHED", "RETRYING", "MINED", "CONFIRMED"),
    ("MATCHED", "RETRYING", "FAILED"),
    ("MATCHED_NOT_BROADCASTED", "MATCHED", "MINED", "CONFIRMED"),
)

#: How far REST lags behind at most; less than the time to the second look.
MOST_LAG = 4.0


@attrs.define
class Ledger:
    """What the exchange knows of one trade or order: its states with their times."""

    way: tuple[Event, ...]
    states: list[tuple[float, Event]] = attrs.field(factory=list)

    def at(self, time: float) -> Event | None:
        """Return the state at a time."""
        return next((state for when, state in reversed(self.states) if when <= time), None)

    @property
    def is_over(self) -> bool:
        return len(self.states) == len(self.way)


class Exchange(RuleBasedStateMachine):
    """An exchange whose stream is cut and whose REST lags, and what a user sees of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.trades: dict[str, Ledger] = {}
        self.orders: dict[str, Ledger] = {}
        self.connected = False
        self.first_open: float | None = None
        self.since: float | None = None
        self.heard_at: float | None = None
        self.on_the_wire: list[Event] = []
        self.recovering = fresh()
        self.question: Question | None = None
        self.asked_at = 0.0
        self.held_since: list[float] = []
        self.seen: dict[str, int] = {}
        self.pairs: set[tuple[str, str]] = set()
        self.failures = 0

    @initialize(
        since=st.none() | st.sampled_from([950.0, 990.0]), most_held=st.sampled_from([3, 50])
    )
    def make(self, since: float | None, most_held: int) -> None:
        self.since = since
        self.most_held = most_held
        self.recovering = fresh(since=None if since is None else unix(since), most_held=most_held)

    # -- the exchange ---------------------------------------------------------------------

    @rule(way=st.sampled_from(WAYS))
    def match(self, way: tuple[str, ...]) -> None:
        name = f"t{len(self.trades)}"
        self.trades[name] = Ledger(tuple(trade(name, status, 0) for status in way))
        self._advance(self.trades[name])

    @rule(fills=st.lists(st.integers(1, 9), max_size=2, unique=True), filled=st.booleans())
    def place(self, fills: list[int], filled: bool) -> None:
        name = f"o{len(self.orders)}"
        end = (
            order(name, "UPDATE", 10, "MATCHED", self.now)
            if filled
            else order(name, "CANCELLATION", max(fills, default=0), "CANCELED", self.now)
        )
        way = [order(name, "PLACEMENT", 0, "LIVE", self.now)]
        way += [order(name, "UPDATE", size, "LIVE", self.now) for size in sorted(fills)]
        self.orders[name] = Ledger((*way, end))
        self._advance(self.orders[name])

    @rule(choice=st.integers(0, 100), steps=st.integers(1, 3))
    def go_on(self, choice: int, steps: int) -> None:
        everything = (*self.trades.values(), *self.orders.values())
        going = [item for item in everything if not item.is_over]
        if going:
            item = going[choice % len(going)]
            for _ in range(min(steps, len(item.way) - len(item.states))):
                self._advance(item)

    def _advance(self, item: Ledger) -> None:
        self.now += 0.01
        state = item.way[len(item.states)]
        if isinstance(state, Trade):
            matched = item.states[0][0] if item.states else self.now
            state = trade(state.id, state.status, self.now, matched)
        item.states.append((self.now, state))
        # MATCHED_NOT_BROADCASTED is a word of REST alone (SDK 0.14.0).
        if self.connected and getattr(state, "status", "") != "MATCHED_NOT_BROADCASTED":
            self.on_the_wire.append(state)

    # -- the connection -------------------------------------------------------------------

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.connected = True
        self.now += 0.01
        if self.first_open is None:
            self.first_open = self.now
        heard_at = None if self.heard_at is None else START + self.heard_at
        self.recovering.opened(self.now, START + self.now, heard_at)
        self.heard_at = self.now
        self._look()

    @precondition(lambda self: self.connected)
    @rule(delivered=st.booleans())
    def cut(self, delivered: bool) -> None:
        if delivered:
            self.deliver(100)
        self.connected = False
        self.on_the_wire.clear()
        self._see(self.recovering.closed(), None)
        self.held_since.clear()

    @precondition(lambda self: self.connected)
    @rule(delivered=st.booleans(), choice=st.integers(0, 100), steps=st.integers(0, 3))
    def bounce(self, delivered: bool, choice: int, steps: int) -> None:
        """Cut the connection, let something happen, and connect again."""
        self.cut(delivered)
        if steps:
            self.go_on(choice, steps)
        self.connect()

    @precondition(lambda self: self.on_the_wire)
    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        for event in self.on_the_wire[:count]:
            self.heard_at = self.now
            told_now = self.recovering.take([event], 100)
            if self.recovering._held:
                self.held_since.append(self.now)
            self._see(told_now, None)
            if self.recovering.is_full:
                self._give_up()
        del self.on_the_wire[:count]

    @rule(seconds=st.sampled_from([0.3, 2.5, 11.0, 90.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._look()

    def _look(self) -> None:
        if self.connected:
            question = self.recovering.question(self.now)
            if question is not None:
                self.question, self.asked_at = question, self.now
            self._give_up()

    def _give_up(self) -> None:
        given_up = self.recovering.give_up(self.now)
        if given_up is not None:
            self.failures += 1
            assert self.now >= min(self.held_since, default=self.now)
            self._see(given_up[1], None)
            self.held_since.clear()

    # -- REST -----------------------------------------------------------------------------

    @precondition(lambda self: self.question is not None and self.connected)
    @rule(lag=st.sampled_from([0.0, 0.02, 1.0, MOST_LAG]), is_complete=st.booleans())
    def answer(self, lag: float, is_complete: bool) -> None:
        question, self.question = self.question, None
        assert question is not None
        then = self.now - lag
        trades = [
            state for item in self.trades.values() if isinstance(state := item.at(then), Trade)
        ]
        wanted = [
            state
            for state in trades
            if (state.match_time or 0) >= question.after // 1000 * 1000
            or state.id in question.trade_ids
        ]
        open_orders: list[Order] = []
        ended: list[Order] = []
        for item in self.orders.values():
            state = item.at(then)
            if isinstance(state, Order):
                bare = attrs.evolve(state, type="")
                if is_open(state):
                    open_orders.append(bare)
                elif state.id in question.order_ids:
                    ended.append(bare)
        known = {item.id for item in (*open_orders, *ended)}
        reply = account(
            *wanted,
            resting=open_orders,
            ended=ended if is_complete else ended[:1],
            missing=[name for name in question.order_ids if name not in known],
            is_complete=is_complete or len(ended) < 2,
        )
        told_now = self.recovering.answered(reply, self.now)
        if not self.recovering._held:
            self.held_since.clear()
        self._see(told_now, then)
        self._look()

    @precondition(lambda self: self.question is not None and self.connected)
    @rule()
    def fail(self) -> None:
        self.question = None
        self.recovering.failed(self.now)
        self._look()

    # -- what the user sees ---------------------------------------------------------------

    def _see(self, events: Iterable[Event], rest_time: float | None) -> None:
        for event in events:
            assert isinstance(event, (Order, Trade))
            item = (self.trades if isinstance(event, Trade) else self.orders)[event.id]
            states = [state for _, state in item.states]
            if isinstance(event, Trade):
                pair = (event.id, event.status)
                assert pair not in self.pairs, "no status of a trade twice"
                self.pairs.add(pair)
            if event.recovered:
                assert rest_time is not None
                state = item.at(rest_time)
                assert state is not None
                same = attrs.evolve(event, recovered=False, type=getattr(state, "type", ""))
                assert same == state, "the state at the time of the answer"
                index = states.index(state)
                if isinstance(state, Order) and not is_open(state):
                    assert isinstance(event, Order)
                    assert event.type == state.type
            else:
                assert event in states, "nothing is invented"
                index = states.index(event)
            assert index > self.seen.get(event.id, -1), "nothing older after something newer"
            self.seen[event.id] = index

    @invariant()
    def nothing_is_held_for_too_long(self) -> None:
        if not self.connected:
            assert not self.recovering._held
            return
        assert len(self.recovering._held) < self.most_held
        if self.recovering._held:
            assert self.now < min(self.held_since) + TIMEOUT

    @invariant()
    def memory_is_bounded(self) -> None:
        known = self.recovering
        assert len(known._trades) <= len(self.trades)
        assert len(known._open) + len(known._ended) <= len(self.orders)

    @precondition(lambda self: self.connected)
    @rule()
    def settle(self) -> None:
        """Come to rest: everything is delivered and asked, with no lag at the end."""
        while self.recovering.deadline is not None or self.question is not None:
            self.deliver(10_000)
            if self.question is not None:
                self.answer(0.0, True)
            elif self.recovering.deadline is not None:
                self.now = max(self.now, self.recovering.deadline)
                self._look()
        self.deliver(10_000)
        self.check()

    @invariant()
    def check(self) -> None:
        is_quiet = (
            self.connected
            and not self.on_the_wire
            and self.question is None
            and self.recovering.deadline is None
        )
        if not is_quiet:
            return
        assert self.first_open is not None
        promised = self.first_open if self.since is None else self.since
        for item in self.trades.values():
            first = item.states[0][0]
            last = len(item.states) - 1
            if getattr(item.way[0], "status", "") == "MATCHED_NOT_BROADCASTED" and (
                last == 0 or item.states[1][0] > first + MARGIN_MILLISECONDS / 1000
            ):
                # Only of REST until then, and too long ago to be asked for.
                continue
            name = getattr(item.way[0], "id", "")
            if name in self.seen or first >= promised:
                assert self.seen.get(name) == last, f"the last of {name}"
        for name, item in self.orders.items():
            if name in self.seen:
                assert self.seen[name] == len(item.states) - 1, f"the last of {name}"
                continue
            state = item.states[-1][1]
            if isinstance(state, Order) and is_open(state):
                assert item.states[0][0] < promised, f"{name} was never told of"


TestExchange = Exchange.TestCase
TestExchange.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
