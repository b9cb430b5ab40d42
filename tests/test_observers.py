from __future__ import annotations

import functools
import logging
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws import observers as observers_module
from polymarket_ws.client import Client
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import ConnectionFailed, SlowConsumer, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import CallbackFailed, Connected, Lifecycle
from polymarket_ws.events.market import Book, LastTradePrice, MarketEvent, PriceChange
from polymarket_ws.observers import Interest, Observers
from polymarket_ws.subscriptions import Market
from tests.conftest import scaled
from tests.market_server import Loopback, eventually, price_change, trade
from tests.ports import unused_port

ROOT = Path(__file__).resolve().parents[1]
SOON = scaled(5.0)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def client(server: Loopback) -> Iterator[Client]:
    with Client(endpoints=server.endpoints) as running:
        yield running


def sizes(events: list[Any]) -> list[int]:
    return [int(event.size) for event in events if isinstance(event, LastTradePrice)]


def running(client: Client) -> tuple[threading.Thread, list[BaseException]]:
    """Run ``client.run()`` on a thread, and collect what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            client.run()
        except BaseException as error:  # noqa: BLE001 what it raises is the point
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


# Who is called with what.


def test_events_come_in_order_on_one_thread_of_their_own(server: Loopback, client: Client) -> None:
    seen: list[LastTradePrice] = []
    threads: set[str] = set()

    @client.on(LastTradePrice)
    def note(event: LastTradePrice) -> None:
        seen.append(event)
        threads.add(threading.current_thread().name)

    client.listen(Market("1"))
    server.wait_for("1").send(*([trade(n)] for n in range(50)))
    eventually(lambda: len(seen) == 50)
    assert sizes(seen) == list(range(50))
    assert threads == {"polymarket-ws-observers"}


def test_base_classes_observe_everything_below_them(server: Loopback, client: Client) -> None:
    seen: dict[type[Event], list[Event]] = {Event: [], MarketEvent: [], Lifecycle: [], Book: []}
    for kind, events in seen.items():
        client.on(kind, events.append)
    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)])
    eventually(lambda: len(seen[Event]) == 4)
    assert [type(e).__name__ for e in seen[Event]] == [
        "Connected",
        "Subscribed",
        "Book",
        "LastTradePrice",
    ]
    assert seen[MarketEvent] == seen[Event][2:]
    assert seen[Lifecycle] == seen[Event][:2]
    assert seen[Book] == seen[Event][2:3]


def test_event_is_observed_once_whoever_wished_for_it(server: Loopback, client: Client) -> None:
    seen: list[Event] = []
    client.on(MarketEvent, seen.append)
    client.listen(Market("1", "2", events=(LastTradePrice, PriceChange)))
    stream = client.subscribe(Market("1", events=(LastTradePrice, PriceChange)))
    client.listen(Market("2", events=[PriceChange]))
    server.wait_for("1", "2").send(
        [trade(1)], [price_change(("1", "0.4", "1"), ("2", "0.6", "1"))], [trade(2, "2")]
    )
    eventually(lambda: len(seen) == 3)
    assert sizes(seen) == [1, 2]
    change = seen[1]
    assert isinstance(change, PriceChange)
    assert [item.asset_id for item in change.price_changes] == ["1", "2"]
    assert stream.get(SOON) == seen[0]


def test_function_that_is_defined_again_replaces_the_first(
    server: Loopback, client: Client
) -> None:
    calls: list[int] = []

    def cell(version: int) -> Callable[[LastTradePrice], None]:
        @client.on(LastTradePrice)
        def note(_: LastTradePrice) -> None:
            calls.append(version)

        return note

    first, second = cell(1), cell(2)
    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)])
    eventually(lambda: calls)
    with pytest.raises(UsageError, match="is not registered"):
        client.off(first)
    client.off(second)
    assert calls == [2]


def test_lambdas_partials_and_methods_are_told_apart(server: Loopback, client: Client) -> None:
    class Desk:
        def __init__(self) -> None:
            self.seen: list[Event] = []

        def note(self, event: Event) -> None:
            self.seen.append(event)

    calls: list[str] = []
    desks = [Desk(), Desk()]
    for name in "ab":
        client.on(LastTradePrice, lambda _, name=name: calls.append(name))  # type: ignore[misc]
        client.on(LastTradePrice, functools.partial(lambda name, _: calls.append(name), name * 2))
    for desk in desks:
        client.on(LastTradePrice, desk.note)
        client.on(LastTradePrice, desk.note)
    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)])
    eventually(lambda: len(calls) == 4 and all(desk.seen for desk in desks))
    assert sorted(calls) == ["a", "aa", "b", "bb"]
    assert [len(desk.seen) for desk in desks] == [1, 1]


def test_same_function_may_observe_several_classes(server: Loopback, client: Client) -> None:
    seen: list[Event] = []
    note = seen.append
    client.on(Book, note)
    client.on(LastTradePrice, note)
    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)])
    eventually(lambda: len(seen) == 2)
    client.off(note)
    with pytest.raises(UsageError, match="off takes what on was given"):
        client.off(note)


def test_removed_function_is_not_called_any_more(server: Loopback, client: Client) -> None:
    removed: list[Event] = []
    kept: list[Event] = []
    note = removed.append
    client.on(LastTradePrice, note)
    client.on(LastTradePrice, kept.append)
    client.listen(Market("1"))
    talk = server.wait_for("1")
    talk.send([trade(1)])
    eventually(lambda: len(kept) == 1)
    client.off(note)
    talk.send([trade(2)])
    eventually(lambda: len(kept) == 2)
    assert sizes(removed) == [1]


def test_observer_may_come_late(server: Loopback, client: Client) -> None:
    seen: list[Event] = []
    client.listen(Market("1"))
    talk = server.wait_for("1")
    client.on(LastTradePrice, seen.append)
    talk.send([trade(1)])
    eventually(lambda: seen)


def test_class_asked_about_before_it_is_observed_is_not_remembered_wrongly() -> None:
    interest = Interest()
    assert not interest.observes(Book)
    interest.set((MarketEvent,))
    assert interest.observes(Book)
    interest.set(())
    assert not interest.observes(Book)


@pytest.mark.parametrize(
    "wrong", [int, "Book", None, Book(market="m", asset_id="1", bids=(), asks=())]
)
def test_what_is_no_event_class_is_refused(client: Client, wrong: Any) -> None:
    for call in (lambda: client.on(wrong), lambda: client.on(wrong, print)):
        with pytest.raises(UsageError, match=r"takes an event class first, such as client\.on"):
            call()


def test_what_is_no_function_is_refused(client: Client) -> None:
    with pytest.raises(UsageError, match="takes a function, not 7"):
        client.on(Book, 7)  # type: ignore[call-overload]


def test_decorator_returns_the_function(client: Client) -> None:
    def note(_: Book) -> None:
        pass

    assert client.on(Book)(note) is note


# Callbacks that raise.


def failing(client: Client, server: Loopback) -> tuple[list[Event], list[Event], list[int]]:
    after: list[Event] = []
    failures: list[Event] = []
    calls: list[int] = []

    @client.on(LastTradePrice)
    def fail(event: LastTradePrice) -> None:
        calls.append(int(event.size))
        raise ValueError("no such trade")

    client.on(LastTradePrice, after.append)
    client.on(CallbackFailed, failures.append)
    client.listen(Market("1"))
    return after, failures, calls


def test_failure_is_logged_and_told_and_the_rest_goes_on(
    server: Loopback, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    after, failures, calls = failing(client, server)
    server.wait_for("1").send([trade(1)], [trade(2)])
    eventually(lambda: len(after) == 2 and len(failures) == 2)
    assert calls == [1, 2]
    failed = failures[0]
    assert isinstance(failed, CallbackFailed)
    assert failed.callback.endswith("test_observers.failing.<locals>.fail")
    assert failed.error == "ValueError: no such trade"
    record = next(r for r in caplog.records if r.name == "polymarket_ws.observers")
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "raised on LastTradePrice" in record.getMessage()


def test_observer_of_failures_that_fails_is_not_told_of_itself(
    server: Loopback, client: Client
) -> None:
    calls: list[str] = []

    @client.on(Event)
    def fail(event: Event) -> None:
        calls.append(type(event).__name__)
        raise ValueError

    client.listen(Market("1", events=[LastTradePrice]))
    server.wait_for("1").send([trade(1)])
    eventually(lambda: len(calls) >= 6)
    told = [name for name in calls if name != "CallbackFailed"]
    assert told == ["Connected", "Subscribed", "LastTradePrice"]
    assert calls.count("CallbackFailed") == 3


def test_detached_observer_is_forgotten_and_others_stay(server: Loopback) -> None:
    with Client(endpoints=server.endpoints, on_error="detach") as client:
        after, failures, calls = failing(client, server)
        server.wait_for("1").send([trade(1)], [trade(2)])
        eventually(lambda: len(after) == 2)
        assert calls == [1]
        assert len(failures) == 1


def test_stop_closes_the_client_and_run_raises_the_error(server: Loopback) -> None:
    with Client(endpoints=server.endpoints, on_error="stop") as client:
        stream = client.subscribe(Market("1"))
        failing(client, server)
        thread, raised = running(client)
        server.wait_for("1").send([trade(1)])
        thread.join(SOON)
        assert [repr(error) for error in raised] == ["ValueError('no such trade')"]
        assert client.closed
        assert list(stream) == []


def test_even_an_exit_in_a_callback_is_no_end_in_silence(
    server: Loopback, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []

    @client.on(LastTradePrice)
    def leave(_: LastTradePrice) -> None:
        sys.exit(3)

    client.on(LastTradePrice, seen.append)
    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)], [trade(2)])
    eventually(lambda: len(seen) == 2)
    assert "leave raised" in caplog.text


def test_unknown_on_error_is_refused() -> None:
    with pytest.raises(UsageError, match='on_error takes "log", "detach" or "stop", not'):
        Client(on_error="ignore")  # type: ignore[arg-type]


# run().


def test_run_ends_with_close_in_another_thread(server: Loopback, client: Client) -> None:
    client.listen(Market("1"))
    thread, raised = running(client)
    server.wait_for("1")
    assert client.close()
    thread.join(SOON)
    assert not thread.is_alive()
    assert raised == []


def test_run_ends_with_close_in_a_callback(server: Loopback, client: Client) -> None:
    results: list[bool] = []
    client.on(LastTradePrice, lambda _: results.append(client.close()))
    client.listen(Market("1"))
    thread, raised = running(client)
    server.wait_for("1").send([trade(1)], [trade(2)])
    thread.join(SOON)
    assert not thread.is_alive()
    assert (results, raised) == ([True], [])


def test_run_raises_what_ended_a_connection() -> None:
    nobody = Endpoints.at(f"ws://127.0.0.1:{unused_port()}")
    with Client(endpoints=nobody, connect_timeout=0.2) as client:
        client.listen(Market("1"))
        with pytest.raises(ConnectionFailed, match=r"no connection to 127\.0\.0\.1:\d+ within"):
            client.run()
        assert client.closed


def test_run_warns_once_of_observers_that_nothing_can_feed(
    server: Loopback, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in (Book, PriceChange, LastTradePrice, Connected):
        client.on(kind, lambda _: None)
    client.listen(Market("1", events=[LastTradePrice]))
    thread, _ = running(client)
    eventually(lambda: "nothing subscribed" in caplog.text)
    client.close()
    thread.join(SOON)
    warnings = [r.getMessage() for r in caplog.records if r.name == "polymarket_ws.client"]
    (warning,) = warnings
    assert warning == (
        "nothing subscribed can feed the observers of Book, PriceChange: "
        "call client.listen(…) or client.subscribe(…) first"
    )


def test_run_says_nothing_where_a_base_class_is_fed(
    server: Loopback, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.on(MarketEvent, lambda _: None)
    client.listen(Market("1"))
    thread, _ = running(client)
    server.wait_for("1")
    client.close()
    thread.join(SOON)
    assert "nothing subscribed" not in caplog.text


CTRL_C = """
import sys, threading, time
from polymarket_ws import Client, Endpoints, Event, LastTradePrice, Market

