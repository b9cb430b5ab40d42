from __future__ import annotations

import logging
import socket

import pytest

from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.listening import _Discreet
from tests.conftest import scaled
from tests.simulator.breaking import eventually
from tests.simulator.clients import joined, text
from tests.simulator.user_clients import signed, user


def test_no_secret_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Exchange(rate=None) as exchange:
        secrets = ["".join(value) for value in exchange.account.credentials.reveal().values()]
        with user(exchange) as client:
            client.send("PING")
            assert text(client) == "PONG"
            assert signed(exchange, "/auth/api-keys")[0] == 200
        # What the test's own client logs is its own business.
        lines = [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("polymarket_ws")
        ]
    assert lines
    assert not [line for line in lines for secret in secrets if secret in line]


def test_a_refusal_is_still_logged_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Exchange(rate=None) as exchange:
        signed(exchange, "/auth/api-keys", headers={})
    assert [record for record in caplog.records if record.name == "polymarket_ws.simulator"]


def test_a_client_that_leaves_before_it_asks_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Exchange(rate=None) as exchange:
        host, port = exchange.url.removeprefix("ws://").split(":")
        address = (host, int(port))
        socket.create_connection(address).close()
        with socket.create_connection(address) as hesitating:
            hesitating.sendall(b"GET /ws/market HT")
        # One that never asks, until the exchange ends.
        with socket.create_connection(address):
            # They came in before this one, in their turn.
            with joined(exchange):
                assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            assert exchange.close(timeout=scaled(2))
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("error", [EOFError("in the middle of a frame"), ValueError("a fault")])
def test_a_client_that_leaves_in_the_middle_of_a_frame_is_no_error(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    # What websockets 16 does then, now and then: it depends on which of its threads comes first.
    logger = _Discreet(logging.getLogger("polymarket_ws.simulator"), {})
    try:
        raise error
    except (EOFError, ValueError):
        logger.exception("unexpected internal error")
    assert bool(caplog.records) is isinstance(error, ValueError)


def test_what_is_no_request_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Exchange(rate=None) as exchange:
        host, port = exchange.url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port)), timeout=scaled(5)) as stranger:
            stranger.sendall(b"this is no HTTP\r\n\r\n")
            while stranger.recv(4096):
                continue
        eventually(lambda: "opening handshake failed" in caplog.messages)
