"""Reads a stream and sends it as Django signals, in the thread that calls."""

from __future__ import annotations

import logging
import select
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from django.db import close_old_connections

from polymarket_ws.errors import ClientClosed
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Lifecycle
from polymarket_ws.events.user import Trade, UserEvent
from polymarket_ws.integrations.django.signals import lifecycle, market_event, user_event
from polymarket_ws.stream import AllEvents, Stream

__all__ = ["Announcer", "is_output_unread"]

logger = logging.getLogger("polymarket_ws.integrations")

#: After so many events in a row, connections that have become old are closed all the same.
_MOST_IN_A_BATCH: Final = 500

#: A signal that comes in the instant before the main thread begins to wait does not wake it: its
#: handler runs when the wait is over. In a quiet market that would be too late for a supervisor.
_LOOK_SECONDS: Final = 0.5


class Announcer:
    """Sends what a stream yields.

    Args:
        stream: what is read. Closing it, or its client, ends :meth:`run`.
        api_key: of the account, to tell its fills.
        said: is called with each event before it is sent.
    """

    def __init__(
        self,
        stream: Stream[Any],
        *,
        api_key: str | None = None,
        said: Callable[[Event], None] | None = None,
    ) -> None:
        self.stream = stream
        self._api_key = api_key
        self._said = said
        #: How many events were sent, and how many calls of receivers failed.
        self.sent = 0
        self.failed = 0
        self._failures: Counter[tuple[str, type[Exception]]] = Counter()

    def run(self) -> None:
        """Send events until the stream is closed.

        A batch is what is there at once. What a batch has left to do when the stream is
        closed stays undone.

        Raises:
            PolymarketWSError: something else than ``close`` ended the stream.
            BrokenPipeError: a receiver printed, and nobody reads the output any more.
        """
        events = self.stream.all()
        try:
            while True:
                try:
                    event = events.get(timeout=_LOOK_SECONDS)
                except TimeoutError:
                    continue
                # A database may have hung up, or a connection's time be over, since the last
                # batch: Django looks at that between requests, and there are none here.
                close_old_connections()
                try:
                    self._batch(event, events)
                finally:
                    close_old_connections()
        except ClientClosed:
            return

    def _batch(self, first: Event, events: AllEvents[Any]) -> None:
        self.send(first)
        for _ in range(_MOST_IN_A_BATCH - 1):
            try:
                event = events.get(timeout=0)
            except TimeoutError:
                return
            self.send(event)

    def send(self, event: Event) -> None:
        """Send one event to the receivers of its signal. What they raise is logged.

        Raises:
            BrokenPipeError: a receiver printed, and nobody reads the output any more.
        """
        if self._said is not None:
            self._said(event)
        more: dict[str, object] = {}
        if isinstance(event, Lifecycle):
            signal = lifecycle
        elif isinstance(event, UserEvent):
            signal = user_event
            more["fills"] = event.fills_of(self._api_key or "") if isinstance(event, Trade) else ()
        else:
            signal = market_event
        for receiver, answer in signal.send_robust(sender=type(event), event=event, **more):
            # Another pipe that broke, one of the receiver's own, is a failure like any other.
            if isinstance(answer, BrokenPipeError) and is_output_unread():
                raise answer
            if isinstance(answer, Exception):
                self._note(receiver, event, answer)
        self.sent += 1

    def _note(self, receiver: object, event: Event, error: Exception) -> None:
        # Django logs it, too, but to a logger that says nothing unless DEBUG is on.
        self.failed += 1
        name = getattr(receiver, "__qualname__", type(receiver).__qualname__)
        failures = self._failures
        failures[name, type(error)] += 1
        logger.error(
            "the receiver %s failed for %s: %s: %s",
            name,
            event,
            type(error).__name__,
            error,
            # Where it is, once: the same again a hundred times a second hides everything.
            exc_info=error if failures[name, type(error)] == 1 else None,
        )


def is_output_unread() -> bool:
    """Return whether whoever read what this process prints has gone."""
    try:
        # What could not be written is still there, and fails again.
        sys.stdout.flush()
        if not hasattr(select, "poll"):
            return False
        # Without a buffer (python -u) nothing is left that could fail.
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (AttributeError, OSError, ValueError):
        # There is no output, or it is no file.
        return False
