from __future__ import annotations

from typing import Any

import attrs
import pytest

from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError


def test_defaults_are_production() -> None:
    assert attrs.asdict(Endpoints()) == {
        "market": "wss://ws-subscriptions-clob.polymarket.com/ws/market",
        "user": "wss://ws-subscriptions-clob.polymarket.com/ws/user",
        "gamma": "https://gamma-api.polymarket.com",
        "clob": "https://clob.polymarket.com",
    }


@pytest.mark.parametrize(
    ("url", "stream", "rest"),
    [
        ("ws://127.0.0.1:8765", "ws://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("ws://127.0.0.1:8765/", "ws://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("wss://exchange.example/sim/", "wss://exchange.example/sim", "https://exchange.example/sim"),
        ("ws://[::1]:80", "ws://[::1]:80", "http://[::1]:80"),
    ],
)  # fmt: skip
def test_one_exchange_has_all_endpoints(url: str, stream: str, rest: str) -> None:
    endpoints = Endpoints.at(url)
    assert endpoints == Endpoints(
        market=f"{stream}/ws/market", user=f"{stream}/ws/user", gamma=rest, clob=rest
    )
    assert endpoints.rest_belongs_to_user


def test_rest_is_off_where_only_the_stream_was_pointed_elsewhere() -> None:
    assert Endpoints().rest_belongs_to_user
    elsewhere = Endpoints(user="ws://127.0.0.1:1/ws/user")
    assert not elsewhere.rest_belongs_to_user
    assert attrs.evolve(elsewhere, clob="http://127.0.0.1:1").rest_belongs_to_user


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8765",
        "http://127.0.0.1:8765",
        "ws://",
        "ws:///x",
        "ws://[",
        None,
        8765,
        b"ws://a",
    ],
)
def test_exchange_that_is_no_websocket_url_is_a_usage_error(url: Any) -> None:
    with pytest.raises(UsageError, match=r"Endpoints\.at takes ws://host:port"):
        Endpoints.at(url)


@pytest.mark.parametrize(
    "fields",
    [
        {"market": "https://a.example"},
        {"market": ""},
        {"market": None},
        {"market": "ws://a:b"},
        {"market": "ws://a:0"},
        {"gamma": "ws://a.example"},
        {"clob": "clob.polymarket.com"},
        {"clob": "https://"},
        {"clob": 5},
    ],
)
def test_unusable_url_is_a_usage_error_that_names_the_endpoint(fields: dict[str, Any]) -> None:
    (name,) = fields
    with pytest.raises(UsageError, match=rf"Endpoints\({name}=…\) takes"):
        Endpoints(**fields)


def test_endpoints_are_values() -> None:
    assert Endpoints.at("ws://a.example") == Endpoints.at("ws://a.example")
    assert len({Endpoints(), Endpoints()}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Endpoints().market = "ws://b.example"  # type: ignore[misc]
