from __future__ import annotations

import time

import pytest

from polymarket_ws import Book, UsageError
from polymarket_ws.simulator import Exchange, Relay
from tests.conftest import scaled
from tests.ports import unused_port
from tests.simulator.breaking import eventually, is_silent, line, listening
from tests.simulator.clients import tokens


def test_it_passes_on_what_comes_both_ways() -> None:
    with Exchange(rate=500) as exchange, Relay(exchange.url) as relay:
        with listening(relay.url, *tokens(exchange)) as watched:
            watched.until(Book)
            for _ in range(200):
                watched.stream.get(timeout=scaled(5))
        assert relay.accepted == 1
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))


def test_what_is_swallowed_never_ends_not_even_with_the_exchange() -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay:
        with line(relay.url) as client:
            client.recv(4096)
            relay.swallow()
            exchange.close("reset")
            client.sendall(b"x" * 1000)
            assert is_silent(client)
            relay.heal()
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_the_exchange_does_not_hear_of_the_end_of_a_client_either() -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay:
        with line(relay.url) as client:
            client.recv(4096)
            assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            relay.swallow()
        assert not exchange.wait_for(lambda: not exchange.connections, 0.2)
        relay.heal()
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))


def test_the_client_gives_a_swallowed_connection_up_and_comes_back() -> None:
    with Exchange(rate=100) as exchange, Relay(exchange.url) as relay:
        with listening(relay.url, *tokens(exchange), socket_limit=scaled(0.5)) as watched:
            watched.until(Book)
            relay.swallow()
            assert watched.disconnected().code == 1006
            watched.until(Book)
            assert relay.accepted == 2


def test_newcomers_can_be_swallowed_too() -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay:
        relay.swallow(newcomers=True)
        with line(relay.url) as client:
            assert is_silent(client)
        assert exchange.received == ()


@pytest.mark.parametrize("how", ["reset", "fin"])
def test_ends_of_the_exchange_pass_through(how: str) -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay:
        with line(relay.url) as client:
            client.recv(4096)
            assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            exchange.drop(how)  # type: ignore[arg-type]
            if how == "fin":
                assert client.recv(4096) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(4096)


def test_a_reset_of_the_relay_is_seen_on_both_sides() -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay:
        with line(relay.url) as client:
            client.recv(4096)
            relay.reset()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))


def reset(relay: Relay) -> None:
    with line(relay.url) as client:
        client.recv(1)


def test_without_a_server_connections_are_reset() -> None:
    with Relay(f"ws://127.0.0.1:{unused_port()}") as relay, pytest.raises(ConnectionError):
        reset(relay)


def test_closing_is_quick_while_it_swallows() -> None:
    with Exchange(rate=None) as exchange, Relay(exchange.url) as relay, line(relay.url) as client:
        client.recv(4096)
        relay.swallow()
        started = time.monotonic()
        assert relay.close(scaled(1))
        assert relay.close(scaled(1))
        assert time.monotonic() - started < scaled(1)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_it_comes_back_on_the_same_port() -> None:
    with Exchange(rate=None) as exchange:
        relay = Relay(exchange.url)
        with pytest.raises(UsageError, match="start"):
            relay.url  # noqa: B018  reading it is the point
        relay.start()
        relay.start()
        url = relay.url
        relay.close()
        with relay, line(relay.url) as client:
            assert relay.url == url
            assert client.recv(4096).startswith(b"HTTP/1.1 101")


def test_a_reader_who_stops_stops_the_writer_and_loses_nothing() -> None:
    with Exchange(rate=None, queue_bytes=2**26) as exchange, Relay(exchange.url) as relay:
        with line(relay.url) as client:
            client.recv(4096)
            assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            exchange.broadcast("x" * 2**24)
            left = 2**24 + 10
            while left:
                left -= len(client.recv(min(left, 65536)))
            exchange.drop("fin")
            assert client.recv(1) == b""
            eventually(lambda: not exchange.connections)


@pytest.mark.parametrize("target", ["", "127.0.0.1:80", "wss://host:1", "ws://host"])
def test_a_target_is_a_url_with_a_port(target: str) -> None:
    with pytest.raises(UsageError, match="ws://host:port"):
        Relay(target)
