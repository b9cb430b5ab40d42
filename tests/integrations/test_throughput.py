"""Two thousand events a second and fifty browsers: processes of their own, as in production."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time

import pytest

from tests.cli.shell import started
from tests.conftest import scaled
from tests.integrations.event_stream import Tab

pytest.importorskip("flask", reason="flask is not installed: the extra flask has it")

pytestmark = pytest.mark.slow

RATE = 2000
BROWSERS = 50
SECONDS = 8.0

RECEIVED = re.compile(rb'"received_at":([\d.]+)')
BOOK = re.compile(rb'"asset_id":"(\d+)","outcome":"\w+","type":"book".*?"received_at":([\d.]+)')
TRADE = re.compile(rb'"outcome":"\w+","type":"trade"')


def test_two_thousand_events_a_second_and_fifty_browsers_do_not_fall_behind() -> None:
    with (
        started("simulate", "--rate", str(RATE), "--markets", "4") as exchange,
        selectors.DefaultSelector() as selector,
    ):
        assert exchange.stdout is not None
        told = json.loads(exchange.stdout.readline())
        slugs = [market["slug"] for market in told["markets"]]
        with started("serve", *slugs, "--url", told["url"], "--port", "0") as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            port = int(url.rstrip("/").rpartition(":")[2])
            browsers = []
            for _ in range(BROWSERS):
                browser = socket.create_connection(("127.0.0.1", port))
                browser.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                browser.setblocking(False)
                selector.register(browser, selectors.EVENT_READ)
                browsers.append(browser)
            lags: list[float] = []
            books: dict[tuple[socket.socket, bytes], list[float]] = {}
            trades = 0
            began = time.monotonic()
            while (passed := time.monotonic() - began) < SECONDS:
                for key, _ in selector.select(0.1):
                    browser = key.fileobj
                    assert isinstance(browser, socket.socket)
                    chunk = browser.recv(1 << 20)
                    assert chunk, "the server hung up"
                    if passed < SECONDS / 2:
                        continue  # until all of them are there
                    # The newest of what came at once: the tests' reading is behind, too.
                    if received := RECEIVED.findall(chunk):
                        lags.append(time.time() - float(received[-1]))
                    trades += len(TRADE.findall(chunk))
                    for asset_id, moment in BOOK.findall(chunk):
                        books.setdefault((browser, asset_id), []).append(float(moment))
            with Tab(url + "health") as probe:
                health = json.loads(probe.response.read())
            for browser in browsers:
                browser.close()
        assert health["browsers"] == BROWSERS
        assert health["dropped"] == 0
        # Less than the exchange sends in a quarter of a second: nothing piles up.
        assert health["buffered"] < scaled(RATE / 4)
        lags.sort()
        assert lags[len(lags) // 2] < scaled(0.25)
        assert lags[-1] < scaled(2.0)
        assert trades > BROWSERS
        # Every token moves, each at most 20 times a second: of the server's time, since what it
        # told in another one may be read in this one.
        assert len(books) == BROWSERS * 8
        for moments in books.values():
            assert len(moments) <= 20 * (moments[-1] - moments[0] + lags[-1]) + 3
