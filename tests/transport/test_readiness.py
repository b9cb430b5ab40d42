from __future__ import annotations

import contextlib
import math
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws.transport import readiness as readiness_module
from polymarket_ws.transport.readiness import Readiness
from tests.ports import unused_port

Seconds = Callable[[float], float]


@pytest.fixture(params=["poll", "select"])
def readiness(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Readiness]:
    if request.param == "select":
        monkeypatch.delattr(select, "poll", raising=False)
    readiness = Readiness()
    yield readiness
    readiness.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


def soon(delay: float = 5.0) -> float:
    return time.monotonic() + delay


def test_wait_ends_at_its_time_and_not_before(readiness: Readiness, seconds: Seconds) -> None:
    until = soon(0.0505)
    assert readiness.wait(None, read=False, write=False, until=until) == (False, False, False)
    assert until <= time.monotonic() < until + seconds(0.5)


def test_time_that_has_passed_does_not_wait(readiness: Readiness, seconds: Seconds) -> None:
    began = time.monotonic()
    assert readiness.wait(None, read=False, write=False, until=0.0) == (False, False, False)
    # What is below zero would be for ever.
    assert time.monotonic() - began < seconds(1)


def test_another_thread_wakes_it_within_fifty_milliseconds(
    readiness: Readiness, seconds: Seconds
) -> None:
    delays = []
    for _ in range(20):
        woken_at: list[float] = []

        def wake(said: list[float] = woken_at) -> None:
            said.append(time.monotonic())
            readiness.wake()

        timer = threading.Timer(0.01, wake)
        timer.start()
        assert readiness.wait(None, read=False, write=False, until=None) == (False, False, True)
        delays.append(time.monotonic() - woken_at[0])
        timer.join()
    assert sorted(delays)[10] < seconds(0.05)


def test_wake_before_the_wait_is_not_lost(readiness: Readiness) -> None:
    readiness.wake()
    assert readiness.wait(None, read=False, write=False, until=soon())[2]


def test_many_wakes_are_one(readiness: Readiness) -> None:
    # More than the pair of sockets can hold.
    for _ in range(300_000):
        readiness.wake()
    assert readiness.wait(None, read=False, write=False, until=soon())[2]
    assert not readiness.wait(None, read=False, write=False, until=0.0)[2]


def test_bytes_make_it_readable(
    readiness: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, far = pair
    assert readiness.wait(near, read=True, write=False, until=0.0) == (False, False, False)
    far.send(b"x")
    assert readiness.wait(near, read=True, write=False, until=soon()) == (True, False, False)


def test_hang_up_makes_it_readable(
    readiness: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, far = pair
    far.close()
    assert readiness.wait(near, read=True, write=False, until=soon())[0]


def test_room_makes_it_writable(
    readiness: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, far = pair
    assert readiness.wait(near, read=True, write=True, until=soon()) == (False, True, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(b"x" * 65536)
    assert readiness.wait(near, read=True, write=True, until=0.0) == (False, False, False)
    far.recv(10_000_000)
    assert readiness.wait(near, read=False, write=True, until=soon())[1]


def test_refused_connection_is_seen_while_waiting_for_it(readiness: Readiness) -> None:
    address = ("127.0.0.1", unused_port())
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(address)
        assert readiness.wait(sock, read=False, write=True, until=soon())[1]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_wake_and_socket_are_seen_together(
    readiness: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    near, far = pair
    far.send(b"x")
    readiness.wake()
    assert readiness.wait(near, read=True, write=True, until=None) == (True, True, True)


@pytest.mark.parametrize("until", [1e12, math.inf])
def test_time_beyond_what_the_system_can_wait_for_is_taken(
    readiness: Readiness, until: float
) -> None:
    readiness.wake()
    assert readiness.wait(None, read=False, write=False, until=until)[2]


def test_signal_handler_can_wake_it(readiness: Readiness) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: readiness.wake())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert readiness.wait(None, read=False, write=False, until=soon())[2]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_descriptor_above_the_limit_of_select_is_waited_for() -> None:
    resource = pytest.importorskip("resource")
    if not hasattr(select, "poll"):
        pytest.skip("this system has no poll")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1200:
        pytest.skip("not enough descriptors allowed")
    held = [socket.socket() for _ in range(1100)]
    readiness = Readiness()
    try:
        readiness.wake()
        assert readiness.wait(held[-1], read=False, write=True, until=soon())[2]
    finally:
        readiness.close()
        for sock in held:
            sock.close()


def test_wake_after_close_is_nothing(readiness: Readiness) -> None:
    readiness.close()
    readiness.close()
    readiness.wake()


def test_close_lets_a_wake_finish_first(monkeypatch: pytest.MonkeyPatch, seconds: Seconds) -> None:
    # Descriptors are reused at once: a late write would reach a stranger.
    monkeypatch.setattr(readiness_module, "_CLOSE_SECONDS", seconds(5))
    readiness = Readiness()
    closer = threading.Thread(target=readiness.close)
    with readiness._waking:
        closer.start()
        closer.join(0.1)
        assert readiness._waker.fileno() >= 0
    closer.join(seconds(5))
    assert readiness._waker.fileno() == -1


def test_close_does_not_wait_for_a_wake_that_was_interrupted(seconds: Seconds) -> None:
    readiness = Readiness()
    # As a signal handler that runs in the middle of wake() and waits for the closing thread.
    with readiness._waking:
        began = time.monotonic()
        closer = threading.Thread(target=readiness.close)
        closer.start()
        closer.join(seconds(5))
        assert time.monotonic() - began < seconds(1)
    assert not closer.is_alive()


def test_copy_in_a_child_is_closed_at_once_whoever_held_the_lock(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    # Longer than the test allows, if it were waited for.
    monkeypatch.setattr(readiness_module, "_CLOSE_SECONDS", seconds(5))
    readiness = Readiness()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with readiness._waking:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    began = time.monotonic()
    readiness.after_fork_in_child()
    assert time.monotonic() - began < seconds(1)
    readiness.wake()
    done.set()
    thread.join()
