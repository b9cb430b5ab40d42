from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from polymarket_ws import delivery
from polymarket_ws.bell import Bell
from polymarket_ws.delivery import Delivery, Mailbox, Unread
from polymarket_ws.errors import ClientForked, ConnectionFailed, SlowConsumer, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, Disconnected, Dropped, Lifecycle
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.hand import Hand
from polymarket_ws.overflow import is_droppable
from polymarket_ws.transport.deadline import Deadline
from tests.mailboxes import NOW, balance, put, take, trade, trades
from tests.market_server import eventually

# Settings.


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "10"])
@pytest.mark.parametrize("name", ["max_events", "max_bytes"])
def test_bound_that_is_no_whole_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"Delivery\({name}=…\) takes a whole number above 0"):
        Delivery(**{name: value})  # type: ignore[arg-type]


def test_unknown_overflow_is_refused() -> None:
    with pytest.raises(UsageError, match='takes "drop_oldest", "fail" or "block"'):
        Delivery(overflow="drop_newest")  # type: ignore[arg-type]


# Order and hand-over.


def test_events_come_in_the_order_in_which_they_were_put() -> None:
    mailbox = Mailbox(Delivery())
    put(mailbox, 1, 2)
    put(mailbox, 3)
    assert take(mailbox) == trades(1, 2, 3)


def test_what_is_in_the_hand_is_handed_over_once() -> None:
    mailbox = Mailbox(Delivery())
    put(mailbox, 1, 2, 3)
    hand = mailbox.refill(NOW)
    assert hand is not None
    hand.position += 1
    assert mailbox.refill(NOW) is hand
    put(mailbox, 4)
    assert take(mailbox) == trades(2, 3, 4)


def test_hand_of_data_needs_no_look_and_one_with_lifecycle_does() -> None:
    mailbox = Mailbox(Delivery())
    mailbox.put([*trades(1, 2), Connected(epoch=1), *trades(3)], [1] * 4)
    hands: list[tuple[int, int]] = []
    for _ in range(3):
        hand = mailbox.refill(NOW)
        assert hand is not None
        hands.append((hand.size, hand.stop))
        hand.position = hand.size
    assert hands == [(2, 2), (1, 0), (1, 1)]


def test_hand_is_small_enough_to_leave_most_within_reach() -> None:
    mailbox = Mailbox(Delivery(max_events=400, max_bytes=1000))
    put(mailbox, *range(300))
    hand = mailbox.refill(NOW)
    assert hand is not None
    assert hand.size == 100
    heavy = Mailbox(Delivery(max_events=400, max_bytes=1000))
    put(heavy, *range(9), size=100)
    hand = heavy.refill(NOW)
    assert hand is not None
    assert hand.size == 2


def test_hand_has_one_event_however_heavy_it_is() -> None:
    mailbox = Mailbox(Delivery(max_bytes=100))
    put(mailbox, 1, size=99)
    assert take(mailbox) == trades(1)


def test_wait_ends_at_its_deadline(seconds: Callable[[float], float]) -> None:
    mailbox = Mailbox(Delivery())
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no event within the time given"):
        mailbox.refill(Deadline(0.05))
    assert 0.045 <= time.monotonic() - began < seconds(2.0)


def test_polling_leaves_nothing_behind(seconds: Callable[[float], float]) -> None:
    mailbox = Mailbox(Delivery())
    for number in range(100):
        assert take(mailbox) == []
        put(mailbox, number)
        assert take(mailbox) == trades(number)
    assert not mailbox._bell.wait(0.0)
    threading.Timer(0.05, put, [mailbox, 100]).start()
    assert mailbox.refill(Deadline(seconds(5))) is not None


@pytest.mark.parametrize("how", ["put", "close", "abandon", "fail"])
def test_waiting_consumer_is_woken(how: str, seconds: Callable[[float], float]) -> None:
    mailbox = Mailbox(Delivery())
    got: list[object] = []

    def consume() -> None:
        try:
            got.append(mailbox.refill(Deadline(None)))
        except ConnectionFailed as error:
            got.append(error)

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    eventually(lambda: mailbox._waiting)
    error = ConnectionFailed("over")
    ways: dict[str, Callable[[], object]] = {
        "put": lambda: put(mailbox, 1),
        "close": mailbox.close,
        "abandon": mailbox.abandon,
        "fail": lambda: mailbox.fail(error),
    }
    ways[how]()
    thread.join(seconds(5.0))
    assert not thread.is_alive()
    if how == "put":
        assert isinstance(got[0], Hand)
    else:
        assert got == [error if how == "fail" else None]


