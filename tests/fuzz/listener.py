"""One connection without its socket, to which anything may be said.

Invariant: whatever a server sends, in whatever pieces,

* nothing is raised;
* each message becomes events, a ``DecodeFailure``, an ``UnknownEvent`` or a
  ``SubscriptionRejected``, one for each element of an array; only control texts and empty
  arrays become nothing;
* or the server broke RFC 6455: then all before that was heard, nothing after it is, and the end
  has one of the close codes 1002, 1007 and 1009, or the server's own;
* each event reaches whoever wants it, once, in order, or is counted as asked for by nobody;
* each event can be hashed and shown in one short line, its numbers are finite, and its JSON is
  one line that reads back as the same event with the same digits;
* an ``OrderBook`` takes each event, and who joins late gets a ``Book`` that is as sound;
* what is kept does not grow with what was sent.
"""

from __future__ import annotations

import functools
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

import attrs

from polymarket_ws.book import BookState, OrderBook
from polymarket_ws.conversion import from_json
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    SubscriptionRejected,
    UnknownEvent,
)
from polymarket_ws.protocol.decoding import Source
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.session import Session
from polymarket_ws.routing import Router, Want
from polymarket_ws.subscriptions import EVERYWHERE
from polymarket_ws.transport.conversation import Conversation
from polymarket_ws.transport.line import End, Line
from polymarket_ws.transport.opening import Opened
from polymarket_ws.transport.readiness import Readiness
from tests.fuzz.bases import Channel
from tests.fuzz.mutations import Mutator
from tests.mailboxes import NOW
from tests.transport.peers import server_frame

__all__ = ["Listener", "check_event", "is_silent"]

#: Nobody reads a longer line; the longest numbers of the wire are cut in it, too.
_LINE_CHARACTERS = 400

_ODD = (DecodeFailure, UnknownEvent, SubscriptionRejected)

#: Late joiners are told a book that is folded, which is slow.
_MESSAGES_A_NEWCOMER = 400


def is_silent(text: bytes) -> bool:
    """Return whether a text may become no event at all."""
    text = text.strip()
    return text in (b"", b"PONG", b"NO NEW ASSETS") or text.split() in ([b"[]"], [b"[", b"]"])


@functools.cache
def _numeric_fields(cls: type) -> tuple[str, ...]:
    """Return the fields of an attrs class that may hold a ``Decimal``, however deep."""
    if not attrs.has(cls):
        return ()
    attrs.resolve_types(cls)
    return tuple(
        field.name
        for field in attrs.fields(cls)
        if "Decimal" in str(field.type) or "polymarket_ws" in str(field.type)
    )


def _decimals(value: object) -> Iterator[Decimal]:
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _decimals(item)
    else:
        for name in _numeric_fields(type(value)):
            yield from _decimals(getattr(value, name))


def _emptied(mailbox: Mailbox) -> list[Event]:
    """Return all that waits in a mailbox."""
    events: list[Event] = []
    while True:
        try:
            hand = mailbox.refill(NOW)
        except TimeoutError:
            return events
        assert hand is not None
        events += hand.events[hand.position :]
        hand.position = hand.size


def check_event(event: Event) -> None:
    """Check what holds for every event, wherever it comes from."""
    hash(event)
    line = str(event)
    assert len(line.splitlines()) == 1, line
    assert len(line) <= _LINE_CHARACTERS, line
    for number in _decimals(event):
        assert number.is_finite()
        assert abs(number) < 10**100
        # No longer than what was written out on the wire, where digits are 5,000 at most.
        assert len(format(number, "f")) < 10_000
    written = event.to_json()
    assert "\n" not in written
    read = from_json(written)
    assert type(read) is type(event)
    assert read == event
    assert read.to_json() == written


