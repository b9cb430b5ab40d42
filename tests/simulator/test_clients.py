from __future__ import annotations

import time

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import Exchange, Mute
from polymarket_ws.simulator.client_session import Ending
from tests.conftest import scaled
from tests.simulator.clients import subscribed, text
from tests.simulator.user_clients import user


def test_everyone_is_on_both_channels_oldest_first() -> None:
    with Exchange(rate=None) as exchange, user(exchange), subscribed(exchange) as client:
        text(client)
        with user(exchange):
            paths = [session.path for session in exchange._clients.everyone()]
            assert paths == ["/ws/user", "/ws/market", "/ws/user"]
            (chosen,) = exchange._clients.chosen(exchange.connections[1])
            assert chosen.number == 2
            with pytest.raises(UsageError, match="number 4"):
                exchange._clients.chosen(4)


def test_who_does_not_end_in_time_is_reset() -> None:
    with Exchange(rate=None) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.inject(Mute())
        started = time.monotonic()
        exchange._clients.end(exchange._clients.everyone(), Ending("close"), scaled(0.2))
        assert time.monotonic() - started < scaled(2)
        assert exchange.connections == ()
