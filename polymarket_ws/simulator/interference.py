"""What faults do to the messages of one connection.

Pure, and not thread-safe: the connection's queue has it under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import Fault, LastingFault, Latency

__all__ = ["Interference", "Kind", "Sent"]

Kind = Literal["data", "duplicate", "intrusion"]
"""Where a message comes from: it happened, a fault repeated it, or a fault made it up."""


@attrs.frozen
class Sent:
    r"""One message that was queued for a client; see the ``tap`` of an exchange.

    Attributes:
        connection: the number of the connection.
        text: the text of the frame. For what a fault sends that is no text frame
            (:class:`BadFrame`, :class:`InvalidUtf8`): its bytes, what is not UTF-8 as ``\x..``.
        kind: ``data``: a message of a market, the account, a recording or a script, perhaps
            without what a fault takes out of it. ``duplicate``: the second one of a
            :class:`Duplicate`. ``intrusion``: what a fault made up.
    """

    connection: int
    text: str
    kind: Kind


class Interference:
    """The faults of one connection: those in force, and those that are to come.

    Args:
        entries: of a script; those that begin at a time are none of its business.
    """

    def __init__(self, entries: Sequence[At] = ()) -> None:
        self._entries = [entry for entry in entries if entry.seconds is None]
        self._active: list[LastingFault] = []
        self._messages = 0

    @property
    def active(self) -> tuple[LastingFault, ...]:
        """What is in force, oldest first."""
        return tuple(self._active)

    @property
    def delay(self) -> float:
        """How many seconds later everything is sent."""
        return sum(fault.delay for fault in self._active if isinstance(fault, Latency))

    def add(self, fault: LastingFault) -> bool:
        """Put a fault in force; return whether it was not."""
        if fault in self._active:
            return False
        self._active.append(fault)
        return True

    def remove(self, fault: Fault) -> bool:
        """Take a fault back; return whether it was in force."""
        if fault not in self._active:
            return False
        self._active = [other for other in self._active if other != fault]
        return True

    def clear(self) -> None:
        """Take back everything, what is to come included."""
        self._active.clear()
        self._entries.clear()

    def passes(self, text: str) -> list[str]:
        """Return what is sent in place of a text."""
        texts = [text]
        for fault in self._active:
            texts = [passed for known in texts for passed in fault.passes(known)]
        return texts

    def silenced(self) -> bool:
        """Return whether nothing at all is sent."""
        return not self.passes("PONG")

    def due(self, *, sent: int = 0) -> list[At]:
        """Count messages, and return the entries whose turn it is, each one once."""
        self._messages += sent
        due = [entry for entry in self._entries if entry.messages <= self._messages]
        if due:
            self._entries = [entry for entry in self._entries if entry not in due]
        return due
