"""What several mailboxes may hold together."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.errors import SlowConsumer

__all__ = ["Budget", "Share"]


#: A connection may add so small a share of what was left at the last sum before it takes the next
#: that so many connections cannot exceed the limit in between.
_SHARES = 64

_held_events = attrgetter("held_events")
_held_bytes = attrgetter("held_bytes")


class Budget:
    """Bounds the sum of several mailboxes.

    Without a lock: each mailbox publishes what it holds at most, and the sum is taken anew
    each time, so nothing can drift.

    Attributes:
        begun: how many sums were begun.
        left: of the latest sum its number, and the events and bytes that it left.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._shares = _SHARES
        self.begun = 0
        self.left = (0, 0, 0)
        # A dictionary: adding and taking out are one step each, whoever else does so.
        self._entries: dict[Mailbox, None] = {}

    @property
    def _mailboxes(self) -> tuple[Mailbox, ...]:
        return tuple(self._entries)

    def expect(self, connections: int) -> None:
        """Note how many connections may put at the same time."""
        self._shares = max(self._shares, connections)

    def join(self, mailbox: Mailbox) -> None:
        """Let ``mailbox`` count."""
        self._entries[mailbox] = None

    def leave(self, mailbox: Mailbox) -> None:
        """Let ``mailbox`` count no longer."""
        self._entries.pop(mailbox, None)

    def excess(self) -> tuple[int, int]:
        """Return how many events and bytes too many are held, never below 0."""
        # First: what was put before that is in this sum.
        number = self.begun = self.begun + 1
        mailboxes = self._mailboxes
        events, size = self._left_by(mailboxes)
        if events < 0 or size < 0:
            # One that has ended counts no longer. Only now, because to ask each of a thousand
            # costs three times as much as the sum.
            events, size = self._left_by([item for item in mailboxes if not item.ended])
        # No call between the look and the store: a sum that was held up must not replace a later.
        latest = number, events, size
        if number > self.left[0]:
            self.left = latest
        return max(0, -events), max(0, -size)

    def _left_by(self, mailboxes: Sequence[Mailbox]) -> tuple[int, int]:
        return (
            self._delivery.max_events - sum(map(_held_events, mailboxes)),
            self._delivery.max_bytes - sum(map(_held_bytes, mailboxes)),
        )

    def is_due(self, events: int, size: int) -> bool:
        """Return whether to ``relieve``, after one connection added so much since the last sum.

        The sum over a thousand mailboxes costs as much as twenty events, so one that adds a
        hundred of them at a time need not take it each time.
        """
        _, left_events, left_bytes = self.left
        return events * self._shares > left_events or size * self._shares > left_bytes

    def relieve(self) -> int:
        """Make room if the sum is over its limit; return how many events were dropped.

        The fullest pays, and not the one that just received: one slow stream must never
        cost another its events.
        """
        if self.excess() == (0, 0):
            return 0
        # One that ended with an error takes nothing any more and is bounded by itself.
        mailboxes = [mailbox for mailbox in self._mailboxes if not mailbox.ended]
        for mailbox in mailboxes:
            mailbox.measure()
        dropped = 0
        for mailbox in sorted(mailboxes, key=self._share, reverse=True):
            if self.excess() == (0, 0):
                return dropped
            dropped += mailbox.shed_for(self)
        self._end_the_slowest(mailboxes)
        return dropped

    def _end_the_slowest(self, mailboxes: Sequence[Mailbox]) -> None:
        """End who holds most, while what may not be dropped is alone over the limit.

        Else it would have no bound, and every other mailbox would pay for it without end.
        """
        kept = {mailbox: mailbox.kept for mailbox in mailboxes if not mailbox.ended}
        for mailbox in sorted(kept, key=self._share, reverse=True):
            events = sum(events for events, _ in kept.values())
            size = sum(size for _, size in kept.values())
            if events <= self._delivery.max_events and size <= self._delivery.max_bytes:
                return
            if kept.pop(mailbox) != (0, 0):
                mailbox.fail(self.too_slow())

    def too_slow(self) -> SlowConsumer:
        """Return what ends a mailbox because of the sum."""
        return SlowConsumer(
            f"the consumer is too slow: more than {self._delivery.max_events} events or "
            f"{self._delivery.max_bytes} bytes wait in all streams of the client together, and "
            f"none of them may be dropped here; read faster, or raise "
            f"Client(delivery=Delivery(max_events=…, max_bytes=…))"
        )

    def _share(self, mailbox: Mailbox) -> float:
        return max(
            mailbox.held_events / self._delivery.max_events,
            mailbox.held_bytes / self._delivery.max_bytes,
        )


class Share:
    """What one connection added to a budget's mailboxes since the last sum, whoever took it."""

    def __init__(self) -> None:
        self._begun = 0
        self._events = 0
        self._bytes = 0

    def is_due(self, budget: Budget, events: int, size: int) -> bool:
        """Note what was just added; return whether ``budget`` is to be relieved."""
        if budget.left[0] > self._begun:
            # What was added before this time was there when that sum began. What was added
            # this time may have come later.
            self._events = self._bytes = 0
        self._events += events
        self._bytes += size
        self._begun = budget.begun
        return budget.is_due(self._events, self._bytes)
