"""The streams below a broadcast: one of all markets that are shown, one of the account."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from polymarket_ws.client import Client
from polymarket_ws.daemons import start_daemon
from polymarket_ws.errors import ClientClosed, PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import (
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.stream import Stream
from polymarket_ws.subscriptions import Market, User

__all__ = ["Reader", "market_wish", "read_account", "read_markets"]

logger = logging.getLogger("polymarket_ws.integrations")

_EVENTS: tuple[type[MarketEvent], ...] = (
    Book,
    PriceChange,
    LastTradePrice,
    TickSizeChange,
    MarketResolved,
)


class Reader:
    """A stream, and the daemon thread that reads it until it ends.

    Args:
        stream: what is read.
        name: of the thread, after ``polymarket-ws-web-``.
        deliver: is called with each event, lifecycle included, in order.
        failed: is called once if something other than ``close`` ended the stream.
    """

    def __init__(
        self,
        stream: Stream[Any],
        name: str,
        deliver: Callable[[Reader, Event], None],
        failed: Callable[[Reader, PolymarketWSError], None],
    ) -> None:
        self.stream = stream
        self._deliver = deliver
        self._failed = failed
        self._closed_here = False
        self._thread = threading.Thread(
            target=self._read, name=f"polymarket-ws-web-{name}", daemon=True
        )
        start_daemon(self._thread)

    def _read(self) -> None:
        try:
            for event in self.stream.all():
                self._deliver(self, event)
        except PolymarketWSError as error:
            self._failed(self, error)
        except Exception:
            # A mistake of ours. A thread that died of it would leave browsers with a page that
            # stands still; so they are sent away, and come back to a new stream.
            logger.exception("an event could not be told")
            self.stream.close()
            self._failed(self, PolymarketWSError("an event could not be told"))
        else:
            if not self._closed_here:
                self._failed(self, ClientClosed("the client was closed"))

    def close(self) -> None:
        """End the stream; its thread ends a moment later."""
        self._closed_here = True
        self.stream.close()

    def join(self, timeout: float) -> bool:
        """Wait for the thread; False if it has not ended in ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()


def market_wish(markets: list[MarketInfo]) -> Market[MarketEvent]:
    """Return the subscription of some markets."""
    return Market(*markets, events=_EVENTS)


def read_markets(
    client: Client,
    markets: list[MarketInfo],
    deliver: Callable[[Reader, Event], None],
    failed: Callable[[Reader, PolymarketWSError], None],
) -> Reader:
    """Subscribe to some markets."""
    return Reader(client.subscribe(market_wish(markets)), "markets", deliver, failed)


def read_account(
    client: Client,
    deliver: Callable[[Reader, Event], None],
    failed: Callable[[Reader, PolymarketWSError], None],
) -> Reader:
    """Subscribe to the orders and trades of the client's account, in all markets.

    Raises:
        CredentialsNotFound: the client has none.
    """
    return Reader(client.subscribe(User()), "account", deliver, failed)
