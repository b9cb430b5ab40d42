from __future__ import annotations

import ssl
from typing import Any

import attrs
import pytest

from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.settings import Settings, buffering, limit
from polymarket_ws.transport.backoff import Backoff

PLAIN: dict[str, Any] = {
    "endpoints": None,
    "delivery": None,
    "backoff": None,
    "liveness": None,
    "assets_per_connection": 200,
    "connect_timeout": None,
    "proxy": None,
    "ssl_context": None,
    "user_agent": "me/1.0",
    "credentials": None,
    "recovery_timeout": 10.0,
}


def test_what_is_left_out_has_its_default() -> None:
    settings = Settings.checked(**PLAIN)
    assert settings.endpoints == Endpoints()
    assert settings.delivery == Delivery()
    assert settings.backoff == Backoff()
    assert settings.liveness == Liveness()


def test_what_is_given_is_taken() -> None:
    given: dict[str, Any] = {
        "endpoints": Endpoints.at("ws://127.0.0.1:1"),
        "delivery": Delivery(max_events=1),
        "backoff": Backoff(initial=2.0),
        "liveness": Liveness(socket=None),
        "assets_per_connection": 1,
        "connect_timeout": 3.0,
        "proxy": "env",
        "ssl_context": ssl.create_default_context(),
        "user_agent": "me/1.0",
        "credentials": None,
        "recovery_timeout": 3.0,
    }
    settings = Settings.checked(**given)
    assert {name: getattr(settings, name) for name in given} == given


def test_seconds_become_a_float() -> None:
    assert type(Settings.checked(**{**PLAIN, "connect_timeout": 3}).connect_timeout) is float


@pytest.mark.parametrize("value", [0, -1, 501, 1.5, "200", True, None])
def test_connection_that_cannot_carry_so_many_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="assets_per_connection takes"):
        Settings.checked(**{**PLAIN, "assets_per_connection": value})


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "10", True])
def test_timeout_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="connect_timeout takes seconds above 0, or None"):
        Settings.checked(**{**PLAIN, "connect_timeout": value})


@pytest.mark.parametrize("value", ["", "é", "a\nb", "a\x00", None, b"me"])
def test_header_that_would_break_the_request_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="user_agent takes printable ASCII text"):
        Settings.checked(**{**PLAIN, "user_agent": value})


def test_proxy_is_checked_even_where_it_is_not_used() -> None:
    here = Endpoints.at("ws://127.0.0.1:1")
    with pytest.raises(UsageError, match="proxy"):
        Settings.checked(**{**PLAIN, "endpoints": here, "proxy": "socks5://x:1"})


def test_settings_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings.checked(**PLAIN).user_agent = "other"  # type: ignore[misc]


def test_blocking_is_refused_for_live_streams() -> None:
    assert buffering(None) == Delivery()
    with pytest.raises(UsageError, match='use "drop_oldest" or "fail"'):
        buffering(Delivery(overflow="block"))


def test_limits() -> None:
    assert limit("timeout", None).remaining() is None
    assert limit("timeout", 0).remaining() == 0.0
    left = limit("timeout", 60).remaining()
    assert left is not None
    assert 50 < left <= 60


@pytest.mark.parametrize("value", [-0.1, float("nan"), False, "1", object()])
def test_limit_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="wait takes seconds from 0 up, or None"):
        limit("wait", value)
