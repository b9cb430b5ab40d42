"""``polymarket-ws watch``: markets on a screen that lives."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from polymarket_ws.cli.exchange import chosen_exchange, demo_option, url_option
from polymarket_ws.cli.notices import Notices
from polymarket_ws.cli.output import Lines
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
from polymarket_ws.subscriptions import Market

if TYPE_CHECKING:
    from polymarket_ws.cli.watching.state import WatchState
    from polymarket_ws.cli.watching.terminal import Terminal

__all__ = ["watch"]

#: Eight frames a second: more cannot be read, and each costs processor time.
_FRAME_SECONDS = 0.125

_LINE_SECONDS = 1.0

#: The first line comes sooner: whoever waits for it wants to see that something runs.
_FIRST_LINE_SECONDS = 0.5

#: A frame is late rather than never, whatever comes in.
_READING_SECONDS = 0.1

_EVENTS: tuple[type[MarketEvent], ...] = (
    Book,
    PriceChange,
    LastTradePrice,
    TickSizeChange,
    MarketResolved,
)

_KEYS = "q quit"
_KEYS_OF_MANY = "↑↓ market  q quit"


@click.command()
@click.argument("what", nargs=-1)
@url_option
@demo_option
def watch(what: tuple[str, ...], endpoints: Endpoints | None, demo: bool) -> None:
    """Watch markets: prices, books, trades, and whether anything was missed.

    WHAT is the address of a market's page on polymarket.com, its slug, its condition id,
    or one of its token ids.

    Prices are the middle of the spread up to 10 cents, else the last trade. Up and down (or
    k and j) choose the market whose book is shown, q and Ctrl-C end. Without a terminal
    there is one line of text a second.
    """
    if not what and not demo:
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
    from polymarket_ws.cli.watching.state import WatchState

    where = urlsplit(endpoints.market).netloc
    state = WatchState(infos, where, time.monotonic())
    if on_screen:
        from polymarket_ws.cli.watching.terminal import Terminal

        warnings = stack.enter_context(_Warnings())
        # The client is closed after the terminal is back: closing may take a while.
        events = _subscribed(stack, infos, endpoints)
        terminal = stack.enter_context(Terminal())
        _draw(state, events, terminal, warnings)
        return
    lines = Lines()
    notices = stack.enter_context(Notices(held=True))
    _print(state, _subscribed(stack, infos, endpoints), lines, notices)


def _subscribed(
    stack: ExitStack, infos: Sequence[MarketInfo], endpoints: Endpoints
) -> AllEvents[Any]:
    client = stack.enter_context(Client(endpoints=endpoints, proxy="env"))
    return client.subscribe(Market(*infos, events=_EVENTS)).all()


def _draw(
    state: WatchState, events: AllEvents[Any], terminal: Terminal, warnings: _Warnings
) -> None:
    from polymarket_ws.cli.watching.screen import Frame, compose

    keys = "" if not terminal.has_keys else _KEYS_OF_MANY if len(state.markets) > 1 else _KEYS
    due = time.monotonic()
    shown_for: tuple[int, int] | None = None
    changed = True
    while True:
        for key in terminal.wait(max(0.0, due - time.monotonic())):
            if key == "quit":
                return
            state.select(1 if key == "next" else -1)
            changed = True
        now = time.monotonic()
        if now < due:
            continue
        changed |= bool(_apply(state, events, now))
        changed |= state.tick(now)
        for text in warnings.taken():
            state.tell(text, now, "bad")
            changed = True
        size = terminal.size
        if changed or size != shown_for:
            width, height = size
            frame = Frame(width=width, height=height, now=now, keys=keys)
            terminal.paint(compose(state, frame), size)
            changed, shown_for = False, size
        # From now and not from when it was due: a slow terminal gets fewer frames.
        due = time.monotonic() + _FRAME_SECONDS


def _print(state: WatchState, events: AllEvents[Any], lines: Lines, notices: Notices) -> None:
    from polymarket_ws.cli.watching.line import line

    never = threading.Event()
    began = time.monotonic()
    due = began + _FIRST_LINE_SECONDS
    state.tick(began)  # what the first rate is measured from
    while not state.over:
        never.wait(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        due = max(due, now) + _LINE_SECONDS
        if _apply(state, events, now):
            notices.let_through()
        state.tick(now)
        lines.write(line(state, time.time()))


def _apply(state: WatchState, events: AllEvents[Any], now: float) -> int:
    """Apply what came since the last time, and return how many events that were."""
    # Not one by one as they come: waking up for each costs more than applying it.
    wall = time.time()
    count = 0
    while True:
        try:
            event = events.get(0)
        except TimeoutError:
            return count
        state.apply(event, now, wall)
        count += 1
        if not count % 256 and time.monotonic() - now > _READING_SECONDS:
            return count


class _Warnings(logging.Handler):
    """Keeps the library's warnings for the status line, while a ``with`` block lasts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # Appended to by the threads of the client, emptied by the screen.
        self._texts: deque[str] = deque(maxlen=100)
        self._logger = logging.getLogger("polymarket_ws")
        self._propagated = self._logger.propagate

    def __enter__(self) -> _Warnings:
        self._propagated = self._logger.propagate
        # Whatever the root logger writes to, it would be written across the screen.
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's text."""
        self._texts.append(record.getMessage())

    def taken(self) -> list[str]:
        """Return what was kept, and keep it no longer."""
        texts = []
        while self._texts:
            texts.append(self._texts.popleft())
        return texts
