from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws import CredentialsNotFound, LookupFailed, Market
from polymarket_ws.integrations.answers import Answer
from polymarket_ws.integrations.options import Options
from polymarket_ws.integrations.service import PerProcess, Service
from polymarket_ws.simulator import Exchange
from tests.conftest import scaled
from tests.integrations.event_stream import Message, Parser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=2) as exchange:
        yield exchange


def options(exchange: Exchange, **settings: Any) -> Options:
    named = {f"POLYMARKET_{name.upper()}": value for name, value in settings.items()}
    return Options.of({"POLYMARKET_ENDPOINTS": exchange.url, **named})


@pytest.fixture
def service(exchange: Exchange) -> Iterator[Service]:
    service = Service(options(exchange))
    yield service
    assert service.close(scaled(5))


def messages(answer: Answer) -> list[Message]:
    assert answer.status == 200
    return Parser().feed(b"".join(answer.body))


def json_of(answer: Answer) -> dict[str, Any]:
    body = json.loads(b"".join(answer.body))
    assert isinstance(body, dict)
    return body


def test_service_is_inert_until_it_is_used(exchange: Exchange) -> None:
    service = Service(options(exchange))
    assert json_of(service.health())["status"] == "idle"
    assert service.page().status == 200
    assert exchange.connections == ()
    assert service.close()
    assert service.close()


def test_where_a_process_serves_one_request_at_a_time_a_response_gives_way(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.service._ALONE_SECONDS", 0.2)
    service = Service(options(exchange))
    told = messages(service.events([exchange.markets[0].slug], alone=True))
    assert told[0].kind == "ws-subscribed"
    assert service.close(scaled(5))


def test_who_sees_an_account_is_asked_again_after_a_while(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymarket_ws.integrations.service._USER_SECONDS", 0.2)
    service = Service(options(exchange, credentials=exchange.account.credentials))
    asked: list[None] = []

    def may_see_user() -> bool:
        asked.append(None)
        return True

    told = messages(service.events([], user=True, may_see_user=may_see_user))
    assert told[0].body["user"] is True
    assert asked == [None]
    assert service.close(scaled(5))


def test_the_hook_is_not_asked_where_no_account_is_asked_for(
    service: Service, exchange: Exchange
) -> None:
    def may_see_user() -> bool:
        raise AssertionError("nobody asked")

    answer = service.events([exchange.markets[0].slug], may_see_user=may_see_user)
    assert answer.status == 200


def test_two_names_of_one_market_are_one_market(service: Service, exchange: Exchange) -> None:
    info = exchange.markets[0]
    body = iter(service.events([info.slug, info.condition_id, info.slug]).body)
    (market,) = Parser().feed(next(body))[0].body["markets"]
    assert market["slug"] == info.slug


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "No market was named. Add ?market=… to the address."),
        (["no-such-market"], "Copy the address of its page, https://polymarket.com/event/…, or"),
        (["no such market"], "a market is named by the address of a market's page, such as https"),
    ],
)
def test_a_refusal_is_for_visitors_and_has_no_python_in_it(
    service: Service, words: list[str], said: str
) -> None:
    answer = service.events(words)
    assert answer.status in (400, 404)
    text = json_of(answer)["data"]["message"]
    assert said in text
    assert "lookup(" not in text


def test_the_client_is_one_and_closed_with_the_service(
    service: Service, exchange: Exchange
) -> None:
    client = service.client
    with client.subscribe(Market(exchange.markets[0])) as stream:
        stream.get(timeout=scaled(10))
    assert service.client is client
    assert service.close(scaled(5))
    assert client.closed
    assert json_of(service.health())["status"] == "closed"


def test_a_service_that_was_closed_before_its_first_use_stays_so(exchange: Exchange) -> None:
    service = Service(options(exchange))
    assert service.close()
    assert service.client.closed
    (message,) = messages(service.events([exchange.markets[0].slug]))
    assert message.kind == "ws-error/refused"


def test_credentials_that_are_nowhere_are_told_and_not_guessed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("KEY", "SECRET", "PASSPHRASE"):
        monkeypatch.delenv(f"POLYMARKET_API_{name}", raising=False)
    service = Service(options(exchange, credentials="env"))
    with pytest.raises(CredentialsNotFound):
        _ = service.client
    (message,) = messages(service.events([exchange.markets[0].slug]))
    assert message.kind == "ws-error/failed"
    assert "POLYMARKET_API" not in message.data
    assert "POLYMARKET_API" in caplog.text


def test_lookup_is_that_of_the_page(exchange: Exchange) -> None:
    first, second = exchange.markets
    service = Service(options(exchange, markets=[first.slug]))
    assert service.lookup(first.slug).condition_id == first.condition_id
    with pytest.raises(LookupFailed, match="not shown"):
        service.lookup(second.slug)


def test_each_process_has_one_service(exchange: Exchange) -> None:
    processes = PerProcess(options(exchange))
    assert processes.close()
    assert processes.service is processes.service


FORKING = """
import os, sys
from polymarket_ws import Market
from polymarket_ws.integrations.options import Options
from polymarket_ws.integrations.service import PerProcess

processes = PerProcess(Options.of({"POLYMARKET_ENDPOINTS": sys.argv[1]}))
slug = sys.argv[2]


def live():
    body = processes.service.events([slug]).body
    for chunk in body:
        if b'"state":"live"' in chunk:
            return body


parent = live()
mine = processes.service
child = os.fork()
if child == 0:
    assert processes.service is not mine
    live()
    print("child", flush=True)
    sys.exit(0)  # as a worker ends, with what is registered for the exit
_, status = os.waitpid(child, 0)
assert status == 0, status
assert processes.service is mine
assert processes.service.client.health().connected
live()
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_begins_anew_and_leaves_the_parent_alone(exchange: Exchange) -> None:
    python = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
    done = subprocess.run(
        # Since 3.12 a fork beside threads is warned of; that is what is tested.
        [*python, FORKING, exchange.url, exchange.markets[0].slug],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["child", "parent"]), done.stderr
    # Both were closed at their exit: a client that is forgotten says ResourceWarning.
    assert done.stderr == ""
    # One connection each, and the parent's lived through it.
    assert len({number for number, _ in exchange.received}) == 2
