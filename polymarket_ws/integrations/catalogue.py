"""Which markets may be shown, and what they are: asked once, remembered for a while.

What strangers ask for is bounded three times: how much is remembered, how many look-ups run at
once, and how long one may take. Nothing here runs on a thread that brings events.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from polymarket_ws.errors import LookupFailed, UsageError
from polymarket_ws.market_info import MarketInfo

__all__ = ["Catalogue", "NotShown", "without_python"]

_MOST_REMEMBERED: Final = 1024
#: An address with two slugs, each of which may have 256.
_MOST_CHARACTERS: Final = 600
_AT_ONCE: Final = 4

#: Tick sizes change, markets close.
_FOUND_SECONDS: Final = 300.0
#: A market that does not exist may be listed in a minute; one that could not be asked for may
#: be found a moment later.
_UNKNOWN_SECONDS: Final = 60.0
_FAILED_SECONDS: Final = 5.0

#: How long a look-up waits for those before it.
_TURN_SECONDS: Final = 10.0


#: The advice of a look-up, which is for programmers.
_LOOKUP: Final = re.compile(r'lookup\("([^"]*)"\)')


class NotShown(Exception):
    """There is no such market, or it is not one of those that are shown.

    Attributes:
        status: of the HTTP response that says so.
    """

    def __init__(self, text: str, status: int = 404) -> None:
        super().__init__(text)
        self.status = status


class Catalogue:
    """Finds markets.

    Args:
        look_up: as :func:`polymarket_ws.lookup`.
        allowed: the only markets that are shown; ``None`` shows every market that there is. What
            is no name but a market is looked at anew every five minutes.
    """

    def __init__(
        self,
        look_up: Callable[[str], MarketInfo],
        allowed: Sequence[str | MarketInfo] | None = None,
    ) -> None:
        self._look_up = look_up
        self._allowed = None if allowed is None else tuple(allowed)
        # What the application knew from the start, as it was found last.
        self._given = {
            item.condition_id: item for item in self._allowed or () if isinstance(item, MarketInfo)
        }
        self._renews_at = time.monotonic() + _FOUND_SECONDS
        # Guards the dictionary below, for a few instructions.
        self._lock = threading.RLock()
        self._known: dict[str, tuple[float, MarketInfo | LookupFailed]] = {}
        # Not a semaphore: a signal handler that closes may run while it is held.
        self._turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_AT_ONCE):
            self._turns.put(None)

    @property
    def is_limited(self) -> bool:
        """Whether only certain markets are shown."""
        return self._allowed is not None

    def find(self, what: str) -> MarketInfo:
        """Return a market by its address, slug, condition id or token id.

        Raises:
            NotShown: it is not shown here, or there is none.
            LookupFailed: it cannot be found out now.
        """
        if len(what) > _MOST_CHARACTERS:
            raise NotShown("this is too long for a market", 400)
        if self._allowed is None:
            return self._found(what)
        for name, market in zip(self._allowed, self.everything(), strict=True):
            if what == name or _names(what, market):
                return market
        raise NotShown("this market is not shown here", 403)

    def everything(self) -> list[MarketInfo]:
        """Return the markets that are shown, where they are limited.

        Raises:
            NotShown: one of them does not exist.
            LookupFailed: it cannot be found out now.
        """
        self._renew()
        return [
            self._given[item.condition_id] if isinstance(item, MarketInfo) else self._found(item)
            for item in self._allowed or ()
        ]

    def _renew(self) -> None:
        """Look again at what the application knew from the start: it may have been settled."""
        with self._lock:
            now = time.monotonic()
            if now < self._renews_at:
                return
            # First: whoever comes meanwhile gets what is known, and waits for nothing.
            self._renews_at = now + _FOUND_SECONDS
        for condition_id, known in tuple(self._given.items()):
            if known.closed:
                continue
            try:
                found = self._look_up(condition_id)
            except UsageError:
                continue
            except LookupFailed as error:
                if error.final:
                    continue
                # The others would take as long, and what is known is good enough.
                return
            if found.asset_ids == known.asset_ids:
                self._given[condition_id] = found

    def _found(self, what: str) -> MarketInfo:
        answer = self._remembered(what)
        if answer is None:
            answer = self._ask(what)
        if isinstance(answer, MarketInfo):
            return answer
        if answer.final:
            raise NotShown(str(answer))
        raise LookupFailed(str(answer)) from answer

    def _remembered(self, what: str) -> MarketInfo | LookupFailed | None:
        with self._lock:
            until, answer = self._known.get(what, (0.0, None))
        return answer if time.monotonic() < until else None

    def _ask(self, what: str) -> MarketInfo | LookupFailed:
        try:
            self._turns.get(timeout=_TURN_SECONDS)
        except queue.Empty:
            return LookupFailed(f"{what[:100]!r} was not looked up: too many others are")
        try:
            # Whoever had the turn before may have asked for the same.
            answer = self._remembered(what)
            if answer is None:
                answer = self._asked(what)
            return answer
        finally:
            self._turns.put(None)

    def _asked(self, what: str) -> MarketInfo | LookupFailed:
        answer: MarketInfo | LookupFailed
        try:
            answer = self._look_up(what)
        except UsageError as error:
            raise NotShown(str(error), 400) from error
        except LookupFailed as error:
            answer = error.with_traceback(None)
            seconds = _UNKNOWN_SECONDS if error.final else _FAILED_SECONDS
            with self._lock:
                _, before = self._known.get(what, (0.0, None))
            if isinstance(before, MarketInfo) and not error.final:
                # What was found once is better than nothing.
                answer = before
        else:
            if not answer.asset_ids or not answer.condition_id:
                raise NotShown(f"the market {answer.slug or what[:100]} has no tokens yet")
            seconds = _FOUND_SECONDS
        with self._lock:
            self._known.pop(what, None)
            while len(self._known) >= _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[what] = (time.monotonic() + seconds, answer)
        return answer


def without_python(text: str) -> str:
    """Return what a look-up says, for visitors and for commands: without the Python in it."""
    text = text.replace("lookup() takes", "a market is named by")
    return _LOOKUP.sub(r"\1", text)


def _names(what: str, market: MarketInfo) -> bool:
    if what in (market.slug, *market.asset_ids) or what.lower() == market.condition_id:
        return True
    if "/" not in what:
        return False
    try:
        path = urlsplit(what).path
    except ValueError:
        return False
    return bool(market.slug) and path.rstrip("/").rpartition("/")[2] == market.slug
