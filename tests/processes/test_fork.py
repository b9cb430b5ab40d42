from __future__ import annotations

import os
import signal
import ssl
import threading
from typing import Any

import pytest
import trustme

from polymarket_ws.client import Client
from polymarket_ws.events.market import Book, LastTradePrice
from polymarket_ws.subscriptions import Market
from tests.conftest import scaled
from tests.market_server import Loopback, flood_and_obey
from tests.processes.programs import running

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

SOON = scaled(5.0)

SLOWLY = (pytest.mark.slow, pytest.mark.timeout(scaled(600)))


PARENT = """
import gc, multiprocessing, os, signal, ssl, sys, threading, time
from polymarket_ws import (
    Book, Client, ClientForked, Delivery, Disconnected, Endpoints, LastTradePrice, Market
)

url, forks, limit, roots = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
client = Client(
    endpoints=Endpoints.at(url),
    delivery=Delivery(max_events=10**7, max_bytes=2**32),
    ssl_context=ssl.create_default_context(cafile=roots) if roots else None,
)
observed, lost = [], []
client.on(LastTradePrice, lambda event: observed.append(int(event.size)))
client.on(Disconnected, lost.append)
stream = client.subscribe(Market("1", events=[LastTradePrice]))
other = client.subscribe(Market("2"))
feed = client.listen(Market("1"))
numbers = [int(next(stream).size)]

# What a child may call. Each must say so, and soon.
calls = {
    "subscribe": lambda: client.subscribe(Market("3")),
    "listen": lambda: client.listen(Market("3")),
    "on": lambda: client.on(Book, repr),
    "off": lambda: client.off(lost.append),
    "run": client.run,
    "wait_connected": lambda: client.wait_connected(1.0),
    "health": client.health,
    "next": lambda: next(other),
    "get": lambda: other.get(1.0),
    "all": lambda: next(iter(other.all())),
    "add": lambda: feed.add("3"),
    "remove": lambda: feed.remove("1"),
    "replace": lambda: feed.replace("3"),
    "close of a stream": other.close,
    "close of a feed": feed.close,
    "close": client.close,
}


def child():
    # Its end if it hangs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    for name, call in calls.items():
        began = time.monotonic()
        try:
            call()
        except ClientForked as error:
            assert "forked" in str(error)
        else:
            os.write(1, f"{name} said nothing\\n".encode())
        took = time.monotonic() - began
        if took > limit:
            os.write(1, f"{name} took {took:.3f} s\\n".encode())


# A thread holds a lock at the moment of the fork, a different one each time.
connection = client._engine.connections()[0]
locks = [
    threading.RLock(),
    stream._mailbox._lock,
    client._engine.lock,
    client._engine.observed._lock,
    client._observers._lock,
    connection._readiness._waking,
    connection._ending,
]


def holding(lock, fork):
    held, release = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        return fork()
    finally:
        release.set()
        thread.join()


def fork_here():
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException as error:
            os.write(1, repr(error).encode() + b"\\n")
            os._exit(1)
        os._exit(0)
    return pid


def fork_elsewhere():
    process = multiprocessing.get_context("fork").Process(target=child)
    thread = threading.Thread(target=process.start)
    thread.start()
    thread.join()
    return process


def read(until):
    while len(numbers) < until:
        numbers.append(int(next(stream).size))


codes = []
for turn in range(forks):
    lock = locks[turn % len(locks)]
    if turn % 2:
        process = holding(lock, fork_elsewhere)
        process.join()
        codes.append(process.exitcode)
    else:
        pid = holding(lock, fork_here)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    # All that came meanwhile: what waits is memory that the next child has to copy.
    read(len(numbers) + max(20, stream.stats.buffered))

# One that goes to its end as a program does, with everything that it inherited.
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    del stream, other, feed
    client = connection = None
    gc.collect()
    sys.exit(7)
codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) - 7)
print("children", set(codes), len(codes), flush=True)

read(len(numbers) + 1000)
print("holes", numbers != list(range(len(numbers))), flush=True)
other.close()
added = client.subscribe(Market("4"))
added.get(60)
stream.add("5")
stream.remove("5")
feed.replace("6")
print("changed", flush=True)
sys.stdin.readline()
closed = client.close()
print("lost", lost, observed != list(range(len(observed))), closed, flush=True)
"""


