from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import scaled
from tests.market_server import Loopback, flood
from tests.ports import unused_port
from tests.processes.programs import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")

PROGRAM = """
import sys, threading, time
from polymarket_ws import Backoff, Client, Endpoints, LastTradePrice, Market

url, *names = sys.argv[1:]
client = Client(
    endpoints=Endpoints.at(url), connect_timeout=None, backoff=Backoff(initial=20, maximum=30)
)
stream = client.subscribe(Market("1", events=[LastTradePrice]))


def loop():
    for event in stream:
        pass


def loop_of_all():
    for event in stream.all():
        pass


def get():
    while True:
        stream.get()


def get_in_time():
    while True:
        stream.get(timeout=1000)


calls = {
    "for": loop,
    "all": loop_of_all,
    "get": get,
    "get in time": get_in_time,
    "wait_connected": client.wait_connected,
    "wait_connected in time": lambda: client.wait_connected(timeout=1000),
    "run": client.run,
}
for name in names:
    try:
        print(name, client.health().connections[0].state, flush=True)
        calls[name]()
        print("came back", flush=True)
    except KeyboardInterrupt:
        # The clock of the test's process, too.
        print(time.monotonic(), flush=True)
print(client.closed, flush=True)
"""

LOOPS = ("for", "all", "get", "get in time")
WAITS = ("wait_connected", "wait_connected in time")


@contextlib.contextmanager
def idle() -> Iterator[str]:
    with Loopback() as server:
        yield server.url


@contextlib.contextmanager
def flooded() -> Iterator[str]:
    with Loopback(flood()) as server:
        yield server.url


@contextlib.contextmanager
def unanswered() -> Iterator[str]:
    """Accept at most, and never answer the upgrade."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def refused() -> Iterator[str]:
    yield f"ws://127.0.0.1:{unused_port()}"


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (idle, LOOPS),
        (flooded, LOOPS),
        (unanswered, (*LOOPS, *WAITS)),
        (refused, (*LOOPS, *WAITS)),
    ],
    ids=["idle", "flooded", "connecting", "backing off"],
)
def test_ctrl_c_raises_at_once_in_every_call_that_waits(
    state: Callable[[], contextlib.AbstractContextManager[str]],
    names: tuple[str, ...],
    seconds: Callable[[float], float],
) -> None:
    pause = threading.Event()
    names = (*names, "run")
    with state() as url, running(PROGRAM, url, *names) as program:
        for name in names:
            assert program.line().startswith(f"{name} ")
            # Most likely it waits by then. If it does not, the answer is the same.
            pause.wait(0.05)
            began = time.monotonic()
            program.process.send_signal(signal.SIGINT)
            interrupted = program.line()
            assert interrupted.replace(".", "").isdigit(), interrupted
            assert float(interrupted) - began < seconds(0.5), name
        assert program.line() == "True"
        assert program.end() == 0
        # The attempts that failed are told, each by its host, and nothing else.
        said = [line for line in program.err.splitlines() if not line.startswith("127.0.0.1:")]
        assert said == []


CLOSED = """
import random, signal, sys, time
from polymarket_ws import (
    Client, ClientClosed, Delivery, Dropped, Endpoints, LastTradePrice, Market
)

url, times, limit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
moments = random.Random(11)
ended, took = [], []


def close(number, frame):
    began = time.monotonic()
    ended.append(client.close())
    took.append(time.monotonic() - began)


signal.signal(signal.SIGUSR1, close)
client = Client(endpoints=Endpoints.at(url))
print("ready", flush=True)
while len(ended) < times:
    stream = None
    try:
        stream = client.subscribe(Market("1", events=[LastTradePrice]))
        for event in stream:
            pass
        assert client.closed
    except ClientClosed:
        # It came in the middle of subscribe().
        assert client.closed
    if stream is not None:
        stats = stream.stats
        read = sum(stats.by_type.values()) - stats.by_type.get(Dropped, 0)
        elsewhere = stats.buffered + stats.dropped + stats.merged + stats.discarded
        assert stats.received == read + elsewhere, stats
    client = Client(
        endpoints=Endpoints.at(url),
        delivery=Delivery(max_events=moments.choice([5, 100_000])),
    )
    print(len(ended), flush=True)
print(all(ended), max(took) < limit, client.close(), flush=True)
"""


@pytest.mark.parametrize(
    "times", [20, pytest.param(200, marks=(pytest.mark.slow, pytest.mark.timeout(scaled(600))))]
)
def test_close_in_a_signal_handler_never_locks_up(times: int) -> None:
    pause = threading.Event()
    with Loopback(flood()) as server:
        with running(CLOSED, server.url, str(times), str(scaled(2.0))) as program:
            assert program.line() == "ready"
            for turn in range(times):
                # From the first steps of subscribe() to the middle of the flood.
                pause.wait(turn % 20 / 1000)
                program.process.send_signal(signal.SIGUSR1)
                assert program.line() == str(turn + 1), program.end()
            assert program.line() == "True True True"
            assert program.end() == 0
        assert all("too slow" in line for line in program.err.splitlines()), program.err
