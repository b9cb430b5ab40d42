"""``manage.py polymarket_stream``: what happens, as Django signals, until it is told to stop."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import attrs
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from polymarket_ws.client import Client
from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Lifecycle
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.integrations.catalogue import without_python
from polymarket_ws.integrations.django.announcing import Announcer, is_output_unread
from polymarket_ws.integrations.django.apps import installed
from polymarket_ws.integrations.django.lock import AlreadyRunning, SingleInstance, default_path
from polymarket_ws.integrations.django.settings import SETTING
from polymarket_ws.integrations.django.stopping import Stopping
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.rest import lookup
from polymarket_ws.subscriptions import Market, Subscription, User

__all__ = ["Command"]

_KINDS: Final[dict[str, type[MarketEvent]]] = {
    "book": Book,
    "price_change": PriceChange,
    "last_trade_price": LastTradePrice,
    "tick_size_change": TickSizeChange,
    "best_bid_ask": BestBidAsk,
    "new_market": NewMarket,
    "market_resolved": MarketResolved,
}

#: A year, which is far beyond what a restart takes.
_MOST_MINUTES: Final = 60 * 24 * 366

#: Of the five seconds in which a signal ends the command.
_CLOSE_SECONDS: Final = 1.0

#: As the command line's --demo has it: lively, and slow enough to see that it is live.
_DEMO_RATE: Final = 100.0
_DEMO_TRADING_RATE: Final = 1.5


@attrs.frozen(kw_only=True)
class _Source:
    """An exchange, an account on it, and the markets that are followed."""

    endpoints: Endpoints
    credentials: Credentials | None
    markets: Sequence[MarketInfo] = ()


class Command(BaseCommand):
    """Follow markets and the account, and send what happens as Django signals."""

    help = (
        "Follows markets and your account, and sends what happens as the signals market_event, "
        "user_event and lifecycle. Runs until SIGTERM or Ctrl-C, once a machine: start it "
        "beside the web server, as a service of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Say what the command takes."""
        parser.add_argument(
            "what",
            nargs="*",
            metavar="WHAT",
            help="The address of a market's page, its slug, its condition id or one of its "
            f'token ids; those of {SETTING}["MARKETS"] by default.',
        )
        parser.add_argument(
            "--user",
            action="store_true",
            help="Your orders and trades in all markets, too. Needs an API key, where "
            f'{SETTING}["CREDENTIALS"] says.',
        )
        parser.add_argument(
            "--since",
            type=float,
            metavar="MINUTES",
            help="With --user: first the trades of so many minutes before the start, fetched over "
            "REST, so that a restart loses none. Each has the status that it has now.",
        )
        parser.add_argument(
            "--events",
            metavar="NAME,…",
            help=f"Only these of the markets: {', '.join(_KINDS)}; the first four by default.",
        )
        parser.add_argument(
            "--lock",
            type=Path,
            metavar="FILE",
            help="Locked while it runs, so that it does not run twice; "
            f'{SETTING}["LOCK"], or a file among the temporary ones, by default.',
        )
        parser.add_argument(
            "--no-lock", action="store_true", help="Something else sees to it that it runs once."
        )
        parser.add_argument(
            "--demo",
            action="store_true",
            help="A simulated exchange in this process; WHAT is left out.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until a signal comes.

        Raises:
            CommandError: it runs already, or it cannot begin or go on.
        """
        _refuse_under_reloader()
        announcer = None
        try:
            with Stopping() as stopping, ExitStack() as stack:
                if not (options["no_lock"] or options["demo"]):
                    stack.enter_context(_lock(_lock_path(options["lock"])))
                announcer = self._announcer(stack, options)
                stopping.stop = announcer.stream.close
                announcer.run()
        except (AlreadyRunning, ImproperlyConfigured, PolymarketWSError) as error:
            raise CommandError(without_python(str(error))) from error
        except BrokenPipeError:
            if not is_output_unread():
                raise
            # As in `… | head`: nobody is left to be told anything, now or as Python ends.
            _silence()
            return
        counts = "" if announcer is None else f": {announcer.sent} events sent"
        if announcer is not None and announcer.failed:
            counts += f", {announcer.failed} calls of receivers failed"
        self._say(f"Stopped{counts}.", options["verbosity"])

    def _announcer(self, stack: ExitStack, options: dict[str, Any]) -> Announcer:
        kinds = _kinds(options["events"])
        source = _source(stack, options, needs_markets=kinds != (NewMarket,))
        wishes = _wishes(source, kinds)
        since = _since(options["since"], user=options["user"])
        verbosity = options["verbosity"]
        self._say(_described(source, kinds), verbosity)
        client = Client(
            source.credentials,
            endpoints=source.endpoints,
            proxy=installed().options.shared.proxy,
            # A service outlives an exchange that is not there.
            connect_timeout=None,
        )
        stack.callback(client.close, _CLOSE_SECONDS)
        return Announcer(
            client.subscribe(*wishes, since=since),
            api_key=None if source.credentials is None else source.credentials.api_key,
            said=lambda event: self._say_event(event, verbosity),
        )

    def _say_event(self, event: Event, verbosity: int) -> None:
        if verbosity > 1 or isinstance(event, Lifecycle):
            self._say(str(event), verbosity)

    def _say(self, text: str, verbosity: int) -> None:
        if verbosity > 0:
            self.stdout.write(text)
            # Into a pipe or a file, too, when it happens.
            self.stdout.flush()


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _refuse_under_reloader() -> None:
    serves = len(sys.argv) > 1 and sys.argv[1] == "runserver" and "--noreload" not in sys.argv
    if serves and os.environ.get(DJANGO_AUTORELOAD_ENV) != "true":
        raise CommandError(
            "this process only watches over files, for runserver, and starts the one that "
            "serves: run `manage.py polymarket_stream` beside it"
        )


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = SingleInstance(path)
    try:
        lock.acquire()
    except OSError as error:
        raise CommandError(f"cannot lock {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def _lock_path(named: Path | None) -> Path:
    if named is not None:
        return named
    configured = installed().options.lock
    if configured is not None:
        return configured
    # One project has one name of its settings, in one folder.
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    spec = importlib.util.find_spec(module) if module else None
    return default_path(f"{module}\0{'' if spec is None else spec.origin}")


def _kinds(names: str | None) -> tuple[type[MarketEvent], ...]:
    if names is None:
        return ()
    found = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    for name in found:
        if name not in _KINDS:
            raise CommandError(f"there is no event {name!r}; there are {', '.join(_KINDS)}")
    if not found:
        raise CommandError("--events names no event")
    return tuple(_KINDS[name] for name in found)


def _since(minutes: float | None, *, user: bool) -> datetime | None:
    if minutes is None:
        return None
    if not user:
        raise CommandError("--since is for --user: markets have no past to ask for")
    if not 0 < minutes < _MOST_MINUTES:
        raise CommandError(f"--since takes minutes above 0, not {minutes:g}")
    return datetime.now(timezone.utc) - timedelta(minutes=minutes)


def _source(stack: ExitStack, options: dict[str, Any], *, needs_markets: bool) -> _Source:
    what, user = options["what"], options["user"]
    if options["demo"]:
        if what:
            raise CommandError("--demo has markets of its own: leave WHAT out")
        return _demo(stack, user=user)
    shared = installed().options.shared
    named: Sequence[str | MarketInfo] = what or shared.markets or ()
    if not named and not user and needs_markets:
        raise CommandError(
            f'nothing to follow: name a market, set {SETTING}["MARKETS"], or say --user or --demo'
        )
    if user and shared.credentials is None:
        raise CommandError(
            f'--user needs an API key: set {SETTING}["CREDENTIALS"] to "env" or "keyring"'
        )
    return _Source(
        endpoints=shared.endpoints,
        # Not without --user: the account is nobody's business then, and a keyring may ask.
        credentials=shared.found_credentials() if user else None,
        markets=[
            item
            if isinstance(item, MarketInfo)
            else lookup(item, endpoints=shared.endpoints, proxy=shared.proxy)
            for item in named
        ],
    )


def _demo(stack: ExitStack, *, user: bool) -> _Source:
    try:
        from polymarket_ws.simulator import Exchange
    except ModuleNotFoundError as error:
        raise CommandError(str(error)) from error
    exchange = stack.enter_context(Exchange(rate=_DEMO_RATE))
    if user:
        exchange.account.trade_by_itself(_DEMO_TRADING_RATE)
    return _Source(
        endpoints=Endpoints.at(exchange.url),
        credentials=exchange.account.credentials if user else None,
        markets=exchange.markets,
    )


def _wishes(source: _Source, kinds: tuple[type[MarketEvent], ...]) -> list[Subscription[Any]]:
    wishes: list[Subscription[Any]] = []
    for market in source.markets:
        if not market.asset_ids:
            raise CommandError(f"the market {market.slug or market.condition_id} has no tokens yet")
    if source.markets or kinds:
        wishes.append(Market(*source.markets, events=kinds or None))
    if source.credentials is not None:
        wishes.append(User())
    return wishes


def _described(source: _Source, kinds: tuple[type[MarketEvent], ...]) -> str:
    parts = [market.slug or market.condition_id for market in source.markets]
    if NewMarket in kinds:
        parts.append("new markets")
    if source.credentials is not None:
        parts.append("your account")
    return f"Following {', '.join(parts)}. Stop with Ctrl-C or SIGTERM."
