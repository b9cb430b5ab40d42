"""More than anybody can read: who pays, who does not, and what it costs."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.events.lifecycle import Disconnected, Dropped
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol import market as market_module
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.simulator import Exchange, Sent
from polymarket_ws.subscriptions import Market, User
from tests.conftest import scaled
from tests.market_server import Loopback, Talk, eventually, flood, trade
from tests.transport import peers

Seconds = Callable[[float], float]
TRADES = [LastTradePrice]
ROOT = Path(__file__).resolve().parents[1]


def test_slow_stream_never_holds_up_another(seconds: Seconds) -> None:
    sent = 20_000
    both_there = threading.Event()

    def script(talk: Talk) -> None:
        answers = talk.obey()
        next(answers, None)
        assert both_there.wait(seconds(10))
        for start in range(0, sent, 100):
            talk.send([trade(number) for number in range(start, start + 100)])
        for _ in answers:
            pass

    with Loopback(script) as server, Client(endpoints=server.endpoints) as client:
        few = Delivery(max_events=100)
        slow = client.subscribe(Market("1", "2", events=TRADES), delivery=few)
        fast = client.subscribe(Market("1", events=TRADES))
        server.wait_for("1", "2")
        both_there.set()
        numbers = [int(fast.get(seconds(10)).size) for _ in range(sent)]
        assert numbers == list(range(sent))
        assert fast.stats.dropped == 0
        held = slow.stats
        assert held.buffered <= 100 + 2  # Connected and Subscribed
        assert held.dropped >= sent - 200
        assert held.received == held.buffered + held.dropped + held.merged


def test_pings_go_on_while_nobody_reads(monkeypatch: Any, seconds: Seconds) -> None:
    monkeypatch.setattr(market_module, "PING_INTERVAL", 0.05)
    pings: list[float] = []

    def script(conversation: peers.Conversation) -> None:
        conversation.accept()
        conversation.read()
        stop = threading.Event()
        flooding = threading.Thread(target=pour, args=(conversation, stop))
        flooding.start()
        try:
            while True:
                if conversation.read()[1] == b"PING":
                    pings.append(time.monotonic())
        finally:
            stop.set()
            flooding.join()

    def pour(conversation: peers.Conversation, stop: threading.Event) -> None:
        block = peers.trades(range(200))
        while not stop.is_set():
            try:
                conversation.sock.sendall(block)
            except OSError:
                return

    with (
        peers.Peer(script) as peer,
        Client(
            endpoints=Endpoints(market=peer.url),
            delivery=Delivery(max_events=1000),
            liveness=Liveness(socket=seconds(5)),
        ) as client,
    ):
        stream = client.subscribe(Market("1", events=TRADES))
        # Nothing is read for the time of forty pings.
        eventually(lambda: len(pings) >= 40, "forty pings")
        assert len(peer.conversations) == 1
        assert stream.stats.dropped > 0
        assert not [e for e in itertools.islice(stream.all(), 50) if isinstance(e, Disconnected)]


@pytest.mark.slow
def test_heartbeats_go_on_while_a_consumer_sleeps_for_a_minute() -> None:
    with Exchange(rate=1000, markets=20) as exchange:
        few = Delivery(max_events=500)
        with Client(endpoints=Endpoints.at(exchange.url), delivery=few) as client:
            stream = client.subscribe(Market(*exchange.markets))
            stream.get(scaled(5))
            threading.Event().wait(60)
            pings = [text for _, text in exchange.received if text == "PING"]
            assert len(pings) >= 5
            assert len(exchange.connections) == 1
            assert stream.stats.disconnects == 0
            assert stream.stats.dropped > 10_000


def test_burst_of_the_market_never_costs_a_fill(seconds: Seconds) -> None:
    told: list[tuple[str, str, str]] = []

    def tap(message: Sent) -> None:
        event = json.loads(message.text)
        if isinstance(event, dict) and event.get("event_type") in ("order", "trade"):
            told.append((event["event_type"], event["id"], event["status"]))

    few = Delivery(max_events=60)
    with Exchange(rate=None, markets=4, tap=tap) as exchange:
        with Client(
            exchange.account.credentials, endpoints=Endpoints.at(exchange.url), delivery=few
        ) as client:
            wanted = {key for info in exchange.markets for key in info.asset_ids}
            stream = client.subscribe(User(), Market(*exchange.markets), delivery=few)
            assert client.wait_connected(seconds(5))
            assert exchange.wait_for(
                lambda: len({n for n, text in exchange.received if text == "PING"}) >= 1,
                seconds(5),
            )
            # The other connection: what is sent before it is read would not be heard.
            assert exchange.wait_for(lambda: exchange.subscribed == wanted, seconds(5))
            market = exchange.market()
            for _ in range(4):
                exchange.account.place(market.info.asset_ids[0], "BUY", market.best_ask(0), 2)
                exchange.step(300)
            exchange.account.finish_trades()
            eventually(lambda: stream.stats.dropped > 500, "a burst that is too much")
            seen: list[tuple[str, str, str]] = []
            eventually(lambda: read_into(stream, seen) or len(seen) >= len(told), "every fill")
            assert seen == told
            assert len(told) > 12


def read_into(stream: Any, seen: list[tuple[str, str, str]]) -> None:
    """Take what is there, and note what is of the account."""
    try:
        while True:
            event = stream.all().get(0.05)
            if isinstance(event, Order):
                seen.append(("order", event.id, event.status))
            elif isinstance(event, Trade):
                seen.append(("trade", event.id, event.status))
    except TimeoutError:
        return


def test_hole_is_one_event_that_grows_until_it_is_read(seconds: Seconds) -> None:
    few = Delivery(max_events=10)
    with Loopback(flood()) as server, Client(endpoints=server.endpoints) as client:
        stream = client.subscribe(Market("1", events=TRADES), delivery=few)
        eventually(lambda: stream.stats.dropped > 5000, "a hole")
        events = [stream.all().get(seconds(5)) for _ in range(8)]
        holes = [event for event in events if isinstance(event, Dropped)]
        assert holes[0].count > 4000
        first = next(event for event in events if isinstance(event, LastTradePrice))
        # What is behind the hole is as far along as the hole is large.
        assert int(first.size) == holes[0].count


MEMORY = """
import json, sys, threading
from polymarket_ws import Client, Delivery, Endpoints, Backoff, Market
from tests.transport.peers import Peer, server_frame, trades

