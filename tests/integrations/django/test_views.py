from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.test import AsyncClient, Client, override_settings
from django.test.client import RequestFactory

from polymarket_ws.integrations.django import views
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Parser


@pytest.fixture
def http(exchange: Exchange) -> Iterator[Client]:
    with override_settings(POLYMARKET_WS={"ENDPOINTS": exchange.url, "PROXY": None}):
        yield Client()


def address(exchange: Exchange) -> str:
    return f"/events?market={exchange.markets[0].slug}"


def test_events_are_streamed_with_the_headers_that_keep_proxies_from_gathering_them(
    http: Client, exchange: Exchange
) -> None:
    response = http.get(address(exchange), HTTP_ACCEPT_ENCODING="gzip")
    assert (response.status_code, response.streaming) == (200, True)
    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-transform" in response["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in response
    parser = Parser()
    (subscribed, *_) = parser.feed(next(iter(response.streaming_content)))
    assert subscribed.kind == "ws-subscribed"
    assert parser.retry == 2000
    response.close()
    assert json.loads(http.get("/health").content)["browsers"] == 0


def test_a_response_under_asgi_goes_on_in_the_loop(exchange: Exchange) -> None:
    async def read() -> None:
        response = await AsyncClient().get(address(exchange))
        assert response.is_async
        content: AsyncIterator[bytes] = response.streaming_content
        parser = Parser()
        messages = parser.feed(await anext_of(content))
        assert messages[0].kind == "ws-subscribed"
        response.close()

    async def anext_of(content: AsyncIterator[bytes]) -> bytes:
        async for chunk in content:
            return chunk
        raise AssertionError("nothing came")

    with override_settings(POLYMARKET_WS={"ENDPOINTS": exchange.url, "PROXY": None}):
        asyncio.run(asyncio.wait_for(read(), scaled(20)))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?market=no-such-market", 404),
        ("?user=1", 403),
        ("?user=0", 400),
        ("?market=" + "&market=".join(map(str, range(60))), 400),
    ],
)
def test_what_cannot_be_shown_is_refused_for_good(http: Client, query: str, status: int) -> None:
    response = http.get(f"/events{query}")
    assert response.status_code == status
    assert json.loads(response.content)["data"]["type"] == "refused"


@pytest.mark.parametrize("path", ["/events", "/health", "/", "/assets/page.js"])
def test_nothing_is_posted(http: Client, path: str) -> None:
    assert http.post(path).status_code == 405


def test_a_head_request_of_events_is_answered_and_begins_nothing(
    http: Client, exchange: Exchange
) -> None:
    response = http.head(address(exchange))
    assert (response.status_code, response.streaming, response.content) == (200, False, b"")
    assert response["Content-Type"] == "text/event-stream"
    # So the page finds out which of several names is the wrong one.
    assert http.head("/events?market=no-such-market").status_code == 404
    assert http.head("/health").status_code == 200
    assert json.loads(http.get("/health").content)["browsers"] == 0
    assert exchange.connections == ()


def test_a_head_request_under_asgi_is_answered_and_begins_nothing(exchange: Exchange) -> None:
    async def ask() -> None:
        client = AsyncClient()
        response = await client.head(address(exchange))
        assert (response.status_code, response.streaming, response.content) == (200, False, b"")
        assert response["Content-Type"] == "text/event-stream"
        assert (await client.head("/events?market=no-such-market")).status_code == 404
        assert json.loads((await client.get("/health")).content)["browsers"] == 0

    with override_settings(POLYMARKET_WS={"ENDPOINTS": exchange.url, "PROXY": None}):
        asyncio.run(asyncio.wait_for(ask(), scaled(20)))
    assert exchange.connections == ()


def test_the_account_is_shown_to_whom_the_hook_allows(exchange: Exchange) -> None:
    held: dict[str, Any] = {
        "ENDPOINTS": exchange.url,
        "PROXY": None,
        "CREDENTIALS": exchange.account.credentials,
        "ALLOW_USER": lambda request: request.META.get("REMOTE_USER") == "me",
    }
    with override_settings(POLYMARKET_WS=held):
        http = Client()
        assert http.get("/events?user=1").status_code == 403
        assert http.get("/events?user=1", REMOTE_USER="you").status_code == 403
        response = http.get("/events?user=1", REMOTE_USER="me")
        assert response.status_code == 200
        (subscribed, *_) = Parser().feed(next(iter(response.streaming_content)))
        assert subscribed.body["user"] is True
        response.close()
    with override_settings(POLYMARKET_WS={**held, "CREDENTIALS": None}):
        assert http.get("/events?user=1", REMOTE_USER="me").status_code == 404


def test_where_one_request_is_served_at_a_time_a_response_gives_way(
    http: Client, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    from polymarket_ws.integrations.service import Service

    whole = Service.events

    def noted(self: Service, *arguments: Any, alone: bool, **options: Any) -> Any:
        asked.append(alone)
        return whole(self, *arguments, alone=alone, **options)

    monkeypatch.setattr(Service, "events", noted)
    for threads in (True, False):
        request = RequestFactory().get(address(exchange), **{"wsgi.multithread": threads})
        views.events(request).close()
    assert asked == [False, True]


def test_page_assets_and_health_are_served(http: Client) -> None:
    page = http.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert http.get("/", HTTP_IF_NONE_MATCH=page["ETag"]).status_code == 304
    assert http.get("/assets/..%2Fpages.py").status_code == 404
    assert http.get("/assets/nothing.js").status_code == 404
    assert json.loads(http.get("/health").content)["status"] == "idle"
    with override_settings(POLYMARKET_WS={"PAGE": False}):
        assert http.get("/").status_code == 404
