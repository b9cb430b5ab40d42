"""``polymarket-ws simulate``: an exchange on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING

import click

from polymarket_ws.cli.exchange import made_exchange
from polymarket_ws.cli.notices import Notices
from polymarket_ws.cli.output import Lines

if TYPE_CHECKING:
    from polymarket_ws.simulator.exchange import Exchange

__all__ = ["simulate"]

#: A wait cannot be interrupted by Ctrl-C on Windows, so it is sliced there.
_SLICE_SECONDS = 0.25 if os.name == "nt" else 3600.0


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port to listen on.",
)
@click.option(
    "--seed",
    type=int,
    help="Make it reproducible: the same seed gives the same frames, on simulated time that "
    "begins on 4 October 2026. Without it the markets are those of seed 1, and timestamps are "
    "those of the real clock.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 2000),
    default=50.0,
    show_default=True,
    help="Messages a second. 0: random markets stand still, a recording plays at full speed.",
)
@click.option(
    "--markets",
    type=click.IntRange(1, 10_000),
    default=2,
    show_default=True,
    help="How many random markets there are.",
)
@click.option(
    "--showcase",
    is_flag=True,
    help="Show what is rare: every 15 seconds a random market is listed, and another one gets a "
    "finer tick, is settled and resolved.",
)
@click.option(
    "--recording",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help='Send every client this instead: JSONL, lines with "kind":"recv" and a "text".',
)
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help='Break things by this script: a JSON list such as [{"fault": "Mute", "connection": 1, '
    '"messages": 20}].',
)
def simulate(
    *,
    host: str,
    port: int,
    seed: int | None,
    rate: float,
    markets: int,
    showcase: bool,
    recording: str | None,
    faults: str | None,
) -> None:
    """Run a simulated exchange until Ctrl-C.

    The first line of output is JSON: "url" for `polymarket-ws stream --url` and
    `Endpoints.at`, and the "markets" with "slug", "question", "condition_id" and
    "asset_ids". Streams are under /ws/market, REST is on the same port.

    Random markets move from the first subscription on. Ctrl-C is the regular end and
    exits with 0.
    """
    exchange = made_exchange(
        host=host,
        port=port,
        seed=seed,
        rate=rate,
        markets=markets,
        showcase=showcase,
        recording=recording,
        faults=faults,
    )
    lines = Lines()
    # Wherever it comes from now on, Ctrl-C is how this ends.
    with contextlib.suppress(KeyboardInterrupt), Notices():
        try:
            exchange.start()
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {host}:{port}: {_reason(error)}"
            ) from error
        with exchange:
            lines.write(_announcement(exchange))
            forever = threading.Event()
            while not forever.wait(_SLICE_SECONDS):
                continue


def _reason(error: OSError) -> str:
    # The standard library adds the address, which stands in the message already.
    return (error.strerror or str(error)).partition(" (while")[0]


def _announcement(exchange: Exchange) -> str:
    markets = [
        {
            "slug": market.slug,
            "question": market.question,
            "condition_id": market.condition_id,
            "asset_ids": list(market.asset_ids),
        }
        for market in exchange.markets
    ]
    return json.dumps({"url": exchange.url, "markets": markets}, ensure_ascii=False)
