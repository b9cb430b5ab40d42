from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, PolymarketWSError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import RecoveryFailed
from polymarket_ws.events.user import Trade
from polymarket_ws.protocol.recovering import Account, Question, Recovering
from polymarket_ws.recovery import Recovery

START = 1_800_000_000.0
LIVE = Trade(
    market="0x1",
    id="live",
    asset_id="7",
    side="BUY",
    size=Decimal(1),
    price=Decimal("0.5"),
    status="MATCHED",
    match_time=int(START * 1000),
    received_at=START + 1,
)
MISSED = attrs.evolve(LIVE, id="missed")
ANSWER = Account(trades=(MISSED,), open_orders=(), ended_orders=())


class Asking:
    """A recovery with real threads, whose account answers when it is told to."""

    def __init__(
        self, *replies: Account | Exception, most_held: int = 100, timeout: float = 10.0
    ) -> None:
        self.replies = list(replies)
        self.questions: list[Question] = []
        self.threads: list[threading.Thread] = []
        self.go = threading.Semaphore(0)
        self.woken = threading.Semaphore(0)
        self.recovery = Recovery(
            Recovering(timeout=timeout, most_held=most_held, since=int(START * 1000) - 60_000),
            self.ask,
            connection=3,
        )
        self.recovery.wake_with(self.woken.release)
        self.recovery.opened(0.0, START, None)
        self.recovery.heard(0.0)

    def ask(self, question: Question) -> Account:
        self.questions.append(question)
        self.threads.append(threading.current_thread())
        assert self.go.acquire(timeout=30)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def answered(self, now: float) -> list[Event]:
        """Let the account answer, wait for the wake, and return what is told then."""
        self.go.release()
        assert self.woken.acquire(timeout=30)
        return self.recovery.due(now, START + now)


def failure_in(events: list[Event]) -> RecoveryFailed:
    (failure,) = (event for event in events if isinstance(event, RecoveryFailed))
    return failure


def test_answer_comes_before_what_was_held_back() -> None:
    asking = Asking(ANSWER)
    assert asking.recovery.deadline == 0.0
    assert asking.recovery.due(0.0, START) == []
    assert asking.recovery.take([LIVE], 100) == []
    assert asking.answered(1.0) == [attrs.evolve(MISSED, recovered=True), LIVE]
    assert asking.recovery.take([attrs.evolve(LIVE, status="MINED")], 100) != []


def test_account_is_not_asked_before_the_server_has_read_the_subscription() -> None:
    asking = Asking(ANSWER)
    asking.recovery.opened(20.0, START + 20, START + 1)
    asking.recovery.due(20.5, START + 20)
    assert asking.questions == []
    assert asking.recovery.deadline == 22.0
    asking.recovery.heard(21.0)
    assert asking.recovery.deadline == 21.0
    asking.recovery.due(21.0, START + 21)
    asking.answered(21.5)
    assert len(asking.questions) == 1


def test_account_is_asked_although_the_server_says_nothing() -> None:
    asking = Asking(ANSWER)
    asking.recovery.opened(20.0, START + 20, START + 1)
    asking.recovery.due(22.0, START + 22)
    asking.answered(22.5)
    assert len(asking.questions) == 1


def test_silence_of_the_server_does_not_lengthen_the_holding() -> None:
    asking = Asking(timeout=0.5)
    asking.recovery.closed()
    asking.recovery.opened(20.0, START + 20, START + 1)
    assert asking.recovery.take([LIVE], 100) == []
    assert asking.recovery.deadline == 20.5
    told = asking.recovery.due(20.5, START + 20.5)
    assert told == [failure_in(told), LIVE]
    assert asking.recovery.deadline == 22.0


def test_asking_has_one_thread_of_its_own_at_a_time_which_ends(
    seconds: Callable[[float], float],
) -> None:
    asking = Asking(ANSWER, ANSWER)
    for now in (0.0, 0.1, 0.2):
        asking.recovery.due(now, START + now)
    asking.answered(1.0)
    asking.recovery.due(7.0, START + 7)
    asking.answered(8.0)
    assert len(asking.questions) == 2
    first, second = asking.threads
    assert first is not second
    for thread in asking.threads:
        assert thread.name == "polymarket-ws-recovery"
        assert thread.daemon
        thread.join(seconds(10))
        assert not thread.is_alive()


