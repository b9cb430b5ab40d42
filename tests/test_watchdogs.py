"""What is noticed when nothing is said: each watchdog against a server that does just that."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from polymarket_ws.client import Client
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    Disconnected,
    Lifecycle,
    Subscribed,
    SubscriptionStalled,
    Unsubscribed,
)
from polymarket_ws.events.market import Book, LastTradePrice
from polymarket_ws.protocol import market as market_module
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.stream import Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import Loopback, Talk, book, eventually, obey, trade

Seconds = Callable[[float], float]

#: Far below what a test waits for, far above what a loaded machine needs for an answer.
LIMIT = scaled(0.4)


def make_client(server: Loopback, *, assets: int = 200, **limits: Any) -> Client:
    return Client(
        endpoints=server.endpoints,
        backoff=Backoff(initial=0.01, maximum=0.05),
        liveness=Liveness(**{"socket": None, "first_book": None, **limits}),
        assets_per_connection=assets,
    )


def told_until(stream: Stream[Any], last: type[Event], seconds: Seconds) -> list[Event]:
    events = [stream.all().get(seconds(10))]
    while not isinstance(events[-1], last):
        events.append(stream.all().get(seconds(10)))
    return events


def operations(talk: Talk) -> list[tuple[object, object]]:
    return [(frame.get("operation", "first"), frame["assets_ids"]) for frame in talk.frames]


# -- the socket --------------------------------------------------------------------------


def test_mute_server_is_left_and_told(seconds: Seconds) -> None:
    left = threading.Event()

    def mute(talk: Talk) -> None:
        """Answer the first subscription and never again say a thing."""
        for turn, _ in enumerate(talk.obey()):
            if turn == 0 and talk.number == 1:
                left.wait(seconds(5))

    with Loopback(mute) as server, make_client(server, socket=LIMIT) as client:
        stream = client.subscribe(Market("1"))
        assert stream.get(seconds(5)).asset_id == "1"
        lost = told_until(stream, Disconnected, seconds)[-1]
        assert isinstance(lost, Disconnected)
        assert lost.last_message_at is not None
        assert lost.received_at - lost.last_message_at >= LIMIT * 0.9
        assert (lost.code, lost.asset_ids) == (1006, ("1",))
        assert "no frame of any kind" in lost.reason
        again = told_until(stream, Connected, seconds)[-1]
        assert isinstance(again, Connected)
        assert again.epoch == 2
        assert again.gap_seconds >= LIMIT * 0.9
        left.set()


def test_limit_below_the_usual_heartbeat_tears_no_quiet_market_down(seconds: Seconds) -> None:
    limit = 2 * LIMIT
    assert limit < market_module.PING_INTERVAL
    with Loopback(obey) as server, make_client(server, socket=limit) as client:
        stream = client.subscribe(Market("1"))
        stream.get(seconds(5))
        # Nothing comes but the answers to what the client asks by itself.
        assert server.talks[0].over.wait(2.5 * limit) is False
        assert stream.stats.disconnects == 0


def test_quiet_market_is_never_torn_down(seconds: Seconds) -> None:
    # So many pings in each limit that one which comes late is no silence.
    limit = 1.5 * LIMIT

    def pinging(talk: Talk) -> None:
        """Answer, and send nothing but protocol pings in between."""
        pause = threading.Event()
        answers = talk.obey()
        next(answers, None)
        while not talk.over.is_set() and talk.ping():
            pause.wait(limit / 20)

    with Loopback(pinging) as server, make_client(server, socket=limit) as client:
        stream = client.subscribe(Market("1"))
        stream.get(seconds(5))
        # As long as several limits: pings alone keep it.
        assert server.talks[0].over.wait(2.5 * limit) is False
        assert len(server.talks) == 1
        assert stream.stats.disconnects == 0


# -- the data ----------------------------------------------------------------------------


def test_silent_topic_is_left_where_silence_is_watched(monkeypatch: Any, seconds: Seconds) -> None:
    # PONGs keep the socket alive, so only the watch over data can notice.
    monkeypatch.setattr(market_module, "PING_INTERVAL", LIMIT / 5)
    with Loopback(obey) as server, make_client(server, data=LIMIT) as client:
        stream = client.subscribe(Market("1"))
        lost = told_until(stream, Disconnected, seconds)[-1]
        assert isinstance(lost, Disconnected)
        assert "no data" in lost.reason
        assert told_until(stream, Book, seconds)


# -- the subscription ----------------------------------------------------------------------


def test_pongs_without_a_book_lead_to_a_fresh_connection_and_then_to_a_word(
    seconds: Seconds,
) -> None:
    with (
        Loopback(obey, silent=("1", "2")) as server,
        make_client(server, first_book=LIMIT) as client,
    ):
        stream = client.subscribe(Market("1", "2"))
        events = told_until(stream, SubscriptionStalled, seconds)
        assert operations(server.talks[0])[:3] == [
            ("first", ["1", "2"]),
            ("unsubscribe", ["1", "2"]),
            ("subscribe", ["1", "2"]),
        ]
        assert operations(server.talks[1]) == [("first", ["1", "2"])]
        told = [(type(event).__name__, event.connection) for event in events]
        assert told[:2] == [("Connected", 1), ("Subscribed", 1)]
        # Two threads tell of the move, each in its order.
        assert [item for item in told[2:] if item[1] == 1] == [("Unsubscribed", 1)]
        assert [item for item in told[2:] if item[1] == 2] == [
            ("Connected", 2),
            ("Subscribed", 2),
            ("SubscriptionStalled", 2),
        ]
        assert all(event.asset_ids == ("1", "2") for event in events)
        assert client.health().pending == ("1", "2")
        # Nobody needs the first connection any more, and nothing goes round in circles.
        eventually(server.talks[0].over.is_set)
        assert not server.talks[1].over.wait(2 * LIMIT)
        assert len(server.talks) == 2
        assert server.asset_ids == ["1", "2"]


def test_one_asset_without_a_book_costs_its_siblings_nothing(seconds: Seconds) -> None:
    done = threading.Event()

    def script(talk: Talk) -> None:
        if talk.number != 1:
            obey(talk)
            return
        answers = talk.obey()
        next(answers, None)
        chatter = threading.Thread(target=chat, args=(talk,))
        chatter.start()
        for _ in answers:
            pass
        chatter.join()

    def chat(talk: Talk) -> None:
        number = 0
        while not done.wait(LIMIT / 20) and talk.send(trade(number, "1")):
            number += 1

    with (
        Loopback(script, silent=("2",)) as server,
        make_client(server, first_book=LIMIT) as client,
    ):
        stream = client.subscribe(Market("1", "2", "3"))
        events = told_until(stream, SubscriptionStalled, seconds)
        done.set()
        assert [e.asset_ids for e in events if isinstance(e, SubscriptionStalled)] == [("2",)]
        assert not [event for event in events if isinstance(event, Disconnected)]
        numbers = [int(event.size) for event in events if isinstance(event, LastTradePrice)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 10
        assert sorted(talk.asset_ids for talk in server.open) == [{"1", "3"}, {"2"}]
        assert client.health().pending == ("2",)


def test_book_that_comes_on_the_fresh_connection_is_no_stall(seconds: Seconds) -> None:
    def script(talk: Talk) -> None:
        if talk.number == 1:
            obey(talk)
            return
        for _ in talk.obey():
            talk.send(*(book(key) for key in sorted(talk.asset_ids)))

    with (
        Loopback(script, silent=("2",)) as server,
        make_client(server, first_book=LIMIT) as client,
    ):
        stream = client.subscribe(Market("1", "2", events=[Book]))
        assert stream.get(seconds(5)).asset_id == "1"
        assert stream.get(seconds(10)).asset_id == "2"
        assert client.health().pending == ()
        # From there it is carried like any other, for those who come later, too.
        late = client.subscribe(Market("2"))
        assert late.get(seconds(5)).asset_id == "2"
        late.close()
        stream.remove("2")
        eventually(lambda: server.asset_ids == ["1"])


def test_dead_assets_gather_on_one_connection(seconds: Seconds) -> None:
    dead = [str(number) for number in range(10, 16)]
    with (
        Loopback(obey, silent=dead) as server,
        make_client(server, first_book=LIMIT, assets=4) as client,
    ):
        stream = client.subscribe(Market("1", "2"))
        for asset_id in dead[:3]:
            stream.add(asset_id)
            told_until(stream, SubscriptionStalled, seconds)
        # What is told is not read by the server yet.
        eventually(lambda: sorted(len(talk.asset_ids) for talk in server.open) == [2, 3])
        stream.add(*dead[3:])
        told_until(stream, SubscriptionStalled, seconds)
        eventually(lambda: len(server.asset_ids) == 8)
        eventually(lambda: all(len(talk.asset_ids) <= 4 for talk in server.open))
        assert len(set(server.asset_ids)) == 8
        stream.remove(*dead)
        eventually(lambda: server.asset_ids == ["1", "2"])
        eventually(lambda: len(server.open) == 1)


def test_an_asset_is_on_one_connection_at_a_time_while_it_moves(seconds: Seconds) -> None:
    moments: list[list[str]] = []

    def script(talk: Talk) -> None:
        for _ in talk.obey():
            seen: list[list[str]] = []

            def is_once(seen: list[list[str]] = seen) -> bool:
                seen.append(server.asset_ids)
                return len(set(seen[-1])) == len(seen[-1])

            # Each connection is read by a thread of its own, so what one has written that it
            # leaves may be read a moment after what another one asked for later.
            with contextlib.suppress(AssertionError):
                eventually(is_once)
            moments.append(seen[-1])

    with (
        Loopback(script, silent=("2",)) as server,
        make_client(server, first_book=LIMIT) as client,
    ):
        stream = client.subscribe(Market("1", "2"))
        told_until(stream, SubscriptionStalled, seconds)
        assert all(len(set(ids)) == len(ids) for ids in moments), json.dumps(moments)


def test_consumer_that_leaves_while_its_asset_moves_leaves_nothing(seconds: Seconds) -> None:
    with (
        Loopback(obey, silent=("2",)) as server,
        make_client(server, first_book=LIMIT) as client,
    ):
        keeper = client.subscribe(Market("1"))
        leaver = client.subscribe(Market("2"))
        eventually(lambda: len(server.talks) == 2)
        leaver.close()
        eventually(lambda: server.asset_ids == ["1"])
        eventually(lambda: len(server.open) == 1)
        seen = [type(event) for event in drained(keeper)]
        assert not {Unsubscribed, Disconnected, SubscriptionStalled} & set(seen)
        assert seen.count(Subscribed) == 1


def drained(stream: Stream[Any]) -> list[Event | Lifecycle]:
    events = []
    try:
        while True:
            events.append(stream.all().get(0))
    except TimeoutError:
        return events
