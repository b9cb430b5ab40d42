from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.connection import text_frame
from tests.simulator.clients import subscribed, text, to_the_end, unread


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(rate=None)


def test_a_reset_is_a_reset(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        exchange.drop("reset")
        assert isinstance(to_the_end(client)[1].__cause__, ConnectionResetError)


def test_a_fin_is_an_end_of_file_without_a_close_frame(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        exchange.drop("fin")
        closed = to_the_end(client)[1]
        assert closed.rcvd is None
        assert not isinstance(closed.__cause__, ConnectionResetError)


def test_a_close_frame_has_its_code_and_reason(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        exchange.drop("close", code=1000, reason="all subscribed assets resolved")
        closed = to_the_end(client)[1]
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (1000, "all subscribed assets resolved")


@pytest.mark.parametrize("then", ["reset", "fin"])
def test_half_a_frame_is_never_a_message(exchange: Exchange, then: str) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        exchange.drop("half_frame", then="fin" if then == "fin" else "reset")
        texts, closed = to_the_end(client)
        assert texts == []
        assert isinstance(closed.__cause__, ConnectionResetError) is (then == "reset")


def test_half_a_frame_is_really_there(exchange: Exchange) -> None:
    with exchange, unread(exchange, ["1" * 70, "2" * 70]) as client:
        assert client.recv(4096) == text_frame("[]\n").data
        exchange.drop("half_frame", then="fin")
        half = b""
        while chunk := client.recv(4096):
            half += chunk
        assert half[:2] == b"\x81\x7e"
        assert 0 < len(half) - 4 < int.from_bytes(half[2:4], "big")


@pytest.mark.parametrize("how", ["reset", "fin", "close", "half_frame"])
def test_what_was_sent_before_the_end_is_readable(exchange: Exchange, how: str) -> None:
    with exchange, subscribed(exchange) as client:
        text(client)
        for number in range(200):
            exchange.broadcast(str(number))
        exchange.drop(how)  # type: ignore[arg-type]
        assert to_the_end(client)[0] == [str(number) for number in range(200)]


def test_one_connection_of_several_can_be_dropped(exchange: Exchange) -> None:
    with exchange, subscribed(exchange) as first, subscribed(exchange) as second:
        text(first)
        text(second)
        victim = exchange.connections[0]
        exchange.drop("reset", connection=victim)
        assert [c.number for c in exchange.connections] == [victim.number + 1]
        exchange.broadcast("still here")
        assert {"still here"} == {t for c in (first, second) for t in heard(c)}


def heard(client: ClientConnection) -> list[str]:
    try:
        return [text(client)]
    except ConnectionClosed:
        return []


def test_a_frame_is_text_and_unmasked() -> None:
    assert text_frame("é") == ("é", b"\x81\x02\xc3\xa9")