def peak():
    # Of this process alone: getrusage() would tell that of the one that started it.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1000

kind = sys.argv[1]
blocks = {
    "data": trades(range(300)),
    "garbage": b"".join(server_frame("this is no JSON %d " % n + "x" * 400) for n in range(300)),
    "broken": server_frame("[" + ",".join("{%d}" % n for n in range(9000)) + "]"),
    "unknown": b"".join(
        server_frame(json.dumps({"event_type": "new_%d" % n, "text": "x" * 400}))
        for n in range(300)
    ),
    "flapping": trades(range(20)),
}

def script(conversation):
    conversation.accept()
    conversation.read()
    while not conversation.peer.stopped.is_set():
        conversation.sock.sendall(blocks[kind])
        if kind == "flapping":
            conversation.reset()
            # What this server remembers of those that are gone is not what is measured.
            conversation.peer.forget(but=conversation)
            return

few = Delivery(max_events=5000, max_bytes=4_000_000)
with Peer(script) as peer:
    client = Client(
        endpoints=Endpoints(market=peer.url),
        delivery=few,
        backoff=Backoff(initial=0.005, maximum=0.01),
    )
    with client:
        stream = client.subscribe(Market("1"))
        pause = threading.Event()
        taken = 0
        def take(received):
            global taken
            while stream.stats.received < received:
                try:
                    stream.all().get(0.1)
                    taken += 1
                except TimeoutError:
                    pass
                pause.wait(0.002)
        # The mailbox is full, and a block of 9,000 failures has met each state of it: its peak
        # still rises by 14 MB up to the eighth block or so, and by 1 MB from there to the fortieth.
        first = 6_000 if kind == "flapping" else 100_000
        take(first)
        before = peak()
        take(3 * first)
        after = peak()
        stats = stream.stats
print(json.dumps({
    "before": before, "after": after, "taken": taken, "received": stats.received,
    "buffered": stats.buffered, "bytes": stats.buffered_bytes,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["data", "garbage", "broken", "unknown", "flapping"])
def test_memory_stays_flat_whatever_the_excess_is(kind: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, kind],
        capture_output=True,
        text=True,
        timeout=scaled(60),
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen["buffered"] <= 5000 + 50, seen
    assert seen["after"] - seen["before"] < 8, seen
    if kind != "flapping":
        assert seen["received"] > 10 * seen["taken"], seen
