"""The user channel as it is spoken: frames with credentials, control texts, heartbeat."""

from __future__ import annotations

import json

from polymarket_ws.credentials import Credentials
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book
from polymarket_ws.protocol.heartbeat import TextPing
from polymarket_ws.protocol.user_vocabulary import USER_VOCABULARY

__all__ = ["UserDialect"]

#: Mandatory here: a quiet account has no other traffic, and the server hangs up after 125 s.
PING_INTERVAL = 10.0

_CONTROL_TEXTS = frozenset((b"PONG", b"NO NEW ASSETS", b""))
_REJECTION = b"INVALID OPERATION"


class UserDialect:
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

    def is_control(self, text: bytes) -> bool:
        """Return whether a text that is no JSON means nothing to a user."""
        return text.strip() in _CONTROL_TEXTS

    def rejection(self, text: bytes) -> str | None:
        """Return the server's words if a text that is no JSON refuses something."""
        return _REJECTION.decode() if text.strip() == _REJECTION else None

    def first(self, ids: list[str], *, features: bool) -> str:  # noqa: ARG002 no switch here
        """Return the frame that opens a connection. Never logged: the secret is in it."""
        frame: dict[str, object] = {"type": "user", "auth": self._credentials.reveal()}
        if ids:
            frame["markets"] = ids
        return json.dumps(frame, separators=(",", ":"))

    def subscribe(self, ids: list[str], *, features: bool) -> str:  # noqa: ARG002 no switch here
        """Return the frame that adds condition ids to an open connection."""
        return json.dumps({"operation": "subscribe", "markets": ids}, separators=(",", ":"))

    def unsubscribe(self, ids: list[str]) -> str:
        """Return the frame that takes condition ids from an open connection."""
        return json.dumps({"operation": "unsubscribe", "markets": ids}, separators=(",", ":"))
