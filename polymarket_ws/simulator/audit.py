"""What an exchange sent against what a program received, to the last message.

It reads the wire by itself and shares no decoder with the client: what both got wrong would
go unnoticed.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

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
    Unsubscribed,
)
from polymarket_ws.simulator.interference import Sent

__all__ = ["Account", "Audit"]

#: Both sides cut what they show of a text that nobody could read.
_SHOWN = 4096

#: How far ahead an event is looked for that is not the next one: to tell how many are missing.
_LOOK_AHEAD = 10_000


@attrs.frozen(kw_only=True)
class Account:
    """Where everything that was sent is.

    ``sent == delivered + dropped + in_gaps + not_asked_for + waiting + lost``

    Attributes:
        sent: events that the exchange queued for connections of the program.
        delivered: those that came out of its stream.
        dropped: those that the stream told as ``Dropped``.
        in_gaps: those sent after the last event of a connection that was told as lost, or on
            one that was never told as connected.
        not_asked_for: those of assets or types that the stream does not want.
        waiting: those that are on their way, or in the stream's buffer.
        lost: those of which nothing tells. This must be 0.
        strange: what came out of the stream and was not sent. This must be 0.
        failures: ``DecodeFailure`` of bytes that broke the protocol, which are no events.
        first: what was wrong first, in words.
    """

    sent: int
    delivered: int
    dropped: int
    in_gaps: int
    not_asked_for: int
    waiting: int
    lost: int
    strange: int
    failures: int
    first: str | None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost without a word, and nothing came from nowhere."""
        return not self.lost and not self.strange


@attrs.define
class _Line:
    """One connection as the exchange numbers it."""

    number: int
    texts: deque[str] = attrs.field(factory=deque)
    items: deque[Any] = attrs.field(factory=deque)


@attrs.define
class _Link:
    """One connection as the program numbers it."""

    asset_ids: frozenset[str]
    line: _Line | None = None
    dropped: int = 0


