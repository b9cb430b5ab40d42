from __future__ import annotations

import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import (
    ClientClosed,
    ClientForked,
    ConnectionFailed,
    PolymarketWSError,
    UsageError,
)
from polymarket_ws.events.market import Book, LastTradePrice
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import Loopback, eventually, trade
from tests.ports import unused_port

ROOT = Path(__file__).resolve().parents[1]
SOON = scaled(5.0)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def client(server: Loopback) -> Iterator[Client]:
    with Client(endpoints=server.endpoints) as running:
        yield running


@pytest.fixture
def nobody() -> Endpoints:
    """Endpoints that refuse every connection."""
    return Endpoints.at(f"ws://127.0.0.1:{unused_port()}")


def drop(held: list[Any]) -> None:
    """Let go of everything and have it collected."""
    gone = [weakref.ref(item) for item in held]
    held.clear()

    def collected() -> bool:
        gc.collect()
        return all(reference() is None for reference in gone)

    # A callback that runs at this very moment has hold of what it refers to.
    eventually(collected, "the end of what nobody holds")


def own_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws")]


# The constructor.


def test_client_is_inert_until_something_is_subscribed() -> None:
    def descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()

    # No server with a thread, which would open descriptors of its own when its turn comes.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        threads_before, descriptors_before = set(threading.enumerate()), descriptors()
        client = Client(endpoints=Endpoints.at(f"ws://127.0.0.1:{listener.getsockname()[1]}"))
        client.on(Book, lambda _: None)
        client.health()
        # Not their numbers: what an earlier test used may end meanwhile.
        assert set(threading.enumerate()) <= threads_before
        assert descriptors() <= descriptors_before
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert client.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"endpoints": "ws://localhost"}, r"endpoints takes Endpoints\(…\), not 'ws://localhost'"),
        ({"delivery": 5}, r"delivery takes Delivery\(…\), not 5"),
        ({"delivery": Delivery(overflow="block")}, 'overflow="block" is for replay only'),
        ({"backoff": 1.0}, r"backoff takes Backoff\(…\)"),
        ({"liveness": 30}, r"liveness takes Liveness\(…\)"),
        ({"assets_per_connection": 0}, "takes a whole number above 0, not 0"),
        ({"assets_per_connection": True}, "takes a whole number above 0, not True"),
        ({"assets_per_connection": 501}, "at most 500, not 501: above that the server sends no"),
        ({"connect_timeout": 0}, "takes seconds above 0, or None to retry for ever, not 0"),
        ({"connect_timeout": "10"}, "takes seconds above 0"),
        ({"connect_timeout": float("nan")}, "takes seconds above 0"),
        ({"proxy": "localhost:3128"}, "proxy"),
        ({"proxy": 3128}, "proxy"),
        ({"ssl_context": True}, r"takes an ssl\.SSLContext, such as ssl\.create_default_context"),
        ({"user_agent": "me\r\nX-Evil: 1"}, "takes printable ASCII text"),
        ({"user_agent": ""}, "takes printable ASCII text"),
        ({"on_error": "raise"}, 'takes "log", "detach" or "stop"'),
    ],
)
def test_argument_that_means_nothing_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Client(**arguments)