@pytest.mark.parametrize("times", [21, pytest.param(200, marks=SLOWLY)])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_forks_under_load_cost_the_parent_nothing_and_hang_no_child(
    secure: bool, times: int, tmp_path: Any
) -> None:
    context, roots = None, ""
    if secure:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        roots = str(tmp_path / "roots.pem")
        authority.cert_pem.write_to_path(roots)
    with Loopback(flood_and_obey, tls=context) as server:
        # A child has the memory of its parent to copy first, on a machine that has much else to do.
        limit = str(scaled(0.5))
        with running(PARENT, server.url, str(times), limit, roots) as program:
            assert program.line() == f"children {{0}} {times + 1}", program.end()
            assert program.line() == "holes False"
            assert program.line() == "changed"
            server.wait_for("1", "4", "6")
            print(file=program.process.stdin, flush=True)
            assert program.line() == "lost [] False True"
            assert (program.end(), program.out, program.err) == (0, "", "")
        assert len(server.talks) == 1


CALLBACK = """
import os, sys, threading
from polymarket_ws import Client, Endpoints, LastTradePrice, Market

main = os.getpid()
client = Client(endpoints=Endpoints.at(sys.argv[1]))
enough, seen = threading.Event(), []

@client.on(LastTradePrice)
def fork(event):
    seen.append(int(event.size))
    if os.getpid() != main:
        os.write(1, b"told in the child\\n")
    elif len(seen) % 50 == 0:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        # The child goes on from here, into what the parent is going to be told.
    if len(seen) == 500:
        enough.set()

client.listen(Market("1", events=[LastTradePrice]))
enough.wait()
print(seen[:500] == list(range(500)), client.close(), flush=True)
"""


def test_callback_that_forks_is_not_told_in_the_child_what_the_parent_is_told() -> None:
    with Loopback(flood_and_obey) as server:
        with running(CALLBACK, server.url) as program:
            assert program.end() == 0
    assert (program.out, program.err) == ("True True\n", "")
    assert len(server.talks) == 1


HANDLER = """
import os, signal, sys
from polymarket_ws import Client, ClientClosed, ClientForked, Endpoints, LastTradePrice, Market

main = os.getpid()
client = Client(endpoints=Endpoints.at(sys.argv[1]))
stream = client.subscribe(Market("1", events=[LastTradePrice]))

def fork(number, frame):
    pid = os.fork()
    if pid:
        print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    else:
        signal.alarm(60)
        # And back into the wait.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

signal.signal(signal.SIGUSR1, fork)
signal.signal(signal.SIGUSR2, lambda number, frame: client.close())
print("ready", flush=True)
forked = False
try:
    {wait}
except (ClientClosed, StopIteration):
    pass
except ClientForked:
    forked = True
if os.getpid() != main:
    os._exit(7 if forked else 1)
print("ended", flush=True)
"""


@pytest.mark.parametrize(
    "wait",
    ["client.run()", "next(stream)", "stream.get()", "list(stream.all())", "list(stream)"],
)
def test_child_that_is_born_in_the_middle_of_a_wait_does_not_go_on_waiting(wait: str) -> None:
    with Loopback() as server, running(HANDLER.format(wait=wait), server.url) as program:
        assert program.line() == "ready"
        server.wait_for("1")
        # Most likely it waits by then. If it does not, the answer is the same.
        threading.Event().wait(0.1)
        program.process.send_signal(signal.SIGUSR1)
        assert program.line() == "child 7"
        assert len(server.open) == 1
        program.process.send_signal(signal.SIGUSR2)
        assert program.line() == "ended"
        assert (program.end(), program.err) == (0, "")


def test_unused_client_works_in_a_child_whatever_was_held_at_the_fork() -> None:
    with Loopback() as server:
        client = Client(endpoints=server.endpoints)
        locks: list[Any] = [
            client._engine.lock,
            client._engine.observed._lock,
            client._observers._lock,
        ]
        held, release = threading.Barrier(len(locks) + 1), threading.Event()

        def hold(lock: Any) -> None:
            with lock:
                held.wait()
                release.wait()

        threads = [threading.Thread(target=hold, args=(lock,)) for lock in locks]
        for thread in threads:
            thread.start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            code = 1
            try:
                seen = threading.Event()
                client.on(Book, lambda _: seen.set())
                with client:
                    client.subscribe(Market("1")).get(SOON)
                    code = 0 if seen.wait(SOON) and client.health().connected else 2
            finally:
                os._exit(code)
        release.set()
        for thread in threads:
            thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with client:
            client.subscribe(Market("1", events=[Book, LastTradePrice])).get(SOON)
