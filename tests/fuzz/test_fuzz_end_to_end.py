"""Broken frames over a real socket: everything is told, in order, and the thread lives on."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import attrs

from polymarket_ws import (
    Backoff,
    Client,
    Connected,
    DecodeFailure,
    Delivery,
    Disconnected,
    Endpoints,
    Event,
    LastTradePrice,
    Lifecycle,
    Liveness,
    Market,
    MarketEvent,
    Stream,
    SubscriptionRejected,
    UnknownEvent,
)
from polymarket_ws.delivery import Mailbox
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.session import Session
from polymarket_ws.routing import Router, Want
from tests.fuzz.bases import MARKET
from tests.fuzz.mutations import Mutator
from tests.mailboxes import take
from tests.transport.peers import Conversation, Peer, close_frame, server_frame, trade

CONNECTIONS = 20
MESSAGES = 200

SUBSCRIPTION = Market(*MARKET.ids, events=[MarketEvent])

#: Everything that waits may be told: what is dropped would be no fault here, but it is not meant.
ROOM = Delivery(max_events=1_000_000, max_bytes=1 << 30)

ODD = (DecodeFailure, UnknownEvent, SubscriptionRejected)


@attrs.frozen
class Fate:
    """What ends a connection: these bytes, and the code that the end is told with."""

    last: bytes
    code: int
    is_violation: bool = True


FATES = (
    Fate(b"\xc1\x00", 1002),
    Fate(server_frame(b'{"a":"\xff"}'), 1007),
    Fate(b"\x81\x7f" + struct.pack("!Q", 1 << 40), 1009),
    Fate(close_frame(1012, "restart"), 1012, is_violation=False),
    Fate(server_frame(b"{" * 1_000)[:500], 1006, is_violation=False),
    Fate(server_frame(struct.pack("!H", 1005), 8), 1002),
)


def told(mailbox: Mailbox, session: Session, router: Router, texts: list[bytes]) -> list[str]:
    """Return as JSON what one consumer is told of messages, without any socket."""
    for text in texts:
        router.route(*session.receive((text,), time.time()))
    router.flush()
    return [event.to_json() for event in take(mailbox)]


def expected(texts: list[bytes]) -> list[str]:
    mailbox = Mailbox(ROOM)
    router = Router(Mailbox(ROOM), lambda _: False, channel="market", connection=1)
    router.want(Want(mailbox, SUBSCRIPTION.wishes), connected=None, sent=())
    session = Session(MarketDialect(), Liveness(), connection=1)
    session.want(router.ids, router.decoded, 0.0, everything=router.everywhere)
    return told(mailbox, session, router, texts)


def said(seed: int) -> Iterator[list[bytes]]:
    """Yield what is said on each connection: whole messages of UTF-8, broken otherwise."""
    mutator = Mutator(MARKET.texts, seed)
    for number in range(CONNECTIONS):
        texts = [mutator.text().decode(errors="ignore").encode() for _ in range(MESSAGES)]
        # Shows where the end is.
        last = trade(number + 1, MARKET.ids[0])
        yield [*texts, last.encode()]


def read_through(stream: Stream[MarketEvent], patience: float) -> list[list[Event]]:
    """Return the events of each connection, up to the last one's last."""
    connections: list[list[Event]] = []
    until = time.monotonic() + patience
    while True:
        event = stream.all().get(max(0.0, until - time.monotonic()))
        if isinstance(event, Connected):
            connections.append([])
        connections[-1].append(event)
        if isinstance(event, LastTradePrice) and event.size == CONNECTIONS:
            return connections


def test_everything_said_is_told_and_the_thread_lives_on(
    seconds: Callable[[float], float],
) -> None:
    batches = list(said(seed=1))
    random = Mutator(MARKET.texts, seed=2).random

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        number = conversation.number
        data = b"".join(map(server_frame, batches[number]))
        is_last = number + 1 == CONNECTIONS
        data += b"" if is_last else FATES[number % len(FATES)].last
        while data:
            size = random.choice((1, 100, 5_000, 200_000))
            conversation.sock.sendall(data[:size])
            data = data[size:]
        if not is_last and FATES[number % len(FATES)].code == 1006:
            conversation.sock.shutdown(socket.SHUT_WR)
        conversation.read_on()

    quick = Backoff(initial=0.001, maximum=0.01)
    with (
        Peer(script) as peer,
        Client(
            endpoints=Endpoints(market=peer.url),
            backoff=quick,
            delivery=ROOM,
            liveness=Liveness(first_book=None),
        ) as client,
    ):
        stream = client.subscribe(SUBSCRIPTION)
        connections = read_through(stream, seconds(60))
        (connection,) = client.health().connections
        assert (connection.state, connection.epoch) == ("open", CONNECTIONS)
        assert "polymarket-ws-market-1" in {thread.name for thread in threading.enumerate()}
        stats = stream.stats

    assert len(connections) == CONNECTIONS
    for number, (texts, events) in enumerate(zip(batches, connections, strict=True)):
        heard = [e for e in events if not isinstance(e, Lifecycle) or isinstance(e, ODD)]
        if number + 1 < CONNECTIONS:
            fate = FATES[number % len(FATES)]
            lost = events[-1]
            assert isinstance(lost, Disconnected)
            assert lost.code == fate.code
            if fate.is_violation:
                violation = heard.pop()
                assert isinstance(violation, DecodeFailure)
                assert violation.error == lost.reason
        assert [event.to_json() for event in heard] == expected(texts)
        assert {event.epoch for event in events} == {number + 1}

    counts = Counter(type(event) for events in connections for event in events)
    assert stats.dropped == stats.merged == stats.discarded == 0
    assert stats.decode_failures == counts[DecodeFailure]
    assert stats.unknown_events == counts[UnknownEvent]
    assert stats.disconnects == CONNECTIONS - 1