def test_producer_does_not_wait_for_a_lock_once_closed(seconds: Callable[[float], float]) -> None:
    mailbox = Mailbox(Delivery())
    results: list[int] = []
    with mailbox._lock:
        thread = threading.Thread(target=lambda: results.append(put(mailbox, 1)))
        thread.start()
        mailbox.abandon()
        thread.join(seconds(5.0))
        assert results == [0]


# Overflow.


def test_oldest_are_dropped_and_told_where_they_were() -> None:
    mailbox = Mailbox(Delivery(max_events=3))
    assert put(mailbox, 1, 2, 3) == 0
    assert put(mailbox, 4, 5) == 2
    hole, *rest = take(mailbox)
    assert hole == Dropped(count=2, asset_ids=("1",))
    assert rest == trades(3, 4, 5)


def test_hole_grows_until_it_is_read() -> None:
    mailbox = Mailbox(Delivery(max_events=2))
    put(mailbox, 1, 2, 3)
    put(mailbox, 4, 5, 6)
    assert take(mailbox, 1) == [Dropped(count=4, asset_ids=("1",))]
    put(mailbox, 7)
    assert take(mailbox) == [Dropped(count=1, asset_ids=("1",)), *trades(6, 7)]


def test_what_the_consumer_holds_is_not_dropped() -> None:
    mailbox = Mailbox(Delivery(max_events=8))
    put(mailbox, *range(8))
    assert take(mailbox, 1) == trades(0)
    put(mailbox, *range(8, 16))
    events = take(mailbox)
    assert events[0] == trade(1)
    assert isinstance(events[1], Dropped)
    assert events[2:] == trades(*range(16 - 7, 16))


def test_bytes_are_bounded_too() -> None:
    mailbox = Mailbox(Delivery(max_bytes=100))
    put(mailbox, 1, 2, 3, size=40)
    assert mailbox.reading().waiting_bytes == 80
    assert take(mailbox)[1:] == trades(2, 3)


def test_event_heavier_than_the_bound_is_a_hole() -> None:
    mailbox = Mailbox(Delivery(max_bytes=100))
    put(mailbox, 1, size=101)
    assert take(mailbox) == [Dropped(count=1, asset_ids=("1",))]


def test_one_event_at_most_works() -> None:
    mailbox = Mailbox(Delivery(max_events=1))
    for number in range(5):
        put(mailbox, number)
        assert take(mailbox) == trades(number)
    put(mailbox, 5)
    put(mailbox, 6)
    assert take(mailbox) == [Dropped(count=1, asset_ids=("1",)), trade(6)]


