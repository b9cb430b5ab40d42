from __future__ import annotations

import collections
import gc
import os
import socket
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import LastTradePrice
from polymarket_ws.subscriptions import Market
from tests.conftest import scaled
from tests.market_server import Loopback, eventually, flood
from tests.ports import unused_port
from tests.processes.programs import run

SOON = scaled(5.0)

SLOWLY = (pytest.mark.slow, pytest.mark.timeout(scaled(600)))

BEGIN = """
import sys, threading
from polymarket_ws import Backoff, Client, Endpoints, Event, LastTradePrice, Market

client = Client(endpoints=Endpoints.at(sys.argv[1]), backoff=Backoff(initial=0.001, maximum=0.01))
"""

#: Ways in which a program ends that never closes its client, with events at full rate.
EXITS = {
    "the end of a loop": """
for seen, event in enumerate(client.subscribe(Market("1"))):
    if seen == 300:
        break
""",
    "sys.exit in a loop": """
for seen, event in enumerate(client.subscribe(Market("1"))):
    if seen == 300:
        sys.exit()
""",
    "while callbacks run": """
enough, seen = threading.Event(), []

@client.on(Event)
def note(event):
    seen.append(event)
    if len(seen) > 300:
        enough.set()

client.listen(Market("1"))
enough.wait()
""",
    "while callbacks print": """
enough, seen = threading.Event(), []

@client.on(Event)
def show(event):
    print(event)
    seen.append(event)
    if len(seen) > 300:
        enough.set()

client.listen(Market("1"))
enough.wait()
""",
    "while a thread of its own reads": """
enough = threading.Event()
stream = client.subscribe(Market("1"))

def read():
    for seen, event in enumerate(stream):
        if seen == 300:
            enough.set()

threading.Thread(target=read, daemon=True).start()
enough.wait()
""",
    "with a wish just made": """
client.subscribe(Market("1")).get(30)
streams = [client.subscribe(Market(str(key))) for key in range(2, 20)]
""",
}


@pytest.fixture
def flooding() -> Iterator[Loopback]:
    with Loopback(flood()) as running:
        yield running


# 34 times each of six ways: more than two hundred.
@pytest.mark.parametrize("times", [2, pytest.param(34, marks=SLOWLY)])
@pytest.mark.parametrize("how", EXITS)
def test_interpreter_ends_cleanly_with_a_connection_at_full_rate(
    how: str, times: int, flooding: Loopback
) -> None:
    ends: collections.Counter[tuple[int, str]] = collections.Counter()
    for _ in range(times):
        code, _, err = run(BEGIN + EXITS[how], flooding.url)
        ends[code, err] += 1
    assert ends == {(0, ""): times}
    eventually(lambda: not flooding.open, "the end of every connection at the server")


RETRYING = """
enough = threading.Event()
client.listen(Market("1"))
while client.health().connections[0].attempts < int(sys.argv[2]):
    enough.wait(0.001)
"""


@pytest.mark.parametrize("attempts", [1, 10])
def test_interpreter_ends_cleanly_in_the_middle_of_attempts(attempts: int) -> None:
    # Ten attempts: nobody listens. One: a socket that never answers.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if attempts == 1 else unused_port()
        for _ in range(3):
            code, out, err = run(BEGIN + RETRYING, f"ws://127.0.0.1:{port}", str(attempts))
            # The attempts that failed are told, each by its host, and nothing else.
            said = [line for line in err.splitlines() if not line.startswith("127.0.0.1:")]
            assert (code, out, said) == (0, "", [])


def descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0


def own_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws")]


def use(client: Client, seen: list[Event]) -> None:
    """Open a connection with everything that there is, and see something of it."""
    client.on(Event, seen.append)
    client.listen(Market("2"))
    client.subscribe(Market("1", events=[LastTradePrice])).get(SOON)


@pytest.mark.parametrize("times", [25, pytest.param(200, marks=SLOWLY)])
@pytest.mark.parametrize("ending", ["closed", "dropped"])
def test_clients_leave_no_thread_and_no_descriptor(
    ending: str, times: int, flooding: Loopback
) -> None:
    seen: list[Event] = []
    # The server has all its own descriptors only when somebody came.
    with Client(endpoints=flooding.endpoints) as client:
        use(client, seen)
    eventually(lambda: not flooding.open, "the end of the first connection at the server")
    gc.collect()
    open_before = descriptors()
    for _ in range(times):
        if ending == "closed":
            with Client(endpoints=flooding.endpoints) as client:
                use(client, seen)
            # Not a moment later: close() has waited for them.
            assert own_threads() == []
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                use(Client(endpoints=flooding.endpoints), seen)
                gc.collect()
        seen.clear()
    eventually(lambda: not own_threads(), "the end of every thread")
    eventually(lambda: not flooding.open, "the end of every connection at the server")
    eventually(lambda: descriptors() <= open_before, "closing every descriptor")
    assert len(flooding.talks) == 1 + times


@pytest.mark.parametrize("times", [50, pytest.param(200, marks=SLOWLY)])
def test_streams_leave_nothing_of_them_in_their_client(times: int, flooding: Loopback) -> None:
    with Client(endpoints=flooding.endpoints) as client:
        kept = client.subscribe(Market("1", events=[LastTradePrice]))
        kept.get(SOON)
        threads, open_before = own_threads(), descriptors()
        for turn in range(times):
            stream: Any = client.subscribe(Market("1", events=[LastTradePrice]))
            stream.get(SOON)
            if turn % 2:
                stream.close()
            del stream
        gc.collect()
        assert own_threads() == threads
        assert descriptors() <= open_before
        engine = client._engine
        # The next wish takes the place of those that are gone.
        client.listen(Market("1"))
        assert len(engine._mailboxes) == 2
        assert len(engine.connections()) == 1
        kept.get(SOON)
    assert len(flooding.talks) == 1
