from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_ws.engine import Engine
from polymarket_ws.errors import ClientClosed, ConnectionFailed
from polymarket_ws.events.market import Book
from polymarket_ws.settings import Settings
from polymarket_ws.transport.deadline import Deadline
from tests.conftest import scaled
from tests.market_server import Loopback, eventually

SOON = scaled(5.0)
BOOKS = frozenset((Book,))


def engine_at(server: Loopback) -> Engine:
    return Engine(
        Settings.checked(
            endpoints=server.endpoints,
            delivery=None,
            backoff=None,
            liveness=None,
            assets_per_connection=200,
            connect_timeout=10.0,
            proxy=None,
            ssl_context=None,
            user_agent="test",
            credentials=None,
            recovery_timeout=10.0,
        )
    )


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def engine(server: Loopback) -> Iterator[Engine]:
    running = engine_at(server)
    yield running
    connections = running.connections()
    running.begin_close()
    assert running.join(connections, Deadline(SOON))


def test_what_is_asked_meanwhile_is_passed_on_in_its_turn(server: Loopback, engine: Engine) -> None:
    mailbox = engine.open_mailbox(engine._settings.delivery)

    class Asking(dict):  # type: ignore[type-arg]
        """Wishes that ask for more while they are passed on, as a signal handler may."""

        def values(self) -> Any:
            engine.asked.append((mailbox, {"market": {"1": frozenset(), "2": BOOKS}}))
            engine.obey()
            assert engine.connections() == ()
            return super().values()

    with engine.lock:
        engine.asked.append((mailbox, {"market": Asking({"1": BOOKS})}))
        engine.obey()
    assert not engine.asked
    server.wait_for("2")


def test_wish_that_comes_while_closing_leaves_no_connection(
    server: Loopback, engine: Engine
) -> None:
    mailbox = engine.open_mailbox(engine._settings.delivery)
    engine.begin_close()
    with engine.lock:
        engine.asked.append((mailbox, {"market": {"1": BOOKS}}))
        engine.obey()
    eventually(lambda: not engine.connections())
    with pytest.raises(ClientClosed):
        engine.check_usable()


def test_first_error_is_the_one_that_is_kept(engine: Engine) -> None:
    first = ConnectionFailed("first")
    engine.fail(first)
    engine.fail(ConnectionFailed("second"))
    assert engine.error is first
    assert engine.health().last_error == "first"


def test_everybody_who_waits_is_told(engine: Engine) -> None:
    reached: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: reached.append(
                engine.wait_until(lambda: engine.error is not None, Deadline(SOON))
            ),
            daemon=True,
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(engine._bells) == 3)
    engine.fail(ConnectionFailed("now"))
    for thread in threads:
        thread.join(SOON)
    assert reached == [True] * 3
    assert engine._bells == {}


def test_wait_that_is_in_vain_ends_at_its_deadline(engine: Engine) -> None:
    began = time.monotonic()
    assert not engine.wait_until(lambda: False, Deadline(0.05))
    assert 0.045 <= time.monotonic() - began < scaled(2.0)
    assert engine._bells == {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_wait_is_ended_by_a_signal_handler_that_closes(server: Loopback, engine: Engine) -> None:
    previous = signal.signal(signal.SIGUSR1, lambda *_: engine.begin_close())
    main = threading.main_thread().ident
    assert main is not None

    def ring() -> None:
        eventually(lambda: engine._bells)
        signal.pthread_kill(main, signal.SIGUSR1)

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        assert engine.wait_until(lambda: engine.closed, Deadline(SOON))
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, previous)


def test_gone_consumer_is_forgotten_with_the_next_wish(server: Loopback, engine: Engine) -> None:
    gone = engine.open_mailbox(engine._settings.delivery)
    with engine.lock:
        engine.asked.append((gone, {"market": {"1": BOOKS}}))
        engine.obey()
    server.wait_for("1")
    engine.leave(gone)
    server.wait_for()
    other = engine.open_mailbox(engine._settings.delivery)
    with engine.lock:
        engine.asked.append((other, {"market": {"2": BOOKS}}))
        engine.obey()
    server.wait_for("2")
    assert engine._mailboxes == [other]
    assert gone.reading().waiting == 0
