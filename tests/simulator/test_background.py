from __future__ import annotations

import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed

from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.background import keep_pace
from tests.conftest import scaled
from tests.simulator.clients import joined, subscribed, text, until_pong


def test_a_pace_is_kept_until_it_is_stopped() -> None:
    stop = threading.Event()
    moved = []

    def move(due: int) -> int:
        moved.append(due + 1)
        if sum(moved) >= 100:
            stop.set()
        return due + 1

    started = time.monotonic()
    keep_pace(move, 400.0, stop)
    assert 0.2 < time.monotonic() - started < scaled(2)


@pytest.mark.parametrize("asset_ids", [["1"], []])
def test_a_connection_without_traffic_ends_by_tcp_without_a_close_frame(
    asset_ids: list[str],
) -> None:
    idle = scaled(0.3)
    with Exchange(rate=None, idle_seconds=idle) as exchange:
        # Taken before the last traffic: a moment noticed later would make the wait look short.
        started = time.monotonic()
        with subscribed(exchange, asset_ids) as client:
            assert text(client) == "[]\n"
            with pytest.raises(ConnectionClosed) as caught:
                text(client)
            assert caught.value.rcvd is None
            assert time.monotonic() - started >= idle


def test_a_connection_that_never_says_anything_ends_too() -> None:
    with Exchange(rate=None, idle_seconds=0.3) as exchange, joined(exchange) as client:
        with pytest.raises(ConnectionClosed) as caught:
            text(client)
        assert caught.value.rcvd is None


def test_a_text_ping_keeps_a_connection() -> None:
    idle = scaled(1.0)
    with Exchange(rate=None, idle_seconds=idle) as exchange:
        with subscribed(exchange, ["1"]) as client:
            text(client)
            assert not exchange.wait_for(lambda: not exchange.connections, scaled(0.3))
            # From here on, and not from what came before.
            started = time.monotonic()
            assert until_pong(client) == []
            with pytest.raises(ConnectionClosed):
                text(client)
            assert time.monotonic() - started >= idle


def test_messages_of_the_exchange_keep_a_connection() -> None:
    # Half as long again as it would last by itself, and as a test may be held up in between.
    with Exchange(rate=50, idle_seconds=scaled(1.0)) as exchange, subscribed(exchange) as client:
        deadline = time.monotonic() + scaled(1.5)
        while time.monotonic() < deadline:
            text(client)


def test_without_a_limit_an_idle_connection_stays() -> None:
    with Exchange(rate=None, idle_seconds=None) as exchange, subscribed(exchange, ["1"]) as client:
        text(client)
        assert not exchange.wait_for(lambda: not exchange.connections, timeout=0.3)
        assert until_pong(client) == []
