from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

import pytest

from polymarket_ws import MarketInfo, from_json
from polymarket_ws.simulator import Exchange, Recording
from tests.cli.shell import COMMAND, ROOT, run, started
from tests.conftest import scaled
from tests.ports import unused_port

posix = pytest.mark.skipif(os.name == "nt", reason="there is no signal to send")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=500) as exchange:
        yield exchange


def parsed(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one line of an error."""
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("polymarket-ws: ")
    return line


def test_demo_prints_as_many_lines_as_it_is_limited_to() -> None:
    kinds = Counter(
        event["event_type"] for event in parsed(run("stream", "--demo", "--limit", "500"))
    )
    assert kinds.total() == 500
    # A market may be shown with a new tick size by then.
    assert set(kinds) - {"tick_size_change"} == {"book", "price_change", "last_trade_price"}


def test_demo_shows_every_token_of_every_market() -> None:
    events = parsed(run("stream", "--demo", "--limit", "16"))
    assert {event["event_type"] for event in events} == {"book"}
    assert len({event["asset_id"] for event in events}) == 16
    assert len({event["market"] for event in events}) == 8


def test_demo_is_on_the_real_clock_and_shows_what_is_rare() -> None:
    (told,) = parsed(run("stream", "--demo", "--events", "new_market", "--limit", "1"))
    assert told["question"].startswith("Will the coin of draw")
    assert abs(int(told["timestamp"]) / 1000 - time.time()) < 60


def test_prices_are_strings_and_lines_are_events(exchange: Exchange) -> None:
    done = run("stream", exchange.markets[0].slug, "--url", exchange.url, "--limit", "100")
    for event, line in zip(parsed(done), done.stdout.splitlines(), strict=True):
        assert from_json(line).to_json() == line
        if event["event_type"] == "price_change":
            assert {type(change["price"]) for change in event["price_changes"]} == {str}
        elif event["event_type"] == "last_trade_price":
            assert type(event["price"]) is str


def test_events_chooses_what_is_printed() -> None:
    done = run("stream", "--demo", "--events", "LastTradePrice,best_bid_ask", "--limit", "30")
    assert {event["event_type"] for event in parsed(done)} == {"last_trade_price", "best_bid_ask"}


def test_all_tells_of_the_stream_in_snake_case_and_limit_counts_it() -> None:
    events = parsed(run("stream", "--demo", "--all", "--limit", "3"))
    assert [event["event_type"] for event in events] == ["connected", "subscribed", "book"]


@pytest.mark.parametrize("kind", ["slug", "url", "event", "condition_id"])
def test_what_may_be_anything_that_names_a_market(exchange: Exchange, kind: str) -> None:
    market = exchange.markets[1]
    what = {
        "slug": market.slug,
        "url": f"https://polymarket.com/market/{market.slug}",
        "event": f"https://polymarket.com/event/{market.slug}/{market.slug}?tid=1",
        "condition_id": market.condition_id,
    }[kind]
    events = parsed(run("stream", what, "--url", exchange.url, "--limit", "2"))
    assert {event["asset_id"] for event in events} == set(market.asset_ids)


def test_token_id_is_subscribed_alone(exchange: Exchange) -> None:
    asset_id = exchange.markets[0].asset_ids[1]
    with started("stream", asset_id, "--url", exchange.url) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["asset_id"] == asset_id
        assert exchange.subscribed == {asset_id}


def test_several_are_streamed_together(exchange: Exchange) -> None:
    first, second = exchange.markets
    what = (first.asset_ids[0], second.slug)
    events = parsed(run("stream", *what, "--url", exchange.url, "--limit", "3"))
    assert {event["asset_id"] for event in events} == {first.asset_ids[0], *second.asset_ids}


def test_new_market_needs_no_name(exchange: Exchange) -> None:
    market = {
        "event_type": "new_market",
        "id": "1",
        "question": "Is it new?",
        "market": "0x" + "cd" * 32,
        "slug": "is-it-new",
        "assets_ids": ["1", "2"],
        "outcomes": ["Yes", "No"],
        "timestamp": "1795354344570",
    }
    with started("stream", "--events", "new_market", "--url", exchange.url) as process:
        assert process.stdout is not None
        assert exchange.wait_for(lambda: exchange.received, scaled(20))
        exchange.broadcast(json.dumps(market))
        assert json.loads(process.stdout.readline())["question"] == "Is it new?"
    assert json.loads(exchange.received[0][1])["custom_feature_enabled"] is True


def test_line_is_out_when_it_was_received() -> None:
    with Exchange(rate=0) as exchange:
        asset_id = exchange.markets[0].asset_ids[0]
        with started("stream", asset_id, "--url", exchange.url) as process:
            assert process.stdout is not None
            # One book and then nothing: a line that waited in a buffer would never come.
            assert json.loads(process.stdout.readline())["event_type"] == "book"


# How it ends.


def test_reader_that_has_enough_ends_it_quietly() -> None:
    with started("stream", "--demo") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(scaled(10)) == 0
        assert process.stderr.read() == ""


@posix
def test_head_in_a_real_pipe_ends_it_quietly() -> None:
    pipe = " ".join([*COMMAND, "stream", "--demo", "| head -n 2"])
    done = subprocess.run(
        ["sh", "-c", pipe], cwd=ROOT, capture_output=True, text=True, timeout=scaled(30), check=True
    )
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


@posix
@pytest.mark.parametrize("demo", [True, False])
def test_ctrl_c_exits_with_130_and_no_traceback(exchange: Exchange, demo: bool) -> None:
    source = ["--demo"] if demo else [exchange.markets[0].slug, "--url", exchange.url]
    with started("stream", *source) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        # Not communicate(): what readline() has read ahead would be missing.
        printed = process.stdout.read()
        errors = process.stderr.read()
        process.wait(scaled(5))
    assert (process.returncode, errors) == (130, "")
    for line in printed.splitlines():
        json.loads(line)


@posix
def test_ctrl_c_ends_it_while_it_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with started("stream", "1", "--url", url) as process:
            peer, _ = silent.accept()
            with peer:
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=scaled(5)) == ("", "")
    assert process.returncode == 130


def unread(pipe: IO[str]) -> int:
    """Return how many bytes wait in a pipe."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@posix
def test_ctrl_c_ends_it_while_nobody_reads_the_full_pipe() -> None:
    with Exchange(rate=2000) as exchange:
        slug = exchange.markets[0].slug
        with started("stream", slug, "--url", exchange.url) as process:
            assert process.stdout is not None
            process.stdout.readline()
            pause = threading.Event()
            while unread(process.stdout) < 50_000:
                pause.wait(0.01)
            process.send_signal(signal.SIGINT)
            assert process.wait(scaled(5)) == 130


# What is told on stderr.


def test_lost_connection_is_one_line_and_the_stream_goes_on(exchange: Exchange) -> None:
    with started("stream", exchange.markets[0].slug, "--url", exchange.url, "--all") as process:
        assert process.stdout is not None
        kinds = [json.loads(process.stdout.readline())["event_type"] for _ in range(10)]
        assert kinds[0] == "connected"
        exchange.drop("close", code=1012, reason="restart")
        while json.loads(process.stdout.readline())["event_type"] != "disconnected":
            continue
        again = [json.loads(process.stdout.readline())["event_type"] for _ in range(3)]
        assert again == ["connected", "subscribed", "book"]
        process.kill()
        _, errors = process.communicate()
    (line,) = errors.splitlines()
    assert line.startswith("polymarket-ws: 127.0.0.1:")
    assert "1012 restart" in line


def test_closed_market_is_told_and_streamed_all_the_same() -> None:
    market = MarketInfo(
        question="Is it over?",
        condition_id="0x" + "ab" * 32,
        slug="is-it-over",
        outcomes=("Yes", "No"),
        asset_ids=("11", "22"),
        closed=True,
    )
    book = {"event_type": "book", "asset_id": "11", "market": market.condition_id}
    recording = Recording((json.dumps({**book, "bids": [], "asks": []}),), (market,))
    with Exchange(recording=recording) as exchange:
        done = run("stream", "is-it-over", "--url", exchange.url, "--limit", "1")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert done.stderr == "polymarket-ws: is-it-over is closed; a closed market sends nothing\n"


def test_server_that_refuses_is_one_line(exchange: Exchange) -> None:
    line = said(run("stream", "1", "--url", f"{exchange.url}/elsewhere"), 1)
    assert "HTTP 404" in line


def test_nobody_there_is_one_line_after_the_attempts() -> None:
    port = unused_port()
    line = said(run("stream", "1", "--url", f"ws://127.0.0.1:{port}"), 1)
    assert f"no connection to 127.0.0.1:{port}" in line


def test_unknown_slug_is_one_line(exchange: Exchange) -> None:
    line = said(run("stream", "no-such-market", "--url", exchange.url), 1)
    assert "'no-such-market' could not be looked up" in line


@pytest.mark.parametrize("what", ["two words", "0x12", "9" * 79, "https://example.com/event/a", ""])
def test_bad_id_is_one_line(exchange: Exchange, what: str) -> None:
    said(run("stream", what, "--url", exchange.url), 2)


@pytest.mark.parametrize("arguments", [(), ("--events", "book,new_market")])
def test_nothing_named_is_one_line_that_says_what_to_name(arguments: tuple[str, ...]) -> None:
    line = said(run("stream", *arguments), 2)
    assert "nothing to stream" in line
    assert "--demo" in line


def test_demo_and_url_exclude_each_other() -> None:
    line = said(run("stream", "--demo", "--url", "ws://127.0.0.1:1"), 2)
    assert "--demo and --url exclude each other" in line


def test_unknown_event_is_one_line_that_lists_the_known() -> None:
    line = said(run("stream", "--demo", "--events", "boook"), 2)
    assert "'boook'" in line
    assert "market_resolved" in line


@posix
def test_full_disk_is_one_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "polymarket_ws.cli", "stream", "--demo"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=scaled(30),
            check=False,
        )
    assert done.returncode == 1
    assert (
        done.stderr == "polymarket-ws: cannot write to standard output: No space left on device\n"
    )


