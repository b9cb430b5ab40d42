"""What several mailboxes may hold together."""

from __future__ import annotations

from polymarket_ws.delivery import Delivery, Mailbox

__all__ = ["Budget"]


#: A connection may add so small a share of what was left at the last sum before it takes the next
#: that so many connections cannot exceed the limit in between.
_SHARES = 64


class Budget:
    """Bounds the sum of several mailboxes.

    Without a lock: each mailbox publishes what it holds at most, and the sum is taken anew
    each time, so nothing can drift.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._shares = _SHARES
        # What was left, in events and bytes, when the sum was taken last.
        self._left = (0, 0)
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
        events, size = self._delivery.max_events, self._delivery.max_bytes
        for mailbox in self._mailboxes:
            if not mailbox.ended:
                held_events, held_bytes = mailbox.held
                events -= held_events
                size -= held_bytes
        self._left = events, size
        return max(0, -events), max(0, -size)

    def is_due(self, events: int, size: int) -> bool:
        """Return whether to ``relieve``, after so much was added since one did so last.

        The sum over a thousand mailboxes costs as much as fifty events, so one that adds a
        hundred of them at a time need not take it each time.
        """
        left_events, left_bytes = self._left
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
                break
            dropped += mailbox.shed_for(self)
        return dropped

    def _share(self, mailbox: Mailbox) -> float:
        events, size = mailbox.held
        return max(events / self._delivery.max_events, size / self._delivery.max_bytes)
