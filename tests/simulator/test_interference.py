from __future__ import annotations

from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import Cut, Deaf, Duplicate, Freeze, Latency, Mute
from polymarket_ws.simulator.interference import Interference


def test_faults_add_up() -> None:
    interference = Interference()
    assert interference.passes("x") == ["x"]
    for fault in (Duplicate(), Freeze("1"), Latency(1), Latency(2)):
        assert interference.add(fault)
    assert interference.passes("x") == ["x", "x"]
    assert interference.passes('{"asset_id":"1"}') == []
    assert interference.delay == 3


def test_a_fault_is_in_force_once() -> None:
    interference = Interference()
    assert interference.add(Mute())
    assert not interference.add(Mute())
    assert interference.remove(Mute())
    assert not interference.remove(Mute())
    assert interference.active == ()


def test_only_some_faults_are_silence() -> None:
    interference = Interference()
    interference.add(Deaf())
    assert not interference.silenced()
    interference.add(Mute())
    assert interference.silenced()


def test_each_entry_is_due_once_after_its_messages() -> None:
    first, third, timed = At(Mute()), At(Cut(), messages=3), At(Deaf(), seconds=1)
    interference = Interference([first, third, timed])
    assert interference.due() == [first]
    assert interference.due(sent=2) == []
    assert interference.due(sent=1) == [third]
    assert interference.due(sent=9) == []


def test_what_is_cleared_is_not_due_any_more() -> None:
    interference = Interference([At(Cut(), messages=1)])
    interference.add(Mute())
    interference.clear()
    assert interference.due(sent=1) == []
    assert interference.active == ()
