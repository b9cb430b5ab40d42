"""What a session must know about a channel to speak on it."""

from __future__ import annotations

from typing import Protocol

from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book
from polymarket_ws.protocol.decoding import Vocabulary
from polymarket_ws.protocol.heartbeat import TextPing
from polymarket_ws.protocol.subscribing import Spelling

__all__ = ["Dialect"]


class Dialect(Spelling, Protocol):
    """One channel's frames, control texts and heartbeat."""

    @property
    def channel(self) -> str:
        """The name of the channel."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """Its event types."""
        ...

    @property
    def snapshot(self) -> type[Book] | None:
        """What a subscription is first answered with; ``None`` where nothing is."""
        ...

    @property
    def authenticates(self) -> bool:
        """Whether the first frame carries credentials."""
        ...

    @property
    def ids_narrow(self) -> bool:
        """Whether a connection gets everything until ids are named."""
        ...

    def heartbeat(self) -> TextPing:
        """Return a heartbeat for one connection."""
        ...

    def features(self, kinds: frozenset[type[Event]]) -> bool:
        """Return whether these classes come only with the server's custom features."""
        ...

    def is_control(self, text: bytes) -> bool:
        """Return whether a text that is no JSON means nothing to a user."""
        ...

    def rejection(self, text: bytes) -> str | None:
        """Return the server's words if a text that is no JSON refuses something."""
        ...
