from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from polymarket_ws import Client, Endpoints, Market
from polymarket_ws.simulator import Exchange


def ids(held: Any = None, *, deploy: bool = False) -> list[str | None]:
    with override_settings(POLYMARKET_WS=held):
        found = run_checks(tags=["polymarket_ws"], include_deployment_checks=deploy)
        return [message.id for message in found]


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY", "SECRET", "PASSPHRASE"):
        monkeypatch.delenv(f"POLYMARKET_API_{name}", raising=False)
    for name in ("CLOB_API_KEY", "CLOB_SECRET", "CLOB_PASS_PHRASE", "RUN_MAIN"):
        monkeypatch.delenv(name, raising=False)


def test_a_good_project_has_nothing_to_hear() -> None:
    assert ids() == []
    assert ids({"MARKETS": ["a"]}, deploy=True) == []


def test_wrong_settings_are_one_error() -> None:
    assert ids({"MARKET": ["a"], "CREDENTIALS": "env"}, deploy=True) == ["polymarket_ws.E001"]


def test_credentials_that_the_environment_should_have_are_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ids({"CREDENTIALS": "env"}) == ["polymarket_ws.W001"]
    monkeypatch.setenv("POLYMARKET_API_KEY", "key-of-somebody")
    monkeypatch.setenv("POLYMARKET_API_SECRET", "c2VjcmV0")
    # Two of three.
    assert ids({"CREDENTIALS": "env"}) == ["polymarket_ws.W001"]
    monkeypatch.setenv("POLYMARKET_API_PASSPHRASE", "abcdef0123456789")
    assert ids({"CREDENTIALS": "env"}) == []


def test_the_keyring_is_only_asked_with_deploy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    assert ids({"CREDENTIALS": "keyring:nobody"}) == []
    assert ids({"CREDENTIALS": "keyring:nobody"}, deploy=True) == ["polymarket_ws.W001"]


def test_a_hook_without_an_account_is_told() -> None:
    assert ids({"ALLOW_USER": lambda request: True}) == ["polymarket_ws.W002"]


def test_a_client_in_use_while_the_project_is_loaded_is_told(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The exchange's own threads are no client.
    assert [thread for thread in threading.enumerate() if "simulator" in thread.name]
    assert ids() == []
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        # One that is made and not used is none of anybody's business.
        assert ids() == []
        with client.subscribe(Market(exchange.markets[0])):
            assert ids() == ["polymarket_ws.W003"]
            monkeypatch.setenv("RUN_MAIN", "true")
            assert ids() == ["polymarket_ws.W003", "polymarket_ws.W004"]
