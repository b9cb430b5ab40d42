"""Whether the connections stand, what was missed, and what the status line says of it.

Pure: no clock, terminal or network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs

from polymarket_ws.cli.watching.figures import ago, printable, span
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    SubscriptionRejected,
)

__all__ = ["NEWS_SECONDS", "Connections", "Link", "Status", "Tone"]

#: How long the status line tells of something before it goes back to the sum of it all.
NEWS_SECONDS = 20.0

Tone = Literal["good", "bad", "plain"]


@attrs.frozen
class Status:
    """One line about the whole."""

    text: str
    tone: Tone = "plain"


@attrs.define(eq=False)
class Link:
    """One connection.

    Attributes:
        connected: whether it stands.
        since: monotonic seconds of the last change of that.
        epoch: how many connections were made.
        gap_seconds: what the last reconnection missed.
        reason: why the last connection ended.
    """

    connected: bool = False
    since: float = 0.0
    epoch: int = 0
    gap_seconds: float = 0.0
    reason: str = ""


class Connections:
    """The connections of one stream.

    Args:
        where: the exchange, as the screen names it.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.links: dict[int, Link] = {}
        self.gaps = 0
        self.missed_seconds = 0.0
        self.dropped = 0
        self.over = False
        self._news: tuple[float, Status] | None = None
        self._following: dict[type[Event], Callable[[Any, float], None]] = {
            Connected: self._connected,
            Disconnected: self._disconnected,
            Dropped: self._dropped,
            SubscriptionRejected: self._rejected,
            DecodeFailure: self._unreadable,
        }

    def follow(self, event: Lifecycle, now: float) -> None:
        """Fold what happened to the stream.

        Args:
            event: of the stream, in its order.
            now: monotonic seconds.
        """
        follow = self._following.get(type(event))
        if follow is not None:
            follow(event, now)

    def _link(self, event: Lifecycle, now: float) -> Link:
        return self.links.setdefault(event.connection, Link(since=now))

    def _connected(self, event: Connected, now: float) -> None:
        link = self._link(event, now)
        link.connected, link.since, link.epoch = True, now, event.epoch
        link.gap_seconds = event.gap_seconds
        if event.epoch > 1:
            self.gaps += 1
            self.missed_seconds += event.gap_seconds

    def _disconnected(self, event: Disconnected, now: float) -> None:
        link = self._link(event, now)
        link.connected, link.since = False, now
        reason = printable(event.reason)
        link.reason = f"{event.code} {reason}".strip() if event.code != 1006 else reason

    def _dropped(self, event: Dropped, now: float) -> None:
        self.dropped += event.count
        text = f"{event.count:,} events dropped: this machine is too slow for the stream"
        self.tell(text, now, "bad")

    def _rejected(self, event: SubscriptionRejected, now: float) -> None:
        self.tell(f"the exchange refused: {printable(event.message)}", now, "bad")

    def _unreadable(self, event: DecodeFailure, now: float) -> None:
        self.tell(f"unreadable: {printable(event.error)}", now, "bad")

    # -- reading -------------------------------------------------------------------------

    def tell(self, text: str, now: float, tone: Tone = "plain") -> None:
        """Have the status line say something for a while."""
        self._news = (now + NEWS_SECONDS, Status(printable(text), tone))

    @property
    def connected(self) -> bool:
        """Whether there are connections and all of them stand."""
        return bool(self.links) and all(link.connected for link in self.links.values())

    @property
    def link_word(self) -> tuple[str, Tone]:
        """The state of the connections in a word or two."""
        if self.over:
            return "settled", "plain"
        if not self.links:
            return "connecting", "plain"
        down = sum(not link.connected for link in self.links.values())
        if not down:
            return "live", "good"
        return ("lost" if len(self.links) == 1 else f"{down} of {len(self.links)} lost"), "bad"

    def status(self, now: float) -> Status:
        """Return what matters most at the moment, in one line."""
        if self.over:
            return Status("every market here is settled: nothing more will come")
        if not self.links:
            return self._newest(now) or Status(f"connecting to {self.where} …")
        down = [link for link in self.links.values() if not link.connected]
        if down:
            worst = min(down, key=lambda link: link.since)
            why = f" ({worst.reason})" if worst.reason else ""
            return Status(f"connection lost {ago(now - worst.since)}{why}, connecting again", "bad")
        latest = max(self.links.values(), key=lambda link: link.since)
        if latest.epoch > 1 and now - latest.since < NEWS_SECONDS:
            return self.reconnected(latest, now)
        return self._newest(now) or Status(f"connected {self._standing(now)}, {self.missed}")

    def reconnected(self, link: Link, now: float) -> Status:
        """Return what there is to say of a connection that has just come back."""
        missed = f"{span(link.gap_seconds)} missed"
        return Status(f"reconnected {ago(now - link.since)}, {missed}", "bad")

    def _standing(self, now: float) -> str:
        return ago(now - max(link.since for link in self.links.values()))

    def _newest(self, now: float) -> Status | None:
        if self._news is not None and now < self._news[0]:
            return self._news[1]
        return None

    @property
    def missed(self) -> str:
        """What was missed so far, all in all."""
        parts = []
        if self.gaps:
            gaps = "1 gap" if self.gaps == 1 else f"{self.gaps:,} gaps"
            parts.append(f"{gaps}: {span(self.missed_seconds)} missed")
        if self.dropped:
            parts.append(f"{self.dropped:,} dropped")
        return ", ".join(parts) or "nothing missed"
