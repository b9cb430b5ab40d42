from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from polymarket_ws.transport.deadline import Deadline, acquire_unless

Seconds = Callable[[float], float]


def test_without_a_limit_it_never_passes() -> None:
    deadline = Deadline(None)
    assert deadline.remaining() is None
    assert not deadline.expired()


def test_remaining_time_shrinks_to_zero(seconds: Seconds) -> None:
    deadline = Deadline(seconds(5))
    first = deadline.remaining()
    threading.Event().wait(0.01)
    later = deadline.remaining()
    assert first is not None
    assert later is not None
    assert 0.0 < later < first <= seconds(5)
    short = Deadline(0.05)
    threading.Event().wait(0.06)
    assert short.remaining() == 0.0
    assert short.expired()


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_no_time_at_all_is_over_at_once(value: float) -> None:
    assert Deadline(value).remaining() == 0.0
    assert Deadline(value).expired()


@pytest.mark.parametrize("lock", [threading.RLock(), threading.Condition()])
def test_free_lock_is_acquired(lock: threading.Condition) -> None:
    assert acquire_unless(lock, lambda: True)
    lock.release()


def test_lock_is_waited_for_as_long_as_it_is_wanted(seconds: Seconds) -> None:
    lock = threading.RLock()
    got: list[bool] = []

    def take() -> None:
        got.append(acquire_unless(lock, lambda: False))
        lock.release()

    thread = threading.Thread(target=take)
    with lock:
        thread.start()
        thread.join(0.15)
        assert thread.is_alive()
    thread.join(seconds(5))
    assert got == [True]


def test_lock_that_is_not_wanted_any_more_is_not_waited_for(seconds: Seconds) -> None:
    lock = threading.RLock()
    abandoned = threading.Event()
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(acquire_unless(lock, abandoned.is_set)))
    with lock:
        thread.start()
        abandoned.set()
        thread.join(seconds(5))
        # While the lock is held: without a look at what is wanted it would be waited for here.
        assert not thread.is_alive()
    assert got == [False]
