"""The user channel as it is spoken: frames with credentials, control texts, heartbeat."""

from __future__ import annotations

from polymarket_ws.credentials import Credentials
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book
from polymarket_ws.protocol.clob import PING_INTERVAL, ClobTexts, compact
from polymarket_ws.protocol.heartbeat import TextPing
from polymarket_ws.protocol.user_vocabulary import USER_VOCABULARY

__all__ = ["UserDialect"]


class UserDialect(ClobTexts):
    """What a session must know about the user channel.

    Ids are condition ids. A frame without ``markets`` means all of them; sending ``[]`` in
    that meaning was only ever recommended by support, and the official SDK avoids it.
    """

    channel = "user"
    vocabulary = USER_VOCABULARY
    snapshot: type[Book] | None = None
    authenticates = True
    ids_narrow = True

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def heartbeat(self) -> TextPing:
        """Return a heartbeat for one connection."""
        # At once, too: nothing acknowledges a subscription, but the answer to what was sent
        # behind it shows that the server has read it.
        return TextPing(PING_INTERVAL, at_once=True)

    def features(self, kinds: frozenset[type[Event]]) -> bool:  # noqa: ARG002 no switch here
        """Return whether these classes need a switch: none does here."""
        return False

    def first(self, ids: list[str], *, features: bool) -> str:  # noqa: ARG002 no switch here
        """Return the frame that opens a connection. Never logged: the secret is in it."""
        frame: dict[str, object] = {"type": "user", "auth": self._credentials.reveal()}
        if ids:
            frame["markets"] = ids
        return compact(frame)

    def subscribe(self, ids: list[str], *, features: bool) -> str:  # noqa: ARG002 no switch here
        """Return the frame that adds condition ids to an open connection."""
        return compact({"operation": "subscribe", "markets": ids})

    def unsubscribe(self, ids: list[str]) -> str:
        """Return the frame that takes condition ids from an open connection."""
        return compact({"operation": "unsubscribe", "markets": ids})
