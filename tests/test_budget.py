from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.budget import Budget, Share
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.errors import SlowConsumer
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Dropped
from tests.mailboxes import NOW, balance, put, take, trades


def test_slow_mailbox_pays_for_the_sum_and_the_fast_one_does_not() -> None:
    budget = Budget(Delivery(max_events=100))
    slow = Mailbox(Delivery(), budget)
    fast = Mailbox(Delivery(max_events=12), budget)
    read: list[Event] = []
    for number in range(500):
        put(slow, number)
        put(fast, number)
        if number % 10 == 9:
            read += take(fast)
    assert read == trades(*range(500))
    assert slow.reading().waiting <= 100
    assert slow.reading().dropped >= 400


def test_read_events_do_not_count_towards_the_sum() -> None:
    budget = Budget(Delivery(max_events=10))
    one = Mailbox(Delivery(), budget)
    other = Mailbox(Delivery(), budget)
    put(one, *range(9))
    assert take(one) == trades(*range(9))
    assert put(other, *range(10)) == 0


def test_sum_is_looked_at_often_enough_for_any_number_of_connections() -> None:
    budget = Budget(Delivery(max_events=1000))
    budget.excess()
    assert not budget.is_due(10, 0)
    budget.expect(connections=200)
    assert budget.is_due(10, 0)
    assert not budget.is_due(4, 0)


def test_whoever_takes_the_sum_takes_it_for_all() -> None:
    budget = Budget(Delivery(max_events=6400))
    budget.excess()
    one, other = Share(), Share()
    assert not one.is_due(budget, 60, 0)
    assert not other.is_due(budget, 60, 0)
    assert one.is_due(budget, 60, 0)
    budget.excess()
    # The first after a sum may have come too late for it, and counts on.
    assert not other.is_due(budget, 60, 0)
    assert other.is_due(budget, 60, 0)
    assert not one.is_due(budget, 0, 0)


def test_a_sum_that_ends_late_does_not_replace_a_later_one() -> None:
    class HeldUp(Budget):
        held_up = False

        def _left_by(self, mailboxes: Sequence[Mailbox]) -> tuple[int, int]:
            left = super()._left_by(mailboxes)
            if not self.held_up:
                # Another thread fills a mailbox, and its sum begins and ends in between.
                self.held_up = True
                put(mailbox, *range(100))
                assert self.left[1] == 0
            return left

    budget = HeldUp(Delivery(max_events=100))
    mailbox = Mailbox(Delivery(), budget)
    assert budget.excess() == (0, 0)
    assert budget.left[1] == 0
    assert Share().is_due(budget, 1, 0)


def test_a_sum_begun_before_the_latest_put_is_not_taken_for_it() -> None:
    budget = Budget(Delivery(max_events=6400))
    budget.excess()
    share = Share()
    # Another thread begins a sum, and does not end before this one has put twice.
    budget.begun += 1
    number = budget.begun
    assert not share.is_due(budget, 60, 0)
    budget.left = (number, *budget.left[1:])
    assert share.is_due(budget, 60, 0)


def test_closed_mailbox_does_not_count_towards_the_sum() -> None:
    budget = Budget(Delivery(max_events=10))
    closed, abandoned, other = (Mailbox(Delivery(), budget) for _ in range(3))
    put(closed, *range(5))
    put(abandoned, *range(5))
    closed.close()
    abandoned.abandon()
    assert put(other, *range(10)) == 0
    assert put(other, 10) == 1


def test_failing_mailbox_is_cut_when_the_sum_is_exceeded() -> None:
    budget = Budget(Delivery(max_events=10))
    strict = Mailbox(Delivery(overflow="fail"), budget)
    other = Mailbox(Delivery(), budget)
    put(strict, *range(8))
    put(other, *range(4))
    assert take(strict, 6) == trades(*range(6))
    with pytest.raises(SlowConsumer, match=r"than 10 events .* of the client together.*Client\("):
        strict.refill(NOW)
    assert take(other) == trades(*range(4))


