from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from polymarket_ws.protocol.awaiting import Awaiting, Late


def test_what_never_comes_is_asked_again_then_elsewhere() -> None:
    awaiting = Awaiting(30.0, moves=True)
    awaiting.asked(["1", "2"], 0.0)
    awaiting.came("1")
    assert awaiting.late(29.9) is None
    assert awaiting.late(30.0) == Late(["2"], [], [])
    awaiting.asked(["2"], 30.0)
    assert awaiting.late(60.0) == Late([], ["2"], [])
    assert awaiting.deadline is None


def test_where_nothing_moves_the_second_time_is_the_last() -> None:
    awaiting = Awaiting(30.0, moves=False)
    awaiting.asked(["2"], 0.0)
    awaiting.late(30.0)
    awaiting.asked(["2"], 30.0)
    assert awaiting.late(60.0) == Late([], [], ["2"])
    assert list(awaiting.stalled) == ["2"]


def test_the_last_chance_is_one_asking() -> None:
    awaiting = Awaiting(30.0, moves=True)
    awaiting.grant_last_chance(["2"])
    awaiting.asked(["2"], 0.0)
    assert awaiting.late(30.0) == Late([], [], ["2"])


def test_what_answered_has_all_its_chances_again() -> None:
    awaiting = Awaiting(30.0, moves=True)
    awaiting.grant_last_chance(["2"])
    awaiting.asked(["2"], 0.0)
    awaiting.came("2")
    awaiting.asked(["2"], 10.0)
    assert awaiting.late(40.0) == Late(["2"], [], [])


def test_a_last_chance_outlives_the_connection() -> None:
    awaiting = Awaiting(30.0, moves=True)
    awaiting.grant_last_chance(["2"])
    awaiting.forget()
    awaiting.asked(["2"], 0.0)
    assert awaiting.late(30.0) == Late([], [], ["2"])


def test_a_stalled_one_that_comes_after_all_lacks_nothing() -> None:
    awaiting = Awaiting(30.0, moves=False)
    awaiting.asked(["2"], 0.0)
    assert awaiting.lacks("2")
    awaiting.late(30.0)
    awaiting.asked(["2"], 30.0)
    awaiting.late(60.0)
    assert awaiting.lacks("2")
    awaiting.came("2")
    assert not awaiting.lacks("2")
    assert not awaiting.stalled


def test_without_a_limit_nothing_is_ever_late() -> None:
    awaiting = Awaiting(None, moves=True)
    awaiting.asked(["2"], 0.0)
    assert awaiting.late(1e9) is None
    assert awaiting.deadline is None
    assert awaiting.lacks("2")


KEYS = st.lists(st.sampled_from("123"), min_size=1, max_size=3, unique=True)


class Life(RuleBasedStateMachine):
    """Whatever happens, an id that is wanted is watched, handed on, told, or has come."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.awaiting = Awaiting(10.0, moves=True)
        self.wanted: set[str] = set()
        self.handed_on: set[str] = set()

    @rule(keys=KEYS)
    def ask(self, keys: list[str]) -> None:
        self.awaiting.asked_anew(keys)
        self.awaiting.asked(keys, self.now)
        self.wanted |= set(keys)
        self.handed_on -= set(keys)

    @rule(keys=KEYS)
    def leave(self, keys: list[str]) -> None:
        self.awaiting.left(keys)
        self.wanted -= set(keys)

    @rule(key=st.sampled_from("123"))
    def come(self, key: str) -> None:
        if key in self.wanted:
            self.awaiting.came(key)

    @rule(keys=KEYS)
    def grant(self, keys: list[str]) -> None:
        self.awaiting.grant_last_chance(keys)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = self.awaiting.late(self.now)
        if late is not None:
            self.awaiting.asked(late.again, self.now)
            self.handed_on |= set(late.elsewhere)
            assert set(late.again + late.elsewhere + late.stalled) <= self.wanted

    @invariant()
    def nobody_is_forgotten(self) -> None:
        for key in self.wanted:
            places = (
                key in self.awaiting.since,
                key in self.awaiting.stalled,
                key in self.handed_on,
                not self.awaiting.lacks(key),
            )
            assert any(places)

    @invariant()
    def no_deadline_has_passed_unseen(self) -> None:
        times = list(self.awaiting.since.values())
        assert times == sorted(times)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=25)