class Audit:
    """Holds a stream to "sent = delivered + declared lost", while both run.

    Give :meth:`sent` to the exchange as its ``tap``, and every event of ``stream.all()`` to
    :meth:`received`, ``Dropped`` and lifecycle events included. The stream must want the same
    assets from its beginning to its end, on whichever connection they are. Which connection of
    the exchange is which of the program is found by what was sent on it.

    A ``Dropped`` that stands between two events of one connection is checked to the number. One
    that names assets of several connections, or grew over the end of one, is taken at its word.

    Args:
        event_types: the wire's names of what the stream wants.
    """

    def __init__(
        self,
        event_types: Iterable[str] = (
            "book",
            "price_change",
            "last_trade_price",
            "tick_size_change",
        ),
    ) -> None:
        self._event_types = frozenset(event_types)
        # Never held while anything is called that could wait.
        self._lock = threading.Lock()
        self._lines: dict[int, _Line] = {}
        self._links: dict[int, _Link] = {}
        self._gone: set[int] = set()
        self._sent = self._delivered = self._dropped = self._in_gaps = 0
        self._not_asked_for = self._lost = self._strange = self._failures = 0
        #: Told as dropped, of one of several connections.
        self._shared = 0
        self._first: str | None = None

    def sent(self, message: Sent) -> None:
        """Note what an exchange queues; for its ``tap``."""
        with self._lock:
            if message.connection in self._gone:
                count = len(_items(message.text))
                self._sent += count
                self._in_gaps += count
                return
            line = self._lines.setdefault(message.connection, _Line(message.connection))
            line.texts.append(message.text)

    def received(self, event: Event) -> None:
        """Note what came out of the stream, in its order."""
        with self._lock:
            if isinstance(event, Connected):
                self._connected(event)
            elif isinstance(event, Disconnected):
                self._disconnected(event)
            elif isinstance(event, Subscribed):
                self._joined(event)
            elif isinstance(event, Unsubscribed):
                self._left(event)
            elif isinstance(event, Dropped):
                self._note_dropped(event)
            elif isinstance(event, (DecodeFailure, UnknownEvent)):
                self._take_odd(event)
            elif not isinstance(event, Lifecycle):
                self._take(event)

    def account(self) -> Account:
        """Return the account as it stands."""
        with self._lock:
            waiting = passing = 0
            links = {id(link.line): link for link in self._links.values()}
            for line in self._lines.values():
                self._unpack(line)
                link = links.get(id(line))
                for item in line.items:
                    # The last of a token that was left, which nothing may ever follow.
                    if link is not None and self._reduced(link, item) is None:
                        passing += 1
                    else:
                        waiting += 1
            return Account(
                sent=self._sent,
                delivered=self._delivered,
                dropped=self._dropped,
                in_gaps=self._in_gaps,
                not_asked_for=self._not_asked_for + passing,
                waiting=waiting,
                lost=self._lost,
                strange=self._strange,
                failures=self._failures,
                first=self._first,
            )

    # -- connections ---------------------------------------------------------------------------

    def _connected(self, event: Connected) -> None:
        if event.connection in self._links:
            self._disconnect(event.connection)
        self._links[event.connection] = _Link(frozenset(event.asset_ids))

    def _joined(self, event: Subscribed) -> None:
        # A token may move to a connection that the stream has for others already.
        link = self._links.get(event.connection)
        if link is not None:
            link.asset_ids = link.asset_ids.union(event.asset_ids)

    def _left(self, event: Unsubscribed) -> None:
        link = self._links.get(event.connection)
        if link is not None:
            link.asset_ids = link.asset_ids.difference(event.asset_ids)

    def _disconnected(self, event: Disconnected) -> None:
        if event.connection in self._links:
            self._disconnect(event.connection)

    def _disconnect(self, connection: int) -> None:
        link = self._links.pop(connection)
        # What was dropped before the end is among what is left of it.
        if link.line is not None:
            self._bury(link.line, declared=link.dropped)
        else:
            self._dropped += link.dropped

    def _bury(self, line: _Line, declared: int = 0) -> None:
        """Count the rest of a connection that is gone as in a gap."""
        self._unpack(line)
        left = len(line.items)
        dropped = min(declared, left)
        self._dropped += dropped
        self._in_gaps += left - dropped
        self._gone.add(line.number)
        self._lines.pop(line.number, None)

    # -- events --------------------------------------------------------------------------------

    def _note_dropped(self, event: Dropped) -> None:
        meant = [
            link
            for link in self._links.values()
            if not event.asset_ids or link.asset_ids.intersection(event.asset_ids)
        ]
        if len(meant) == 1:
            meant[0].dropped += event.count
        elif meant:
            self._shared += event.count
        else:
            self._dropped += event.count

    def _take(self, event: Event) -> None:
        wire = event.to_dict()
        asset_ids = _assets(wire)
        for link in self._links.values():
            if link.asset_ids.intersection(asset_ids):
                self._match(link, wire)
                return
        self._wrong(f"{event} came on no connection that was told")

    def _take_odd(self, event: DecodeFailure | UnknownEvent) -> None:
        link = self._links.get(event.connection)
        if link is None:
            self._wrong(f"{event} came on no connection that was told")
        elif isinstance(event, DecodeFailure) and not self._is_next(link, event.raw):
            # The bytes that broke the protocol were no text, so nobody can say what they held.
            self._failures += 1
        else:
            self._match(link, event.raw)

    def _is_next(self, link: _Link, raw: str) -> bool:
        line = link.line or next(iter(self._lines.values()), None)
        if line is None:
            return False
        self._unpack(line)
        return any(item == raw for item in itertools.islice(line.items, _LOOK_AHEAD))

    def _match(self, link: _Link, wanted: object) -> None:
        """Take what is before an event off the connection, and the event."""
        if link.line is None:
            link.line = self._find_line(link, wanted)
            if link.line is None:
                self._wrong(f"{str(wanted)[:200]} was sent on no connection")
                return
        line = link.line
        self._unpack(line)
        position = self._position(link, line, wanted)
        if position is None:
            self._wrong(f"{str(wanted)[:200]} was not sent on connection {line.number}")
            return
        missing = 0
        for _ in range(position):
            missing += self._reduced(link, line.items.popleft()) is not None
        self._not_asked_for += position - missing
        line.items.popleft()
        self._delivered += 1
        self._dropped += min(missing, link.dropped)
        if missing > link.dropped:
            shared = min(missing - link.dropped, self._shared)
            self._shared -= shared
            self._dropped += shared
            lost = missing - link.dropped - shared
            if lost:
                self._lost += lost
                self._note(f"{lost} events before {str(wanted)[:200]} are missing")
        elif missing < link.dropped:
            self._strange += link.dropped - missing
            self._note(f"{link.dropped} were told as dropped, and {missing} are missing")
        link.dropped = 0

    def _find_line(self, link: _Link, wanted: object) -> _Line | None:
        carried = {id(other.line) for other in self._links.values()}
        found = None
        free = [line for line in self._lines.values() if id(line) not in carried]
        for line in sorted(free, key=lambda line: line.number):
            self._unpack(line)
            position = self._position(link, line, wanted)
            if position is None:
                continue
            before = itertools.islice(line.items, position)
            missing = sum(self._reduced(link, item) is not None for item in before)
            # Two that were opened while nothing moved began with the same books, in another
            # order: the one is meant on which nothing is missing but what was dropped.
            if missing == link.dropped:
                found = line
                break
            found = found or line
        if found is not None:
            for line in free:
                # Accepted here, and given up by the client before it was: it told nobody.
                if line.number < found.number and not self._may_be_other(link, line):
                    self._bury(line)
        return found

    def _may_be_other(self, link: _Link, line: _Line) -> bool:
        """Whether a connection carries what this link does not, or nothing so far.

        One that nothing was sent on is not known here: there was an answer without a book.
        """
        return not line.items or any(
            not link.asset_ids.issuperset(_assets(item)) for item in line.items
        )

    def _position(self, link: _Link, line: _Line, wanted: object) -> int | None:
        for position, item in enumerate(itertools.islice(line.items, _LOOK_AHEAD)):
            if self._reduced(link, item) == wanted:
                return position
        return None

    def _reduced(self, link: _Link, item: object) -> object:
        """Return what of an item is wanted: all of it, some entries, or None."""
        if not isinstance(item, dict):
            return item
        event_type = item.get("event_type")
        if event_type not in self._event_types:
            return None if event_type in _KNOWN else json.dumps(item, separators=(",", ":"))
        if event_type != "price_change":
            return item if link.asset_ids.intersection(_assets(item)) else None
        entries = [one for one in item["price_changes"] if one["asset_id"] in link.asset_ids]
        return {**item, "price_changes": entries} if entries else None

    def _unpack(self, line: _Line) -> None:
        while line.texts:
            items = _items(line.texts.popleft())
            self._sent += len(items)
            line.items.extend(items)

    def _wrong(self, words: str) -> None:
        self._strange += 1
        self._note(words)

    def _note(self, words: str) -> None:
        if self._first is None:
            self._first = words


_KNOWN = frozenset(
    (
        "best_bid_ask",
        "book",
        "last_trade_price",
        "market_resolved",
        "new_market",
        "price_change",
        "tick_size_change",
    )
)


def _items(text: str) -> list[Any]:
    """Return the events of one text; one that is no JSON is an item as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return [text[:_SHOWN]]
    items = value if isinstance(value, list) else [value]
    return [item if _is_known(item) else _as_sent(item, text, len(items)) for item in items]


def _is_known(item: object) -> bool:
    return isinstance(item, dict) and item.get("event_type") in _KNOWN


def _as_sent(item: object, text: str, count: int) -> str:
    # The client shows the characters that it was sent.
    return text[:_SHOWN] if count == 1 else json.dumps(item, separators=(",", ":"))[:_SHOWN]


def _assets(item: object) -> frozenset[str]:
    """Return the assets that an event on the wire is about."""
    if not isinstance(item, dict):
        return frozenset()
    if "asset_id" in item:
        return frozenset((item["asset_id"],))
    named = [one["asset_id"] for one in item.get("price_changes", ())]
    return frozenset((*named, *item.get("assets_ids", ())))