def test_error_is_logged_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(ConnectionFailed("the host is down"), ANSWER)
    asking.recovery.due(0.0, START)
    with caplog.at_level(logging.WARNING, "polymarket_ws.recovery"):
        assert asking.answered(1.0) == []
    assert "the host is down" in caplog.text
    asking.recovery.due(3.0, START + 3)
    assert asking.answered(4.0) == [attrs.evolve(MISSED, recovered=True)]


def test_no_answer_in_time_is_told_and_live_events_go_on() -> None:
    asking = Asking(ANSWER)
    asking.recovery.due(0.0, START)
    asking.recovery.take([LIVE], 100)
    told = asking.recovery.due(10.0, START + 10)
    failure = failure_in(told)
    assert told == [failure, LIVE]
    assert (failure.channel, failure.connection) == ("user", 3)
    assert (failure.since, failure.until) == (int(START * 1000) - 60_000, int(START + 10) * 1000)
    assert failure.error == "the exchange has not answered in time"
    assert asking.answered(20.0) == [attrs.evolve(MISSED, recovered=True)]


def test_reason_of_the_last_failure_is_told() -> None:
    asking = Asking(ConnectionFailed("the host is down"), ANSWER)
    asking.recovery.due(0.0, START)
    asking.answered(1.0)
    assert failure_in(asking.recovery.due(10.0, START + 10)).error == "the host is down"
    asking.answered(11.0)


def test_refusal_is_told_at_once_and_not_asked_again() -> None:
    asking = Asking(AuthenticationFailed("refused (401)"))
    asking.recovery.due(0.0, START)
    asking.recovery.take([LIVE], 100)
    told = asking.answered(1.0)
    assert told == [failure_in(told), LIVE]
    assert failure_in(told).error == "refused (401)"
    assert asking.recovery.deadline is None


def test_bug_in_the_asking_does_not_hold_events_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(KeyError("oops"), ANSWER)
    asking.recovery.due(0.0, START)
    asking.answered(1.0)
    assert "unexpected internal error" in caplog.text
    told = asking.recovery.due(10.0, START + 10)
    assert failure_in(told).error == "unexpected internal error: KeyError('oops')"
    asking.answered(11.0)


def test_too_many_events_to_hold_are_told_at_once_behind_the_failure() -> None:
    asking = Asking(ANSWER, most_held=2)
    asking.recovery.due(0.0, START)
    assert asking.recovery.take([LIVE], 100) == []
    other = attrs.evolve(LIVE, id="other")
    told = asking.recovery.take([other], 100)
    assert told == [failure_in(told), LIVE, other]
    assert failure_in(told).until == int(START + 1) * 1000
    assert "too much came" in failure_in(told).error
    asking.answered(1.0)


def test_end_of_the_connection_gives_out_what_was_held_back() -> None:
    asking = Asking(ANSWER)
    asking.recovery.due(0.0, START)
    asking.recovery.take([LIVE], 100)
    assert asking.recovery.closed() == [LIVE]
    asking.answered(1.0)


def test_answer_that_comes_between_two_connections_is_told_on_the_next() -> None:
    asking = Asking(ANSWER, ANSWER)
    asking.recovery.due(0.0, START)
    asking.recovery.closed()
    asking.go.release()
    assert asking.woken.acquire(timeout=30)
    asking.recovery.opened(20.0, START + 20, START + 1)
    asking.recovery.heard(20.0)
    assert asking.recovery.due(20.0, START + 20) == [attrs.evolve(MISSED, recovered=True)]
    asking.answered(21.0)
    assert len(asking.questions) == 2


def test_without_a_thread_to_be_had_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking(ANSWER)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert asking.recovery.due(0.0, START) == []
    assert asking.recovery.due(2.0, START + 2) == []
    assert asking.answered(3.0) == [attrs.evolve(MISSED, recovered=True)]


def test_errors_of_ours_are_no_internal_errors(caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(PolymarketWSError("no address"), ANSWER)
    asking.recovery.due(0.0, START)
    asking.answered(1.0)
    assert "internal" not in caplog.text
    asking.recovery.due(3.0, START + 3)
    asking.answered(4.0)
