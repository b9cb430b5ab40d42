"""Real clients of the user channel and of the account's REST."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.simulator.clients import text


@contextlib.contextmanager
def joined_user(exchange: Exchange) -> Iterator[ClientConnection]:
    """Connect to the user channel, and say nothing yet."""
    with connect(
        f"{exchange.url}/ws/user", compression=None, ping_interval=None, close_timeout=1
    ) as client:
        yield client


@contextlib.contextmanager
def user(exchange: Exchange, **fields: object) -> Iterator[ClientConnection]:
    """Connect and subscribe, with the right credentials unless ``auth`` says otherwise."""
    with joined_user(exchange) as client:
        heard = len(exchange.received)
        client.send(json.dumps({"type": "user", "auth": auth(exchange), **fields}))
        assert exchange.wait_for(lambda: len(exchange.received) > heard, scaled(5))
        yield client


def auth(exchange: Exchange, **changes: str) -> dict[str, str]:
    return {**exchange.account.credentials.reveal(), **changes}


def told(client: ClientConnection) -> list[dict[str, Any]]:
    """Return every event that came so far."""
    client.send("PING")
    events = []
    while (received := text(client)) != "PONG":
        events.append(json.loads(received))
    return events


def steps(client: ClientConnection) -> list[tuple[str, str]]:
    """Return event type, and type or status, of every event that came so far."""
    return [
        ("order", event["type"]) if event["event_type"] == "order" else ("trade", event["status"])
        for event in told(client)
    ]


def signed(
    exchange: Exchange,
    target: str,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
) -> tuple[int, Any]:
    """Return status and value of a request that is signed, unless other headers are given."""
    if headers is None:
        headers = exchange.account.credentials.l2_headers("GET", target)
    url = exchange.url.replace("ws://", "http://") + target
    request = Request(url, headers={name: "".join(value) for name, value in headers.items()})
    try:
        with urlopen(request, timeout=scaled(timeout)) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)