def test_every_good_argument_is_taken() -> None:
    Client(
        delivery=Delivery(overflow="fail"),
        backoff=Backoff(initial=1.0),
        assets_per_connection=500,
        connect_timeout=None,
        proxy="http://user:word@proxy:3128",
        ssl_context=ssl.create_default_context(),
        user_agent="me/1.0",
        on_error="stop",
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ((), "name at least one subscription"),
        ((Market,), r"write Market\(…\)"),
        (("123",), r"write Market\('123'\)"),
        (([Market("1")],), r"write subscribe\(\*subscriptions\)"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_and_opens_nothing(
    server: Loopback, client: Client, wrong: Any, text: str
) -> None:
    for call in (client.subscribe, client.listen):
        with pytest.raises(UsageError, match=text):
            call(*wrong)
    gc.collect()
    assert client.health().connections == ()
    assert own_threads() == []


@pytest.mark.parametrize("delivery", [7, Delivery(overflow="block")])
def test_stream_that_would_hold_up_the_socket_is_refused(client: Client, delivery: Any) -> None:
    with pytest.raises(UsageError, match="delivery|block"):
        client.subscribe(Market("1"), delivery=delivery)


# Connecting.


def test_no_connection_in_time_is_raised_from_the_loop(nobody: Endpoints) -> None:
    with Client(endpoints=nobody, connect_timeout=0.3) as client:
        began = time.monotonic()
        stream = client.subscribe(Market("1"))
        with pytest.raises(
            ConnectionFailed,
            match=r"no connection to 127\.0\.0\.1:\d+ within 0\.3 s \(\d+ attempts?\); the last: ",
        ):
            next(stream)
        assert 0.25 < time.monotonic() - began < scaled(3.0)
        assert isinstance(stream.end_reason, ConnectionFailed)
        with pytest.raises(ConnectionFailed):
            client.wait_connected()
        health = client.health()
        assert not health.connected
        assert health.last_error is not None


def test_attempts_go_on_for_ever_on_request(
    nobody: Endpoints, caplog: pytest.LogCaptureFixture
) -> None:
    quick = Backoff(initial=0.01, maximum=0.02)
    with Client(endpoints=nobody, connect_timeout=None, backoff=quick) as client:
        stream = client.subscribe(Market("1"))
        eventually(lambda: client.health().connections[0].attempts > 5)
        assert "refused" in (client.health().last_error or "")
        assert stream.end_reason is None
        assert client.wait_connected(0.01) is False
    assert any(r.name == "polymarket_ws.connection" for r in caplog.records)


def test_waiting_for_the_connection(server: Loopback, client: Client) -> None:
    client.listen(Market("1"))
    assert client.wait_connected(SOON)
    assert client.wait_connected()
    assert client.health().connected


def test_waiting_for_a_connection_that_nobody_asked_for_is_refused(client: Client) -> None:
    with pytest.raises(UsageError, match="nothing is subscribed, so nothing connects"):
        client.wait_connected(1.0)


def test_waiting_ends_when_the_client_is_closed(nobody: Endpoints) -> None:
    client = Client(endpoints=nobody, connect_timeout=None)
    client.listen(Market("1"))
    threading.Timer(0.05, client.close).start()
    assert client.wait_connected() is False


@pytest.mark.parametrize("timeout", [-1, "2", float("nan"), True])
def test_time_that_is_none_is_refused(client: Client, timeout: Any) -> None:
    client.listen(Market("1"))
    for call in (client.wait_connected, client.close):
        with pytest.raises(UsageError, match="timeout takes seconds from 0 up, or None, not"):
            call(timeout)
    assert not client.closed


def test_health_shows_what_goes_on(server: Loopback, client: Client) -> None:
    stream = client.subscribe(Market("1", "2"), delivery=Delivery(max_events=3))
    server.wait_for("1", "2").send([trade(n) for n in range(8)])
    eventually(lambda: client.health().dropped > 0)
    health = client.health()
    connection = health.connections[0]
    assert (health.connected, health.closed, health.last_error) == (True, False, None)
    assert (connection.number, connection.channel, connection.state) == (1, "market", "open")
    assert (connection.epoch, connection.attempts, connection.asset_ids) == (1, 1, 2)
    assert health.pending == ()
    assert health.last_frame_at is not None
    assert abs(time.time() - health.last_frame_at) < scaled(10.0)
    dropped = health.dropped
    stream.close()
    client.listen(Market("3"))
    assert client.health().dropped >= dropped
    client.close()
    assert client.health().closed


def test_assets_beyond_one_connection_open_another(server: Loopback) -> None:
    with Client(endpoints=server.endpoints, assets_per_connection=2) as client:
        stream = client.subscribe(Market("1", "2", "3"))
        server.wait_for("1", "2", "3")
        assert len(server.open) == 2
        assert {event.asset_id for event in (stream.get(SOON) for _ in range(3))} == {  # type: ignore[union-attr]
            "1",
            "2",
            "3",
        }


# Closing.


def test_closing_twice_is_closing_once(server: Loopback) -> None:
    client = Client(endpoints=server.endpoints)
    stream = client.subscribe(Market("1"))
    server.wait_for("1")
    assert client.close()
    assert client.close()
    assert client.closed
    assert repr(client) == "<Client: closed>"
    assert list(stream) == []
    assert own_threads() == []
    eventually(lambda: not server.open)


def test_closed_client_takes_nothing(client: Client) -> None:
    client.close()
    for call in (client.subscribe, client.listen):
        with pytest.raises(ClientClosed, match="closing is final, make a new Client"):
            call(Market("1"))


def test_unused_client_closes_and_stays_closed() -> None:
    client = Client()
    assert client.close()
    with pytest.raises(ClientClosed):
        client.subscribe(Market("1"))


def test_with_block_closes_also_when_it_is_left_by_an_error(server: Loopback) -> None:
    client = Client(endpoints=server.endpoints)

    def work() -> None:
        with client:
            client.listen(Market("1"))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert client.closed


def test_closing_while_others_subscribe_leaves_nothing(server: Loopback) -> None:
    for _ in range(10):
        client = Client(endpoints=server.endpoints)
        go = threading.Event()
        errors: list[BaseException] = []

        def subscribe(
            name: int,
            client: Client = client,
            go: threading.Event = go,
            errors: list[BaseException] = errors,
        ) -> None:
            go.wait()
            try:
                for key in range(20):
                    for _ in client.subscribe(Market(f"{name}{key}")).all():
                        pass
            except ClientClosed:
                return
            except BaseException as error:  # noqa: BLE001 what it raises is the point
                errors.append(error)

        threads = [threading.Thread(target=subscribe, args=(name,)) for name in range(1, 5)]
        for thread in threads:
            thread.start()
        go.set()
        assert client.close(SOON)
        for thread in threads:
            thread.join(SOON)
            assert not thread.is_alive()
        assert errors == []
        eventually(lambda: not own_threads())


def test_threads_of_one_client_may_share_it(server: Loopback, client: Client) -> None:
    def churn(name: int) -> None:
        for key in range(10):
            with client.subscribe(Market(f"{name}{key}", "5")) as stream:
                stream.get(SOON)

    threads = [threading.Thread(target=churn, args=(name,)) for name in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20.0))
        assert not thread.is_alive()
    server.wait_for()


# Clients that nobody holds.


def test_dropped_client_ends_its_threads_and_says_so(server: Loopback) -> None:
    held = [Client(endpoints=server.endpoints)]
    held[0].on(Book, lambda _: None)
    held[0].listen(Market("1"))
    server.wait_for("1")
    assert len(own_threads()) == 2
    gone = weakref.ref(held[0])
    with pytest.warns(ResourceWarning, match=r"write `with Client\(\) as client:` or call"):
        drop(held)
    assert gone() is None
    eventually(lambda: not own_threads())
    eventually(lambda: not server.open)


def test_client_that_its_callbacks_refer_to_can_be_collected(server: Loopback) -> None:
    client = Client(endpoints=server.endpoints)

    @client.on(LastTradePrice)
    def refer(_: LastTradePrice, client: Client = client) -> None:
        client.health()

    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)])
    held = [client]
    del client, refer
    with pytest.warns(ResourceWarning):
        drop(held)
    eventually(lambda: not own_threads())