# -- the user's own orders ---------------------------------------------------------------


def key_of(exchange: Exchange, **changes: str) -> dict[str, str]:
    """Return an environment with the credentials of the exchange's account."""
    credentials = exchange.account.credentials
    key = credentials.reveal()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("POLYMARKET_", "CLOB_"))}
    return {
        **kept,
        "POLYMARKET_API_KEY": key["apiKey"].encode().decode(),
        "POLYMARKET_API_SECRET": key["secret"].encode().decode(),
        "POLYMARKET_API_PASSPHRASE": key["passphrase"].encode().decode(),
        "POLYMARKET_ADDRESS": str(credentials.address),
        **changes,
    }


def test_demo_of_the_user_prints_orders_and_trades() -> None:
    done = run("stream", "--user", "--demo", "--limit", "12")
    assert {event["event_type"] for event in parsed(done)} == {"order", "trade"}
    for line in done.stdout.splitlines():
        assert from_json(line).to_json() == line


def test_all_tells_whether_gaps_are_recovered() -> None:
    first, *_ = parsed(run("stream", "--user", "--demo", "--all", "--limit", "3"))
    assert (first["event_type"], first["channel"], first["recovers"]) == ("connected", "user", True)


@pytest.mark.parametrize("kind", ["slug", "condition_id"])
def test_user_stream_is_of_the_named_markets_only(exchange: Exchange, kind: str) -> None:
    wanted, other = exchange.markets
    exchange.account.trade_by_itself(50)
    done = run(
        "stream",
        "--user",
        getattr(wanted, kind),
        *("--url", exchange.url, "--limit", "10"),
        environment=key_of(exchange),
    )
    assert {event["market"] for event in parsed(done)} == {wanted.condition_id}
    # Chance chooses the market of an order; the account goes on with nobody connected.
    assert exchange.wait_for(
        lambda: other.condition_id in {order.market for order in exchange.account.orders.values()},
        scaled(10),
    )


def test_credentials_that_are_refused_are_one_line(exchange: Exchange) -> None:
    environment = key_of(exchange, POLYMARKET_API_SECRET="d3Jvbmc=")
    done = run("stream", "--user", "--url", exchange.url, environment=environment)
    assert "Likely causes" in said(done, 1)
    assert "d3Jvbmc" not in done.stderr


def test_no_credentials_are_one_line_that_says_what_to_do(exchange: Exchange) -> None:
    environment = key_of(exchange, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    for name in [name for name in environment if name.startswith("POLYMARKET_")]:
        del environment[name]
    done = run("stream", "--user", "--url", exchange.url, environment=environment)
    assert "polymarket-ws credentials set" in said(done, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--user", "--demo", "--events", "book"), "leave --user out"),
        (("--user", "--demo", "--profile", "bot"), "--demo and --profile"),
        (("--user", "--demo", "--url", "ws://127.0.0.1:1"), "--demo and --url"),
        (("--demo", "--profile", "bot"), "--profile is for --user"),
    ],
)
def test_user_options_that_do_not_go_together_are_refused(
    arguments: tuple[str, ...], words: str
) -> None:
    assert words in said(run("stream", *arguments), 2)
