"""``polymarket-ws watch``: markets, or the user's own orders, on a screen that lives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import click

from polymarket_ws.cli.account import (
    chosen_account,
    markets_named,
    profile_option,
    refuse_profile,
    user_option,
)
from polymarket_ws.cli.exchange import chosen_exchange, demo_option, url_option
from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import LookupFailed, UsageError
from polymarket_ws.events.market import (
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import lookup
from polymarket_ws.stream import AllEvents
from polymarket_ws.subscriptions import Market, User

__all__ = ["watch"]

_EVENTS: tuple[type[MarketEvent], ...] = (
    Book,
    PriceChange,
    LastTradePrice,
    TickSizeChange,
    MarketResolved,
)

_KEYS = "q quit"
_KEYS_OF_MANY = "↑↓ market  q quit"
_KEYS_OF_ORDERS = "↑↓ orders  q quit"


@click.command()
@click.argument("what", nargs=-1)
@user_option
@profile_option
@url_option
@demo_option
def watch(
    *,
    what: tuple[str, ...],
    user: bool,
    profile: str | None,
    endpoints: Endpoints | None,
    demo: bool,
) -> None:
    """Watch markets: prices, books, trades, and whether anything was missed.

    WHAT is the address of a market's page on polymarket.com, its slug, its condition id,
    or one of its token ids.

    Prices are the middle of the spread up to 10 cents, else the last trade. Up and down (or
    k and j) choose the market whose book is shown, q and Ctrl-C end. Without a terminal
    there is one line of text a second.

    With --user it is your own orders, from placement to filled or cancelled, and your fills;
    WHAT may be left out. What a lost connection hid is fetched afterwards and marked with *.
    Orders placed before are shown as soon as something happens to them.
    """
    if not user:
        refuse_profile(profile)
    if not what and not demo and not user:
        raise click.UsageError(
            "nothing to watch: name a market by its address on polymarket.com, slug, condition "
            "id or token id, or try --demo"
        )
    try:
        from polymarket_ws.cli.watching.terminal import is_interactive
    except ModuleNotFoundError as error:
        if error.name != "rich":
            raise
        raise click.ClickException('watch needs rich: pip install "polymarket-ws[cli]"') from error
    with ExitStack() as stack:
        if user:
            _watch_account(
                stack, what, endpoints, demo=demo, profile=profile, on_screen=is_interactive()
            )
            return
        where, everywhere = stack.enter_context(chosen_exchange(endpoints, demo=demo))
        infos = _found(what, where) or everywhere
        _watch(stack, infos, where, on_screen=is_interactive())


def _found(what: Sequence[str], endpoints: Endpoints) -> list[MarketInfo]:
    found: dict[str, MarketInfo] = {}
    for name in what:
        market = _market(name, endpoints)
        # Two names of one market are one market.
        found.setdefault(market.condition_id or name, market)
    return list(found.values())


def _market(what: str, endpoints: Endpoints) -> MarketInfo:
    try:
        market = lookup(what, endpoints=endpoints, proxy="env")
    except LookupFailed:
        if not (what.isascii() and what.isdecimal()):
            raise
        # A stream needs no more than the token; an exchange may have no REST, or not know it.
        return MarketInfo(question=f"token {what}", condition_id="", asset_ids=(what,))
    if not market.asset_ids:
        raise UsageError(f"the market {market.slug or what} has no tokens yet")
    return market


def _watch(
    stack: ExitStack, infos: Sequence[MarketInfo], endpoints: Endpoints, *, on_screen: bool
) -> None:
    from polymarket_ws.cli.watching.line import line
    from polymarket_ws.cli.watching.loop import View, show
    from polymarket_ws.cli.watching.screen import compose
    from polymarket_ws.cli.watching.state import WatchState

    where = urlsplit(endpoints.market).netloc
    state = WatchState(infos, where, time.monotonic())
    keys = _KEYS_OF_MANY if len(infos) > 1 else _KEYS
    wish = Market(*infos, events=_EVENTS)

    def subscribed() -> AllEvents[Any]:
        client = stack.enter_context(Client(endpoints=endpoints, proxy="env"))
        return client.subscribe(wish).all()

    show(stack, state, subscribed, View(compose, line, keys), on_screen=on_screen)


def _watch_account(
    stack: ExitStack,
    what: Sequence[str],
    endpoints: Endpoints | None,
    *,
    demo: bool,
    profile: str | None,
    on_screen: bool,
) -> None:
    from polymarket_ws.cli.watching.account_line import account_line
    from polymarket_ws.cli.watching.account_screen import compose_account
    from polymarket_ws.cli.watching.account_state import AccountState
    from polymarket_ws.cli.watching.loop import View, show

    account = stack.enter_context(chosen_account(endpoints, demo=demo, profile=profile))
    key, where = account.credentials, account.endpoints
    wanted = markets_named(what, where, with_names=True)
    named = [*account.markets, *wanted]
    state = AccountState(key.api_key, named, urlsplit(where.user).netloc, time.monotonic())
    wish = User(*wanted)

    def subscribed() -> AllEvents[Any]:
        client = stack.enter_context(Client(key, endpoints=where, proxy="env"))
        return client.subscribe(wish).all()

    show(
        stack,
        state,
        subscribed,
        View(compose_account, account_line, _KEYS_OF_ORDERS),
        on_screen=on_screen,
    )
