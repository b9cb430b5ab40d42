from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from polymarket_ws import Book, Event, LastTradePrice
from polymarket_ws.integrations.django.lock import SingleInstance
from polymarket_ws.integrations.django.signals import lifecycle, market_event, user_event
from polymarket_ws.integrations.django.stopping import Stopping
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

COMMAND = "polymarket_stream"

signals = pytest.mark.skipif(os.name == "nt", reason="a signal ends the process there")


@pytest.fixture(autouse=True)
def configured(exchange: Exchange, tmp_path: Path) -> Iterator[dict[str, Any]]:
    held: dict[str, Any] = {
        "ENDPOINTS": exchange.url,
        "PROXY": None,
        "MARKETS": [exchange.markets[0].slug],
        "LOCK": tmp_path / "lock",
    }
    with override_settings(POLYMARKET_WS=held):
        yield held


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """What the signals tell."""
    told: list[Event] = []

    def tell(event: Event, **_: Any) -> None:
        told.append(event)

    with ExitStack() as stack:
        for signal in (market_event, user_event, lifecycle):
            signal.connect(tell)
            stack.callback(signal.disconnect, tell)
        yield told


def run_until(exchange: Exchange, found: Callable[[], object], *arguments: str) -> str:
    """Run the command, and interrupt it when something is so; return what it printed."""
    output = io.StringIO()
    over = threading.Event()

    def interrupt() -> None:
        exchange.wait_for(lambda: over.is_set() or found(), scaled(20))
        # Whatever has failed, nobody else is interrupted.
        if isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Stopping):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        call_command(COMMAND, *arguments, stdout=output)
    finally:
        over.set()
        thread.join()
    assert found()
    return output.getvalue()


@signals
def test_it_follows_the_markets_of_the_settings(exchange: Exchange, events: list[Event]) -> None:
    output = run_until(exchange, lambda: [event for event in events if isinstance(event, Book)])
    assert output.startswith(f"Following {exchange.markets[0].slug}. Stop with")
    assert "Connected market#1 (epoch 1)" in output
    assert "Book" not in output
    assert "Stopped: " in output
    assert {event.market for event in events if isinstance(event, Book)} == {
        exchange.markets[0].condition_id
    }


@signals
def test_a_named_market_and_the_account(
    exchange: Exchange, events: list[Event], configured: dict[str, Any]
) -> None:
    configured["CREDENTIALS"] = exchange.account.credentials
    with override_settings(POLYMARKET_WS={**configured}):
        output = run_until(
            exchange,
            lambda: (
                {event.channel for event in events if hasattr(event, "channel")}
                >= {"market", "user"}
            ),
            str(exchange.markets[1].slug),
            "--user",
        )
    assert f"Following {exchange.markets[1].slug}, your account." in output


@signals
def test_only_the_events_that_are_named(exchange: Exchange, events: list[Event]) -> None:
    def traded() -> bool:
        exchange.step(20)
        return any(isinstance(event, LastTradePrice) for event in events)

    run_until(exchange, traded, "--events", "last_trade_price")
    assert not [event for event in events if isinstance(event, Book)]


@pytest.mark.parametrize(
    ("arguments", "held", "told"),
    [
        ((), {"MARKETS": None}, "nothing to follow: name a market"),
        (("--user",), {}, r'--user needs an API key: set POLYMARKET_WS\["CREDENTIALS"\]'),
        (("--events", "books"), {}, "there is no event 'books'; there are book, "),
        (("--events", ","), {}, "names no event"),
        (("--demo", "a-market"), {}, "leave WHAT out"),
        (("no-such-market",), {}, "no-such-market"),
        ((), {"MARKET": "a"}, "POLYMARKET_WS has no 'MARKET'"),
        ((), {"LOCK": "/no/such/folder/lock"}, "cannot lock /no/such/folder/lock: No such file"),
    ],
)
def test_what_cannot_begin_says_why(
    configured: dict[str, Any], arguments: tuple[str, ...], held: dict[str, Any], told: str
) -> None:
    with override_settings(POLYMARKET_WS={**configured, **held}):
        with pytest.raises(CommandError, match=told):
            call_command(COMMAND, *arguments, stdout=io.StringIO())


def test_it_does_not_run_twice(configured: dict[str, Any], tmp_path: Path) -> None:
    for path, arguments in (
        (configured["LOCK"], []),
        (tmp_path / "other", ["--lock", str(tmp_path / "other")]),
    ):
        lock = SingleInstance(path)
        lock.acquire()
        with pytest.raises(CommandError, match="runs already"):
            call_command(COMMAND, *arguments, stdout=io.StringIO())
        lock.release()


def test_wrong_credentials_end_it_with_an_error(
    exchange: Exchange, configured: dict[str, Any]
) -> None:
    from polymarket_ws import Credentials

    wrong = Credentials("11111111-2222-3333-4444-555555555555", "c2VjcmV0", "0123456789abcdef")
    with override_settings(POLYMARKET_WS={**configured, "CREDENTIALS": wrong}):
        with pytest.raises(CommandError):
            call_command(COMMAND, "--user", stdout=io.StringIO())


@pytest.mark.parametrize(
    ("argv", "child", "refused"),
    [
        (["manage.py", "runserver"], None, True),
        (["manage.py", "runserver"], "true", False),
        (["manage.py", "runserver", "--noreload"], None, False),
        (["manage.py", COMMAND], None, False),
    ],
)
def test_the_process_that_only_watches_over_files_refuses(
    argv: list[str], child: str | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("RUN_MAIN", raising=False)
    if child is not None:
        monkeypatch.setenv("RUN_MAIN", child)
    # Where it is not refused, the next thing that is wrong is told.
    told = "only watches over files" if refused else "names no event"
    with pytest.raises(CommandError, match=told):
        call_command(COMMAND, "--events", ",", stdout=io.StringIO())
