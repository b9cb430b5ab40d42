from __future__ import annotations

import queue
import threading

from polymarket_ws.simulator.agenda import Agenda
from tests.conftest import scaled


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "agenda" in thread.name]


def test_things_are_done_in_the_order_of_their_time() -> None:
    agenda = Agenda()
    agenda.open()
    done: queue.Queue[str] = queue.Queue()
    # Not due before the next one is there, however late that is.
    agenda.add(scaled(0.5), lambda: done.put("late"))
    agenda.add(0.0, lambda: done.put("early"))
    assert [done.get(timeout=scaled(5)) for _ in range(2)] == ["early", "late"]
    assert agenda.close(scaled(5))
    assert threads() == []


def test_nothing_to_do_takes_no_thread() -> None:
    agenda = Agenda()
    agenda.add(0, lambda: None)
    agenda.open()
    assert threads() == []
    assert agenda.close(0)


def test_what_is_cleared_is_not_done() -> None:
    agenda = Agenda()
    agenda.open()
    done: queue.Queue[str] = queue.Queue()
    # Not due before it is cleared, and before what comes instead.
    agenda.add(scaled(0.4), lambda: done.put("never"))
    agenda.clear()
    agenda.add(scaled(0.5), lambda: done.put("this"))
    assert done.get(timeout=scaled(5)) == "this"
    assert agenda.close(scaled(5))


def test_it_goes_on_when_it_is_opened_again() -> None:
    agenda = Agenda()
    done: queue.Queue[str] = queue.Queue()
    for number in range(3):
        agenda.open()
        agenda.add(3600, lambda: done.put("never"))
        agenda.add(0.0, lambda number=number: done.put(f"{number}"))  # type: ignore[misc]
        assert done.get(timeout=scaled(5)) == f"{number}"
        assert agenda.close(scaled(5))


def test_an_action_may_add_another_one() -> None:
    agenda = Agenda()
    agenda.open()
    done: queue.Queue[str] = queue.Queue()
    agenda.add(0.0, lambda: agenda.add(0.0, lambda: done.put("second")))
    assert done.get(timeout=scaled(5)) == "second"
    assert agenda.close(scaled(5))
