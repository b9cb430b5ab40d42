from __future__ import annotations

from typing import Any

import pytest

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_plan import At, FaultPlan
from polymarket_ws.simulator.faults import Cut, Garbage, Mute, Refuse, WrongHandshake


def numbers(entry: At, *channels: Any) -> list[int]:
    """Return the numbers of the upgrades that an entry is on."""
    plan = FaultPlan([entry])
    upgrades = [plan.upgrade(channel) for channel in channels]
    return [upgrade.number for upgrade in upgrades if upgrade.entries or upgrade.fault]


@pytest.mark.parametrize(
    ("entry", "concerned"),
    [
        (At(Mute()), [1, 2, 3, 4, 5, 6]),
        (At(Mute(), connection=3), [3]),
        (At(Refuse(), every=2), [2, 4, 6]),
        (At(Mute(), channel="user"), [2, 4, 5]),
        (At(Mute(), channel="user", connection=2), [4]),
        (At(Refuse(), channel="market", every=3), [6]),
    ],
)
def test_an_entry_is_on_the_upgrades_that_it_names(entry: At, concerned: list[int]) -> None:
    channels = ("market", "user", "market", "user", "user", "market")
    assert numbers(entry, *channels) == concerned


def test_the_first_fault_of_a_handshake_counts() -> None:
    plan = FaultPlan([Mute(), WrongHandshake(), Refuse()])
    upgrade = plan.upgrade("market")
    assert upgrade.fault == WrongHandshake()
    assert [entry.fault for entry in upgrade.entries] == [Mute()]


def test_an_entry_taken_back_leaves_its_equals() -> None:
    plan = FaultPlan()
    first, second = At(Refuse()), At(Refuse())
    plan.add(first)
    plan.add(second)
    plan.remove(first)
    assert plan.upgrade("user").fault == Refuse()
    plan.clear()
    assert plan.upgrade("user").fault is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"fault": "Mute"}, "wanted is a fault, such as Mute"),
        ({"fault": Mute(), "messages": 1, "seconds": 1}, "messages= or after seconds="),
        ({"fault": Mute(), "connection": 1, "every": 2}, "connection= or on every="),
        ({"fault": Refuse(), "messages": 1}, "Refuse is done to an upgrade"),
        ({"fault": Refuse(), "seconds": 0.0}, "Refuse is done to an upgrade"),
        ({"fault": Refuse(), "lasting": 1}, "Refuse is done to an upgrade"),
        ({"fault": Cut(), "lasting": 1}, "Cut does not last"),
        ({"fault": Garbage(), "lasting": 1}, "Garbage does not last"),
        ({"fault": Mute(), "connection": 0}, "connection of At takes"),
        ({"fault": Mute(), "channel": "sports"}, "channel of At takes one of market, user"),
        ({"fault": Mute(), "seconds": -1}, "seconds of At takes"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(arguments: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        At(**arguments)


@pytest.mark.parametrize("script", [Mute(), At(Mute()), "Mute", [3]])
def test_a_script_is_a_list_of_faults(script: Any) -> None:
    with pytest.raises(UsageError, match="fault"):
        FaultPlan(script)


def test_what_is_healed_while_an_upgrade_is_under_way_does_not_happen() -> None:
    plan = FaultPlan([Mute()])
    upgrade = plan.upgrade("market")
    assert [entry.fault for entry in plan.entries(upgrade)] == [Mute()]
    plan.clear()
    assert plan.entries(upgrade) == ()