def test_unused_client_is_dropped_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    client = Client()
    del client
    gc.collect()
    assert not recwarn


def test_closed_client_is_dropped_without_a_word(
    server: Loopback, recwarn: pytest.WarningsRecorder
) -> None:
    client = Client(endpoints=server.endpoints)
    client.listen(Market("1"))
    client.close()
    del client
    gc.collect()
    assert not recwarn


def test_stream_keeps_its_client_alive(server: Loopback) -> None:
    def work() -> None:
        stream = iter(Client(endpoints=server.endpoints).subscribe(Market("1")))
        for seen, event in enumerate(stream, start=1):
            gc.collect()
            assert isinstance(event, (Book, LastTradePrice))
            if seen == 3:
                break
            server.wait_for("1").send([trade(1)])
        gc.collect()

    with pytest.warns(ResourceWarning):
        work()
    eventually(lambda: not own_threads())


# Fork. Under load: processes/test_fork.py.


def in_child(work: Callable[[], object]) -> str:
    """Run ``work`` in a forked child and return the text of what it returns or raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            try:
                result = repr(work())
            except BaseException as error:  # noqa: BLE001 what it raises is the point
                result = f"{type(error).__name__}: {error}"
            os.write(writing, result.encode()[:60_000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    return text


pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@needs_fork
def test_every_call_of_a_used_client_says_so_in_a_forked_child(
    server: Loopback, client: Client
) -> None:
    stream = client.subscribe(Market("1"))
    feed = client.listen(Market("2"))
    client.on(Book, print)
    talk = server.wait_for("1", "2")
    talk.send([trade(1), trade(2)])
    eventually(lambda: stream.stats.received >= 5)
    assert isinstance(next(stream), Book)  # the child inherits the rest of the hand
    calls: dict[str, Callable[[], object]] = {
        "subscribe": lambda: client.subscribe(Market("3")),
        "listen": lambda: client.listen(Market("3")),
        "on": lambda: client.on(Book, repr),
        "off": lambda: client.off(print),
        "run": client.run,
        "wait_connected": lambda: client.wait_connected(1.0),
        "health": client.health,
        "close": client.close,
        "next": lambda: next(stream),
        "get": lambda: stream.get(1.0),
        "all": lambda: next(iter(stream.all())),
        "all get": lambda: stream.all().get(1.0),
        "add": lambda: feed.add("3"),
        "remove": lambda: feed.remove("2"),
        "replace": lambda: feed.replace("3"),
        "stream close": stream.close,
        "feed close": feed.close,
    }

    def work() -> dict[str, str]:
        silent = {}
        for name, call in calls.items():
            began = time.monotonic()
            try:
                silent[name] = repr(call())
            except ClientForked as error:
                if "Make a new Client in the child" not in str(error):
                    silent[name] = str(error)
            if time.monotonic() - began > SOON:
                silent[name] = "late"
        return silent

    assert in_child(work) == "{}"
    talk.send([trade(3)])
    assert [int(stream.get(SOON).size) for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    assert len(server.open) == 1


@needs_fork
def test_child_leaves_a_with_block_with_its_own_error(server: Loopback, client: Client) -> None:
    client.listen(Market("1"))
    server.wait_for("1")

    def work() -> None:
        with client, client.subscribe(Market("2")):
            pass

    assert in_child(work).startswith("ClientForked")

    def leave() -> None:
        with client:
            raise KeyError("mine")

    assert in_child(leave) == "KeyError: 'mine'"
    assert len(server.open) == 1


@needs_fork
def test_child_drops_the_client_without_a_word(server: Loopback) -> None:
    client: Client | None = Client(endpoints=server.endpoints)
    assert client is not None
    client.listen(Market("1"))
    server.wait_for("1")

    def work() -> int:
        nonlocal client
        client = None
        return gc.collect() and 0

    assert in_child(work) == "0"
    assert len(server.open) == 1
    client.close()


@needs_fork
def test_unused_client_works_in_a_forked_child(server: Loopback) -> None:
    client = Client(endpoints=server.endpoints)

    def work() -> str:
        with client:
            return type(next(client.subscribe(Market("1")))).__name__

    assert in_child(work) == "'Book'"
    with client:
        assert isinstance(next(client.subscribe(Market("1"))), Book)


@needs_fork
def test_child_may_make_a_client_of_its_own(server: Loopback, client: Client) -> None:
    client.listen(Market("1"))
    server.wait_for("1")

    def work() -> str:
        with Client(endpoints=server.endpoints) as own:
            return type(next(own.subscribe(Market("1")))).__name__

    assert in_child(work) == "'Book'"


# A whole program.

PROGRAM = """
import sys
from polymarket_ws import Client, Endpoints, Event, LastTradePrice, Market

