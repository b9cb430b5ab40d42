from __future__ import annotations

import threading

import pytest

from polymarket_ws.transport.spacing import JITTER_SECONDS, OPENING_SECONDS, Spacing


def test_the_first_goes_at_once_and_others_one_by_one() -> None:
    spacing = Spacing(lambda: 1.0)
    step = OPENING_SECONDS + JITTER_SECONDS
    assert [spacing.turn(100.0, number) for number in (1, 2, 3)] == pytest.approx(
        [100.0, 100.0 + step, 100.0 + 2 * step]
    )


def test_a_free_moment_is_not_saved_up() -> None:
    spacing = Spacing(lambda: 0.0)
    spacing.turn(0.0, 1)
    assert spacing.turn(50.0, 2) == 50.0
    assert spacing.turn(50.0, 3) == 50.0 + OPENING_SECONDS


def test_one_connection_alone_is_not_held_up_by_itself() -> None:
    spacing = Spacing(lambda: 0.0)
    assert [spacing.turn(moment, 1) for moment in (0.0, 0.01, 0.02)] == [0.0, 0.01, 0.02]


def test_turns_taken_at_the_same_moment_are_all_different() -> None:
    spacing = Spacing(lambda: 0.5)
    turns: list[float] = []
    ready = threading.Barrier(8)

    def take(number: int) -> None:
        ready.wait()
        turns.append(spacing.turn(10.0, number))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gaps = [late - early for early, late in zip(sorted(turns), sorted(turns)[1:], strict=False)]
    assert min(gaps) >= OPENING_SECONDS
