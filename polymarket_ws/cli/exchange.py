"""Which exchange a command talks to: production, that of ``--url``, or that of ``--demo``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo

if TYPE_CHECKING:
    from polymarket_ws.simulator.exchange import Exchange

__all__ = ["chosen_exchange", "demo_exchange", "demo_option", "made_exchange", "url_option"]

#: Lively, and still slow enough to see that it is live.
_DEMO_RATE = 100.0

#: So many fit on a screen of 24 lines, and they are the fewest with a negative-risk event. The
#: showcase settles two of them and then markets that were listed since: six go on for ever.
_DEMO_MARKETS = 8


def _endpoints(
    context: click.Context, parameter: click.Parameter, url: str | None
) -> Endpoints | None:
    if url is None:
        return None
    try:
        return Endpoints.at(url)
    except UsageError as error:
        # Its text shows calls, which nobody can type in a shell.
        raise click.BadParameter(
            f"wanted is ws://host:port or wss://host:port, not {url!r}", context, parameter
        ) from error


#: Gives a command the parameter ``endpoints``: ``None`` where the option was left out.
url_option = click.option(
    "--url",
    "endpoints",
    callback=_endpoints,
    metavar="URL",
    help="Another exchange, such as the url that `simulate` prints.",
)

demo_option = click.option(
    "--demo", is_flag=True, help="A simulated exchange in this process; WHAT may be left out."
)


@contextlib.contextmanager
def chosen_exchange(
    endpoints: Endpoints | None, *, demo: bool
) -> Iterator[tuple[Endpoints, Sequence[MarketInfo]]]:
    """Yield where to connect to, and the markets to take where none is named.

    The exchange of ``--demo`` runs while the block lasts.

    Args:
        endpoints: of ``--url``.
        demo: whether ``--demo`` was given.

    Raises:
        click.UsageError: both were given.
        click.ClickException: the extra ``simulator`` is not installed.
    """
    if not demo:
        yield endpoints or Endpoints(), ()
        return
    with demo_exchange(endpoints, showcase=True) as exchange:
        yield Endpoints.at(exchange.url), exchange.markets


def demo_exchange(endpoints: Endpoints | None, *, showcase: bool) -> Exchange:
    """Return the exchange of ``--demo``, which is not started yet.

    Args:
        endpoints: of ``--url``.
        showcase: whether it shows what is rare.

    Raises:
        click.UsageError: ``--url`` was given, too.
        click.ClickException: the extra ``simulator`` is not installed.
    """
    if endpoints is not None:
        raise click.UsageError("--demo and --url exclude each other")
    # Unseeded: timestamps are those of the real clock, so that a lag can be told from them.
    return made_exchange(rate=_DEMO_RATE, markets=_DEMO_MARKETS, showcase=showcase)


def made_exchange(*, faults: str | None = None, **arguments: Any) -> Exchange:
    """Return an exchange that is not started yet.

    Args:
        faults: the path of a script of faults; None: nothing goes wrong.
        **arguments: of the exchange.

    Raises:
        click.ClickException: the extra ``simulator`` is not installed.
        UsageError: an argument is out of range, or the recording or the script makes no sense.
    """
    try:
        from polymarket_ws.simulator import Exchange, read_faults
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from error
    script = () if faults is None else read_faults(faults)
    return Exchange(faults=script, **arguments)
