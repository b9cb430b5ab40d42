from __future__ import annotations

import threading

import pytest

from polymarket_ws.simulator.account_service import AccountService
from polymarket_ws.simulator.market_channel import MarketChannel
from polymarket_ws.simulator.motion import Motion
from polymarket_ws.simulator.pacing import SteppedClock
from polymarket_ws.simulator.venue import SimulatedVenue
from tests.conftest import scaled


def moved(rate: float | None) -> tuple[Motion, SimulatedVenue, threading.Condition]:
    changed = threading.Condition(threading.RLock())
    clock = SteppedClock()
    venue = SimulatedVenue(1, 2, int(clock() * 1000))
    service = AccountService(1, venue, changed)
    return Motion(changed, MarketChannel(venue), service, rate=rate, clock=clock), venue, changed


def test_a_step_of_a_script_takes_twenty_milliseconds() -> None:
    motion, venue, _ = moved(None)
    before = motion.now_ms()
    assert motion.act(venue.step) >= 1
    assert motion.now_ms() == before + 20


def test_at_a_rate_time_goes_on_with_the_messages_only() -> None:
    motion, venue, _ = moved(100)
    before = motion.now_ms()
    motion.act(venue.step)
    assert motion.now_ms() == before


@pytest.mark.parametrize("rate", [200.0])
def test_it_goes_on_from_its_beginning_to_its_stop(rate: float) -> None:
    motion, venue, changed = moved(rate)
    begun, stop = threading.Event(), threading.Event()
    before = motion.now_ms()
    thread = threading.Thread(target=motion.go_on, args=(venue, rate, begun.is_set, stop))
    thread.start()
    with changed:
        assert not changed.wait_for(lambda: motion.now_ms() > before, 0.1)
        begun.set()
        changed.notify_all()
        assert changed.wait_for(lambda: motion.now_ms() > before + 50, scaled(5))
    stop.set()
    thread.join(scaled(5))
    assert not thread.is_alive()
