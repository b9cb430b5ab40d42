from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from polymarket_ws import Book, Event, LastTradePrice, Trade
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


def run_until(found: Callable[[], object], *arguments: str) -> str:
    """Run the command, and interrupt it when something is so; return what it printed."""
    output = io.StringIO()
    over = threading.Event()

    def interrupt() -> None:
        deadline = time.monotonic() + scaled(20)
        while not found() and time.monotonic() < deadline:
            if over.wait(0.02):
                return
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
    output = run_until(lambda: [event for event in events if isinstance(event, Book)])
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
            lambda: (
                {event.channel for event in events if hasattr(event, "channel")}
                >= {"market", "user"}
            ),
            str(exchange.markets[1].slug),
            "--user",
        )
    assert f"Following {exchange.markets[1].slug}, your account." in output


@signals
def test_a_restart_loses_no_trade(
    exchange: Exchange, events: list[Event], configured: dict[str, Any]
) -> None:
    account = exchange.account
    account.place(exchange.markets[0].asset_ids[0], "BUY", "0.99", 5, "FOK")
    account.finish_trades()
    configured["CREDENTIALS"] = account.credentials
    with override_settings(POLYMARKET_WS={**configured}):
        run_until(
            lambda: [event for event in events if isinstance(event, Trade)],
            "--user",
            "--since",
            "60",
        )
    (trade,) = [event for event in events if isinstance(event, Trade)]
    assert (trade.status, trade.recovered) == ("CONFIRMED", True)


@signals
def test_only_the_events_that_are_named(exchange: Exchange, events: list[Event]) -> None:
    def traded() -> bool:
        exchange.step(20)
        return any(isinstance(event, LastTradePrice) for event in events)

    run_until(traded, "--events", "last_trade_price")
    assert not [event for event in events if isinstance(event, Book)]


@pytest.mark.parametrize(
    ("arguments", "held", "told"),
    [
        ((), {"MARKETS": None}, "nothing to follow: name a market"),
        (("--user",), {}, r'--user needs an API key: set POLYMARKET_WS\["CREDENTIALS"\]'),
        (("--since", "5"), {}, "--since is for --user"),
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
        with pytest.raises(CommandError, match=told) as raised:
            call_command(COMMAND, *arguments, stdout=io.StringIO())
    assert "lookup(" not in str(raised.value)


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


HANGS = """
import sys, time
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["polymarket_ws.integrations.django"],
    POLYMARKET_WS={"ENDPOINTS": sys.argv[1], "MARKETS": sys.argv[2], "LOCK": sys.argv[3]},
)
import django

django.setup()
from django.core.management import call_command
from polymarket_ws.integrations.django.signals import market_event


def hang(**_):
    print("hangs", flush=True)
    time.sleep(60)


market_event.connect(hang)
call_command("polymarket_stream")
"""


@signals
@pytest.mark.slow
def test_a_receiver_that_hangs_does_not_hold_up_the_end(exchange: Exchange, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGS, exchange.url, str(exchange.markets[0].slug)]
    with subprocess.Popen(
        [*command, str(tmp_path / "hangs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "hangs\n" in iter(process.stdout.readline, "")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(scaled(10)) == 0
        assert time.monotonic() - began < 2.5 + scaled(2.5)
    assert "it is interrupted" in rest
    assert "Stopped: " in rest
    assert "Traceback" not in rest


@signals
@pytest.mark.parametrize("arguments", [[], ["-u"]])
def test_a_reader_that_has_seen_enough_ends_it(
    exchange: Exchange, tmp_path: Path, arguments: list[str]
) -> None:
    prints = HANGS.replace('print("hangs", flush=True)\n    time.sleep(60)', 'print("x" * 10_000)')
    command = [sys.executable, *arguments, "-c", prints, exchange.url]
    with subprocess.Popen(
        [*command, str(exchange.markets[0].slug), str(tmp_path / "prints")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(line.startswith("xxx") for line in process.stdout)
        process.stdout.close()
        deadline = time.monotonic() + scaled(20)
        while process.poll() is None and time.monotonic() < deadline:
            exchange.step(5)
            exchange.wait_for(lambda: process.poll() is not None, 0.05)
        ended = process.poll()
        process.kill()
        assert process.stderr.read() == ""
        assert ended == 0
