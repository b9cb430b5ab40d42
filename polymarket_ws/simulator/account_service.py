"""The account's side of an exchange: its user channel, its REST, and what it does by itself."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Literal

from websockets.http11 import Request

from polymarket_ws.simulator import account_rest
from polymarket_ws.simulator.account import Account
from polymarket_ws.simulator.account_activity import AccountActivity
from polymarket_ws.simulator.rest import Answer
from polymarket_ws.simulator.user_channel import UserChannel
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

__all__ = ["AccountService", "RestMode"]

#: How often a request that is left hanging is looked at.
_LOOK_SECONDS = 0.05

RestMode = Literal["ok", "down", "hang"]

# The live page has 100; few orders should be enough to turn pages.
_PAGE_SIZE = 3


class AccountService:
    """What the exchange does for its one account.

    Not thread-safe: everything is called with the exchange's lock held.

    Args:
        seed: of the account.
        venue: the markets; None when a recording is played, which nobody can trade on.
        changed: the exchange's lock, and what is notified of changes.
    """

    def __init__(
        self, seed: int, venue: SimulatedVenue | None, changed: threading.Condition
    ) -> None:
        self.account = Account(seed)
        self.users = UserChannel(self.account.keys)
        self.rest: RestMode = "ok"
        self.page_size = _PAGE_SIZE
        self._venue = venue
        self._changed = changed
        self._rng = random.Random(f"{seed}/activity")
        self._activity: AccountActivity | None = None

    def trade_by_itself(self, rate: float, now_ms: int) -> None:
        """Begin to trade at a rate of actions a second; 0 ends it."""
        self._activity = None
        if rate:
            self._activity = AccountActivity(self.account, self._rng, rate, now_ms)

    def due(self, now_ms: int) -> list[Message]:
        """Do what is due by now; return what the clients of the market channel hear."""
        self.account.advance(now_ms)
        if self._activity is None or self._venue is None:
            return []
        return self._activity.due(self._venue.markets, now_ms)

    def publish(self, *, timeout: float = 0.0) -> None:
        """Tell the clients of the user channel what happened since the last call."""
        self.users.publish(self.account.take_events(), timeout=timeout)

    def answer(self, request: Request, waits: Callable[[], bool]) -> Answer | None:
        """Answer a request about the account, in the way that a script has chosen.

        Args:
            request: signed or not.
            waits: whether somebody still waits for the answer.

        Returns:
            None for a request about something else.
        """
        if self._venue is None or not account_rest.is_private(request.path):
            return None
        while self.rest == "hang" and waits():
            # Looked at now and then: up to version 16 websockets answers requests while it
            # holds what its reading thread needs to tell that the client has gone.
            self._changed.wait(_LOOK_SECONDS)
        if self.rest != "ok":
            return account_rest.DOWN
        return account_rest.answer(
            request.path, request.headers, self.account, now=time.time(), page_size=self.page_size
        )
