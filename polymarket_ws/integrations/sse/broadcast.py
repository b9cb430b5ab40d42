"""One upstream subscription for all browsers of a process.

Threads, all daemons and all named ``polymarket-ws-web-…``: ``markets`` and ``account`` read the
streams and apply what comes, ``clock`` tells the browsers at most 20 times a second and lets go
of what nobody watches. They begin with the first browser and end a while after the last.

One lock guards all of it. It is held for microseconds, and never while anybody waits or while a
browser is written to. The engine's locks are taken inside of it, never the other way round.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from polymarket_ws.bell import Bell
from polymarket_ws.client import Client
from polymarket_ws.daemons import start_daemon
from polymarket_ws.errors import AuthenticationFailed, PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, Disconnected, Lifecycle
from polymarket_ws.events.market import MarketEvent, MarketResolved
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.board import Board
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.integrations.sse.notices import Notice, Notices, told
from polymarket_ws.integrations.sse.outages import Outages
from polymarket_ws.integrations.sse.ring import Frame, Ring
from polymarket_ws.integrations.sse.stopping import asked_to_stop
from polymarket_ws.integrations.sse.text import identifier, retry
from polymarket_ws.integrations.sse.upstream import (
    Reader,
    market_wish,
    read_account,
    read_markets,
)
from polymarket_ws.market_info import MarketInfo

__all__ = ["LATER_MS", "AtCapacity", "Broadcast", "Limits", "Reading"]

logger = logging.getLogger("polymarket_ws.integrations")

#: After what will not be better a second later, a browser comes back after this time.
LATER_MS: Final = 10_000

#: 20 times a second: faster than that nobody reads.
_TICK_SECONDS: Final = 0.05

#: How often the server is asked whether it stops, while browsers are connected.
_STOP_SECONDS: Final = 0.25

#: Orders and fills for hours, about 1 kB each.
_ACCOUNT_FRAMES: Final = 4096
_ACCOUNT_BYTES: Final = 8 * 1024 * 1024

#: How many of them a page gets that is loaded anew.
_ACCOUNT_SHOWN: Final = 200

#: A first connection that takes longer is told as a lost one.
_CONNECT_SECONDS: Final = 5.0

#: Settlements that are remembered, about 1 kB each: more than a process sees between two starts.
_MOST_SETTLED: Final = 1024


class AtCapacity(Exception):
    """There are as many browsers or markets as the limits allow: none, once it is closed."""


@attrs.frozen(kw_only=True)
class Limits:
    """What strangers may cost.

    Attributes:
        markets: that are subscribed to at once.
        browsers: that are connected at once.
        grace: seconds for which a market that nobody watches any more is kept.
    """

    markets: int = 50
    browsers: int = 1000
    grace: float = 30.0


@attrs.frozen(kw_only=True)
class Reading:
    """How many there are of what, at one moment."""

    browsers: int
    markets: int
    user: bool


class Broadcast:
    """Tells browsers what happens.

    Args:
        client: makes or returns the client, when the first browser comes.
        api_key: whose fills are told to those who may see them; ``None`` without credentials.
        limits: what strangers may cost.
    """

    def __init__(
        self, client: Callable[[], Client], *, api_key: str | None = None, limits: Limits
    ) -> None:
        self._client = client
        self._api_key = api_key
        self._limits = limits
        self._lock = threading.RLock()
        # Ids of another process, or of this one before it was started anew, mean nothing here.
        self._instance = os.urandom(4).hex()
        self._number = 0
        self._boards: dict[str, Board] = {}
        self._of_asset: dict[str, Board] = {}
        self._watchers: dict[Board, dict[Browser, None]] = {}
        #: Boards that nobody watches, and when they go.
        self._leaving: dict[Board, float] = {}
        self._dirty: dict[Board, None] = {}
        #: How markets without a board were settled: the exchange tells it once, and never again.
        self._settled: dict[str, MarketResolved] = {}
        self._browsers: dict[Browser, None] = {}
        self._notices = Notices()
        self._outages = Outages()
        self._connects_until: float | None = None
        self._account: Ring | None = None
        self._account_leaves: float | None = None
        self._markets_reader: Reader | None = None
        self._account_reader: Reader | None = None
        self._clock: threading.Thread | None = None
        self._bell = Bell()
        self._next_flush = 0.0
        self.closed = False

    # -- browsers ------------------------------------------------------------------------------

    def join(
        self,
        markets: Sequence[MarketInfo],
        *,
        user: bool,
        last_event_id: str | None,
        ring: Callable[[], None] | None = None,
    ) -> tuple[Browser, bytes]:
        """Let a browser in.

        Args:
            markets: what it shows.
            user: whether it is told of the account.
            last_event_id: the id of the last event that it has got, if it was here before.
            ring: what wakes whoever reads; see :class:`Browser`.

        Returns:
            The browser, and the text that it begins with.

        Raises:
            AtCapacity: there are too many already, or it was closed.
            PolymarketWSError: there can be no subscription.
        """
        with self._lock:
            if self.closed:
                raise AtCapacity("this server ends, and lets nobody in any more")
            if len(self._browsers) >= self._limits.browsers:
                raise AtCapacity("this server has as many visitors as it can serve")
            # First: it also lets go of what is left behind where something below fails.
            self._start_clock()
            boards = self._boards_of(markets)
            if user:
                self._follow_account()
            cursor, known = self._cursor(last_event_id)
            browser = Browser(boards, user=user, cursor=cursor, ring=ring)
            self._browsers[browser] = None
            for board in boards:
                self._watchers[board][browser] = None
                self._leaving.pop(board, None)
            # With nobody there the clock sleeps until a market leaves, and looks for no stop.
            self._bell.ring()
            return browser, self._beginning(browser, last_event_id, known=known)

    def leave(self, browser: Browser) -> None:
        """Let a browser go. Idempotent."""
        with self._lock:
            if browser not in self._browsers:
                return
            del self._browsers[browser]
            now = time.monotonic()
            for board in browser.boards:
                watchers = self._watchers.get(board)
                if watchers is None:
                    continue
                watchers.pop(browser, None)
                if not watchers:
                    self._leaving[board] = now + self._limits.grace
            if browser.user and not any(other.user for other in self._browsers):
                self._account_leaves = now + self._limits.grace
            self._bell.ring()

    def read(self, browser: Browser) -> bytes:
        """Return what a browser has not got yet; empty when there is nothing."""
        with self._lock:
            frames, problems = self._news(browser)
            frames.sort(key=_by_number)
            # What was numbered by now and is not among them is not this browser's.
            browser.cursor = self._number
            return b"".join([*problems, *[frame.text for frame in frames]])

    def _news(self, browser: Browser) -> tuple[list[Frame], list[bytes]]:
        """Return the frames after the browser's cursor, and what it missed of them."""
        cursor = browser.cursor
        frames: list[Frame] = []
        problems: list[bytes] = []
        for board in browser.boards:
            if board.newest > cursor:
                frames += board.since(cursor)
                missed = browser.missed(board.ring)
                if missed:
                    text = f"{missed} trades were not told: this browser reads too slowly"
                    problems.append(
                        payloads.problem("dropped", text, count=missed, market=board.market)
                    )
        if browser.user and self._account is not None and self._account.newest > cursor:
            frames += self._account.since(cursor)
            missed = browser.missed(self._account)
            if missed:
                text = f"{missed} orders and fills were not told: this browser reads too slowly"
                problems.append(payloads.problem("dropped", text, count=missed, channel="user"))
        if self._notices.newest > cursor:
            if self._notices.lost_through(browser) > cursor:
                text = "some of what went wrong was not told: this browser reads too slowly"
                problems.append(payloads.problem("gap", text))
            frames += self._notices.since(cursor, browser, self._text)
        return frames, problems

    def _beginning(self, browser: Browser, last_event_id: str | None, *, known: bool) -> bytes:
        """Return what a browser is told first, and count it as read."""
        since = browser.cursor
        rings = [board.ring for board in browser.boards]
        if browser.user and self._account is not None:
            rings.append(self._account)
        lost_through = [ring.lost_through for ring in rings]
        lost_through.append(self._notices.lost_through(browser))
        holes = max(lost_through) > since
        for ring in rings:
            browser.read[ring] = ring.total
        markets = [board.info for board in browser.boards]
        parts = [
            identifier(self._identifier(since)),
            payloads.subscribed(markets, user=browser.user),
        ]
        if not known or holes:
            text = (
                "what happened since the last event is only known in part"
                if known
                else "what happened since the last event is not known here"
            )
            parts.append(payloads.problem("gap", text))
        for board in browser.boards:
            parts += board.states()
        if browser.user and self._account is not None and not (known and last_event_id):
            # A page that is loaded anew shows the orders that it showed before.
            parts += [frame.body for frame in self._account.since(0)[-_ACCOUNT_SHOWN:]]
        frames = [frame for ring in rings for frame in ring.since(since)]
        frames += self._notices.since(since, browser, self._text)
        frames.sort(key=_by_number)
        parts += [frame.text for frame in frames]
        # Last, since what was missed may tell of an earlier loss and its end.
        parts += self._outages.concerning(browser)
        if holes:
            # What was told last may be older than the hole, which must not be told again.
            parts += [identifier(self._identifier(self._number)), b"\n"]
        browser.cursor = self._number
        return b"".join(parts)

    def _cursor(self, last_event_id: str | None) -> tuple[int, bool]:
        """Return where a browser reads on, and whether that is where it left off."""
        if not last_event_id:
            return self._number, True
        instance, _, digits = last_event_id.partition("-")
        # isascii: int() also takes digits of other scripts, which nobody here has written.
        if instance == self._instance and digits.isascii() and digits.isdigit():
            number = int(digits[:20])
            if number <= self._number:
                return number, True
        return self._number, False

    def _identifier(self, number: int) -> str:
        return f"{self._instance}-{number}"

    # -- what there is to tell -----------------------------------------------------------------

    def _next_frame(self, body: bytes) -> Frame:
        """Number a body. Requires holding the lock."""
        self._number += 1
        return Frame(self._number, body, self._text(self._number, body))

    def _text(self, number: int, body: bytes) -> bytes:
        return identifier(self._identifier(number)) + body

    def _deliver(self, reader: Reader, event: Event) -> None:
        with self._lock:
            if isinstance(event, (Order, Trade)):
                if reader is self._account_reader and self._account is not None:
                    body = payloads.user(event, self._api_key or "")
                    self._account.put(self._next_frame(body))
                    self._wake(browser for browser in self._browsers if browser.user)
            elif reader not in (self._markets_reader, self._account_reader):
                return  # it was closed, and what it still held is nobody's any more
            elif isinstance(event, MarketEvent):
                board = self._boards.get(event.market)
                if board is not None and board.apply(event):
                    self._touch(board)
            elif isinstance(event, Lifecycle):
                # A drop belongs to no connection, but to the stream that it happened in.
                account = reader is self._account_reader
                self._deliver_lifecycle(event, "user" if account else "market")

    def _deliver_lifecycle(self, event: Lifecycle, channel: str) -> None:
        concerned: Iterable[Board] = ()
        if channel == "market":
            # A drop that names no asset may have been of any.
            assets = event.asset_ids or self._of_asset
            concerned = [self._of_asset[key] for key in assets if key in self._of_asset]
        for board in dict.fromkeys(concerned):
            if board.apply(event):
                self._touch(board)
        if isinstance(event, Connected) and event.channel == "market":
            self._connects_until = None
        render = self._outages.note(event) or told(event, channel)
        if render is not None:
            # Before it, what led to it: a trade is not told after the loss that followed it.
            self._flush()
            self._number += 1
            self._notices.put(Notice(self._number, channel, event.asset_ids, render))
            self._wake(self._browsers)

    def _touch(self, board: Board) -> None:
        if not self._dirty:
            self._bell.ring()
        self._dirty[board] = None

    def _flush(self) -> None:
        """Tell what happened since the last time. Requires holding the lock."""
        dirty, self._dirty = self._dirty, {}
        awake: dict[Browser, None] = {}
        for board in dirty:
            board.flush(self._next_frame)
            awake.update(self._watchers.get(board, {}))
        self._wake(awake)

    @staticmethod
    def _wake(browsers: Iterable[Browser]) -> None:
        for browser in browsers:
            browser.wake()

    def _count_hole(self) -> None:
        # What happened while nobody listened has no number. With one for all of it, who left
        # before the hole has an older id than what begins after it, and is told of a gap.
        self._number += 1

    # -- what is subscribed --------------------------------------------------------------------

    def _boards_of(self, markets: Sequence[MarketInfo]) -> list[Board]:
        """Return the boards of some markets, new ones included. Requires holding the lock."""
        wanted = {market.condition_id: market for market in markets}
        new = [market for key, market in wanted.items() if key not in self._boards]
        excess = len(self._boards) + len(new) - self._limits.markets
        if excess > 0:
            # Those that nobody watches go first, the longest unwatched of all.
            idle = [board for board in self._leaving if board.market not in wanted]
            if len(idle) < excess:
                raise AtCapacity("this server shows as many markets as it can")
            for board in sorted(idle, key=self._leaving.__getitem__)[:excess]:
                self._drop(board)
        if new:
            self._subscribe(new)
        return [self._boards[key] for key in wanted]

    def _subscribe(self, markets: list[MarketInfo]) -> None:
        if self._markets_reader is None:
            self._markets_reader = read_markets(
                self._client(), markets, self._deliver, self._failed
            )
            self._connects_until = time.monotonic() + _CONNECT_SECONDS
        else:
            self._markets_reader.stream.add(market_wish(markets))
        self._count_hole()
        for market in markets:
            board = Board(market, since=self._number)
            self._boards[board.market] = board
            self._watchers[board] = {}
            self._of_asset.update(dict.fromkeys(market.asset_ids, board))
            # Until somebody has come to watch it.
            self._leaving[board] = time.monotonic() + self._limits.grace
            settlement = self._settled.pop(board.market, None)
            if settlement is not None:
                board.apply(settlement)
                board.flush(self._next_frame)

    def _drop(self, board: Board) -> None:
        del self._boards[board.market]
        del self._watchers[board]
        self._leaving.pop(board, None)
        self._dirty.pop(board, None)
        for asset_id in board.info.asset_ids:
            self._of_asset.pop(asset_id, None)
        if board.settlement is not None:
            self._settled[board.market] = board.settlement
            if len(self._settled) > _MOST_SETTLED:
                del self._settled[next(iter(self._settled))]
        reader = self._markets_reader
        if reader is None:
            return
        if self._boards:
            # One that has just failed says so itself, as soon as the lock is free.
            with contextlib.suppress(PolymarketWSError):
                reader.stream.remove(market_wish([board.info]))
        else:
            self._markets_reader = None
            self._forget("market")
            reader.close()

    def _follow_account(self) -> None:
        self._account_leaves = None
        if self._account is None:
            self._count_hole()
            self._account = Ring(
                most_frames=_ACCOUNT_FRAMES, most_bytes=_ACCOUNT_BYTES, since=self._number
            )
        if self._account_reader is None:
            self._account_reader = read_account(self._client(), self._deliver, self._failed)

    def _leave_account(self) -> None:
        reader, self._account_reader = self._account_reader, None
        self._account = self._account_leaves = None
        self._forget("user")
        if reader is not None:
            reader.close()

    def _forget(self, channel: str) -> None:
        if channel == "market":
            self._connects_until = None
        self._outages.forget(channel)

    def _failed(self, reader: Reader, error: PolymarketWSError) -> None:
        """End every response that a stream is lost to: browsers come back and try again."""
        logger.warning("a stream of the web integration ended: %s", error)
        with self._lock:
            if reader is self._account_reader:
                self._account_reader = None
                # What happens from now on is in no ring: the next one begins after a hole.
                self._account = self._account_leaves = None
                self._forget("user")
                # A key that is wrong will not be right in ten seconds: who sees markets, too,
                # goes on with those.
                final = isinstance(error, AuthenticationFailed)
                lost = [
                    item for item in self._browsers if item.user and not (final and item.boards)
                ]
                self._number += 1
                failed = payloads.problem("failed", _told_of(error), channel="user")
                self._notices.put(Notice(self._number, "user", (), lambda _: failed))
                self._wake(self._browsers)
            elif reader is self._markets_reader:
                self._markets_reader = None
                self._forget("market")
                lost = [item for item in self._browsers if item.boards]
                for board in tuple(self._boards.values()):
                    self._drop(board)
            else:
                return
            self._end(lost, retry(LATER_MS) + payloads.problem("failed", _told_of(error)))

    def _end(self, browsers: Iterable[Browser], farewell: bytes | None) -> None:
        for browser in tuple(browsers):
            if browser.farewell is None:
                browser.farewell = farewell if farewell is not None else _unsubscribed(browser)
            browser.wake()

    # -- the clock -----------------------------------------------------------------------------

    def _start_clock(self) -> None:
        if self._clock is None:
            self._clock = threading.Thread(
                target=self._run_clock, name="polymarket-ws-web-clock", daemon=True
            )
            start_daemon(self._clock)

    def _run_clock(self) -> None:
        while True:
            with self._lock:
                wait = self._tick(time.monotonic())
                if wait is None:
                    self._clock = None
                    return
            self._bell.wait(wait)

    def _tick(self, now: float) -> float | None:
        """Do what is due; return the seconds until the next time, ``None`` for never."""
        for board in [board for board, at in self._leaving.items() if at <= now]:
            self._drop(board)
        if self._account_leaves is not None and self._account_leaves <= now:
            self._leave_account()
        if self.closed or not (self._browsers or self._boards or self._account_reader):
            return None
        due = [*self._leaving.values()]
        if self._account_leaves is not None:
            due.append(self._account_leaves)
        if self._browsers:
            stopping = asked_to_stop()
            if stopping is not None:
                due.append(now + _STOP_SECONDS)
            if stopping:
                self._end(self._browsers, None)
        if self._connects_until is not None:
            if self._connects_until <= now:
                self._connects_until = None
                assets = tuple(self._of_asset)
                self._deliver_lifecycle(
                    Disconnected(
                        channel="market", code=1006, reason="no connection yet", asset_ids=assets
                    ),
                    "market",
                )
            else:
                due.append(self._connects_until)
        if self._dirty and now >= self._next_flush:
            self._next_flush = now + _TICK_SECONDS
            self._flush()
        if self._dirty:
            due.append(self._next_flush)
        return max(0.0, min(due, default=now + 60.0) - now)

    # -- state and end -------------------------------------------------------------------------

    def reading(self) -> Reading:
        """Return how many there are of what."""
        with self._lock:
            return Reading(
                browsers=len(self._browsers),
                markets=len(self._boards),
                user=self._account_reader is not None,
            )

    def close(self, timeout: float = 2.0) -> bool:
        """End every response and every thread. Final and idempotent.

        Args:
            timeout: seconds to wait for the threads at most.

        Returns:
            False if a thread did not end in time.
        """
        with self._lock:
            self.closed = True
            self._end(self._browsers, None)
            readers = [self._markets_reader, self._account_reader]
            self._markets_reader = self._account_reader = None
            clock = self._clock
        deadline = time.monotonic() + timeout
        for reader in readers:
            if reader is not None:
                reader.close()
        self._bell.ring()
        if clock is not None:
            clock.join(max(0.0, deadline - time.monotonic()))
        ends = [
            reader.join(max(0.0, deadline - time.monotonic()))
            for reader in readers
            if reader is not None
        ]
        return all(ends) and not (clock is not None and clock.is_alive())


def _by_number(frame: Frame) -> int:
    return frame.number


def _unsubscribed(browser: Browser) -> bytes:
    return b"".join(payloads.unsubscribed(board.info) for board in browser.boards)


def _told_of(error: PolymarketWSError) -> str:
    # Its text is for whoever runs the server: it may name hosts. Strangers get the kind.
    return f"the exchange cannot be listened to ({type(error).__name__})"
