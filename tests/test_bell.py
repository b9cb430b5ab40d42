from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from polymarket_ws.bell import Bell
from tests.conftest import scaled


def test_a_ring_wakes_who_waits(seconds: Callable[[float], float]) -> None:
    bell = Bell()
    ringing = threading.Timer(0.05, bell.ring)
    ringing.start()
    assert bell.wait(seconds(10.0))
    ringing.join()


def test_a_ring_before_the_wait_is_kept() -> None:
    bell = Bell()
    bell.ring()
    assert bell.wait(0.0)


def test_it_counts_once_however_often_it_was_rung() -> None:
    bell = Bell()
    for _ in range(3):
        bell.ring()
    assert bell.wait(0.0)
    assert not bell.wait(0.0)


def test_nobody_rings() -> None:
    began = time.monotonic()
    assert not Bell().wait(0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal")
def test_the_wait_ends_though_a_signal_handler_runs_beyond_it(
    seconds: Callable[[float], float],
) -> None:
    bell = Bell()
    ran = threading.Event()

    def handler(*_: object) -> None:
        # Until the time of the wait is over, whatever the machine does meanwhile.
        ran.wait(0.3)
        ran.set()

    late = threading.Timer(seconds(20.0), bell.ring)
    late.start()
    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert not bell.wait(0.2)
        assert ran.wait(seconds(5.0))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
        late.cancel()
        late.join()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal")
def test_a_signal_handler_rings_for_the_thread_that_it_interrupts(
    seconds: Callable[[float], float],
) -> None:
    bell = Bell()
    previous = signal.signal(signal.SIGALRM, lambda *_: bell.ring())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert bell.wait(seconds(10.0))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


GEVENT = """
from gevent import monkey
start = monkey.get_original("_thread", "start_new_thread")
monkey.patch_all()

import time
import gevent
from polymarket_ws.bell import Bell

def until(reached):
    limit = time.monotonic() + 10
    while not reached() and time.monotonic() < limit:
        gevent.sleep(0.01)
    assert reached()

turns = []
def turn():
    while True:
        turns.append(None)
        gevent.sleep(0.001)
turning = gevent.spawn(turn)

# A greenlet waits, and the others go on.
bell = Bell()
assert not bell.wait(0.2)
assert len(turns) > 10

# A greenlet waits, and a native thread rings.
start(bell.ring, ())
assert bell.wait(10)

# A native thread waits, and a greenlet rings.
heard = []
start(lambda: heard.append(bell.wait(10)), ())
bell.ring()
until(lambda: heard)
assert heard == [True]
turning.kill()
"""


def test_greenlets_and_native_threads_ring_for_each_other() -> None:
    pytest.importorskip("gevent")
    run = subprocess.run(
        [sys.executable, "-c", GEVENT],
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )
    assert run.returncode == 0, run.stderr
