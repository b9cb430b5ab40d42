"""A server that accepts and drops is left alone more and more, in real time."""

from __future__ import annotations

import threading
import time

import pytest

from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.simulator import Close, Cut, Exchange
from polymarket_ws.simulator.faults import Fault
from polymarket_ws.subscriptions import Market
from tests.conftest import scaled
from tests.market_server import Loopback, Talk, eventually


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [Close(1001), Cut("reset")], ids=repr)
def test_server_that_accepts_and_drops_sees_few_attempts(fault: Fault) -> None:
    with (
        Exchange(rate=None, faults=[fault]) as exchange,
        Client(endpoints=Endpoints.at(exchange.url)) as client,
    ):
        client.listen(Market(exchange.markets[0]))
        attempts: list[int] = []
        for _ in range(2):
            threading.Event().wait(60)
            health = client.health()
            attempts.append(health.connections[0].attempts)
            assert health.last_error is not None
        assert attempts[0] <= 15
        assert attempts[1] - attempts[0] <= 5


def test_close_interrupts_the_wait_for_another_attempt() -> None:
    def drop(talk: Talk) -> None:
        talk.hang_up(1013)

    with Loopback(drop) as server, Client(endpoints=server.endpoints) as client:
        client.listen(Market("1"))
        eventually(lambda: client.health().connections[0].state == "backing off")
        health = client.health().connections[0]
        assert health.attempts == 1
        assert health.last_error is not None
        assert "1013" in health.last_error
        began = time.monotonic()
        assert client.close()
        assert time.monotonic() - began < scaled(1.0)
