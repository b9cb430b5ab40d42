from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import override_settings

from polymarket_ws import Credentials
from polymarket_ws.integrations.django.settings import DjangoOptions, read_settings
from polymarket_ws.integrations.options import Options


def somebody(request: HttpRequest) -> object:
    return request.META.get("somebody")


def read(held: Any) -> DjangoOptions:
    with override_settings(POLYMARKET_WS=held):
        return read_settings()


def test_without_the_setting_everything_is_as_it_is_by_default() -> None:
    assert read_settings() == DjangoOptions(shared=Options())
    assert read({}) == read(None) == DjangoOptions(shared=Options())


def test_each_name_is_that_of_flask_without_its_first_word() -> None:
    read_options = read(
        {
            "MARKETS": ["a", "b"],
            "ENDPOINTS": "ws://127.0.0.1:8765",
            "CREDENTIALS": "keyring:work",
            "PROXY": None,
            "PAGE": False,
            "MAX_MARKETS": 3,
            "MAX_BROWSERS": 4,
            "GRACE_SECONDS": 5,
            "KEEPALIVE_SECONDS": 6,
            "RESPONSE_SECONDS": 7,
        }
    ).shared
    assert read_options == Options.of(
        {
            "POLYMARKET_MARKETS": ["a", "b"],
            "POLYMARKET_ENDPOINTS": "ws://127.0.0.1:8765",
            "POLYMARKET_CREDENTIALS": "keyring:work",
            "POLYMARKET_PROXY": None,
            "POLYMARKET_PAGE": False,
            "POLYMARKET_MAX_MARKETS": 3,
            "POLYMARKET_MAX_BROWSERS": 4,
            "POLYMARKET_GRACE_SECONDS": 5,
            "POLYMARKET_KEEPALIVE_SECONDS": 6,
            "POLYMARKET_RESPONSE_SECONDS": 7,
        }
    )


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (["a"], "takes a dictionary"),
        ({"MARKET": ["a"]}, "has no 'MARKET'; there are .*MARKETS"),
        ({"URL_PREFIX": "/live"}, "has no 'URL_PREFIX'"),
        ({"MARKETS": 5}, r'POLYMARKET_WS\["MARKETS"\] takes a list'),
        ({"MAX_BROWSERS": 0}, r'POLYMARKET_WS\["MAX_BROWSERS"\] takes'),
        ({"LOCK": 5}, r'POLYMARKET_WS\["LOCK"\] takes'),
        ({"ALLOW_USER": True}, "takes a function of the request"),
        ({"ALLOW_USER": "nowhere.to_be_found"}, r'POLYMARKET_WS\["ALLOW_USER"\]: .*nowhere'),
    ],
)
def test_what_cannot_mean_anything_is_told_with_what_would(held: Any, told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=told):
        read(held)


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read({"CREDENTIALS": "c2VjcmV0LW9mLXNvbWVib2R5"})
    assert "c2Vj" not in str(caught.value)
    key = Credentials("key-of-somebody", "c2VjcmV0", "phrase-of-somebody")
    assert "c2Vj" not in repr(read({"CREDENTIALS": key}))


@pytest.mark.parametrize("path", ["lock", Path("lock")])
def test_the_lock_is_a_path(path: object) -> None:
    assert read({"LOCK": path}).lock == Path("lock")


@pytest.mark.parametrize("function", [somebody, f"{__name__}.somebody"])
def test_who_may_see_the_account_is_asked_with_the_request(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(function, str):
        # importlib mode: this module is not where its name says.
        monkeypatch.setattr("tests.conftest.somebody", somebody, raising=False)
        function = "tests.conftest.somebody"
    options = read({"ALLOW_USER": function})
    request = HttpRequest()
    assert options.may_see_user(request) is False
    request.META["somebody"] = "yes"
    assert options.may_see_user(request) is True


def test_nobody_may_by_default() -> None:
    assert read({}).may_see_user(HttpRequest()) is False


def test_a_coroutine_is_no_yes() -> None:
    async def allow(request: HttpRequest) -> bool:
        await asyncio.sleep(0)
        return False

    def disguised(request: HttpRequest) -> object:
        return allow(request)

    functions: list[Callable[[HttpRequest], object]] = [allow, disguised]
    for function in functions:
        with pytest.raises(ImproperlyConfigured, match="without async"):
            read({"ALLOW_USER": function}).may_see_user(HttpRequest())
