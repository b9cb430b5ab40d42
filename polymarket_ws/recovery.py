"""Asks the account what a gap of the user channel hid, in a thread that lives for one asking.

REST blocks, so it is kept from the connection's thread; what comes back is told there.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from polymarket_ws.daemons import start_daemon
from polymarket_ws.errors import AuthenticationFailed, PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import RecoveryFailed
from polymarket_ws.protocol.recovering import Account, Question, Recovering

__all__ = ["Recovery"]

#: A server that says nothing for so long after a connection is open is not waited for any
#: longer before the account is asked. A ``PONG`` usually takes 0.14 s.
_SILENCE_SECONDS = 2.0

logger = logging.getLogger("polymarket_ws.recovery")


class Recovery:
    """The recovery of one user connection. All but the asking is in the connection's thread.

    Args:
        recovering: what is remembered and held back.
        ask: asks over REST; raises an error of ours.
        connection: the number for ``RecoveryFailed``.
    """

    def __init__(
        self, recovering: Recovering, ask: Callable[[Question], Account], *, connection: int = 0
    ) -> None:
        self._recovering = recovering
        self._ask = ask
        self._connection = connection
        self._wake: Callable[[], None] = lambda: None
        self._answers: queue.SimpleQueue[Account | PolymarketWSError] = queue.SimpleQueue()
        self._error = ""
        self._asks_at = 0.0

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Set what has the connection's thread look around. Called in the asking thread."""
        self._wake = wake

    def opened(self, now: float, received_at: float, last_frame_at: float | None) -> None:
        """Note a new connection."""
        self._error = ""
        self._asks_at = now + _SILENCE_SECONDS
        self._recovering.opened(now, received_at, last_frame_at)

    def heard(self, now: float) -> None:
        """Note a frame that came after the subscription was sent: the server has read it.

        Only then is the account asked: what happens between an earlier answer and the
        subscription would be in neither.
        """
        self._asks_at = min(self._asks_at, now)

    def closed(self) -> list[Event]:
        """Return what was held back, to be told before the end of the connection is."""
        return self._recovering.closed()

    def take(self, events: Sequence[Event], size: int) -> list[Event]:
        """Return those of the live events that are to be told now."""
        told = self._recovering.take(events, size)
        if self._recovering.is_full:
            # Not left to due(): one read may bring many messages.
            self._error = self._error or "too much came to hold it back until the answer"
            told += self._given_up(float("-inf"), max(event.received_at for event in events))
        return told

    @property
    def deadline(self) -> float | None:
        """When :meth:`due` has something to say, if nothing wakes it before."""
        when, held_until = self._recovering.deadline, self._recovering.holding_until
        if when is None:
            return None
        when = max(when, self._asks_at)
        return when if held_until is None else min(when, held_until)

    def due(self, now: float, received_at: float) -> list[Event]:
        """Start asking where it is time, and return what is to be told now."""
        told: list[Event] = []
        while not self._answers.empty():
            told += self._take_answer(self._answers.get(), now)
        question = self._recovering.question(now) if now >= self._asks_at else None
        if question is not None:
            self._start_asking(question, now)
        return told + self._given_up(now, received_at)

    def _take_answer(self, answer: Account | PolymarketWSError, now: float) -> list[Event]:
        if isinstance(answer, Account):
            self._error = ""
            return self._recovering.answered(answer, now)
        self._error = str(answer)
        logger.warning("what was missed could not be fetched yet: %s", answer)
        if isinstance(answer, AuthenticationFailed):
            self._recovering.refused(now)
        else:
            self._recovering.failed(now)
        return []

    def _given_up(self, now: float, received_at: float) -> list[Event]:
        given_up = self._recovering.give_up(now)
        if given_up is None:
            return []
        since, held = given_up
        failure = RecoveryFailed(
            channel="user",
            connection=self._connection,
            since=since,
            until=int(received_at * 1000),
            error=self._error or "the exchange has not answered in time",
            received_at=received_at,
        )
        return [failure, *held]

    def _start_asking(self, question: Question, now: float) -> None:
        thread = threading.Thread(
            target=self._find_out, args=(question,), name="polymarket-ws-recovery", daemon=True
        )
        try:
            start_daemon(thread)
        except RuntimeError as error:
            # No thread can be had at the moment; the connection lives on without.
            self._error = str(error)
            logger.warning("what was missed could not be fetched yet: %s", error)
            self._recovering.failed(now)

    def _find_out(self, question: Question) -> None:
        answer: Account | PolymarketWSError
        try:
            answer = self._ask(question)
        except PolymarketWSError as error:
            answer = error
        except Exception as error:
            # A safety net in case of bugs: live events must not be held for ever.
            logger.exception("unexpected internal error while asking the account")
            answer = PolymarketWSError(f"unexpected internal error: {error!r}")
        self._answers.put(answer)
        self._wake()
