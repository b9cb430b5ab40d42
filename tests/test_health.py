from __future__ import annotations

import attrs
import pytest

from polymarket_ws.client import Client
from polymarket_ws.health import ConnectionHealth, Health
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.market_server import Loopback, eventually


def test_unused_client_is_neither_connected_nor_ill() -> None:
    assert Client().health() == Health(
        connected=False,
        connections=(),
        closed=False,
        last_error=None,
        last_frame_at=None,
        pending=(),
        buffered=0,
        dropped=0,
    )


def test_assets_without_a_first_book_are_pending() -> None:
    with Loopback(silent=["2"]) as server, Client(endpoints=server.endpoints) as client:
        client.listen(Market("1", "2"))
        server.wait_for("1", "2")
        eventually(lambda: client.health().pending == ("2",))
        assert client.health().connections[0].pending == ("2",)


def test_waiting_events_are_counted() -> None:
    with Loopback() as server, Client(endpoints=server.endpoints) as client:
        stream = client.subscribe(Market("1"))
        eventually(lambda: client.health().buffered == 3)
        next(stream)
        assert client.health().buffered == 0


def test_lost_connection_shows_why_and_recovers() -> None:
    quick = Backoff(initial=0.001, maximum=0.01)
    with Loopback() as server, Client(endpoints=server.endpoints, backoff=quick) as client:
        client.listen(Market("1"))
        server.wait_for("1").hang_up(1012)
        server.wait_for_connection(2, "1")
        eventually(lambda: client.health().connected)
        (connection,) = client.health().connections
        assert (connection.epoch, connection.attempts) == (2, 2)
        assert (connection.last_error or "").startswith("1012")


@pytest.mark.parametrize("kind", [Health, ConnectionHealth])
def test_every_number_is_explained(kind: type) -> None:
    for field in attrs.fields(kind):
        assert f"{field.name}:" in (kind.__doc__ or "")
