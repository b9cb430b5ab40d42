from __future__ import annotations

import contextlib
from typing import Any

import pytest

from polymarket_ws.simulator import Exchange, client_session
from tests.conftest import scaled
from tests.simulator.clients import subscribed, text, tokens, unread

SLOW = b"\x03\xf5slow consumer: send buffer full"


def ended(exchange: Exchange) -> bool:
    return all(session.ending for session in exchange._channel.sessions)


def settle(exchange: Exchange) -> None:
    """Wait until the writer of the only client is stuck."""
    before = -1
    while (sent := exchange.connections[0].sent) != before:
        before = sent
        exchange.wait_for(lambda: False, scaled(0.1))


def flood(exchange: Exchange, size: int) -> int:
    """Broadcast until the only client is given up on; return how many it took."""
    count = 0
    while not ended(exchange):
        exchange.broadcast("x" * size, timeout=0)
        count += 1
        assert count < 100_000
    return count


@pytest.mark.parametrize(
    ("limits", "size"),
    [({"queue_messages": 50}, 5000), ({"queue_bytes": 200_000}, 5000)],
    ids=["messages", "bytes"],
)
def test_a_client_that_does_not_read_is_closed_with_1013(limits: dict[str, Any], size: int) -> None:
    with Exchange(rate=None, **limits) as exchange, unread(exchange, tokens(exchange)) as client:
        assert exchange.wait_for(lambda: exchange.subscribed, scaled(5))
        flood(exchange, size)
        # Whoever reads after all finds whole frames and then the reason.
        received = b""
        while not received.endswith(b"\x88" + bytes([len(SLOW)]) + SLOW):
            received += client.recv(65536)
        client.close()
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))


def test_a_client_that_never_reads_is_dropped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_session, "_SLOW_SECONDS", 0.2)
    with Exchange(rate=None, queue_messages=500) as exchange:
        with unread(exchange, tokens(exchange)) as client:
            assert exchange.wait_for(lambda: exchange.subscribed, scaled(5))
            for _ in range(400):
                exchange.broadcast("x" * 5000)
            settle(exchange)
            flood(exchange, 5000)
            assert exchange.wait_for(lambda: not exchange.connections, scaled(5))
            # Without a close frame: there was never room for one.
            last = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := client.recv(65536):
                    last = chunk
            assert not last.endswith(SLOW)


def test_a_slow_client_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that it is still there at the end, however long the others take.
    monkeypatch.setattr(client_session, "_SLOW_SECONDS", scaled(60))
    with Exchange(rate=None, queue_messages=50) as exchange:
        with unread(exchange, tokens(exchange)), subscribed(exchange) as reader:
            text(reader)
            assert exchange.wait_for(lambda: len(exchange.connections) == 2, scaled(5))
            for _ in range(2000):
                exchange.broadcast("x" * 2000, timeout=0)
                assert text(reader) == "x" * 2000
            assert [session.ending for session in exchange._channel.sessions] == [True, False]


def test_one_frame_may_be_larger_than_the_queue() -> None:
    with Exchange(rate=None, queue_bytes=1000) as exchange, subscribed(exchange) as client:
        text(client)
        exchange.broadcast("x" * 500_000)
        assert len(text(client)) == 500_000


def test_a_script_waits_for_a_client_that_reads() -> None:
    with Exchange(rate=None, queue_messages=10) as exchange, subscribed(exchange) as client:
        text(client)
        for number in range(5000):
            exchange.broadcast(str(number), timeout=scaled(10))
        # Not until a PONG: as long as the row is full, the answer would be one message too many.
        assert [text(client) for _ in range(5000)] == [str(number) for number in range(5000)]


def test_closing_does_not_wait_for_a_client_that_does_not_read() -> None:
    with Exchange(rate=None, queue_messages=100_000) as exchange:
        with unread(exchange, tokens(exchange)):
            assert exchange.wait_for(lambda: exchange.subscribed, scaled(5))
            for _ in range(2000):
                exchange.broadcast("x" * 2000)
            assert exchange.close(timeout=scaled(2))