def test_flapping_with_nobody_reading_is_bounded() -> None:
    mailbox = Mailbox(Delivery(max_events=1000))
    for epoch in range(1, 100_001):
        mailbox.put([Disconnected(connection=1, epoch=epoch, code=1006)], [600])
        mailbox.put([Connected(connection=1, epoch=epoch + 1)], [600])
    row = mailbox._row
    assert len(row.events) <= 10_000
    assert mailbox.reading().waiting <= 1002
    balance(mailbox)
    told = take(mailbox)
    assert (type(told[0]), told[0].epoch) == (Disconnected, 1)
    assert (type(told[-1]), told[-1].epoch) == (Connected, 100_001)
    assert [e.epoch for e in told] == sorted(e.epoch for e in told)
    kinds = [type(event) for event in told]
    assert kinds == [Disconnected, Connected] * (len(kinds) // 2)


def test_fail_delivers_what_fits_and_then_raises() -> None:
    mailbox = Mailbox(Delivery(max_events=3, overflow="fail"))
    put(mailbox, 1, 2)
    assert put(mailbox, 3, 4, 5) == 2
    assert put(mailbox, 6) == 0
    assert take(mailbox, 3) == trades(1, 2, 3)
    with pytest.raises(SlowConsumer, match=r"raise Delivery\(max_events=…, max_bytes=…\)"):
        mailbox.refill(NOW)
    balance(mailbox)


def test_fail_by_bytes_keeps_the_oldest() -> None:
    mailbox = Mailbox(Delivery(max_bytes=100, overflow="fail"))
    assert put(mailbox, 1, 2, 3, 4, size=40) == 2
    assert mailbox.reading().waiting_bytes == 80
    assert take(mailbox, 2) == trades(1, 2)


class Fill(LastTradePrice):
    """Stands for the events of the user channel."""


def fill(number: int) -> Fill:
    return Fill(market="m", asset_id="1", price=Decimal(1), size=Decimal(number), side="BUY")


def test_undroppable_data_stays_when_the_rest_is_dropped() -> None:
    mailbox = Mailbox(Delivery(max_events=2), undroppable=(Fill,))
    mailbox.put([trade(1), fill(2), trade(3), trade(4)], [1] * 4)
    assert take(mailbox) == [
        Dropped(count=1, asset_ids=("1",)),
        fill(2),
        Dropped(count=1, asset_ids=("1",)),
        trade(4),
    ]
    balance(mailbox)


@pytest.mark.parametrize("bounds", [Delivery(max_events=2), Delivery(max_bytes=20)])
def test_undroppable_data_alone_beyond_the_bounds_is_delivered_and_then_fails(
    bounds: Delivery,
) -> None:
    mailbox = Mailbox(bounds, undroppable=(Fill,))
    for number in range(3):
        mailbox.put([fill(number)], [10])
    assert take(mailbox, 3) == [fill(0), fill(1), fill(2)]
    with pytest.raises(SlowConsumer):
        mailbox.refill(NOW)


# The end.


def test_error_comes_after_what_is_buffered_and_stays() -> None:
    mailbox = Mailbox(Delivery())
    put(mailbox, 1, 2)
    error = ConnectionFailed("refused")
    mailbox.fail(error)
    mailbox.fail(ConnectionFailed("later"))
    assert put(mailbox, 3) == 0
    assert take(mailbox, 2) == trades(1, 2)
    for _ in range(3):
        with pytest.raises(ConnectionFailed) as raised:
            mailbox.refill(Deadline(None))
        assert raised.value is error
    depth = 0
    traceback = error.__traceback__
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    assert depth <= 2


def test_closing_discards_and_counts_what_waits() -> None:
    mailbox = Mailbox(Delivery(max_events=10))
    put(mailbox, *range(12))
    assert len(take(mailbox, 2)) == 2
    mailbox.close()
    mailbox.close()
    assert mailbox.refill(Deadline(None)) is None
    assert put(mailbox, 99) == 0
    reading = mailbox.reading()
    assert (reading.discarded, reading.waiting, reading.waiting_bytes) == (9, 0, 0)
    balance(mailbox)


def test_unread_mailbox_keeps_nothing() -> None:
    mailbox = Unread(Delivery())
    assert put(mailbox, 1) == 0
    assert mailbox.reading().received == 0


def test_forked_copy_raises_whatever_held_its_lock() -> None:
    mailbox = Mailbox(Delivery())
    put(mailbox, 1)
    taken = threading.Event()
    done = threading.Event()

    def hold() -> None:
        with mailbox._lock:
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    mailbox.after_fork_in_child(ClientForked("forked"))
    with pytest.raises(ClientForked):
        mailbox.refill(Deadline(None))
    done.set()
    thread.join()


def test_what_the_child_holds_is_the_parents_to_read() -> None:
    mailbox = Mailbox(Delivery())
    put(mailbox, 1, 2)
    hand = mailbox.refill(NOW)
    assert hand is not None
    assert hand.left() == 2
    mailbox.after_fork_in_child(ClientForked("forked"))
    assert (hand.left(), hand.stop) == (0, 0)


def test_forked_copy_that_waits_is_woken(seconds: Callable[[float], float]) -> None:
    # As when a signal handler forks in the middle of the wait.
    mailbox = Mailbox(Delivery())
    fork = threading.Timer(0.05, mailbox.after_fork_in_child, [ClientForked("forked")])
    fork.start()
    with pytest.raises(ClientForked):
        mailbox.refill(Deadline(seconds(10.0)))
    fork.join()


def test_bell_is_made_by_the_first_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    # By then gevent may have put its own lock in the place of Python's.
    mailbox = Mailbox(Delivery())
    put(mailbox, 1)
    made: list[Bell] = []

    class Patched(Bell):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(delivery, "Bell", Patched)
    assert take(mailbox)
    assert [mailbox._bell] == made


# Against a naive model.


class AgainstAModel(RuleBasedStateMachine):
    """Puts, reads and closes in any order; the model is two lists and some numbers."""

    @initialize(
        max_events=st.integers(1, 12), max_bytes=st.integers(1, 60), lifecycle=st.booleans()
    )
    def begin(self, max_events: int, max_bytes: int, lifecycle: bool) -> None:
        self.bounds = Delivery(max_events=max_events, max_bytes=max_bytes)
        self.mailbox = Mailbox(self.bounds)
        self.lifecycle = lifecycle
        self.numbers = 0
        self.row: list[tuple[Event, int]] = []
        self.hand: list[tuple[Event, int]] = []
        self.hole = 0
        self.told: list[Lifecycle] = []
        self.closed = False

    @rule(sizes=st.lists(st.integers(1, 25), max_size=8), epochs=st.data())
    def put(self, sizes: list[int], epochs: st.DataObject) -> None:
        events: list[Event] = []
        for _ in sizes:
            self.numbers += 1
            happened = self.lifecycle and epochs.draw(st.booleans())
            if happened:
                kind = epochs.draw(st.booleans())
                events.append(
                    Connected(epoch=self.numbers)
                    if kind
                    else Disconnected(epoch=self.numbers, code=1006)
                )
            else:
                events.append(trade(self.numbers))
        dropped = self.mailbox.put(events, sizes)
        if self.closed:
            assert dropped == 0
            return
        before = self.hole
        self.row += zip(events, sizes, strict=True)
        while self.row and self._over():
            event, _ = self.row.pop(0)
            if isinstance(event, Lifecycle):
                self.told.append(event)
            else:
                self.hole += 1
        assert dropped == self.hole - before

    def _over(self) -> bool:
        held = self.hand + self.row
        size = sum(size for _, size in held)
        return len(held) > self.bounds.max_events or size > self.bounds.max_bytes

    @rule(most=st.integers(0, 6))
    def read(self, most: int) -> None:
        for _ in range(most):
            if not self.hand and (self.hole or self.told) and not self.closed:
                self._read_front()
                continue
            try:
                hand = self.mailbox.refill(NOW)
            except TimeoutError:
                assert not self.hand
                assert not self.row
                return
            if hand is None:
                assert self.closed
                return
            if not self.hand:
                size = hand.left()
                assert size >= 1
                self.hand, self.row = self.row[:size], self.row[size:]
            assert list(hand.events[hand.position :]) == [event for event, _ in self.hand]
            self.hand.pop(0)
            hand.position += 1

    def _read_front(self) -> None:
        hand = self.mailbox.refill(NOW)
        assert hand is not None
        holes = [event for event in hand.events if isinstance(event, Dropped)]
        assert [hole.count for hole in holes] == ([self.hole] if self.hole else [])
        kept = [event for event in hand.events if not isinstance(event, Dropped)]
        lost = [event for event in self.told if isinstance(event, Disconnected)]
        assert [event for event in kept if isinstance(event, Disconnected)] == lost[:1]
        assert [type(event) for event in kept][-1:] == [type(e) for e in self.told][-1:]
        assert len(kept) <= 3
        hand.position = hand.size
        self.hole = 0
        self.told = []

    @precondition(lambda self: not self.closed)
    @rule(close=st.sampled_from([False] * 9 + [True]))
    def close(self, close: bool) -> None:
        if close:
            self.mailbox.close()
            self.closed = True

    @invariant()
    def every_event_is_in_one_place(self) -> None:
        balance(self.mailbox)

    @invariant()
    def bounds_hold(self) -> None:
        reading = self.mailbox.reading()
        if self.closed:
            assert reading.waiting == 0
            return
        data = [event for event, _ in self.hand + self.row if is_droppable(event)]
        assert len(data) <= reading.waiting
        assert len(self.hand) + len(self.row) <= self.bounds.max_events
        assert reading.waiting_bytes == sum(size for _, size in self.hand + self.row)
        assert reading.waiting_bytes <= self.bounds.max_bytes


TestAgainstAModel = AgainstAModel.TestCase


def test_counters_agree_at_any_moment_while_both_sides_run() -> None:
    mailbox = Mailbox(Delivery(max_events=50))
    done = threading.Event()

    def produce() -> None:
        number = 0
        while not done.is_set():
            put(mailbox, *range(number, number + 7))
            number += 7

    def consume() -> None:
        while not done.is_set():
            take(mailbox, 5)

    threads = [threading.Thread(target=produce), threading.Thread(target=consume)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for _ in range(20_000):
            balance(mailbox)
    finally:
        done.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
