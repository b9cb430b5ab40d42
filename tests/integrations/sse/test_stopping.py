from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_ws.integrations.sse.stopping import asked_to_stop


class Worker:
    """Keeps its flag as gunicorn's do."""

    def __init__(self, alive: object = True) -> None:
        self.alive = alive

    def handle_exit(self, number: int, frame: object) -> None:
        self.alive = False


@pytest.fixture(autouse=True)
def same_signal_handler_afterwards() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_worker_that_was_asked_to_stop_is_seen() -> None:
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.handle_exit)
    assert asked_to_stop() is False
    signal.raise_signal(signal.SIGTERM)
    assert asked_to_stop() is True


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, lambda number, frame: None])
def test_other_servers_tell_nothing(handler: Any) -> None:
    signal.signal(signal.SIGTERM, handler)
    assert asked_to_stop() is None


def test_a_method_of_something_else_tells_nothing() -> None:
    signal.signal(signal.SIGTERM, Worker(alive="maybe").handle_exit)
    assert asked_to_stop() is None


class Server:
    """Keeps its flag as uvicorn's does."""

    def __init__(self) -> None:
        self.should_exit = False

    def handle_exit(self, number: int, frame: object) -> None:
        self.should_exit = True


def test_a_server_that_was_asked_to_exit_is_seen() -> None:
    server = Server()
    signal.signal(signal.SIGTERM, server.handle_exit)
    assert asked_to_stop() is False
    signal.raise_signal(signal.SIGTERM)
    assert asked_to_stop() is True
