from __future__ import annotations

import pytest

from polymarket_ws.simulator import (
    DripHandshake,
    Exchange,
    NoAnswer,
    Redirect,
    Refuse,
    WrongHandshake,
)
from polymarket_ws.simulator.faults import HandshakeFault
from polymarket_ws.simulator.handshakes import is_spoiled
from tests.simulator.breaking import ACCEPT, head, line
from tests.simulator.clients import get


@pytest.mark.parametrize("path", ["/ws/market", "/ws/user"])
@pytest.mark.parametrize(
    ("fault", "first_line"),
    [
        (Refuse(), b"HTTP/1.1 429 Too Many Requests"),
        (Refuse(503), b"HTTP/1.1 503 Service Unavailable"),
        (Redirect("ws://127.0.0.1:1/"), b"HTTP/1.1 302 Found"),
        (WrongHandshake(), b"HTTP/1.1 101 Switching Protocols"),
    ],
)
def test_the_answer_is_the_fault(path: str, fault: HandshakeFault, first_line: bytes) -> None:
    with Exchange(rate=None, faults=[fault]) as exchange, line(exchange.url, path) as client:
        answer = head(client)
        assert answer.split(b"\r\n", maxsplit=1)[0] == first_line
        assert (b"Retry-After" in answer) is False
        assert (ACCEPT in answer) is False


def test_rest_is_not_an_upgrade() -> None:
    with Exchange(rate=None, faults=[Refuse()]) as exchange:
        assert get(exchange, "/markets")[0] == 200


@pytest.mark.parametrize(
    ("fault", "spoiled"),
    [
        (None, False),
        (DripHandshake(), False),
        (Refuse(), False),
        (NoAnswer(), True),
        (WrongHandshake(), True),
    ],
)
def test_some_look_like_connections_and_are_none(
    fault: HandshakeFault | None, spoiled: bool
) -> None:
    assert is_spoiled(fault) is spoiled
