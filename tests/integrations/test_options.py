from __future__ import annotations

from typing import Any

import pytest

from polymarket_ws import Credentials, CredentialsNotFound, Endpoints, MarketInfo, UsageError
from polymarket_ws.integrations.options import Options
from polymarket_ws.integrations.sse.broadcast import Limits

INFO = MarketInfo(question="?", condition_id="0x1", asset_ids=("1",))
KEY = Credentials("key-of-somebody", "c2VjcmV0", "phrase-of-somebody")


def test_no_settings_are_the_defaults() -> None:
    assert Options.of({}) == Options()
    assert Options.of({"SECRET_KEY": "x", "DEBUG": True}) == Options()


def test_every_setting_is_taken() -> None:
    options = Options.of(
        {
            "POLYMARKET_URL_PREFIX": "/live/",
            "POLYMARKET_PAGE": False,
            "POLYMARKET_MARKETS": ["a", INFO],
            "POLYMARKET_ENDPOINTS": "ws://127.0.0.1:8765",
            "POLYMARKET_CREDENTIALS": KEY,
            "POLYMARKET_PROXY": None,
            "POLYMARKET_MAX_MARKETS": 3,
            "POLYMARKET_MAX_BROWSERS": 4,
            "POLYMARKET_GRACE_SECONDS": 5,
            "POLYMARKET_KEEPALIVE_SECONDS": 6,
            "POLYMARKET_RESPONSE_SECONDS": 7,
        }
    )
    assert options == Options(
        url_prefix="/live",
        page=False,
        markets=("a", INFO),
        endpoints=Endpoints.at("ws://127.0.0.1:8765"),
        credentials=KEY,
        proxy=None,
        limits=Limits(markets=3, browsers=4, grace=5.0),
        keepalive=6.0,
        response_seconds=7.0,
    )
    assert "somebody" not in repr(options)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a, b c", ("a", "b", "c")),
        ([], ()),
        (None, None),
        (INFO, (INFO,)),
    ],
)
def test_markets_may_come_from_an_environment_variable(given: Any, taken: Any) -> None:
    assert Options.of({"POLYMARKET_MARKETS": given}).markets == taken


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL_PREFIX", "live"),
        ("URL_PREFIX", "/li ve"),
        ("URL_PREFIX", None),
        ("MARKETS", [1]),
        ("MARKETS", 5),
        ("ENDPOINTS", "http://nowhere"),
        ("ENDPOINTS", 8765),
        ("CREDENTIALS", "topsecret"),
        ("CREDENTIALS", 1),
        ("MAX_MARKETS", 0),
        ("MAX_MARKETS", True),
        ("MAX_BROWSERS", "many"),
        ("GRACE_SECONDS", -1),
        ("KEEPALIVE_SECONDS", "15"),
        ("RESPONSE_SECONDS", 0),
    ],
)
def test_a_setting_that_means_nothing_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError) as raised:
        Options.of({f"POLYMARKET_{name}": value})
    assert "topsecret" not in str(raised.value)


def test_credentials_are_looked_for_where_the_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Options().found_credentials() is None
    assert Options(credentials=KEY).found_credentials() is KEY
    environment = Options.of({"POLYMARKET_CREDENTIALS": "env"})
    for name in ("KEY", "SECRET", "PASSPHRASE"):
        monkeypatch.delenv(f"POLYMARKET_API_{name}", raising=False)
    with pytest.raises(CredentialsNotFound):
        environment.found_credentials()
    monkeypatch.setenv("POLYMARKET_API_KEY", "key-of-somebody")
    monkeypatch.setenv("POLYMARKET_API_SECRET", "c2VjcmV0")
    monkeypatch.setenv("POLYMARKET_API_PASSPHRASE", "phrase")
    found = environment.found_credentials()
    assert found is not None
    assert found.api_key == "key-of-somebody"
