"""The official Python client: asyncio, json, pydantic."""

from __future__ import annotations

import asyncio
import dataclasses

import polymarket
from polymarket import environments
from polymarket.streams import MarketSpec

from benchmarks.clients import Take


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    return asyncio.run(_listen(url, ids, take))


async def _listen(url: str, ids: list[str], take: Take) -> dict[str, float]:
    config = dataclasses.replace(environments.PRODUCTION._config, clob_market_ws_url=url)
    environment = environments._create_environment(name="loopback", config=config)
    async with polymarket.AsyncPublicClient(environment) as client:
        spec = MarketSpec(asset_ids=ids, custom_feature_enabled=True)
        async with await client.subscribe(spec) as handle:
            async for event in handle:
                if take(event.payload.market):
                    break
            return {"dropped": handle.dropped}
