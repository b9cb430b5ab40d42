"""polymarket-ws, as its first page shows it."""

from __future__ import annotations

import os

from benchmarks.clients import Take
from polymarket_ws import Client, Endpoints, LastTradePrice, Market, MarketEvent


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    events = [LastTradePrice] if "BENCHMARKS_TRADES_ONLY" in os.environ else [MarketEvent]
    each = int(os.environ.get("BENCHMARKS_ASSETS_PER_CONNECTION", "200"))
    with Client(endpoints=Endpoints(market=url), assets_per_connection=each) as client:
        stream = client.subscribe(Market(*ids, events=events))
        for event in stream:
            if take(event.market):
                break
        return {"dropped": stream.stats.dropped}
