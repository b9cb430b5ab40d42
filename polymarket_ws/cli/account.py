"""Whose orders a command shows: options, credentials, and the markets it is limited to."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import click

from polymarket_ws.cli.credentials import found_credentials, profile_option
from polymarket_ws.cli.exchange import demo_exchange
from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import LookupFailed, UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import lookup

__all__ = [
    "ChosenAccount",
    "chosen_account",
    "markets_named",
    "profile_option",
    "refuse_profile",
    "user_option",
]

#: Actions a second: an order every second or so, which can be followed by eye.
_DEMO_TRADING_RATE: Final = 1.5

_CONDITION_ID: Final = re.compile(r"0x[0-9a-fA-F]{64}")

user_option = click.option(
    "--user",
    is_flag=True,
    help="Your own orders and trades instead, in all markets or those of WHAT. Needs an API key: "
    "see `polymarket-ws credentials`.",
)


@attrs.frozen
class ChosenAccount:
    """An account on an exchange.

    Attributes:
        credentials: of the account.
        endpoints: where the exchange is.
        markets: those whose names are known beforehand.
    """

    credentials: Credentials
    endpoints: Endpoints
    markets: Sequence[MarketInfo] = ()


@contextlib.contextmanager
def chosen_account(
    endpoints: Endpoints | None, *, demo: bool, profile: str | None
) -> Iterator[ChosenAccount]:
    """Yield the account that was asked for.

    That of ``--demo`` trades by itself while the block lasts.

    Args:
        endpoints: of ``--url``.
        demo: whether ``--demo`` was given.
        profile: of ``--profile``; else the environment, then the keyring's default.

    Raises:
        click.UsageError: two of them were given that exclude each other.
        click.ClickException: the extra ``simulator`` is not installed.
        CredentialsNotFound: there are none.
    """
    if not demo:
        yield ChosenAccount(found_credentials(profile), endpoints or Endpoints())
        return
    if profile is not None:
        raise click.UsageError("--demo and --profile exclude each other: it has its own account")
    # Nothing is settled in it: that would cancel orders that nobody has seen much of.
    with demo_exchange(endpoints, showcase=False) as exchange:
        exchange.account.trade_by_itself(_DEMO_TRADING_RATE)
        yield ChosenAccount(
            exchange.account.credentials, Endpoints.at(exchange.url), exchange.markets
        )


def markets_named(
    what: Sequence[str], endpoints: Endpoints, *, with_names: bool = False
) -> list[MarketInfo]:
    """Return the markets that are meant, each once.

    Args:
        what: condition ids, slugs or addresses.
        endpoints: where they are looked up.
        with_names: look condition ids up, too. Where that does not work they are taken as
            they are: the stream needs no more.

    Raises:
        LookupFailed: there is no such market, or it could not be looked up.
        UsageError: something that names no market.
    """
    found: dict[str, MarketInfo] = {}
    for name in what:
        market = _market(name, endpoints, with_names=with_names)
        found.setdefault(market.condition_id.lower(), market)
    return list(found.values())


def _market(what: str, endpoints: Endpoints, *, with_names: bool) -> MarketInfo:
    bare = None
    if _CONDITION_ID.fullmatch(what):
        bare = MarketInfo(question="", condition_id=what.lower(), asset_ids=())
        if not with_names:
            return bare
    try:
        market = lookup(what, endpoints=endpoints, proxy="env")
    except LookupFailed:
        if bare is None:
            raise
        return bare
    if not market.condition_id:
        raise UsageError(f"the market {market.slug or what} has no condition id yet")
    return market


def refuse_profile(profile: str | None) -> None:
    """Refuse ``--profile`` where nothing is asked of an account.

    Raises:
        click.UsageError: it was given.
    """
    if profile is not None:
        raise click.UsageError("--profile is for --user: markets need no API key")
