"""What is left at the head of a mailbox's row after data behind it was dropped."""

from __future__ import annotations

from itertools import accumulate

import attrs

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    Subscribed,
    UnknownEvent,
)

__all__ = ["Front", "is_droppable"]


def is_droppable(event: Event) -> bool:
    """Return whether ``event`` is data or counts as data."""
    return not isinstance(event, Lifecycle) or isinstance(event, (DecodeFailure, UnknownEvent))


class Hole:
    """A ``Dropped`` that still grows."""

    def __init__(self) -> None:
        self.count = 0
        self.asset_ids: dict[str, None] = {}
        self.received_at = 0.0
        self.epoch = 0

    def take(self, event: Event) -> None:
        self.count += 1
        self.received_at = event.received_at
        self.epoch = event.epoch
        asset_id = getattr(event, "asset_id", None)
        if asset_id is not None:
            self.asset_ids[asset_id] = None
            return
        for change in getattr(event, "price_changes", ()):
            self.asset_ids[change.asset_id] = None
        for asset_id in getattr(event, "assets_ids", ()):
            self.asset_ids[asset_id] = None

    def as_event(self) -> Dropped:
        return Dropped(
            count=self.count,
            asset_ids=tuple(self.asset_ids),
            received_at=self.received_at,
            epoch=self.epoch,
        )


#: Connection, class, and whether it came after the connection's first ``Disconnected`` here.
_Key = tuple[int, type[Event], bool]

_HOLE: _Key = (0, Dropped, False)


class Front:
    """What stays at the head of the row when data behind it was dropped.

    Between two undroppable data events it holds one growing hole and, for each connection,
    few lifecycle events: bounded however often a connection flaps. Of many losses the first
    ``Disconnected`` and the last ``Connected`` stay, so it tells one long gap.
    """

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self._items: list[Event | Hole] = []
        self._sizes: list[int] = []
        self._segment: dict[_Key, Lifecycle | Hole] = {}
        self._gaps: dict[int, float] = {}
        self.is_empty = True
        self.undroppable = 0
        self.bytes = 0

    def drop(self, event: Event) -> None:
        """Let the hole grow by ``event``."""
        self.is_empty = False
        hole = self._segment.get(_HOLE)
        if not isinstance(hole, Hole):
            hole = self._segment[_HOLE] = Hole()
        hole.take(event)

    def keep(self, event: Event, size: int) -> None:
        """Append data that may not be dropped."""
        self.is_empty = False
        self._items += [*self._segment.values(), event]
        self._sizes += [*(0 for _ in self._segment), size]
        self._segment = {}
        self.undroppable += 1
        self.bytes += size

    def merge(self, event: Lifecycle) -> int:
        """Append a lifecycle event; return how many vanished by that."""
        self.is_empty = False
        segment = self._segment
        number = event.connection
        lost = (number, Disconnected, False)
        if isinstance(event, Disconnected):
            if lost not in segment:
                segment[lost] = event
                return 0
            # It was made again meanwhile and is lost again: for the reader it still is.
            made = segment.pop((number, Connected, True), None)
            if isinstance(made, Connected):
                self._gaps[number] = self._gaps.get(number, 0.0) + made.gap_seconds
            asked = segment.pop((number, Subscribed, True), None)
            return 1 + (made is not None) + (asked is not None)
        if isinstance(event, Connected) and number in self._gaps:
            # One long gap: as long as all that were folded into it.
            event = attrs.evolve(event, gap_seconds=event.gap_seconds + self._gaps.pop(number))
        key = (number, type(event), lost in segment)
        # Taken out and put back at the end: the latest is true, and true only now.
        earlier = segment.pop(key, None)
        if isinstance(earlier, Lifecycle) and not isinstance(event, Connected):
            ids = tuple(dict.fromkeys((*earlier.asset_ids, *event.asset_ids)))
            event = attrs.evolve(event, asset_ids=ids)
        segment[key] = event
        return 0 if earlier is None else 1

    def waiting(self) -> int:
        """Return how many events that were put wait here."""
        items = [*self._items, *self._segment.values()]
        return sum(not isinstance(item, Hole) for item in items)

    def contents(self) -> tuple[list[Event], list[int]]:
        """Return everything that is here, and the wire bytes before each and after all."""
        items = [*self._items, *self._segment.values()]
        sizes = [*self._sizes, *(0 for _ in self._segment)]
        return (
            [item.as_event() if isinstance(item, Hole) else item for item in items],
            list(accumulate(sizes, initial=0)),
        )
