"""The bounded, closable mailbox between a connection's thread and the user's.

One ordered row holds data and lifecycle events. The producer never waits: a reader of a
socket that pauses misses its pongs and is cut off, so overflow is decided here, by
``Delivery``, and told in the row itself.

Hand-over survives a ``KeyboardInterrupt`` at any point. The consumer is given a ``Hand``:
a slice of the row that remembers up to which serial number it reaches. Storing the hand is
one assignment; that the row is shorter by it is only derived from that number (``_settle``),
so an interrupt between the two neither loses an event nor hands it over twice.

Locks: one ``RLock`` a mailbox, held for a few instructions, never while another lock is
taken or user code runs. It is used through ``with`` and not through a ``Condition``: that
one's own ``__enter__`` and ``wait`` are Python, where an interrupt can strike while the
lock is held, and it would stay so for ever. The consumer waits at a ``Bell``, which a signal
handler or a finalizer may ring at any moment.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import attrs

from polymarket_ws.bell import Bell
from polymarket_ws.errors import PolymarketWSError, SlowConsumer, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Dropped, Lifecycle
from polymarket_ws.hand import Hand, Tally
from polymarket_ws.overflow import Front, is_droppable
from polymarket_ws.transport.deadline import Deadline, acquire_unless

if TYPE_CHECKING:
    from polymarket_ws.budget import Budget

__all__ = ["SLICE_SECONDS", "Delivery", "Mailbox", "Reading", "Unread"]

#: A wait without a limit cannot be interrupted by Ctrl-C on Windows, so it is sliced there.
SLICE_SECONDS = 0.25 if os.name == "nt" else 3600.0

#: At most so many events leave the row at once: what the consumer holds is beyond the
#: reach of ``drop_oldest``, and a thousand make the cost of the lock vanish.
_HAND_EVENTS = 1024

#: Slots at the head of the row that are empty before the rest is moved: moving it for every
#: hand would be quadratic.
_EMPTY_SLOTS = 4096

Overflow = Literal["drop_oldest", "fail", "block"]


def _positive(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"Delivery({attribute.name}=…) takes a whole number above 0, not {value!r}"
        )


def _known_overflow(_: object, __: attrs.Attribute[Overflow], value: object) -> None:
    if value not in ("drop_oldest", "fail", "block"):
        raise UsageError(
            f'Delivery(overflow=…) takes "drop_oldest", "fail" or "block" (replay only), '
            f"not {value!r}"
        )


@attrs.frozen(kw_only=True)
class Delivery:
    """How much may wait for a slow consumer, and what happens beyond that.

    Attributes:
        max_events: most events that wait.
        max_bytes: most wire bytes that wait; 16 MiB by default.
        overflow: ``"drop_oldest"`` drops the oldest and says so with ``Dropped`` where the
            hole is; orders and fills are never dropped. ``"fail"`` delivers what is
            buffered and then raises ``SlowConsumer``. ``"block"`` is for replay only.
    """

    max_events: int = attrs.field(default=100_000, validator=_positive)
    max_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=_positive)
    overflow: Overflow = attrs.field(default="drop_oldest", validator=_known_overflow)


@attrs.frozen(kw_only=True)
class Reading:
    """A mailbox at one moment: where each event that was put into it is now.

    ``received == sum(read.values()) - read[Dropped] + waiting + dropped + merged + discarded``

    Attributes:
        received: events that were put.
        read: how many of each class the consumer took; ``Dropped`` was never put.
        waiting: events that wait, those in the consumer's hand included.
        waiting_bytes: their wire bytes.
        dropped: events dropped because the consumer was too slow.
        merged: lifecycle events that were folded into another one.
        discarded: events that waited when the mailbox was closed.
    """

    received: int
    read: Counter[type[Event]]
    waiting: int
    waiting_bytes: int
    dropped: int
    merged: int
    discarded: int


#: Classes that were looked at and are data. They only become more, whichever thread adds one.
_KNOWN_DATA: set[type[Event]] = set()


def _is_lifecycle(kind: type[Event]) -> bool:
    if issubclass(kind, Lifecycle):
        return True
    _KNOWN_DATA.add(kind)
    return False


#: Stands in the row where an event was dropped.
_GONE = Event()


class _Row:
    """Events with serial numbers from ``first``; ``offsets[i]`` are the bytes before event i."""

    __slots__ = ("events", "first", "offsets")

    def __init__(self, events: list[Event], offsets: list[int], first: int) -> None:
        self.events = events
        self.offsets = offsets
        self.first = first


class Mailbox:
    """One consumer's row of events.

    Any thread may put; one thread at a time takes.

    Args:
        delivery: what may wait.
        budget: bounds it together with others; ``None`` where nothing else does.
        undroppable: classes of data that ``drop_oldest`` does not take.

    Attributes:
        hand: what the consumer holds.
        held_events: how many events wait at most: what was read since the last look counts, too.
        held_bytes: their wire bytes.
        closed: whether it was closed; set before anything else happens.
        error: what ended or will end the row.
    """

    def __init__(
        self,
        delivery: Delivery,
        budget: Budget | None = None,
        *,
        undroppable: tuple[type[Event], ...] = (),
    ) -> None:
        self._delivery = delivery
        self._max_events = delivery.max_events
        self._max_bytes = delivery.max_bytes
        self.budget = budget
        self._undroppable = undroppable
        self._lock = threading.RLock()
        # Made by the first who waits: a program that patches itself for gevent after it made a
        # client would else wait at a bell that stops every greenlet.
        self._bell: Bell | None = None
        self._waiting = False
        self._row = _Row([], [0], 0)
        self._shed_upto = 0
        self._front = Front(0)
        self.hand = Hand((), (), (0,), upto=0, before=Tally())
        self._most_in_hand = min(_HAND_EVENTS, max(1, delivery.max_events // 4))
        self._most_bytes_in_hand = delivery.max_bytes // 4
        self.held_events = 0
        self.held_bytes = 0
        self.error: PolymarketWSError | None = None
        self.closed = False
        self._discarded: int | None = None
        self._received = 0
        self._dropped = 0
        self._merged = 0
        if budget is not None:
            budget.join(self)

    # -- producers ---------------------------------------------------------------------

    def put(self, events: Sequence[Event], sizes: Sequence[int]) -> int:
        """Append events with their wire bytes. Never waits for the consumer.

        To relieve the budget is the caller's: once for several mailboxes.

        Returns:
            How many events were dropped to make room here.
        """
        if not (self._lock.acquire(False) or acquire_unless(self._lock, self._is_closed)):
            return 0
        try:
            if self.closed or self.error is not None:
                return 0
            dropped_before = self._dropped
            row = self._row
            offsets = row.offsets
            before = offsets[-1]
            count = len(events)
            row.events.extend(events)
            if count == 1:
                offsets.append(before + sizes[0])
            else:
                offsets[-1:] = accumulate(sizes, initial=before)
            self._received += count
            self.held_events += count
            self.held_bytes += offsets[-1] - before
            if self.held_events > self._max_events or self.held_bytes > self._max_bytes:
                self._look_for_room()
            if self._waiting:
                self._waiting = False
                self._ring()
            return self._dropped - dropped_before
        finally:
            self._lock.release()

    def fail(self, error: PolymarketWSError) -> None:
        """End the row with ``error``, after what is buffered."""
        if self.error is None:
            self.error = error
        self._ring()

    def close(self) -> None:
        """End the row now. What is queued is discarded and counted.

        From any thread or a signal handler: the flag comes first, so that no producer waits
        for a lock that the interrupted thread holds.
        """
        self.abandon()
        with self._lock:
            discarded = self._waiting_behind_the_hand()
            row = _Row([], [0], self._head())
            # No call from here on: a signal handler that closes, too, would count twice.
            if self._discarded is None:
                self._discarded = discarded
                self._row = row
            self.hand.stop = 0
            self._front = Front(self._front.generation + 1)
        if self.budget is not None:
            self.budget.leave(self)

    def abandon(self) -> None:
        """End the row because the consumer is gone. For finalizers: takes no lock."""
        self.closed = True
        # The hand stays, and the consumer looks twice before it goes on with it.
        self.hand.stop = 0
        self._ring()

    def _ring(self) -> None:
        """Have the consumer look again. It looks before its first wait, so nobody is missed."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def measure(self) -> None:
        """Look what is held: the consumer has read on since the last time."""
        if acquire_unless(self._lock, self._is_closed):
            try:
                self._measure()
            finally:
                self._lock.release()

    def shed_for(self, budget: Budget) -> int:
        """Make room because several mailboxes together are over their limit.

        Returns:
            How many events were dropped.
        """
        if not acquire_unless(self._lock, self._is_closed):
            return 0
        try:
            if self.closed or self.error is not None:
                return 0
            self._settle()
            dropped_before = self._dropped
            self._make_room(*budget.excess(), too_slow=budget.too_slow)
            self._measure()
            return self._dropped - dropped_before
        finally:
            self._lock.release()

    @property
    def kept(self) -> tuple[int, int]:
        """How many events wait, and their wire bytes, that overflow had to leave."""
        front = self._front
        return (0, 0) if self._front_is_handed() else (front.undroppable, front.bytes)

    # -- the consumer ------------------------------------------------------------------

    def refill(self, deadline: Deadline) -> Hand | None:
        """Return a hand with events; ``None`` at the end of the row.

        Raises:
            TimeoutError: the deadline passed.
            PolymarketWSError: what ended the row, after everything buffered was read.
        """
        bell = self._bell
        if bell is None:
            bell = self._bell = Bell()
        while True:
            remaining = None if deadline.at is None else deadline.remaining()
            # Before the row: a put that comes after this look is not the end's business.
            error = self.error
            with self._lock:
                if self.closed:
                    return None
                hand = self._next_hand()
                if hand is not None:
                    return hand
                # Who only polls does not wait, so that nobody need ring.
                if error is None and remaining != 0.0:
                    self._waiting = True
            if error is not None:
                # The same object may be raised in several threads; each begins anew.
                raise error.with_traceback(None)
            if remaining == 0.0:
                raise TimeoutError("no event within the time given")
            limit = SLICE_SECONDS if remaining is None else min(remaining, SLICE_SECONDS)
            bell.wait(limit)

    def _next_hand(self) -> Hand | None:
        read = self.hand
        if read.position < read.size:
            return read
        before = read.read(read.size)
        start = self._settle()
        if not self._front.is_empty:
            hand = self._hand_from_front(before)
        elif start < len(self._row.events):
            hand = self._hand_from_row(start, before)
        elif read.size:
            # What was read is freed before the wait and not after it: by then what comes next
            # would be decoded into memory that no cache holds, and the garbage collector look
            # at both.
            hand = Hand((), (), (0,), upto=read.upto, before=before)
        else:
            return None
        # No call between this look and the store, and no jump, after which Python 3.10 looks for
        # signals: a handler that closes or reads comes before both or after both.
        if self.hand is read and not self.closed:
            self.hand = hand
        else:
            return None if self.closed else self._next_hand()
        # Now, or what was read would live on in the row until that is moved.
        self._settle()
        self._measure()
        return hand if hand.size else None

    def _hand_from_front(self, before: Tally) -> Hand:
        events, offsets = self._front.contents()
        return Hand(
            events,
            tuple(map(type, events)),
            offsets,
            upto=self._head(),
            before=before,
            front=self._front.generation,
        )

    def _hand_from_row(self, start: int, before: Tally) -> Hand:
        row = self._row
        end = min(len(row.events), start + self._most_in_hand)
        if end - start > 1 and row.offsets[end] - row.offsets[start] > self._most_bytes_in_hand:
            limit = row.offsets[start] + self._most_bytes_in_hand
            end = max(start + 1, bisect_right(row.offsets, limit, start + 1, end + 1) - 1)
        kinds = tuple(map(type, row.events[start:end]))
        plain = _KNOWN_DATA.issuperset(kinds) or not any(map(_is_lifecycle, set(kinds)))
        if not plain:
            # Data up to the first lifecycle event, or that one alone.
            first = next(i for i, kind in enumerate(kinds) if _is_lifecycle(kind))
            plain = first > 0
            end = start + max(1, first)
            kinds = kinds[: end - start]
        return Hand(
            row.events[start:end],
            kinds,
            row.offsets[start : end + 1],
            upto=row.first + end,
            before=before,
            plain=plain,
        )

    # -- state -------------------------------------------------------------------------

    def reading(self) -> Reading:
        """Return where every event is, at one moment."""
        with self._lock:
            hand = self.hand
            position = hand.position
            behind = self._waiting_behind_the_hand()
            in_hand = sum(not isinstance(event, Dropped) for event in hand.events[position:])
            in_hand_bytes = hand.offsets[-1] - hand.offsets[position]
            ended = self._discarded is not None
            return Reading(
                received=self._received,
                read=hand.read(position).counts(),
                waiting=0 if ended else behind + in_hand,
                waiting_bytes=0 if ended else self._bytes_behind_the_hand() + in_hand_bytes,
                dropped=self._dropped,
                merged=self._merged,
                discarded=0 if self._discarded is None else self._discarded + in_hand,
            )

    # -- all of the following requires holding the lock ----------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing is put any more: it was closed, or an error ends the row."""
        return self.closed or self.error is not None

    def _is_closed(self) -> bool:
        return self.closed

    def _head(self) -> int:
        return max(self._row.first, self._shed_upto, self.hand.upto)

    def _row_length(self) -> int:
        return self._row.first + len(self._row.events) - self._head()

    def _row_bytes(self) -> int:
        return self._row.offsets[-1] - self._row.offsets[self._head() - self._row.first]

    def _front_is_handed(self) -> bool:
        return self.hand.front == self._front.generation

    def _waiting_behind_the_hand(self) -> int:
        return self._row_length() + (0 if self._front_is_handed() else self._front.waiting())

    def _bytes_behind_the_hand(self) -> int:
        return self._row_bytes() + (0 if self._front_is_handed() else self._front.bytes)

    def _settle(self) -> int:
        """Let the row and the front be shorter by what the hand holds. Idempotent.

        Returns:
            Where in the row what waits begins.
        """
        hand, row = self.hand, self._row
        if hand.front == self._front.generation:
            self._front = Front(self._front.generation + 1)
        head = max(self._shed_upto, hand.upto)
        empty = head - row.first
        if empty <= 0:
            return 0
        if empty == len(row.events) or empty > max(_EMPTY_SLOTS, len(row.events) // 2):
            shorter = _Row(row.events[empty:], row.offsets[empty:], head)
            if not self.closed:
                self._row = shorter
                return 0
        return empty

    def _excess(self) -> tuple[int, int]:
        """Return how many events and bytes too many wait, never below 0."""
        events, size = self._held()
        return (
            max(0, events - self._max_events),
            max(0, size - self._max_bytes),
        )

    def _held(self) -> tuple[int, int]:
        # Written out, because it is asked once a hand.
        row, hand, front = self._row, self.hand, self._front
        position, offsets = hand.position, hand.offsets
        head = max(self._shed_upto, hand.upto)
        empty = head - row.first if head > row.first else 0
        events = len(row.events) - empty
        size = row.offsets[-1] - row.offsets[empty] + offsets[-1] - offsets[position]
        if hand.front < 0:
            events += hand.size - position
        if hand.front != front.generation:
            # What is merged is bounded by itself and must not push data out.
            events += front.undroppable
            size += front.bytes
        return events, size

    def _measure(self) -> None:
        self.held_events, self.held_bytes = self._held()

    def _look_for_room(self) -> None:
        self._measure()
        if self.held_events > self._max_events or self.held_bytes > self._max_bytes:
            self._settle()
            self._make_room(*self._excess(), too_slow=self._too_slow)
            self._measure()

    def _make_room(self, events: int, size: int, too_slow: Callable[[], SlowConsumer]) -> None:
        if events <= 0 and size <= 0:
            return
        if self._delivery.overflow == "fail":
            self._cut(events, size)
            self.fail(too_slow())
            return
        self._shed(events, size)
        if self._front.undroppable and self._excess() != (0, 0):
            self.fail(too_slow())

    def _shed(self, events: int, size: int) -> None:
        """Drop the oldest until ``events`` events and ``size`` bytes are gone."""
        row = self._row
        position = self._head() - row.first
        end = len(row.events)
        while (events > 0 or size > 0) and position < end:
            event = row.events[position]
            weight = row.offsets[position + 1] - row.offsets[position]
            if isinstance(event, self._undroppable):
                self._front.keep(event, weight)
                weight = 0
            elif is_droppable(event):
                self._front.drop(event)
                self._dropped += 1
                events -= 1
            elif isinstance(event, Lifecycle):
                self._merged += self._front.merge(event)
                events -= 1
            size -= weight
            # A list that keeps what was dropped alive until it is shortened would not be
            # bounded; the slot is emptied at once.
            row.events[position] = _GONE
            position += 1
        self._shed_upto = row.first + position
        self._settle()

    def _cut(self, events: int, size: int) -> None:
        """Refuse the latest until ``events`` events and ``size`` bytes are gone."""
        row = self._row
        start = self._head() - row.first
        end = max(start, len(row.events) - events)
        if size > 0:
            limit = row.offsets[-1] - size
            end = max(start, min(end, bisect_right(row.offsets, limit) - 1))
        self._dropped += len(row.events) - end
        del row.events[end:]
        del row.offsets[end + 1 :]

    def _too_slow(self) -> SlowConsumer:
        return SlowConsumer(
            f"the consumer is too slow: more than {self._max_events} events or "
            f"{self._max_bytes} bytes wait and none of them may be dropped; read "
            f"faster, or raise Delivery(max_events=…, max_bytes=…)"
        )

    def after_fork_in_child(self, error: PolymarketWSError | None) -> None:
        """Replace the lock, which may be held for ever, in the copy of a forked child.

        Args:
            error: raised at once from then on; ``None`` for one that nothing was put into.
        """
        self._lock = threading.RLock()
        if error is None:
            return
        self.budget = None
        self._row = _Row([], [0], 0)
        self._shed_upto = 0
        self._front = Front(0)
        # The thread that forked may be the reader: what it holds is the parent's to read.
        read = self.hand
        read.stop = 0
        read.position = read.size
        self.hand = Hand((), (), (0,), upto=0, before=Tally())
        self.error = error
        # And it may be waiting right now, with the fork in a signal handler.
        self._ring()
        self._bell = None


class Unread(Mailbox):
    """The mailbox of a consumer that wishes for observers and reads nothing itself."""

    def put(self, events: Sequence[Event], sizes: Sequence[int]) -> int:  # noqa: ARG002
        """Forget them."""
        return 0
