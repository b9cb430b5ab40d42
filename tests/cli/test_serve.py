from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from polymarket_ws.simulator import Exchange
from tests.cli.shell import ROOT, run, started
from tests.conftest import scaled
from tests.integrations.event_stream import Tab
from tests.production import interrupt

pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")

posix = pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=3) as exchange:
        yield exchange


def address(process: subprocess.Popen[str]) -> str:
    """Return what it prints first, without the slash at the end."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert re.match(r"http://127\.0\.0\.1:\d+/", line), process.stderr
    return line.rstrip("/")


def got(
    url: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=scaled(20))
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@posix
def test_demo_prints_its_address_serves_a_page_and_ends_with_browsers_connected() -> None:
    with started("serve", "--demo", "--port", "0") as process:
        url = address(process)
        assert got(url, "/")[0] == 200
        tabs = [Tab(f"{url}/events") for _ in range(5)]
        for tab in tabs:
            assert len(tab.next("ws-subscribed").body["markets"]) == 8
            tab.next("market-update/trade")
        began = time.monotonic()
        rest, said = interrupt(process)
        assert time.monotonic() - began < scaled(2)
        assert (process.returncode, rest, said) == (0, "", "")
        for tab in tabs:
            assert tab.rest()[-1].kind == "ws-unsubscribed"
            tab.close()


@posix
def test_markets_are_those_that_were_named_and_no_others(exchange: Exchange) -> None:
    first, second, third = exchange.markets
    words = ("serve", first.slug, second.condition_id, first.asset_ids[1], "--url", exchange.url)
    with started(*words, "--port", "0") as process:
        url = address(process)
        with Tab(f"{url}/events") as tab:
            listed = tab.next("ws-subscribed").body["markets"]
            assert [market["slug"] for market in listed] == [first.slug, second.slug]
            tab.until(lambda message: message.body.get("state") == "live")
            assert len(exchange.connections) == 1
        assert got(url, f"/events?market={third.slug}")[0] == 403
        assert got(url, "/events?user=1")[0] == 403
        assert interrupt(process) == ("", "")
    assert process.returncode == 0


@posix
def test_orders_are_shown_to_who_has_the_printed_address_only() -> None:
    with started("serve", "--demo", "--user", "--port", "0") as process:
        printed = address(process)
        url, _, key = printed.partition("/?key=")
        assert got(url, "/events?user=1")[0] == 403
        assert got(url, "/events?user=1&key=guessed")[0] == 403
        for wrong in ("guessed", "", "%C3%BC", "%ED%A0%80", f"{key}x"):
            status, headers, body = got(url, f"/?key={wrong}")
            assert (status, headers["Set-Cookie"]) == (403, None)
            assert body.startswith(b"This key is not the one of this run.")
        status, headers, _ = got(url, f"/?key={key}")
        assert (status, headers["Location"]) == (302, "/?user=1")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        with Tab(f"{url}/events", user="1", headers={"Cookie": cookie.partition(";")[0]}) as tab:
            assert tab.next("ws-subscribed").body["user"] is True
            tab.until(lambda message: message.type == "polymarket-user-update")
        assert interrupt(process)[1] == ""
    assert process.returncode == 0


@posix
def test_a_foreign_name_that_leads_here_is_refused() -> None:
    with started("serve", "--demo", "--port", "0") as process:
        url = address(process)
        for foreign in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example"):
            assert got(url, "/", {"Host": foreign})[0] == 403
        for nonsense in ("[", "[::1"):
            assert got(url, "/", {"Host": nonsense})[0] in (400, 403)
        for own in ("localhost", "127.0.0.1:1", "[::1]:80"):
            assert got(url, "/", {"Host": own})[0] == 200
        interrupt(process)


@posix
def test_a_lost_exchange_is_said_on_stderr(exchange: Exchange) -> None:
    with started(
        "serve", exchange.markets[0].slug, "--url", exchange.url, "--port", "0"
    ) as process:
        url = address(process)
        with Tab(f"{url}/events") as tab:
            tab.until(lambda message: message.body.get("state") == "live")
            exchange.drop("reset")
            tab.next("ws-disconnected")
            tab.until(lambda message: "gap_seconds" in message.body)
        said = interrupt(process)[1]
    assert said.startswith("polymarket-ws: ")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "nothing to serve"),
        (["--demo", "--url", "ws://127.0.0.1:1"], 2, "exclude each other"),
        (["--profile", "x", "--demo"], 2, "--profile is for --user"),
        (["--user", "--demo", "--host", "0.0.0.0"], 2, "on this machine only"),
        (["--demo", "--port", "70000"], 2, "70000"),
        (["no-such-market", "--url", "{url}"], 1, "no market"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    exchange: Exchange, words: list[str], code: int, said: str
) -> None:
    done = run("serve", "--port", "0", *[word.replace("{url}", exchange.url) for word in words])
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--demo", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}: " in done.stderr


def test_without_flask_it_says_what_to_install() -> None:
    script = (
        'import sys; sys.modules["flask"] = None; from polymarket_ws.cli import main; '
        'sys.exit(main(["serve", "--demo"]))'
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        'polymarket-ws: serve needs Flask: pip install "polymarket-ws[flask]", '
        'or pip install -e ".[flask]" in a clone\n'
    )


def test_health_is_that_of_the_process(exchange: Exchange) -> None:
    with started(
        "serve", exchange.markets[0].slug, "--url", exchange.url, "--port", "0"
    ) as process:
        url = address(process)
        assert json.loads(got(url, "/health")[2])["process"] == process.pid
