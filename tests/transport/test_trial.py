"""A connection that the library opens by itself is nobody's risk."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import ConnectionFailed
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    Disconnected,
    SubscriptionStalled,
    Unsubscribed,
)
from polymarket_ws.events.market import Book, LastTradePrice
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.simulator import At, DripHandshake, Exchange, NoBooks, Refuse
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport import readiness as readiness_module
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import eventually
from tests.transport.peers import Conversation, Peer, book, trade

Seconds = Callable[[float], float]
LIMIT = scaled(0.4)


def make_client(url: str, *, first_book: float | None = LIMIT, **options: Any) -> Client:
    return Client(
        endpoints=Endpoints(market=url),
        backoff=Backoff(initial=0.01, maximum=0.05),
        liveness=Liveness(socket=None, first_book=first_book),
        **options,
    )


def told_until(stream: Any, last: type[Event]) -> list[Event]:
    events = [stream.all().get(scaled(15))]
    while not isinstance(events[-1], last):
        events.append(stream.all().get(scaled(15)))
    return events


@pytest.mark.parametrize("status", [403, 404, 429, 503])
def test_refused_fresh_connection_ends_nothing(status: int) -> None:
    with Exchange(rate=None) as exchange:
        missing = exchange.markets[0].asset_ids[1]
        exchange.inject(At(NoBooks((missing,)), connection=1))
        # Before there is a trial, which begins without a look at what this test does. More of them
        # than it has time for: most statuses are tried again.
        for number in range(2, 500):
            exchange.inject(At(Refuse(status), connection=number))
        with Client(
            endpoints=Endpoints.at(exchange.url),
            backoff=Backoff(initial=0.01, maximum=0.05),
            liveness=Liveness(socket=None, first_book=LIMIT),
        ) as client:
            stream = client.subscribe(Market(*exchange.markets))
            stream.get(scaled(5))
            stalled = told_until(stream, SubscriptionStalled)
            assert stalled[-1].asset_ids == (missing,)  # type: ignore[attr-defined]
            assert not [e for e in stalled if isinstance(e, (Disconnected, Unsubscribed))]
            assert stream.end_reason is None
            assert client.wait_connected(scaled(5))
            # It is still asked for where it was, and its siblings go on.
            assert missing in exchange.subscribed
            exchange.step(50)
            assert stream.get(scaled(5))


def test_token_that_waits_for_a_fresh_connection_misses_nothing(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        if conversation.number == 0:
            conversation.accept()
            conversation.read()
            # Trades of a token whose book is forgotten, for as long as it is asked for here. On
            # this thread, and not before all is read that was written at once: to be asked for
            # anew it is left for a moment.
            for number in itertools.count():
                while conversation.hears(LIMIT / 20):
                    conversation.read()
                if "1" in conversation.asset_ids:
                    conversation.send(trade(number, "1"))
        conversation.read_head()
        conversation.hold()

    with Peer(script) as peer, make_client(peer.url) as client:
        stream = client.subscribe(Market("1"))
        events = told_until(stream, SubscriptionStalled)
        assert len(peer.conversations) >= 2
        numbers = [int(event.size) for event in events if isinstance(event, LastTradePrice)]
        assert numbers == list(range(len(numbers)))
        assert not [event for event in events if isinstance(event, Unsubscribed)]
        assert client.health().connected


def test_client_is_connected_while_a_trial_is_made(seconds: Seconds) -> None:
    with Exchange(rate=None) as exchange:
        missing = exchange.markets[0].asset_ids
        exchange.inject(At(NoBooks(missing), connection=1))
        exchange.inject(At(DripHandshake(0.002), connection=2))
        with Client(
            endpoints=Endpoints.at(exchange.url),
            liveness=Liveness(socket=None, first_book=scaled(1.0)),
        ) as client:
            stream = client.subscribe(Market(*exchange.markets))
            stream.get(seconds(5))
            assert client.wait_connected(seconds(5))
            readings = []
            eventually(
                lambda: readings.append(client.health()) or len(readings[-1].connections) == 2
            )
            eventually(lambda: readings.append(client.health()) or readings[-1].pending == ())
            assert all(reading.connected for reading in readings)


def test_replacing_everything_tells_no_new_connection(seconds: Seconds) -> None:
    def answer(conversation: Conversation) -> None:
        conversation.accept()
        known: set[str] = set()
        while conversation.read()[0] != 8:
            now = conversation.asset_ids
            conversation.send(*(book(key) for key in now - known))
            known = now

    with Peer(answer) as peer, make_client(peer.url, first_book=None) as client:
        stream = client.subscribe(Market("1"))
        stream.get(seconds(5))
        stream.replace(Market("2"))
        events = told_until(stream, Book)
        assert [type(event).__name__ for event in events] == ["Unsubscribed", "Subscribed", "Book"]
        assert not [event for event in events if isinstance(event, Connected)]


def test_feed_that_cannot_grow_holds_what_it_held(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    def serve(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read_on()

    class Exhausted:
        left = 1

        @classmethod
        def socketpair(cls) -> Any:
            if not cls.left:
                raise OSError(24, "Too many open files")
            cls.left -= 1
            return socket.socketpair()

    # No trials: they would take what the test has left to be had.
    with (
        Peer(serve) as peer,
        make_client(peer.url, first_book=None, assets_per_connection=2) as client,
    ):
        feed = client.listen(Market("1", "2"))
        eventually(lambda: [c.asset_ids for c in peer.conversations] == [{"1", "2"}])
        monkeypatch.setattr(readiness_module, "socket", Exhausted)
        for change in (
            # The first of two that are needed is made, and let go.
            lambda: feed.add("3", "4", "5"),
            lambda: feed.replace("4", "5", "6"),
        ):
            with pytest.raises(ConnectionFailed, match="too many open files"):
                change()
            assert feed.asset_ids == ("1", "2")
        monkeypatch.undo()
        feed.replace("4", "5", "6")
        eventually(
            lambda: set().union(*(c.asset_ids for c in peer.conversations)) == {"4", "5", "6"}
        )


def test_time_in_the_queue_is_not_the_time_of_an_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from polymarket_ws.transport import spacing as spacing_module

    monkeypatch.setattr(spacing_module, "OPENING_SECONDS", scaled(0.1))
    refusals = Refuse(500)
    with Exchange(rate=None, markets=20, faults=[At(refusals, connection=1)]) as exchange:
        with Client(
            endpoints=Endpoints.at(exchange.url),
            connect_timeout=scaled(0.5),
            assets_per_connection=2,
        ) as client:
            began = time.monotonic()
            stream = client.subscribe(Market(*exchange.markets))
            books = {stream.get(scaled(10)).asset_id for _ in range(40)}
            # Its second turn comes after all the others, long after its time was up.
            assert time.monotonic() - began > scaled(1.5)
            assert len(books) == 40
