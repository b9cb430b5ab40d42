from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from polymarket_ws.transport.errand import Errand
from polymarket_ws.transport.readiness import Readiness


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


def waiting(readiness: Readiness) -> Callable[..., tuple[bool, bool]]:
    def wait(
        sock: socket.socket | None, *, read: bool, write: bool, until: float
    ) -> tuple[bool, bool]:
        readable, writable, _ = readiness.wait(sock, read=read, write=write, until=until)
        return readable, writable

    return wait


def test_result_is_what_the_call_returned(
    readiness: Readiness, seconds: Callable[[float], float]
) -> None:
    errand = Errand("test", lambda: 42, readiness.wake)
    assert errand.result(waiting(readiness), time.monotonic() + seconds(5)) == 42
    readiness.close()


def test_error_of_the_call_is_raised(
    readiness: Readiness, seconds: Callable[[float], float]
) -> None:
    def call() -> None:
        raise OSError("no such name")

    errand = Errand("test", call, readiness.wake)
    with pytest.raises(OSError, match="no such name"):
        errand.result(waiting(readiness), time.monotonic() + seconds(5))
    readiness.close()


def test_call_that_hangs_is_left_behind(
    readiness: Readiness, seconds: Callable[[float], float]
) -> None:
    release = threading.Event()
    errand = Errand("test", lambda: release.wait(seconds(30)), readiness.wake)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        errand.result(waiting(readiness), time.monotonic() + 0.05)
    assert time.monotonic() - began < seconds(2)
    release.set()
    # Its wake-up comes when nobody waits any more, and must do no harm.
    readiness.close()


def test_interrupted_wait_ends_the_waiting_not_the_call(
    readiness: Readiness, seconds: Callable[[float], float]
) -> None:
    release = threading.Event()

    class Stopped(Exception):
        pass

    def wait(*_: object, **__: object) -> tuple[bool, bool]:
        raise Stopped

    errand = Errand("test", lambda: release.wait(seconds(30)), readiness.wake)
    with pytest.raises(Stopped):
        errand.result(wait, time.monotonic() + seconds(5))
    release.set()
    readiness.close()
