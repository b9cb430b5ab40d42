from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from polymarket_ws import Market
from polymarket_ws.integrations.django import current_polymarket
from polymarket_ws.integrations.django.apps import PolymarketWSConfig, installed
from polymarket_ws.simulator import Exchange


def test_it_is_installed_under_a_label_of_its_own() -> None:
    assert isinstance(apps.get_app_config("polymarket_ws"), PolymarketWSConfig)
    assert installed() is apps.get_app_config("polymarket_ws")


def test_being_installed_opens_nothing_and_starts_no_thread() -> None:
    script = """
import threading
from django.conf import settings
settings.configure(INSTALLED_APPS=["polymarket_ws.integrations.django"], POLYMARKET_WS={"X": 1})
import django
django.setup()
import sys
print(threading.active_count(), "websocket" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # Settings are wrong, which is told when they are read.
    assert run.stdout.split()[0] == "1"
    assert run.stderr == ""


def test_without_django_it_says_what_to_install() -> None:
    script = """
import sys
sys.modules["django"] = None
try:
    import polymarket_ws.integrations.django
except ModuleNotFoundError as error:
    print(error, error.name)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 'pip install "polymarket-ws[django]"' in run.stdout


def test_the_client_is_one_for_the_process_and_made_when_it_is_used(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    with override_settings(POLYMARKET_WS={"ENDPOINTS": exchange.url}):
        before = set(threading.enumerate())
        service = current_polymarket()
        assert current_polymarket() is service
        # Not their number: one of an earlier test may end meanwhile.
        assert set(threading.enumerate()) <= before
        market = service.lookup(str(exchange.markets[0].slug))
        with service.client.subscribe(Market(market)) as stream:
            stream.get(timeout=seconds(5))
        assert service.client is current_polymarket().client


def test_two_that_come_first_together_agree_on_one() -> None:
    barrier = threading.Barrier(8)
    found = []

    def ask() -> None:
        barrier.wait()
        found.append(current_polymarket())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_changed_settings_are_taken_and_what_ran_with_the_old_ones_ends(
    exchange: Exchange,
) -> None:
    with override_settings(POLYMARKET_WS={"ENDPOINTS": exchange.url}):
        old = current_polymarket()
        client = old.client
    assert client.health().closed
    assert current_polymarket() is not old
    with override_settings(POLYMARKET_WS={"MAX_BROWSERS": 7}):
        assert current_polymarket().options.limits.browsers == 7
    assert current_polymarket().options.limits.browsers == 1000


def test_wrong_settings_are_told_when_they_are_read() -> None:
    with override_settings(POLYMARKET_WS={"MARKET": "a"}):
        with pytest.raises(ImproperlyConfigured, match="'MARKET'"):
            current_polymarket()
