"""What is measured. Each function returns samples: for each name one reading a round."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

from benchmarks.clients import CLIENTS, OFFICIAL, OURS
from benchmarks.mix import asset_ids
from benchmarks.processes import ClientFailed, Site, measure, run_python, served

__all__ = [
    "Samples",
    "dispatch",
    "dump",
    "idle",
    "latency",
    "sharding",
    "start",
    "throughput",
    "trades_only",
]

#: What each name measured, round by round.
Samples = dict[str, list[dict[str, float]]]

_ASSETS = 40

#: Takes 150 µs a message where the others take 10: a tenth of the frames says the same.
_SLOW = "usual"


def _interleaved(names: Iterable[str], rounds: int) -> Iterator[str]:
    names = list(names)
    for number in range(rounds):
        # Whoever is first in a round has no advantage in all of them.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            print(f"  round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            yield name


def _tried(
    samples: Samples,
    name: str,
    site: Site,
    client: str,
    path: str,
    *options: object,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Add a reading; a client that fails is told of and left out, the others go on."""
    try:
        reading = measure(site, client, path, *map(str, options), environment=environment)
    except ClientFailed as failure:
        print(f"  {name}: {failure}", file=sys.stderr, flush=True)
        return
    samples.setdefault(name, []).append(reading)


def throughput(names: list[str], *, frames: int, rounds: int, tls: bool = False) -> Samples:
    """Send as fast as each client reads."""
    samples: Samples = {}
    with served(tls=tls) as site:
        for name in _interleaved(names, rounds):
            count = frames // 10 if name == _SLOW and frames > 10_000 else frames
            _tried(
                samples,
                name,
                site,
                name,
                f"/blast?frames={count}",
                "--warmup",
                _ASSETS + count // 50,
            )
    return samples


def latency(names: list[str], *, rate: int, seconds: int, rounds: int) -> Samples:
    """Send at a steady rate, each message stamped with the time at which it leaves."""
    samples: Samples = {}
    with served() as site:
        for name in _interleaved(names, rounds):
            _tried(
                samples,
                name,
                site,
                name,
                f"/steady?frames={rate * seconds}&rate={rate}",
                "--stamped",
                "--warmup",
                _ASSETS + rate // 5,
            )
    return samples


def trades_only(*, frames: int, rounds: int) -> Samples:
    """Our client with every event wanted, and with trades alone: what is not wanted is free?"""
    samples: Samples = {}
    with served() as site:
        for name in _interleaved(["everything", "trades only"], rounds):
            only = name == "trades only"
            _tried(
                samples,
                name,
                site,
                OURS,
                f"/blast?frames={frames}",
                "--warmup",
                "10" if only else _ASSETS + frames // 50,
                environment={"BENCHMARKS_TRADES_ONLY": "1"} if only else {},
            )
    for reading in samples.get("trades only", []):
        # Of the frames that came, not of the trades among them: about 4 in 100 are seen.
        reading["messages"] = frames
    return samples


def sharding(*, rate: int, seconds: int, rounds: int, assets: int = 100) -> Samples:
    """Spread one rate over several connections of one client."""
    samples: Samples = {}
    with served() as site:
        for name in _interleaved(["1", "10", "50"], rounds):
            connections = int(name)
            frames = rate * seconds // connections
            _tried(
                samples,
                name,
                site,
                OURS,
                f"/steady?frames={frames}&rate={rate // connections}",
                "--stamped",
                "--assets",
                assets,
                "--warmup",
                assets + rate // 5,
                environment={"BENCHMARKS_ASSETS_PER_CONNECTION": str(assets // connections)},
            )
    return samples


def dump(names: list[str], *, rounds: int) -> Samples:
    """Send 200 books of 100 levels in one array, while another thread of the client ticks."""
    samples: Samples = {}
    with served() as site:
        for name in _interleaved(names, rounds):
            _tried(
                samples,
                name,
                site,
                name,
                "/dump?books=200&levels=100",
                "--ticks",
                "--warmup",
                _ASSETS,
            )
    return samples


def idle(names: list[str], *, seconds: int) -> Samples:
    """Leave a connected client alone, and count how often it wakes."""
    samples: Samples = {}
    with served() as site:
        for name in _interleaved(names, 1):
            _tried(samples, name, site, name, "/quiet", "--idle", str(seconds))
    return samples


_IMPORT = """
import time
began = time.perf_counter()
import {module}
print('{{"import_ms":', (time.perf_counter() - began) * 1000, '}}')
"""

_FIRST_EVENT = {
    OURS: """
import sys, time
from polymarket_ws import Client, Endpoints, Market
with Client(endpoints=Endpoints(market=sys.argv[1])) as client:
    for event in client.subscribe(Market(*sys.argv[2:])):
        print('{"first_at":', time.monotonic(), '}')
        break
""",
    OFFICIAL: """
import asyncio, dataclasses, sys, time
import polymarket
from polymarket import environments
from polymarket.streams import MarketSpec
async def main():
    config = dataclasses.replace(
        environments.PRODUCTION._config, clob_market_ws_url=sys.argv[1]
    )
    environment = environments._create_environment(name="loopback", config=config)
    async with polymarket.AsyncPublicClient(environment) as client:
        async with await client.subscribe(MarketSpec(asset_ids=sys.argv[2:])) as handle:
            async for event in handle:
                print('{"first_at":', time.monotonic(), '}')
                break
asyncio.run(main())
""",
}


def start(names: list[str], *, rounds: int) -> Samples:
    """Take the time of the import, and from the start of a process to its first event."""
    samples: Samples = {}
    ids = asset_ids(2)
    with served() as site:
        for name in _interleaved([name for name in names if name in _FIRST_EVENT], rounds):
            imported = run_python("-c", _IMPORT.format(module=CLIENTS[name].package))
            first = run_python("-c", _FIRST_EVENT[name], f"{site.url}/quiet", *ids)
            samples.setdefault(name, []).append(
                {
                    "import_ms": imported["import_ms"],
                    "first_event_ms": (first["first_at"] - first["started_at"]) * 1000,
                }
            )
    return samples


def dispatch(*, rounds: int) -> Samples:
    """Hand decoded events to one stream, and to a thousand with ten assets each."""
    samples: Samples = {}
    for name in _interleaved(["1", "1000"], rounds):
        samples.setdefault(name, []).append(run_python("-m", "benchmarks.dispatch", name))
    return samples
