from __future__ import annotations

import logging

import pytest

from polymarket_ws.simulator import Exchange
from tests.simulator.clients import text
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
