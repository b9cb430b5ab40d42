"""What the tests of faults share: what a bare client sees, and what ours tells."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from polymarket_ws import Backoff, Client, Disconnected, Endpoints, Liveness, Market
from polymarket_ws.events import Event
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

PATIENCE = 10.0

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: exchange\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)

#: What answers that key.
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@contextlib.contextmanager
def line(url: str, path: str = "/ws/market") -> Iterator[socket.socket]:
    """Ask for an upgrade over a bare socket, and read nothing yet."""
    host, port = url.removeprefix("ws://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=scaled(PATIENCE)) as client:
        client.sendall(_UPGRADE.format(path=path).encode())
        yield client


def head(client: socket.socket) -> bytes:
    """Return the answer to an upgrade, without what may follow."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, answer
        answer += byte
    return answer


def exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = client.recv(size - len(data))
        assert chunk, data
        data += chunk
    return data


def frame(client: socket.socket) -> tuple[int, bytes]:
    """Return the first byte and the payload of the next frame of a server."""
    first, length = exactly(client, 2)
    if length >= 126:
        length = int.from_bytes(exactly(client, 2 if length == 126 else 8), "big")
    return first, exactly(client, length)


def say(client: socket.socket, text: str) -> None:
    """Send a text frame, masked with zeros, which leaves the payload as it is."""
    payload = text.encode()
    size = bytes([0x80 | min(len(payload), 126)])
    if len(payload) > 125:
        size += len(payload).to_bytes(2, "big")
    client.sendall(b"\x81" + size + bytes(4) + payload)


def is_silent(client: socket.socket, seconds: float = 0.2) -> bool:
    """Return whether nothing comes for a while, no end either."""
    client.settimeout(seconds)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(scaled(PATIENCE))
    return False


@contextlib.contextmanager
def listening(
    server: Exchange | str, *asset_ids: str, socket_limit: float = 30.0
) -> Iterator[Watched]:
    """Let our client listen to these tokens, or to the first market of an exchange."""
    if isinstance(server, Exchange):
        asset_ids = asset_ids or server.markets[0].asset_ids
        server = server.url
    client = Client(
        endpoints=Endpoints.at(server),
        backoff=Backoff(initial=0.02, maximum=0.1),
        liveness=Liveness(socket=socket_limit),
        connect_timeout=scaled(PATIENCE),
    )
    with client:
        yield Watched(client, asset_ids)


class Watched:
    """A stream, and what it told so far."""

    def __init__(self, client: Client, asset_ids: tuple[str, ...]) -> None:
        self.client = client
        self.stream = client.subscribe(Market(*asset_ids))
        self.seen: list[Event] = []

    def until(self, wanted: type | Callable[[Event], object]) -> Event:
        """Read until an event of a class comes, or one of which something is true."""
        deadline = time.monotonic() + scaled(PATIENCE)
        while True:
            event = self.stream.all().get(timeout=max(0.01, deadline - time.monotonic()))
            self.seen.append(event)
            if isinstance(event, wanted) if isinstance(wanted, type) else wanted(event):
                return event

    def disconnected(self) -> Disconnected:
        event = self.until(Disconnected)
        assert isinstance(event, Disconnected)
        return event


def eventually(reached: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + scaled(PATIENCE)
    pause = threading.Event()
    while not reached():
        assert time.monotonic() < deadline
        pause.wait(0.005)
