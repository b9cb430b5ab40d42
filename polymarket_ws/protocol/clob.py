"""What the two channels of the CLOB, market and user, have in common."""

from __future__ import annotations

import json

__all__ = ["PING_INTERVAL", "ClobTexts", "compact"]

#: Documented, and enough: without any frame the server hangs up after about 125 s. On a quiet
#: account there is no other traffic.
PING_INTERVAL = 10.0

#: Texts that are no JSON and mean nothing to a user. ``NO NEW ASSETS`` comes with the
#: new-market feature; empty frames are known from a sister channel.
_CONTROL_TEXTS = frozenset((b"PONG", b"NO NEW ASSETS", b""))

#: Named as a control text by several clients; its trigger was never published.
_REJECTION = b"INVALID OPERATION"


class ClobTexts:
    """The texts that are no JSON."""

    def is_control(self, text: bytes) -> bool:
        """Return whether a text that is no JSON means nothing to a user."""
        return text.strip() in _CONTROL_TEXTS

    def rejection(self, text: bytes) -> str | None:
        """Return the server's words if a text that is no JSON refuses something."""
        return _REJECTION.decode() if text.strip() == _REJECTION else None


def compact(frame: dict[str, object]) -> str:
    """Return a frame as JSON without spaces.

    Spaces after separators make a sister channel's filters match nothing.
    """
    return json.dumps(frame, separators=(",", ":"))