@pytest.mark.parametrize("bounds", [Delivery(max_events=100), Delivery(max_bytes=100)])
def test_what_may_not_be_dropped_is_bounded_in_sum_and_costs_no_other_mailbox(
    bounds: Delivery,
) -> None:
    budget = Budget(bounds)
    slow = [Mailbox(Delivery(), budget, undroppable=(Event,)) for _ in range(4)]
    fast = Mailbox(Delivery(), budget)
    read = 0
    for number in range(400):
        put(slow[number % 4], number)
        put(fast, number)
        read += len([event for event in take(fast) if not isinstance(event, Dropped)])
        assert sum(box.reading().waiting for box in slow if not box.ended) <= 100
    # Just before one ends there is no room for anything else, so a few of the fast one may go.
    assert read >= 400 - 2 * len(slow)
    assert fast.error is None
    ended = [mailbox for mailbox in slow if mailbox.ended]
    assert ended
    for mailbox in ended:
        waiting = mailbox.reading().waiting
        assert len(take(mailbox, waiting)) == waiting
        with pytest.raises(SlowConsumer, match="of the client together"):
            mailbox.refill(NOW)


def test_hands_over_the_sum_end_nobody() -> None:
    budget = Budget(Delivery(max_events=8))
    user = Mailbox(Delivery(), budget, undroppable=(Event,))
    readers = [Mailbox(Delivery(max_events=8), budget) for _ in range(8)]
    for reader in readers:
        put(reader, 1, 2)
        assert reader.refill(NOW) is not None
    for number in range(8):
        put(user, number)
    assert user.error is None
    put(user, 9)
    assert user.error is not None


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(1, 30), st.integers(0, 9)),
        max_size=60,
    )
)
def test_sum_is_bounded_whatever_happens(
    steps: list[tuple[int, int, int, int]],
) -> None:
    bounds = Delivery(max_events=20, max_bytes=200)
    budget = Budget(bounds)
    mailboxes = [Mailbox(Delivery(), budget) for _ in range(3)]
    for which, count, size, read in steps:
        put(mailboxes[which], *range(count), size=size)
        waiting = [mailbox.reading() for mailbox in mailboxes]
        # Of each a hand may be beyond reach.
        assert sum(item.waiting for item in waiting) <= 20
        assert sum(item.waiting_bytes for item in waiting) <= 200
        take(mailboxes[which], read)
        for mailbox in mailboxes:
            balance(mailbox)


def test_mailbox_that_ended_with_an_error_takes_nothing_from_the_others() -> None:
    budget = Budget(Delivery(max_events=10))
    failed = Mailbox(Delivery(max_events=10, overflow="fail"), budget)
    other = Mailbox(Delivery(), budget)
    put(failed, *range(11))
    assert isinstance(failed.error, SlowConsumer)
    assert put(other, *range(10)) == 0
    assert len(take(other)) == 10


def test_mailboxes_that_join_and_leave_at_the_same_time_are_none_in_the_end(
    seconds: Callable[[float], float],
) -> None:
    budget = Budget(Delivery(max_events=5))

    def come_and_go() -> None:
        for _ in range(300):
            Mailbox(Delivery(), budget).close()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds(10))
    last = Mailbox(Delivery(), budget)
    assert put(last, *range(5)) == 0
    assert budget.excess() == (0, 0)
    assert len(budget._mailboxes) == 1


def test_a_connection_adds_a_64th_of_what_is_left_before_the_next_sum() -> None:
    budget = Budget(Delivery(max_events=6_400, max_bytes=640_000))
    mailbox = Mailbox(Delivery(), budget)
    # Nothing was summed up yet.
    assert budget.is_due(1, 1)
    assert budget.relieve() == 0
    assert not budget.is_due(100, 10_000)
    assert budget.is_due(101, 10_000)
    assert budget.is_due(100, 10_001)
    put(mailbox, *range(6_400))
    assert not budget.is_due(0, 0)
    assert budget.is_due(1, 0)
