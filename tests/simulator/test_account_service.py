from __future__ import annotations

import threading
import time
from urllib.error import URLError

import pytest

from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.playback import Recording
from tests.conftest import scaled
from tests.simulator.clients import get
from tests.simulator.user_clients import signed


def test_rest_answers_signed_requests_on_the_same_port() -> None:
    with Exchange(rate=None) as exchange:
        key = "".join(exchange.account.credentials.api_key)
        assert signed(exchange, "/auth/api-keys") == (200, {"apiKeys": [key]})
        assert signed(exchange, "/auth/api-keys", headers={})[0] == 401


def test_rest_can_be_down_and_come_back() -> None:
    with Exchange(rate=None) as exchange:
        exchange.account.rest = "down"
        assert signed(exchange, "/data/orders")[0] == 503
        assert get(exchange, "/markets")[0] == 200
        exchange.account.rest = "ok"
        assert signed(exchange, "/data/orders")[0] == 200


def test_rest_can_hang_and_go_on() -> None:
    answers = []
    with Exchange(rate=None) as exchange:
        exchange.account.rest = "hang"
        asking = threading.Thread(target=lambda: answers.append(signed(exchange, "/data/orders")))
        asking.start()
        asking.join(0.1)
        assert answers == []
        exchange.account.rest = "ok"
        asking.join(scaled(5))
        assert answers[0][0] == 200


def test_who_gives_up_on_a_hanging_answer_leaves_nothing_behind() -> None:
    with Exchange(rate=None) as exchange:
        exchange.account.rest = "hang"
        with pytest.raises((TimeoutError, URLError)):
            signed(exchange, "/data/orders", timeout=0.1)
        named = "polymarket-ws-simulator-client"
        deadline = time.monotonic() + scaled(5)
        while any(thread.name.startswith(named) for thread in threading.enumerate()):
            assert time.monotonic() < deadline, "the request is still being answered"
            threading.Event().wait(0.01)


def test_closing_ends_a_hanging_answer() -> None:
    with Exchange(rate=None) as exchange:
        exchange.account.rest = "hang"
        failed = threading.Event()

        def ask() -> None:
            try:
                signed(exchange, "/data/orders")
            except (OSError, ValueError):
                failed.set()

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.1)
        assert exchange.close(timeout=scaled(2))
        assert failed.wait(scaled(5))
        asking.join()


def test_a_recording_has_no_private_paths() -> None:
    with Exchange(rate=None, recording=Recording(("[]",), ())) as exchange:
        assert get(exchange, "/data/orders")[0] == 404
