"""The pytest fixture ``polymarket_exchange``: a simulated exchange for the time of one test.

::

    @pytest.mark.polymarket_exchange(rate=200, markets=3)
    def test_my_bot(polymarket_exchange):
        endpoints = Endpoints.at(polymarket_exchange.url)

    @pytest.mark.polymarket_exchange(rate=None)
    def test_my_bot_on_a_trade(polymarket_exchange):
        market = polymarket_exchange.market()
        ...
        market.trade("Yes", "BUY", "0.62", 100)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from polymarket_ws.simulator.exchange import Exchange

__all__ = ["polymarket_exchange"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that ``--strict-markers`` knows it."""
    config.addinivalue_line(
        "markers",
        "polymarket_exchange(**arguments): arguments of the Exchange of that fixture",
    )


@pytest.fixture
def polymarket_exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """A started exchange; the marker of the same name gives its arguments."""
    # Every run of pytest imports this module: only a test that uses the fixture needs websockets.
    from polymarket_ws.simulator import Exchange

    marker = request.node.get_closest_marker("polymarket_exchange")
    with Exchange(**(marker.kwargs if marker else {})) as exchange:
        yield exchange
