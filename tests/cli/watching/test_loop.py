from __future__ import annotations

import logging
from collections import deque

from polymarket_ws.cli.watching.loop import Warnings, apply_waiting
from polymarket_ws.events.event import Event
from tests.cli.watching import account_scenes as scenes
from tests.cli.watching.account_scenes import order

LOGGER = logging.getLogger("polymarket_ws")


class Waiting:
    """A stream in which nothing more comes than these."""

    def __init__(self, *events: Event) -> None:
        self.events = deque(events)

    def get(self, timeout: float | None = None) -> Event:
        if not self.events:
            raise TimeoutError
        return self.events.popleft()


def test_what_waits_is_applied_at_once_and_counted() -> None:
    state = scenes.state()
    events = Waiting(*(order(number) for number in range(1, 601)))
    assert apply_waiting(state, events, now=1e12) == 600
    assert state.open_count == 600
    assert apply_waiting(state, events, now=1e12) == 0


def test_flood_is_left_for_the_next_frame() -> None:
    state = scenes.state()
    events = Waiting(*(order(number) for number in range(1, 601)))
    # As if reading had begun long ago.
    assert apply_waiting(state, events, now=0.0) == 256
    assert len(events.events) == 344


def test_warnings_are_taken_once_and_reach_no_other_handler() -> None:
    before = LOGGER.handlers[:], LOGGER.propagate
    with Warnings() as warnings:
        LOGGER.getChild("recovery").warning("it was %s", "late")
        LOGGER.info("it goes well")
        assert not LOGGER.propagate
        assert warnings.taken() == ["it was late"]
        assert warnings.taken() == []
    assert (LOGGER.handlers, LOGGER.propagate) == before
