"""What a mailbox has handed over to its consumer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from polymarket_ws.events.event import Event

__all__ = ["Hand"]


class Hand:
    """What was handed over to the consumer, and how far it is read.

    Attributes:
        events: what was handed over.
        size: how many.
        position: which one is next. Only the consumer moves it.
        stop: below this position all is data and may be given out without a look.
        upto: the serial number of the row's first event behind this hand.
        front: the generation of the front that it came from, -1 for the row.
        before: how many of each class were read before this hand.
    """

    __slots__ = ("before", "events", "front", "offsets", "position", "size", "stop", "upto")

    def __init__(
        self,
        events: Sequence[Event],
        offsets: Sequence[int],
        *,
        upto: int,
        before: Counter[type[Event]],
        front: int = -1,
        plain: bool = False,
    ) -> None:
        self.events = events
        self.offsets = offsets
        self.size = len(events)
        self.position = 0
        self.stop = self.size if plain else 0
        self.upto = upto
        self.front = front
        self.before = before

    def left(self) -> int:
        """Return how many events were not read yet."""
        return self.size - self.position

    def bytes_left(self) -> int:
        """Return their wire bytes."""
        return self.offsets[-1] - self.offsets[self.position]

    def read(self, position: int) -> Counter[type[Event]]:
        """Return how many of each class were read when this hand was at ``position``."""
        counts = self.before.copy()
        counts.update(map(type, self.events[:position]))
        return counts
