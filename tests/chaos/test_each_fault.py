"""Each fault alone: what the user is told, and that every message has its place."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Subscribed,
    SubscriptionStalled,
    UnknownEvent,
)
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.simulator import (
    At,
    BadFrame,
    Close,
    Cut,
    Deaf,
    DripHandshake,
    Duplicate,
    Freeze,
    Garbage,
    HalfOpen,
    InvalidUtf8,
    Latency,
    Lose,
    Mute,
    NoAnswer,
    NoBooks,
    Oversized,
    Redirect,
    Refuse,
    SlowDown,
    Stall,
    Unknown,
    WrongHandshake,
)
from polymarket_ws.simulator.faults import Fault
from tests.chaos.arena import PATIENT, SILENCE, Arena, arena
from tests.market_server import eventually

Check = Callable[[Arena], object]


@attrs.frozen
class Case:
    fault: Fault
    code: int
    reason: str = ""


ENDINGS = [
    Case(Cut("reset"), 1006, "reset"),
    Case(Cut("fin"), 1006, "without a close frame"),
    Case(Cut("half_frame"), 1006),
    Case(Cut("half_frame", then="fin"), 1006),
    Case(Close(1001), 1001),
    Case(Close(1000, "all subscribed assets resolved"), 1000, "resolved"),
    Case(Close(1011, "oops"), 1011, "oops"),
    Case(BadFrame(), 1002),
    Case(InvalidUtf8(), 1007),
    Case(Oversized(), 1009),
    Case(Mute(), 1006, "no frame of any kind"),
    Case(HalfOpen(), 1006, "no frame of any kind"),
    Case(Stall(), 1006, "no frame of any kind"),
]


SILENT = (Mute, HalfOpen, Stall)


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: repr(case.fault))
def test_lost_connection_is_told_and_made_again(case: Case) -> None:
    limits = Liveness(socket=SILENCE) if isinstance(case.fault, SILENT) else PATIENT
    with arena(liveness=limits) as field:
        field.exchange.inject(case.fault)
        eventually(lambda: field.fast.seen(Disconnected), "a word about it")
        lost = field.fast.seen(Disconnected)[0]
        assert lost.code == case.code
        assert case.reason in lost.reason
        eventually(lambda: len(field.fast.seen(Connected)) == 2, "a new connection")
        again = field.fast.seen(Connected)[1]
        assert again.epoch == 2
        assert again.gap_seconds > 0
        assert set(again.asset_ids) == set(field.fast.stream.asset_ids)
        field.settle()
        assert len(field.fast.seen(Disconnected)) == 1


HANDSHAKES = [
    Refuse(429, retry_after=0.2),
    Refuse(500),
    Refuse(503),
    Refuse(404),
    Redirect("ws://127.0.0.1:1/"),
    WrongHandshake(),
]


@pytest.mark.parametrize("fault", HANDSHAKES, ids=repr)
def test_handshake_that_fails_is_tried_again(fault: Fault) -> None:
    with arena() as field:
        field.exchange.inject(fault)
        field.exchange.inject(Cut())
        eventually(lambda: field.fast.seen(Disconnected), "a word about it")
        # One that is the third comes after one that failed.
        eventually(lambda: field.client.health().connections[0].attempts >= 3, "a failure")
        field.exchange.heal()
        eventually(lambda: len(field.fast.seen(Connected)) == 2, "a new connection")
        field.settle()


SLOW_HANDSHAKES = [NoAnswer(), DripHandshake(0.005), DripHandshake(10.0)]


@pytest.mark.parametrize("fault", SLOW_HANDSHAKES, ids=repr)
def test_handshake_that_takes_too_long_is_tried_again(fault: Fault) -> None:
    with arena(connect_timeout=SILENCE) as field:
        field.exchange.inject(fault, lasting=SILENCE / 2)
        field.exchange.inject(Cut())
        eventually(lambda: field.fast.seen(Disconnected), "a word about it")
        eventually(lambda: len(field.fast.seen(Connected)) == 2, "a new connection")
        field.settle()


ODD = [
    (Garbage(), DecodeFailure, 2),
    (Garbage(("\x00", '{"a', "nothing")), DecodeFailure, 3),
    (Unknown(), UnknownEvent, 1),
    (Unknown("a_new_kind"), UnknownEvent, 1),
]


@pytest.mark.parametrize(("fault", "kind", "count"), ODD, ids=str)
def test_what_nobody_can_read_is_told_and_the_connection_lives(
    fault: Fault, kind: type[DecodeFailure], count: int
) -> None:
    with arena() as field:
        field.exchange.inject(fault)
        eventually(lambda: len(field.fast.seen(kind)) == count, "a word about it")
        field.settle()
        assert not field.fast.seen(Disconnected)


HARMLESS = [Duplicate(), Latency(0.2), Lose(("book",)), SlowDown(200_000)]


@pytest.mark.parametrize("fault", HARMLESS, ids=repr)
def test_what_is_no_loss_is_none(fault: Fault) -> None:
    with arena() as field:
        field.exchange.inject(fault, lasting=SILENCE)
        field.flows()
        field.settle()
        assert not field.fast.seen(Disconnected)


def test_server_that_does_not_read_is_noticed_by_its_silence_alone() -> None:
    with arena() as field:
        field.exchange.inject(Deaf())
        # It sends on, so nothing is lost, and nothing tells that it does not hear.
        field.flows()
        field.settle()
        assert not field.fast.seen(Disconnected)


def test_one_frozen_asset_tears_nothing_down() -> None:
    with arena() as field:
        field.exchange.inject(Freeze(field.fast.stream.asset_ids[0]))
        field.flows()
        field.settle()
        assert not field.fast.seen(Disconnected)


def test_books_that_a_connection_withholds_are_fetched_by_another() -> None:
    with arena(liveness=Liveness(socket=None, first_book=SILENCE)) as field:
        missing = field.fast.stream.asset_ids[:2]
        field.exchange.inject(At(NoBooks(missing), connection=2))
        with field.standstill():  # every trade is followed by a book
            field.exchange.drop("fin")
            eventually(lambda: len(field.fast.seen(Connected)) == 3, "a fresh connection")
        assert field.fast.seen(Connected)[2].connection == 2
        assert field.fast.seen(Connected)[2].asset_ids == missing
        eventually(lambda: field.client.health().pending == (), "every book")
        field.settle()
        assert not field.fast.seen(SubscriptionStalled)


def test_changes_of_an_asset_without_a_book_go_on_where_it_has_moved() -> None:
    with arena(liveness=Liveness(socket=None, first_book=SILENCE)) as field:
        market = field.exchange.market()
        missing = market.info.asset_ids[:1]
        field.exchange.inject(At(NoBooks(missing)))
        with field.standstill():  # every trade is followed by a book
            field.exchange.drop("fin")
            moved = (missing, 2)
            eventually(
                lambda: moved in [(e.asset_ids, e.connection) for e in field.fast.seen(Subscribed)],
                "the asset on a fresh connection",
            )
            assert not field.fast.seen(SubscriptionStalled)
            for _ in range(20):
                market.place(0, "BUY", "0.01", 1)
            eventually(lambda: field.audit.account().waiting == 0, "all changes")
        field.settle()


def test_books_that_never_come_are_named() -> None:
    with arena(liveness=Liveness(socket=None, first_book=SILENCE)) as field:
        missing = field.fast.stream.asset_ids[:2]
        field.exchange.inject(At(NoBooks(missing), every=1))
        with field.standstill():
            field.exchange.drop("fin")
            eventually(lambda: field.fast.seen(SubscriptionStalled), "a word about it")
        assert field.fast.seen(SubscriptionStalled)[0].asset_ids == missing
        assert len(field.fast.seen(Disconnected)) == 1