class _Session(Session):
    """A session that remembers what it made of each message."""

    heard_of: list[tuple[bytes, list[Event]]]

    def receive(
        self, texts: Sequence[bytes], received_at: float
    ) -> tuple[list[Event], list[int], list[Source]]:
        events: list[Event] = []
        sizes: list[int] = []
        sources: list[Source] = []
        for text in texts:
            told, their_sizes, their_sources = super().receive((text,), received_at)
            self.heard_of.append((text, told))
            assert all(event.received_at == received_at for event in told)
            assert all(event.epoch == self.epoch for event in told)
            events += told
            sizes += their_sizes
            sources += their_sources
        return events, sizes, sources


class Listener:
    """A conversation that is broken off and taken up again, and its consumers.

    Args:
        channel: what is spoken.
        mutator: says how to cut and to damage what is heard.

    Attributes:
        frames: messages that were sent here.
        told: how many events came out, by their class.
        ends: how often a connection ended, by close code.
    """

    def __init__(self, channel: Channel, mutator: Mutator) -> None:
        self.frames = 0
        self.told: Counter[str] = Counter()
        self.ends: Counter[int] = Counter()
        self._channel = channel
        self._random = mutator.random
        self._mutator = mutator
        self._kinds = frozenset(
            {**channel.dialect.vocabulary.fast, **channel.dialect.vocabulary.tolerant}.values()
        )
        self._session = _Session(channel.dialect, Liveness(), connection=1)
        self._session.heard_of = []
        self._mailbox = Mailbox(Delivery())
        self._router = Router(
            Mailbox(Delivery()),
            lambda _: False,
            channel=channel.dialect.channel,
            connection=1,
            names_markets=channel.dialect.ids_narrow,
        )
        keys = (*channel.ids, EVERYWHERE)
        self._router.want(
            Want(self._mailbox, dict.fromkeys(keys, self._kinds)), connected=None, sent=()
        )
        self._books = [OrderBook(key) for key in channel.ids]
        self._readiness = Readiness()
        self._ours, self._peer = socket.socketpair()
        self._ours.setblocking(False)
        self._until_newcomer = _MESSAGES_A_NEWCOMER
        self._open()

    def close(self) -> None:
        """Give the sockets back."""
        self._ours.close()
        self._peer.close()
        self._readiness.close()

    # -- the connection ------------------------------------------------------------------------

    def _open(self) -> None:
        session, router, now = self._session, self._router, time.monotonic()
        session.want(router.ids, router.decoded, now, everything=router.everywhere)
        self._connected = session.opened(now, time.time())
        router.tell(self._connected)
        for event in session.due(now, time.time())[1]:
            router.tell(event, event.asset_ids or None)
        self._conversation = Conversation(
            Line(Opened(self._ours, b""), self._readiness),
            session=session,
            router=router,
            recovery=None,
            ask_elsewhere=lambda _: False,
            wait=lambda *_, **__: (False, False),
            flush=router.flush,
            is_stopping=lambda: False,
        )
        self._take()

    def begin_anew(self) -> None:
        """Break the connection off, and forget all that may be forgotten then."""
        self._lose(End(1001, "begun anew", by_peer=True))
        self._books = [OrderBook(key) for key in self._channel.ids]

    def _lose(self, end: End) -> None:
        assert end.code in (1002, 1007, 1009) or end.by_peer, end
        self.ends[end.code] += 1
        self._router.disconnected()
        self._router.tell(self._session.closed(end.code, end.reason, time.time()))
        self._take()
        self._open()

    # -- what is said --------------------------------------------------------------------------

    def hear(self, texts: Sequence[bytes]) -> None:
        """Send messages, cut anywhere, and with some luck in unbroken frames."""
        self.frames += len(texts)
        stream = bytearray().join(self._framed(text) for text in texts)
        is_damaged = self._random.random() < 0.05
        if is_damaged:
            self._mutator.damage(stream)
        data = bytes(stream)
        cuts = sorted(self._random.randint(0, len(data)) for _ in range(self._random.randint(0, 3)))
        end: End | None = None
        asked_for_by_nobody = self._router.not_asked_for
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            end = self._conversation._take(data[start:stop])
            if end is not None:
                break
        heard_of, self._session.heard_of = self._session.heard_of, []
        if end is None and not is_damaged:
            assert [text for text, _ in heard_of] == list(texts)
        taken = self._take()
        made = [event for _, events in heard_of for event in events]
        asked_for_by_nobody = self._router.not_asked_for - asked_for_by_nobody
        # A violation and a binary message are told by the conversation itself.
        extra = len(taken) + asked_for_by_nobody - len(made)
        assert extra == 0 or (extra > 0 and (end is not None or is_damaged)), extra
        for text, events in heard_of:
            self._check_message(text, events)
        if end is not None:
            self._lose(end)
        elif is_damaged:
            # The parser may be in the middle of a frame, where all that follows is payload.
            self.begin_anew()
        self._until_newcomer -= len(texts)
        if self._until_newcomer <= 0:
            self._until_newcomer = _MESSAGES_A_NEWCOMER
            self._welcome_newcomer()

    def _framed(self, text: bytes) -> bytes:
        if self._random.random() < 0.9:
            return server_frame(text)
        at = self._random.randint(0, len(text))
        ping = server_frame(b"ping", 9)
        return server_frame(text[:at], final=False) + ping + server_frame(text[at:], 0)

    def _take(self) -> list[Event]:
        self._router.flush()
        self._router.odd.clear()
        events = _emptied(self._mailbox)
        for event in events:
            self.told[type(event).__name__] += 1
            check_event(event)
            for book in self._books:
                book.apply(event)
        return events

    def _check_message(self, text: bytes, events: list[Event]) -> None:
        assert all(isinstance(event, (*self._kinds, *_ODD)) for event in events)
        if not events:
            assert is_silent(text), text
        elif text[:1] == b"[" and len(text) < 20_000:
            try:
                elements = json.loads(text)
            except (ValueError, RecursionError):
                return
            assert len(events) == len(elements)

    # -- who comes late ------------------------------------------------------------------------

    def _welcome_newcomer(self) -> None:
        session, router = self._session, self._router
        mailbox = Mailbox(Delivery())
        wishes = dict.fromkeys(self._channel.ids, self._kinds)
        connected: Connected = self._connected
        unknown = router.want(Want(mailbox, wishes), connected=connected, sent=session.sent)
        assert set(unknown) <= set(self._channel.ids)
        router.flush()
        for event in _emptied(mailbox):
            check_event(event)
        mailbox.close()
        assert router.forget_the_gone()
        self._check_books()
        self._check_memory()

    def _check_books(self) -> None:
        for book in self._books:
            snapshot = book.snapshot(allow_stale=True)
            assert list(snapshot.bids) == sorted(snapshot.bids, key=_price, reverse=True)
            assert list(snapshot.asks) == sorted(snapshot.asks, key=_price)
            repr(book)
            hash((snapshot.spread, snapshot.midpoint, snapshot.crossed))
            if snapshot.state is BookState.LIVE:
                check_event(book.to_book())

    def _check_memory(self) -> None:
        """Check that what is kept is bounded by what is wanted, not by what was heard."""
        router, ids = self._router, set(self._channel.ids)
        assert self._mailbox.reading().waiting == 0
        assert router._lanes.keys() == {self._mailbox}
        assert router._past._log_of.keys() <= ids
        assert router._bookless.keys() <= ids
        assert self._session.awaited.keys() <= ids
        assert self._session._awaiting._came <= ids
        logs = list(router._past._logs.values())
        assert all(way.log is None or way.log in logs for way in router._ways.values())
        for log in logs:
            assert len(log.items) < 256
            for page in log.pages.values():
                assert page.journal is None or len(page.journal.changes) < page.journal._limit


def _price(level: object) -> Decimal:
    price: Decimal = level.price  # type: ignore[attr-defined]
    return price
