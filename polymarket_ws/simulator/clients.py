"""The clients of an exchange on both of its channels: who is there, and how they are ended."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.client_session import ClientSession, Connection, Ending
from polymarket_ws.simulator.connection import text_frame
from polymarket_ws.simulator.market_channel import MarketChannel
from polymarket_ws.simulator.user_channel import UserChannel

__all__ = ["Clients"]

# Who was reset gets this much to be gone.
_RESET_SECONDS = 0.5


class Clients:
    """Who is connected.

    Args:
        changed: the exchange's lock, notified whenever a client came or went.
        market: the clients of the market channel.
        user: those of the user channel.
    """

    def __init__(
        self, changed: threading.Condition, market: MarketChannel, user: UserChannel
    ) -> None:
        self._changed = changed
        self._market = market
        self._user = user

    def everyone(self) -> Sequence[ClientSession]:
        """Return all, oldest first."""
        with self._changed:
            sessions = (*self._market.sessions, *self._user.sessions)
            return sorted(sessions, key=lambda session: session.number)

    def chosen(self, connection: Connection | int | None) -> Sequence[ClientSession]:
        """Return one; None: all.

        Raises:
            UsageError: that one is not connected.
        """
        if connection is None:
            return self.everyone()
        number = connection.number if isinstance(connection, Connection) else connection
        for session in self.everyone():
            if session.number == number:
                return [session]
        raise UsageError(f"there is no connection number {number} (any more)")

    def send(self, sessions: Sequence[ClientSession], text: str, timeout: float) -> None:
        """Queue a text frame for some."""
        frame = text_frame(text)
        for session in sessions:
            session.put([frame], timeout)
        with self._changed:
            self._changed.notify_all()

    def end(self, sessions: Sequence[ClientSession], ending: Ending, timeout: float) -> None:
        """End some, and wait until they are gone; who is not in time is reset."""
        for session in sessions:
            session.end(ending)
        if not self._wait_gone(sessions, timeout):
            for session in sessions:
                session.connection.abort()
            self._wait_gone(sessions, _RESET_SECONDS)

    def _wait_gone(self, sessions: Sequence[ClientSession], timeout: float) -> bool:
        def gone() -> bool:
            return set(sessions).isdisjoint(self.everyone())

        with self._changed:
            return self._changed.wait_for(gone, timeout)