observed = []
with Client(endpoints=Endpoints.at(sys.argv[1])) as client:
    client.on(Event, observed.append)
    with client.listen(Market("2")) as feed:
        feed.add("3")
        seen = 0
        for event in client.subscribe(Market("1", events=[LastTradePrice])):
            seen += 1
            if seen == 100:
                break
    client.subscribe(Market("4")).get(10)
print("done", bool(observed))
"""

SCRIPT_WITHOUT_AN_END = """
import sys
from polymarket_ws import Client, Endpoints, Event, Market

client = Client(endpoints=Endpoints.at(sys.argv[1]))
client.on(Event, lambda event: None)
stream = client.subscribe(Market("1"))
print(type(next(stream)).__name__)
"""


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(30.0),
        check=False,
    )


def test_whole_program_in_dev_mode_has_nothing_to_complain_of() -> None:
    def script(talk: Any) -> None:
        for _ in talk.obey():
            if "1" in talk.asset_ids:
                talk.send(*([trade(n)] for n in range(120)))

    with Loopback(script) as server:
        result = python(PROGRAM, server.url)
    assert (result.stdout, result.stderr, result.returncode) == ("done True\n", "", 0)


def test_script_that_forgets_to_close_still_ends(server: Loopback) -> None:
    result = python(SCRIPT_WITHOUT_AN_END, server.url)
    assert (result.stdout, result.stderr, result.returncode) == ("Book\n", "", 0)


def test_errors_share_one_base() -> None:
    with pytest.raises(PolymarketWSError):
        Client(proxy="nonsense")
