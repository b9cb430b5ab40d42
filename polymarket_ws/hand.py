"""What a mailbox has handed over to its consumer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from polymarket_ws.events.event import Event

__all__ = ["Hand", "Tally"]

#: Portions, and events in them, that are remembered before they are counted. Counting costs as much
#: as ten events, and a reader of many streams takes few at a time from each.
_UNCOUNTED_PORTIONS = 32
_UNCOUNTED_EVENTS = 1024


class Tally:
    """How many of each class were read. Immutable, so that an interrupt leaves none half made."""

    __slots__ = ("_counted", "_since", "_size")

    def __init__(
        self,
        counted: Counter[type[Event]] | None = None,
        since: tuple[tuple[type[Event], ...], ...] = (),
        size: int = 0,
    ) -> None:
        self._counted = Counter() if counted is None else counted
        self._since = since
        self._size = size

    def plus(self, kinds: tuple[type[Event], ...]) -> Tally:
        """Return the tally with one event more of each of ``kinds``."""
        size = self._size + len(kinds)
        since = (*self._since, kinds)
        if size < _UNCOUNTED_EVENTS and len(since) < _UNCOUNTED_PORTIONS:
            return Tally(self._counted, since, size)
        return Tally(_counted(self._counted, since))

    def counts(self) -> Counter[type[Event]]:
        """Return a counter of its own."""
        return _counted(self._counted, self._since)


def _counted(
    counted: Counter[type[Event]], since: tuple[tuple[type[Event], ...], ...]
) -> Counter[type[Event]]:
    counts = counted.copy()
    counts.update(chain.from_iterable(since))
    return counts


class Hand:
    """What was handed over to the consumer, and how far it is read.

    Attributes:
        events: what was handed over.
        kinds: their classes.
        size: how many.
        position: which one is next. Only the consumer moves it.
        stop: below this position all is data and may be given out without a look.
        upto: the serial number of the row's first event behind this hand.
        front: the generation of the front that it came from, -1 for the row.
        before: what was read before this hand.
    """

    __slots__ = (
        "before",
        "events",
        "front",
        "kinds",
        "offsets",
        "position",
        "size",
        "stop",
        "upto",
    )

    def __init__(
        self,
        events: Sequence[Event],
        kinds: tuple[type[Event], ...],
        offsets: Sequence[int],
        *,
        upto: int,
        before: Tally,
        front: int = -1,
        plain: bool = False,
    ) -> None:
        self.events = events
        self.kinds = kinds
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

    def read(self, position: int) -> Tally:
        """Return what was read when this hand was at ``position``."""
        return self.before.plus(self.kinds[:position]) if position else self.before
