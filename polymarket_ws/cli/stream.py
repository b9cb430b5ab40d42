"""``polymarket-ws stream``: what happens, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import click

from polymarket_ws.cli.account import (
    chosen_account,
    markets_named,
    profile_option,
    refuse_profile,
    user_option,
)
from polymarket_ws.cli.event_names import event_classes
from polymarket_ws.cli.exchange import chosen_exchange, demo_option, url_option
from polymarket_ws.cli.notices import Notices, say
from polymarket_ws.cli.output import Lines
from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Lifecycle
from polymarket_ws.events.market import MarketEvent, NewMarket
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import lookup
from polymarket_ws.subscriptions import Market, Subscription, User

__all__ = ["stream"]

#: Below 2**256. Longer ones are for ``lookup`` to refuse.
_TOKEN_ID_DIGITS = 78

Kinds = frozenset[type[MarketEvent]]


@click.command()
@click.argument("what", nargs=-1)
@click.option(
    "--events",
    "kinds",
    callback=event_classes,
    metavar="NAME,…",
    multiple=True,
    help="Only these: book, price_change, last_trade_price, tick_size_change (the default are "
    "these four), best_bid_ask, new_market, market_resolved.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also what happens to the stream itself: connected, disconnected, dropped, …",
)
@user_option
@profile_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N lines.")
@url_option
@demo_option
def stream(
    *,
    what: tuple[str, ...],
    kinds: Kinds,
    everything: bool,
    user: bool,
    profile: str | None,
    limit: int | None,
    endpoints: Endpoints | None,
    demo: bool,
) -> None:
    """Print what happens in markets, one JSON object a line.

    WHAT is the address of a market's page on polymarket.com, its slug, its condition id,
    or one of its token ids. Only --events new_market needs none: it tells of every new
    market.

    With --user it is your own orders and trades, and WHAT may be left out. A trade is told
    once for each status, and what a lost connection hid comes afterwards, marked "recovered".

    Prices and sizes are strings with all their digits. Connections that were lost, and
    everything else that went wrong, are told on stderr.
    """
    if user:
        if kinds:
            raise click.UsageError("--events chooses what happens in markets: leave --user out")
        _stream_account(what, endpoints, demo, profile, everything=everything, limit=limit)
        return
    refuse_profile(profile)
    if not what and not demo and kinds != frozenset({NewMarket}):
        raise click.UsageError(
            "nothing to stream: name a market by its address on polymarket.com, slug, condition "
            "id or token id, or try --demo"
        )
    lines = Lines()
    with ExitStack() as stack:
        notices = stack.enter_context(Notices(held=True))
        where, everywhere = stack.enter_context(chosen_exchange(endpoints, demo=demo))
        assets = [_asset(name, where) for name in what] or everywhere
        # As every command does that talks to the network: what the environment says.
        client = stack.enter_context(Client(endpoints=where, proxy="env"))
        wish: Subscription[MarketEvent]
        wish = Market(*assets, events=kinds) if kinds else Market(*assets)
        _print(client.subscribe(wish).all(), lines, notices, everything=everything, limit=limit)


def _stream_account(
    what: tuple[str, ...],
    endpoints: Endpoints | None,
    demo: bool,
    profile: str | None,
    *,
    everything: bool,
    limit: int | None,
) -> None:
    lines = Lines()
    with ExitStack() as stack:
        notices = stack.enter_context(Notices(held=True))
        account = stack.enter_context(chosen_account(endpoints, demo=demo, profile=profile))
        wish = User(*markets_named(what, account.endpoints))
        client = stack.enter_context(
            Client(account.credentials, endpoints=account.endpoints, proxy="env")
        )
        _print(client.subscribe(wish).all(), lines, notices, everything=everything, limit=limit)


def _asset(what: str, endpoints: Endpoints) -> str | MarketInfo:
    # Of a token there is nothing that a look-up could add.
    if what.isascii() and what.isdecimal() and len(what) <= _TOKEN_ID_DIGITS:
        return what
    market = lookup(what, endpoints=endpoints, proxy="env")
    if not market.asset_ids:
        raise UsageError(f"the market {market.slug or what} has no tokens yet")
    if market.closed:
        say(f"{market.slug or what} is closed; a closed market sends nothing")
    return market


def _print(
    events: Iterable[Event],
    lines: Lines,
    notices: Notices,
    *,
    everything: bool,
    limit: int | None,
) -> None:
    printed = 0
    for event in events:
        # The first of all is Connected.
        notices.let_through()
        if isinstance(event, Lifecycle) and not everything:
            continue
        lines.write(event.to_json())
        printed += 1
        if printed == limit:
            return
