"""The body of a response that goes on: what a WSGI server iterates and closes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from polymarket_ws.errors import PolymarketWSError
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.broadcast import LATER_MS, AtCapacity, Broadcast
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.integrations.sse.text import comment, retry
from polymarket_ws.market_info import MarketInfo

__all__ = ["HEADERS", "EventBody", "put_off"]

#: How long a browser waits before it comes back.
_RETRY_MS: Final = 2000

HEADERS: Final = (
    ("Content-Type", "text/event-stream"),
    # It is of this moment, and with an account it is nobody else's. no-transform: a proxy that
    # compresses would gather what it should pass on.
    ("Cache-Control", "private, no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
)


class EventBody:
    """Server-Sent Events for one browser, until it leaves or the server ends.

    A browser is let in at the first ``next()``, so a body that nobody iterates costs nothing.
    Its memory is bounded by what all browsers share. No thread is behind it.

    Args:
        broadcast: who tells.
        markets: what is shown.
        user: whether the account is told of.
        last_event_id: what the browser said it has got.
        keepalive: seconds of silence after which a comment is sent. A browser that is gone is
            noticed when something is written to it.
        seconds: after which the response ends and the browser comes back for the next one.
    """

    def __init__(
        self,
        broadcast: Broadcast,
        markets: Sequence[MarketInfo],
        *,
        user: bool,
        last_event_id: str | None,
        keepalive: float,
        seconds: float | None,
    ) -> None:
        self._broadcast = broadcast
        self._markets = markets
        self._user = user
        self._last_event_id = last_event_id
        self._keepalive = keepalive
        self._seconds = seconds
        self._until: float | None = None
        self._silent_until = 0.0
        self._browser: Browser | None = None
        #: Whether all of it was told.
        self.over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.over:
            raise StopIteration
        if self._browser is None:
            return self.begin()
        self.resume()
        while True:
            self._browser.wait(self.patience())
            text = self.look()
            if text is not None:
                return text

    # -- the same in steps that do not wait, for a reader that is no thread --------------------

    def begin(self, ring: Callable[[], None] | None = None) -> bytes:
        """Let the browser in and return what it is told first.

        Args:
            ring: wakes whoever calls :meth:`look`. From any thread; it must not wait.
        """
        if self._seconds is not None:
            self._until = time.monotonic() + self._seconds
        try:
            self._browser, text = self._broadcast.join(
                self._markets, user=self._user, last_event_id=self._last_event_id, ring=ring
            )
        except AtCapacity as full:
            self.over = True
            return put_off("refused", str(full))
        except PolymarketWSError as error:
            self.over = True
            return put_off("failed", f"nothing can be subscribed ({type(error).__name__})")
        return retry(_RETRY_MS) + text

    def resume(self) -> None:
        """Count silence from now on: the server has sent what it was given."""
        self._silent_until = time.monotonic() + self._keepalive

    def patience(self) -> float:
        """Return the seconds after which to look, even if nothing rings."""
        until = self._silent_until if self._until is None else min(self._silent_until, self._until)
        return max(0.0, until - time.monotonic())

    def look(self) -> bytes | None:
        """Return what is to be sent now; ``None`` when that is nothing."""
        browser = self._browser
        if browser is None:
            raise RuntimeError("nobody has begun to read")
        browser.heard()
        text = self._broadcast.read(browser)
        if browser.farewell is not None:
            self.close()
            return text + browser.farewell or comment()
        now = time.monotonic()
        if self._until is not None and now >= self._until:
            self.close()
            return text or comment()
        if text:
            return text
        return comment() if now >= self._silent_until else None

    def close(self) -> None:
        """Let the browser go. Idempotent; servers call it when the browser has left."""
        self.over = True
        if self._browser is not None:
            self._broadcast.leave(self._browser)


def put_off(kind: payloads.Problem, text: str) -> bytes:
    """Return a whole response that tells a browser to come back later.

    Not a status: an ``EventSource`` that is answered with one never tries again.
    """
    return retry(LATER_MS) + payloads.problem(kind, text)
