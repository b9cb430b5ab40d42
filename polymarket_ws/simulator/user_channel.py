"""The user channel: who is let in, what a client may say on it, and who hears what."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Literal

from polymarket_ws.simulator.account import Keys
from polymarket_ws.simulator.client_session import ClientSession, Ending
from polymarket_ws.simulator.connection import text_frame
from polymarket_ws.simulator.user_requests import parse_first, parse_operation

__all__ = ["Refusal", "UserChannel"]

Refusal = Literal["drop", "silence"]
"""What wrong credentials get. Both were seen of the live server, and never a word.

``drop``: the connection is lost right after the frame, without a close frame. ``silence``: nothing
comes but ``PONG``.
"""

_PONG = text_frame("PONG")


class UserChannel:
    """The clients of the user channel and their subscriptions.

    Not thread-safe: the exchange calls it with its lock held.

    Args:
        keys: the only ones that are right.
    """

    def __init__(self, keys: Keys) -> None:
        #: What wrong credentials get.
        self.refusal: Refusal = "drop"
        self._keys = keys
        self._sessions: dict[int, ClientSession] = {}
        self._refused: set[int] = set()

    @property
    def sessions(self) -> Sequence[ClientSession]:
        """The clients, oldest first."""
        return tuple(self._sessions.values())

    def join(self, session: ClientSession) -> None:
        """Add a client."""
        self._sessions[session.number] = session

    def leave(self, session: ClientSession) -> None:
        """Forget a client and its subscription."""
        del self._sessions[session.number]
        self._refused.discard(session.number)

    def heard(self, session: ClientSession, message: str | bytes) -> bool:
        """Take one frame of a client; return whether it is its first subscription.

        Nothing is ever acknowledged, and nothing replayed. A first frame that is no subscription
        (a text ``PING`` is none) closes the client; later ones that mean nothing are ignored.
        """
        text = message if isinstance(message, str) else ""
        if session.ending:
            return False
        if session.subscribed or session.number in self._refused:
            self._heard_later(session, text)
            return False
        first = parse_first(text)
        if first is None:
            session.end(Ending("close", 1008, "invalid subscription payload"))
            return False
        if not self._are_right(first.keys):
            self._refused.add(session.number)
            if self.refusal == "drop":
                session.end(Ending("fin"))
            return False
        session.subscribed = True
        session.condition_ids = dict.fromkeys(first.markets)
        return True

    def publish(self, events: Iterable[tuple[str, str]], *, timeout: float = 0.0) -> None:
        """Queue events of the account.

        Args:
            events: condition id and text of each, in order.
            timeout: seconds to wait for room in a full queue before that client is too slow.
        """
        told = [(market, text_frame(text)) for market, text in events]
        for session in self._sessions.values() if told else ():
            if session.subscribed:
                wanted = session.condition_ids
                frames = [frame for market, frame in told if not wanted or market in wanted]
                session.put(frames, timeout)

    def _heard_later(self, session: ClientSession, text: str) -> None:
        if text == "PING":
            session.put([_PONG])
            return
        operation = parse_operation(text)
        if operation is None:
            return
        if operation.subscribe:
            session.condition_ids.update(dict.fromkeys(operation.markets))
        else:
            for market in operation.markets:
                session.condition_ids.pop(market, None)

    def _are_right(self, keys: tuple[str, str, str]) -> bool:
        right = (self._keys.api_key, self._keys.secret, self._keys.passphrase)
        return all(
            hmac.compare_digest(given.encode(), wanted.encode())
            for given, wanted in zip(keys, right, strict=True)
        )