client = Client(endpoints=Endpoints.at(sys.argv[1]))


@client.on(LastTradePrice)
def tell(event):
    # Not before run() waits: Ctrl-C shall find it there.
    while not client._engine._bells:
        time.sleep(0.001)
    print("trade", flush=True)


client.listen(Market("1"))
try:
    client.run()
except KeyboardInterrupt:
    print("interrupted", client.closed)
print([t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws")])
"""


def test_ctrl_c_closes_and_leaves_run(server: Loopback) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", CTRL_C, server.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.wait_for("1").send([trade(1)])
    assert process.stdout is not None
    assert process.stdout.readline() == "trade\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=scaled(20.0))
    assert (out, err, process.returncode) == ("interrupted True\n[]\n", "", 0)


# close().


def test_close_lets_a_running_callback_finish(server: Loopback, client: Client) -> None:
    entered, leave, finished = threading.Event(), threading.Event(), threading.Event()

    @client.on(LastTradePrice)
    def slow(_: LastTradePrice) -> None:
        entered.set()
        leave.wait(SOON)
        finished.set()

    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)], [trade(2)])
    assert entered.wait(SOON)
    threading.Timer(0.1, leave.set).start()
    assert client.close()
    assert finished.is_set()


def test_close_names_a_callback_that_hangs(
    server: Loopback, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    entered, leave = threading.Event(), threading.Event()
    calls: list[int] = []

    @client.on(LastTradePrice)
    def hang(event: LastTradePrice) -> None:
        calls.append(int(event.size))
        entered.set()
        leave.wait()

    client.listen(Market("1"))
    server.wait_for("1").send([trade(1)], [trade(2)])
    assert entered.wait(SOON)
    began = time.monotonic()
    assert client.close(timeout=0.2) is False
    assert time.monotonic() - began < scaled(1.5)
    assert "close() did not wait any longer for the callback" in caplog.text
    assert "test_close_names_a_callback_that_hangs.<locals>.hang" in caplog.text
    leave.set()
    assert client.close()
    assert calls == [1]


def test_what_is_queued_for_observers_is_discarded_and_counted(
    server: Loopback, client: Client
) -> None:
    entered, leave = threading.Event(), threading.Event()

    @client.on(LastTradePrice)
    def hold(_: LastTradePrice) -> None:
        entered.set()
        leave.wait(SOON)

    client.listen(Market("1"))
    server.wait_for("1").send([trade(n) for n in range(10)])
    assert entered.wait(SOON)
    observed = client._engine.observed
    eventually(lambda: observed.reading().received >= 10)
    client.close(timeout=0.0)
    leave.set()
    client.close()
    assert observed.reading().discarded == 9


def test_callback_may_change_everything(server: Loopback, client: Client) -> None:
    done = threading.Event()
    seen: list[str] = []
    feed = client.listen(Market("1"))

    @client.on(LastTradePrice)
    def change(event: LastTradePrice) -> None:
        seen.append(event.asset_id)
        if event.asset_id == "1":
            feed.add("2")
            with client.subscribe(Market("3")) as stream:
                stream.get(SOON)
            feed.remove("1")
            client.on(Book, seen.append)  # type: ignore[arg-type]
            client.health()
            done.set()

    server.wait_for("1").send([trade(1)])
    assert done.wait(SOON)
    server.wait_for("2").send([trade(2, "2")])
    eventually(lambda: "2" in seen)


def test_log_that_closes_the_client_does_not_lock_up(server: Loopback, client: Client) -> None:
    took: list[float] = []

    class Closing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            began = time.monotonic()
            client.close()
            took.append(time.monotonic() - began)

    handler = Closing(level=logging.WARNING)
    logger = logging.getLogger("polymarket_ws")
    logger.addHandler(handler)
    try:
        stream = client.subscribe(Market("1"), delivery=Delivery(max_events=2))
        server.wait_for("1").send([trade(n) for n in range(50)])
        eventually(lambda: client.closed)
        list(stream)
        eventually(lambda: took)
    finally:
        logger.removeHandler(handler)
    assert client.close()
    assert max(took) < scaled(2.0)


def test_log_of_a_failing_callback_that_closes_the_client_does_not_lock_up(
    server: Loopback, client: Client
) -> None:
    class Closing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.close()

    handler = Closing(level=logging.ERROR)
    logger = logging.getLogger("polymarket_ws.observers")
    logger.addHandler(handler)
    try:
        failing(client, server)
        thread, raised = running(client)
        server.wait_for("1").send([trade(1)])
        thread.join(SOON)
        assert not thread.is_alive()
    finally:
        logger.removeHandler(handler)
    assert raised == []


# The thread.


def test_slow_observers_with_fail_stop_the_client_and_run_raises(server: Loopback) -> None:
    with Client(
        endpoints=server.endpoints, delivery=Delivery(max_events=4, overflow="fail")
    ) as client:
        leave = threading.Event()
        client.on(LastTradePrice, lambda _: leave.wait(SOON))
        client.listen(Market("1"))
        thread, raised = running(client)
        talk = server.wait_for("1")
        talk.send([trade(n) for n in range(50)])
        eventually(lambda: client._engine.observed.error is not None)
        leave.set()
        thread.join(SOON)
        assert [type(error) for error in raised] == [SlowConsumer]


def test_thread_ends_when_nobody_holds_the_observers() -> None:
    mailbox = Mailbox(Delivery())
    seen: list[Event] = []
    observers = Observers(mailbox, Interest(), on_error="log", stop=lambda _: None)
    observers.add(Book, seen.append)
    observers.start()
    thread = observers._thread
    assert thread is not None
    del observers
    mailbox.put([Book(market="m", asset_id="1", bids=(), asks=())], [1])
    thread.join(SOON)
    assert not thread.is_alive()
    assert seen == []


def test_start_in_the_middle_of_start_starts_no_second_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As a signal handler may that subscribes, or another greenlet of gevent.
    mailbox = Mailbox(Delivery())
    observers = Observers(mailbox, Interest(), on_error="log", stop=lambda _: None)
    observers.add(Book, print)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def interrupted(thread: threading.Thread) -> None:
        observers.start()
        assert observers.join(0.0)
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    observers.start()
    monkeypatch.undo()
    assert [observers._thread] == started
    mailbox.close()
    assert observers.join(SOON)


def test_thread_that_could_not_be_had_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = Mailbox(Delivery())
    observers = Observers(mailbox, Interest(), on_error="log", stop=lambda _: None)
    observers.add(Book, print)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        observers.start()
    monkeypatch.undo()
    observers.start()
    mailbox.close()
    assert observers.join(SOON)
    assert observers._thread is not None


def test_thread_that_is_not_the_one_that_is_kept_calls_nothing() -> None:
    mailbox = Mailbox(Delivery())
    observers = Observers(mailbox, Interest(), on_error="log", stop=lambda _: None)
    stray = threading.Thread(
        target=observers_module._dispatch, args=(weakref.ref(observers), mailbox)
    )
    stray.start()
    stray.join(SOON)
    assert not stray.is_alive()
