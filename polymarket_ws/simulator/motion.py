"""How the markets of an exchange move: by themselves at a rate, and by what a script does."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

from polymarket_ws.simulator.account_service import AccountService
from polymarket_ws.simulator.background import keep_pace
from polymarket_ws.simulator.market_channel import MarketChannel
from polymarket_ws.simulator.pacing import SteppedClock
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

__all__ = ["SCRIPT_SECONDS", "Motion"]

#: A script waits this long for a client that does not read, before that one is too slow.
SCRIPT_SECONDS = 1.0

# How far simulated time goes with a step of a script: as at the default rate.
_STEP_SECONDS = 0.02


class Motion:
    """Lets things happen, one after another, and tells whoever is subscribed.

    Args:
        changed: the exchange's lock, notified of what happened.
        market: who hears of the markets.
        service: the account, which does things by itself, too.
        rate: messages a second over all markets; None: only scripts move them.
        clock: Unix seconds.
    """

    def __init__(
        self,
        changed: threading.Condition,
        market: MarketChannel,
        service: AccountService,
        *,
        rate: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._changed = changed
        self._market = market
        self._service = service
        self._rate = rate
        self._clock = clock
        self._stepped = clock if isinstance(clock, SteppedClock) else None

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self._clock() * 1000)

    def act(self, move: Callable[[int], list[Message]]) -> int:
        """Do one thing now, publish what came of it, and return how many messages that is."""
        with self._changed:
            if self._stepped is not None and self._rate is None:
                self._stepped.advance(_STEP_SECONDS)
            now_ms = self.now_ms()
            messages = [*move(now_ms), *self._service.due(now_ms)]
            # A script may be faster than its readers; the market at its rate may not.
            self._market.publish(messages, timeout=SCRIPT_SECONDS)
            self._service.publish(timeout=SCRIPT_SECONDS)
            self._changed.notify_all()
            return len(messages)

    def go_on(
        self, venue: SimulatedVenue, rate: float, begins: Callable[[], bool], stop: threading.Event
    ) -> None:
        """Let the random market move at its rate.

        Args:
            venue: what moves.
            rate: messages a second.
            begins: whether to begin; asked with the exchange's lock held, whenever it changed.
            stop: ends it.
        """
        with self._changed:
            self._changed.wait_for(begins)
        keep_pace(functools.partial(self._move, venue, 1.0 / rate), rate, stop)

    def _move(self, venue: SimulatedVenue, interval: float, due: int) -> int:
        with self._changed:
            messages: list[Message] = []
            moved = 0
            while moved < due:
                now_ms = self.now_ms()
                step = [*venue.step(now_ms), *self._service.due(now_ms)]
                messages += step
                # What only some clients get comes on top of the rate. At least one: where every
                # market is settled, time goes on all the same.
                plain = max(1, sum(not message.custom for message in step))
                moved += plain
                if self._stepped is not None:
                    self._stepped.advance(plain * interval)
            self._market.publish(messages)
            self._service.publish()
            self._changed.notify_all()
        return moved
