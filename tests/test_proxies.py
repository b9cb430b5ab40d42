from __future__ import annotations

from typing import Any

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.proxies import is_loopback, proxy_for

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no", "ws", "wss"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
)
def test_loopback_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "polymarket.com", "localhost.example", "notlocalhost", "10.0.0.1", "::2", "128.0.0.1"],
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_no_proxy_is_used_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    assert proxy_for("https://polymarket.com", None) is None


@pytest.mark.parametrize("url", ["wss://a.example", "ws://a.example", "https://a.example:8443/x"])
def test_given_proxy_is_used(url: str) -> None:
    assert proxy_for(url, PROXY) == PROXY


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8765", "http://localhost:1", "https://[::1]/"])
def test_loopback_is_never_proxied(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    assert proxy_for(url, PROXY) is None
    assert proxy_for(url, "env") is None


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("http://a.example", "http_proxy"),
        ("ws://a.example", "http_proxy"),
        ("https://a.example", "https_proxy"),
        ("wss://a.example", "HTTPS_PROXY"),
        ("wss://a.example", "all_proxy"),
    ],
)
def test_environment_is_read_on_request(
    url: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxy_for(url, "env") is None
    monkeypatch.setenv(variable, PROXY)
    assert proxy_for(url, "env") == PROXY


def test_proxy_of_the_other_scheme_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    assert proxy_for("wss://a.example", "env") is None


@pytest.mark.parametrize("exempt", ["*", "a.example", ".example", "b.example,a.example:443"])
def test_no_proxy_of_the_environment_is_obeyed(
    exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", exempt)
    assert proxy_for("wss://a.example:443/ws", "env") is None


def test_environment_may_leave_the_scheme_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    assert proxy_for("wss://a.example", "env") == "http://proxy.example:3128"


@pytest.mark.parametrize(
    "proxy",
    ["", "proxy", "proxy:3128", "socks5://p:1", "http://", "http://p:0", "http://p:x", 3128, True],
)
def test_unusable_proxy_is_a_usage_error_even_for_loopback(proxy: Any) -> None:
    for url in ("wss://a.example", "ws://127.0.0.1:1"):
        with pytest.raises(UsageError, match="proxy must be None"):
            proxy_for(url, proxy)


def test_unusable_proxy_of_the_environment_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://me:hunter2@p:1080")
    with pytest.raises(UsageError, match="the proxy of the environment") as caught:
        proxy_for("wss://a.example", "env")
    assert "hunter2" not in str(caught.value)
