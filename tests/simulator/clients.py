"""Real clients for the tests of the simulated exchange."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import urlopen

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled


@contextlib.contextmanager
def joined(exchange: Exchange) -> Iterator[ClientConnection]:
    """Connect to the market channel, and say nothing yet."""
    with connect(
        f"{exchange.url}/ws/market", compression=None, ping_interval=None, close_timeout=1
    ) as client:
        yield client


@contextlib.contextmanager
def subscribed(
    exchange: Exchange, asset_ids: Sequence[str] | None = None, **fields: object
) -> Iterator[ClientConnection]:
    """Connect and subscribe; to everything, if nothing is said."""
    if asset_ids is None:
        asset_ids = tokens(exchange)
    with joined(exchange) as client:
        client.send(json.dumps({"type": "market", "assets_ids": list(asset_ids), **fields}))
        yield client


def tokens(exchange: Exchange) -> list[str]:
    return [asset_id for market in exchange.markets for asset_id in market.asset_ids]


def text(client: ClientConnection, timeout: float = 5.0) -> str:
    return cast(str, client.recv(timeout=scaled(timeout)))


def value(client: ClientConnection) -> Any:
    return json.loads(text(client))


def until_pong(client: ClientConnection) -> list[str]:
    """Ask for a PONG; return everything that came before it."""
    client.send("PING")
    texts = []
    while (received := text(client)) != "PONG":
        texts.append(received)
    return texts


def to_the_end(client: ClientConnection) -> tuple[list[str], ConnectionClosed]:
    """Read until the connection ends; return what was readable and how it ended."""
    texts = []
    try:
        while True:
            texts.append(text(client))
    except ConnectionClosed as closed:
        return texts, closed


def get(exchange: Exchange, target: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    url = exchange.url.replace("ws://", "http://") + target
    try:
        with urlopen(url, timeout=scaled(5)) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@contextlib.contextmanager
def unread(
    exchange: Exchange, asset_ids: Sequence[str], buffer: int = 4096
) -> Iterator[socket.socket]:
    """Subscribe over a bare socket that nobody reads, with the smallest of buffers."""
    address = exchange.url.removeprefix("ws://").rsplit(":", 1)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(scaled(5))
        client.connect((address[0], int(address[1])))
        client.sendall(
            b"GET /ws/market HTTP/1.1\r\nHost: exchange\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        response = b""
        while not response.endswith(b"\r\n\r\n"):
            response += client.recv(1)
        payload = json.dumps({"type": "market", "assets_ids": list(asset_ids)}).encode()
        assert 125 < len(payload) < 65536
        # Masked with zeros, which leaves the payload as it is.
        client.sendall(b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload)
        yield client
