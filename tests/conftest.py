"""What every test shares: scaled time, the captured wire, and a check that nothing leaks."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

_FACTOR = float(os.environ.get("POLYMARKET_WS_TESTS_TIMEOUT_FACTOR", "1"))

# No deadline in any profile: on a shared machine it measures the neighbours.
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_finish() -> None:
    """Let no collection of garbage look at the modules and the items of the tests again.

    They are what most of the memory is. Several tests collect after each of many turns.
    """
    gc.collect()
    gc.freeze()


def scaled(value: float) -> float:
    """Return ``value`` seconds, stretched for a slow machine by the environment's factor."""
    return value * _FACTOR


@pytest.fixture
def seconds() -> Callable[[float], float]:
    """Scale a duration: limits that must not be hit, and waits that must be seen."""
    return scaled


@pytest.fixture
def hasty_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the attempts of a REST call follow each other at once: as many, with no wait between."""
    from polymarket_ws import request

    hasty = request._RETRY.new(backoff_factor=0.01, backoff_jitter=0.0)
    monkeypatch.setattr(request, "_RETRY", hasty)


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name resolve, at once: where a network is half there a resolver takes its time."""

    def look_up(host: object, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture(scope="session")
def wire() -> Path:
    """The folder of real captures beside the repository; without it the test is skipped."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "wire"
    if not folder.is_dir():
        pytest.skip("the captured wire is not beside this repository")
    return folder


def _own_threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("polymarket-ws")}


def _open_sockets() -> int | None:
    """Return how many sockets this process has open, or ``None`` where no ``/proc`` tells."""
    try:
        names = os.listdir("/proc/self/fd")
    except FileNotFoundError:
        return None
    count = 0
    for name in names:
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return count


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Fail the test that leaves a thread of ours or a socket behind."""
    threads_before = _own_threads()
    sockets_before = _open_sockets()
    yield
    deadline = time.monotonic() + scaled(5.0)
    pause = threading.Event()
    for thread in _own_threads() - threads_before:
        # One that is just being started cannot be joined yet.
        while thread.ident is None and time.monotonic() < deadline:
            pause.wait(0.01)
        thread.join(max(0.0, deadline - time.monotonic()))
    leaked = sorted(t.name for t in _own_threads() - threads_before if t.is_alive())
    assert not leaked, f"threads left behind: {leaked}"
    if sockets_before is None:
        return
    while (sockets := _open_sockets() or 0) > sockets_before and time.monotonic() < deadline:
        gc.collect()
        # The other end of a loopback connection is closed by a server's thread in its time.
        pause.wait(0.01)
    assert sockets <= sockets_before, f"{sockets - sockets_before} sockets left open"
