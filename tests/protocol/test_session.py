from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from polymarket_ws.events import (
    BestBidAsk,
    Book,
    Connected,
    DecodeFailure,
    Disconnected,
    Event,
    LastTradePrice,
    Lifecycle,
    NewMarket,
    PriceChange,
    Subscribed,
    SubscriptionRejected,
    SubscriptionStalled,
    UnknownEvent,
)
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.session import (
    BURST_FRAMES,
    COALESCE_SECONDS,
    FRAMES_PER_SECOND,
    Session,
)

BOOKS: frozenset[type[Event]] = frozenset((Book, PriceChange))
TRADES: frozenset[type[Event]] = frozenset((LastTradePrice,))
NEW: frozenset[type[Event]] = frozenset((NewMarket,))

#: Wall clock of the tests, far from their monotonic clock.
WALL = 1_790_000_000.0


def session(liveness: Liveness | None = None) -> Session:
    return Session(MarketDialect(), liveness or Liveness(), connection=3)


def opened(
    ids: Iterable[str] = ("1",),
    kinds: frozenset[type[Event]] = BOOKS,
    *,
    liveness: Liveness | None = None,
    now: float = 0.0,
) -> Session:
    """Return a session that has sent its first subscription."""
    talk = session(liveness)
    talk.want(list(ids), kinds, now)
    talk.opened(now, WALL)
    talk.due(now, WALL)
    return talk


def book(*asset_ids: str) -> bytes:
    return json.dumps(
        [
            {"event_type": "book", "market": "0x1", "asset_id": key, "bids": [], "asks": []}
            for key in asset_ids
        ]
    ).encode()


def hear(talk: Session, text: bytes, now: float) -> list[Event]:
    talk.heard(now, WALL + now)
    events, sizes, sources = talk.receive((text,), WALL + now)
    assert len(events) == len(sizes) == len(sources)
    return events


def texts(talk: Session, now: float) -> list[str]:
    return talk.due(now, WALL + now)[0]


def told(talk: Session, now: float) -> list[Lifecycle]:
    return talk.due(now, WALL + now)[1]


# -- the first frame and the heartbeat -------------------------------------------------


def test_nothing_is_due_before_the_connection_is_open() -> None:
    talk = session()
    talk.want(["1"], BOOKS, 0.0)
    assert talk.next_deadline() is None


def test_the_first_subscription_is_due_at_once() -> None:
    talk = session()
    talk.want(["1"], BOOKS, 0.0)
    talk.opened(5.0, WALL)
    assert talk.next_deadline() == 5.0
    assert texts(talk, 5.0) == [
        '{"type":"market","assets_ids":["1"],"custom_feature_enabled":false}'
    ]


def test_the_first_wish_on_an_open_connection_is_due_at_once() -> None:
    talk = session()
    talk.opened(5.0, WALL)
    assert texts(talk, 5.0) == []
    talk.want(["1"], BOOKS, 6.0)
    assert talk.next_deadline() == 6.0
    assert len(texts(talk, 6.0)) == 1


def test_pings_follow_the_first_subscription_every_ten_seconds() -> None:
    talk = opened(liveness=Liveness(socket=None, first_book=None))
    sent = [(now, text) for now in range(35) for text in texts(talk, float(now))]
    assert sent == [(10, "PING"), (20, "PING"), (30, "PING")]


def test_no_ping_without_a_subscription() -> None:
    talk = session(Liveness(socket=None))
    talk.opened(0.0, WALL)
    assert [texts(talk, now) for now in (0.0, 10.0, 125.0)] == [[], [], []]
    assert talk.next_deadline() is None


def test_a_first_subscription_without_ids_starts_the_pings_too() -> None:
    talk = opened([], NEW)
    assert texts(talk, 10.0) == ["PING"]


def test_the_pings_of_a_new_connection_wait_for_its_own_subscription() -> None:
    talk = opened()
    talk.closed(1006, "", WALL)
    talk.want([], frozenset(), 9.0)
    talk.opened(9.0, WALL)
    assert texts(talk, 9.0) == []
    assert texts(talk, 19.0) == []
    talk.want(["1"], BOOKS, 20.0)
    assert texts(talk, 20.0)[0].startswith('{"type":"market"')
    assert texts(talk, 29.0) == []
    assert texts(talk, 30.0) == ["PING"]


def test_a_frame_and_a_ping_due_together_come_in_that_order() -> None:
    talk = opened()
    talk.want(["1", "2"], BOOKS, 9.99)
    sent = texts(talk, 10.05)
    assert [text[:12] for text in sent] == ['{"operation"', "PING"]


# -- wishes ----------------------------------------------------------------------------


def test_wishes_are_collected_into_one_frame() -> None:
    talk = opened()
    talk.want(["1", "2"], BOOKS, 1.0)
    talk.want(["1", "2", "3"], BOOKS, 1.0 + COALESCE_SECONDS / 2)
    assert texts(talk, 1.0 + COALESCE_SECONDS / 2) == []
    assert talk.next_deadline() == 1.0 + COALESCE_SECONDS
    assert texts(talk, 1.0 + COALESCE_SECONDS) == [
        '{"operation":"subscribe","assets_ids":["2","3"],"custom_feature_enabled":false}'
    ]


def test_a_wish_taken_back_in_time_costs_no_frame() -> None:
    talk = opened()
    talk.want(["1", "2"], BOOKS, 1.0)
    talk.want(["1"], BOOKS, 1.01)
    assert talk.due(2.0, WALL) == ([], [])


def test_the_same_wish_again_wakes_nobody() -> None:
    talk = opened(liveness=Liveness(socket=None, first_book=None))
    talk.want(["1"], BOOKS, 1.0)
    assert talk.next_deadline() == 10.0


def test_what_was_subscribed_is_told_once_it_was_sent() -> None:
    talk = opened(["1"])
    talk.want(["1", "2", "3"], BOOKS, 1.0)
    event = Subscribed(channel="market", connection=3, asset_ids=("2", "3"))
    (seen,) = told(talk, 1.05)
    assert seen == event
    assert (seen.epoch, seen.received_at) == (1, WALL + 1.05)
    assert list(talk.sent) == ["1", "2", "3"]


def test_a_refresh_is_one_unsubscribe_and_subscribe_and_tells_nothing() -> None:
    talk = opened(["1", "2"])
    talk.refresh(iter(["2"]), 1.0)
    assert talk.due(1.05, WALL) == (
        [
            '{"operation":"unsubscribe","assets_ids":["2"]}',
            '{"operation":"subscribe","assets_ids":["2"],"custom_feature_enabled":false}',
        ],
        [],
    )


def test_a_class_that_needs_the_features_switches_them_on() -> None:
    talk = opened(["1"])
    talk.want(["1"], BOOKS | {BestBidAsk}, 1.0)
    assert texts(talk, 1.05) == [
        '{"operation":"subscribe","assets_ids":["1"],"custom_feature_enabled":true}'
    ]


def test_wishes_made_offline_are_in_the_first_frame() -> None:
    talk = opened(["1", "2"])
    talk.closed(1006, "", WALL)
    assert list(talk.sent) == []
    talk.want(["2", "3"], BOOKS | NEW, 1.0)
    talk.refresh(["2"], 1.0)
    assert talk.next_deadline() is None
    talk.opened(2.0, WALL)
    sent, events = talk.due(2.0, WALL)
    assert sent == ['{"type":"market","assets_ids":["2","3"],"custom_feature_enabled":true}']
    assert [event.asset_ids for event in events] == [("2", "3")]
    assert talk.due(3.0, WALL) == ([], [])


def test_only_wanted_classes_are_decoded() -> None:
    talk = opened(kinds=TRADES)
    assert hear(talk, book("1", "2"), 1.0) == []
    assert talk.skipped == 2


# -- texts -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"PONG", b"PONG\n", b" PONG ", b"NO NEW ASSETS", b"", b"\n"])
def test_control_texts_never_reach_a_user(text: bytes) -> None:
    assert hear(opened(), text, 1.0) == []


@pytest.mark.parametrize("text", [b"[]", b"[]\n", b"\n[ ]\n"])
def test_an_empty_array_is_no_event(text: bytes) -> None:
    talk = opened()
    assert hear(talk, text, 1.0) == []
    assert list(talk.awaited) == ["1"]


def test_a_refusal_is_told() -> None:
    (event,) = hear(opened(), b"INVALID OPERATION\n", 1.0)
    assert event == SubscriptionRejected(
        channel="market", connection=3, message="INVALID OPERATION"
    )
    assert (event.epoch, event.received_at) == (1, WALL + 1.0)


@pytest.mark.parametrize("text", [b"HELLO", b"null", b"7", b'"PONG"', b"\xff\xfe", b"PONG PONG"])
def test_any_other_text_is_a_failure_that_shows_it(text: bytes) -> None:
    (event,) = hear(opened(), text, 1.0)
    assert isinstance(event, DecodeFailure)
    assert event.raw == text.decode(errors="replace")
    assert (event.channel, event.connection, event.epoch) == ("market", 3, 1)


def test_a_failure_keeps_four_thousand_characters() -> None:
    (event,) = hear(opened(), "é".encode() * 9_000, 1.0)
    assert isinstance(event, DecodeFailure)
    assert event.raw == "é" * 4096


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n\t"])
def test_white_space_before_json_does_not_matter(space: bytes) -> None:
    events = hear(opened(), space + book("1", "2"), 1.0)
    assert [type(event) for event in events] == [Book, Book]


def test_an_unknown_type_is_passed_through() -> None:
    (event,) = hear(opened(), b'{"event_type":"surprise"}', 1.0)
    assert isinstance(event, UnknownEvent)
    assert event.event_type == "surprise"


# -- the connection comes and goes -----------------------------------------------------


def test_the_first_connection_has_no_gap() -> None:
    event = session().opened(1000.0, WALL)
    assert event == Connected(channel="market", connection=3, epoch=1, gap_seconds=0.0)
    assert event.received_at == WALL


def test_the_gap_begins_with_the_last_frame_heard() -> None:
    talk = opened(now=100.0)
    hear(talk, b"PONG", 110.0)
    talk.closed(1006, "", WALL + 140.0)
    event = talk.opened(141.5, WALL + 141.5)
    assert (event.epoch, event.gap_seconds) == (2, 31.5)


def test_a_connection_that_said_nothing_does_not_end_the_gap() -> None:
    talk = opened(now=100.0)
    hear(talk, b"PONG", 110.0)
    for now in (120.0, 130.0):
        talk.closed(1006, "", WALL)
        event = talk.opened(now, WALL)
    assert (event.epoch, event.gap_seconds) == (3, 20.0)


def test_a_gap_without_any_frame_begins_with_the_first_connection() -> None:
    talk = opened(now=100.0)
    talk.closed(1006, "", WALL)
    assert talk.opened(104.0, WALL).gap_seconds == 4.0


def test_the_end_is_told_with_the_time_of_the_last_message() -> None:
    talk = opened()
    talk.heard(4.0, WALL + 4.0)
    event = talk.closed(1013, "slow consumer", WALL + 5.0)
    assert event == Disconnected(
        channel="market",
        connection=3,
        code=1013,
        reason="slow consumer",
        last_message_at=WALL + 4.0,
    )
    assert (event.epoch, event.received_at) == (1, WALL + 5.0)
    assert talk.next_deadline() is None


def test_an_end_before_any_message_has_no_time_of_one() -> None:
    assert opened().closed(1006, "", WALL).last_message_at is None


def test_events_carry_the_epoch_of_their_connection() -> None:
    talk = opened()
    talk.closed(1006, "", WALL)
    talk.opened(1.0, WALL)
    (event,) = hear(talk, book("1"), 2.0)
    assert (event.epoch, event.received_at) == (2, WALL + 2.0)


# -- the socket and the data -----------------------------------------------------------


def test_a_silent_socket_counts_as_dead_after_the_limit() -> None:
    talk = opened(liveness=Liveness(socket=30.0))
    assert talk.silent(29.999) is None
    assert talk.silent(30.0) == "no frame of any kind for 30 s"


def test_any_frame_keeps_the_socket_alive() -> None:
    talk = opened(liveness=Liveness(socket=30.0))
    talk.heard(29.0, WALL)
    assert talk.silent(58.9) is None
    assert talk.silent(59.0) is not None


def test_a_socket_that_is_not_watched_is_never_dead() -> None:
    talk = opened(liveness=Liveness(socket=None, first_book=None))
    assert talk.silent(1e9) is None
    assert talk.next_deadline() == 10.0


def test_a_new_connection_has_the_whole_limit() -> None:
    talk = opened(liveness=Liveness(socket=30.0))
    talk.closed(1006, "", WALL)
    talk.opened(100.0, WALL)
    assert talk.silent(129.9) is None


def test_missing_data_is_noticed_although_pongs_come() -> None:
    talk = opened(liveness=Liveness(data=60.0))
    hear(talk, book("1"), 1.0)
    for now in range(10, 70, 10):
        hear(talk, b"PONG", float(now))
    assert talk.silent(60.9) is None
    assert talk.silent(61.0) == "no data for 60 s"


@pytest.mark.parametrize("text", [book("1"), b"\n" + book("1")])
def test_data_puts_the_watch_off(text: bytes) -> None:
    talk = opened(liveness=Liveness(socket=None, data=60.0))
    hear(talk, text, 50.0)
    assert talk.silent(109.9) is None


def test_quiet_markets_are_normal_unless_data_is_watched() -> None:
    talk = opened()
    hear(talk, b"PONG", 1000.0)
    assert talk.silent(1029.0) is None


# -- first books -----------------------------------------------------------------------

AGAIN = [
    '{"operation":"unsubscribe","assets_ids":["2"]}',
    '{"operation":"subscribe","assets_ids":["2"],"custom_feature_enabled":false}',
]
PATIENT = Liveness(socket=None, first_book=30.0)


def without_pings(frames: list[str]) -> list[str]:
    return [frame for frame in frames if frame != "PING"]


def test_a_book_that_came_is_awaited_no_more() -> None:
    talk = opened(["1", "2"], liveness=PATIENT)
    hear(talk, book("2"), 1.0)
    assert list(talk.awaited) == ["1"]


def test_a_late_book_is_asked_for_again_once_and_then_told_as_stalled() -> None:
    talk = opened(["1", "2", "3"], liveness=PATIENT)
    hear(talk, book("1", "3"), 1.0)
    assert without_pings(texts(talk, 29.999)) == []
    frames, events = talk.due(30.0, WALL)
    assert (without_pings(frames), events) == (AGAIN, [])
    frames, events = talk.due(59.999, WALL)
    assert (without_pings(frames), events) == ([], [])
    frames, events = talk.due(60.0, WALL)
    assert without_pings(frames) == []
    assert events == [SubscriptionStalled(channel="market", connection=3, asset_ids=("2",))]
    assert events[0].epoch == 1
    assert list(talk.awaited) == []
    assert without_pings(texts(talk, 1000.0)) == []


def test_a_book_that_comes_on_the_second_asking_is_no_stall() -> None:
    talk = opened(["2"], liveness=PATIENT)
    talk.due(30.0, WALL)
    hear(talk, book("2"), 31.0)
    assert told(talk, 1000.0) == []


def test_ids_asked_for_later_are_late_later() -> None:
    talk = opened(["1"], liveness=PATIENT)
    talk.want(["1", "2"], BOOKS, 10.0)
    talk.due(10.05, WALL)
    assert "1" in without_pings(texts(talk, 30.0))[0]
    assert without_pings(texts(talk, 40.0)) == []
    assert without_pings(texts(talk, 40.05)) == AGAIN


def test_an_id_left_and_entered_again_is_asked_for_twice_again() -> None:
    talk = opened(["1", "2"], liveness=PATIENT)
    hear(talk, book("1"), 1.0)
    talk.due(30.0, WALL)
    talk.want(["1"], BOOKS, 31.0)
    talk.due(31.05, WALL)
    assert list(talk.awaited) == []
    talk.want(["1", "2"], BOOKS, 40.0)
    talk.due(40.05, WALL)
    frames, events = talk.due(70.05, WALL)
    assert (without_pings(frames), events) == (AGAIN, [])
    assert [event.asset_ids for event in told(talk, 100.05)] == [("2",)]


def test_a_stalled_id_is_watched_again_after_a_refresh() -> None:
    talk = opened(["2"], liveness=PATIENT)
    talk.due(30.0, WALL)
    talk.due(60.0, WALL)
    talk.refresh(["2"], 70.0)
    assert without_pings(texts(talk, 70.05)) == AGAIN
    assert list(talk.awaited) == ["2"]
    frames, events = talk.due(100.05, WALL)
    assert (without_pings(frames), events) == (AGAIN, [])


def test_a_refreshed_book_is_watched() -> None:
    talk = opened(["1", "2"], liveness=PATIENT)
    hear(talk, book("1", "2"), 1.0)
    talk.refresh(["2"], 2.0)
    talk.due(2.05, WALL)
    assert list(talk.awaited) == ["2"]
    assert without_pings(texts(talk, 32.05)) == AGAIN


def test_a_refresh_of_an_awaited_book_does_not_hold_up_the_others() -> None:
    talk = opened(["1", "2"], liveness=PATIENT)
    talk.refresh(["1"], 10.0)
    talk.due(10.05, WALL)
    assert without_pings(texts(talk, 30.0)) == AGAIN


def test_trades_alone_await_no_book() -> None:
    talk = opened(kinds=TRADES, liveness=PATIENT)
    assert list(talk.awaited) == []
    assert talk.due(1000.0, WALL) == (["PING"], [])


def test_books_that_nobody_wants_any_more_are_not_awaited() -> None:
    talk = opened(["1"], liveness=PATIENT)
    talk.want(["1"], TRADES, 1.0)
    assert list(talk.awaited) == []
    frames, events = talk.due(1000.0, WALL)
    assert (without_pings(frames), events) == ([], [])


def test_a_new_connection_begins_to_wait_anew() -> None:
    talk = opened(["2"], liveness=PATIENT)
    talk.due(30.0, WALL)
    talk.closed(1006, "", WALL)
    assert list(talk.awaited) == []
    talk.opened(40.0, WALL)
    talk.due(40.0, WALL)
    assert without_pings(texts(talk, 70.0)) == AGAIN


def test_books_that_are_not_watched_are_awaited_for_ever() -> None:
    talk = opened(liveness=Liveness(socket=None, first_book=None))
    assert without_pings(texts(talk, 1e6)) == []
    assert list(talk.awaited) == ["1"]


# -- asking elsewhere --------------------------------------------------------------------


def moving(ids: Iterable[str]) -> Session:
    """Return a session that has sent its first subscription and may hand ids on."""
    talk = Session(MarketDialect(), PATIENT, connection=3, moves=True)
    talk.want(list(ids), BOOKS, 0.0)
    talk.opened(0.0, WALL)
    talk.due(0.0, WALL)
    return talk


def test_an_id_that_is_never_answered_is_handed_on_before_anybody_is_told() -> None:
    talk = moving(["1", "2"])
    hear(talk, book("1"), 1.0)
    assert without_pings(texts(talk, 30.0)) == AGAIN
    frames, events = talk.due(60.0, WALL)
    assert (without_pings(frames), events) == ([], [])
    assert talk.unanswered == ["2"]
    assert talk.pending == ("2",)


def test_an_id_on_its_last_chance_is_asked_once_and_told() -> None:
    talk = Session(MarketDialect(), PATIENT, connection=3, moves=True)
    talk.want(["2"], BOOKS, 0.0)
    talk.grant_last_chance(["2"])
    talk.opened(0.0, WALL)
    talk.due(0.0, WALL)
    frames, events = talk.due(30.0, WALL)
    assert without_pings(frames) == []
    assert [event.asset_ids for event in events] == [("2",)]
    assert (talk.stalled, talk.pending, talk.unanswered) == (("2",), ("2",), [])
    hear(talk, book("2"), 31.0)
    assert (talk.stalled, talk.pending) == ((), ())


def test_what_cannot_be_asked_elsewhere_is_told() -> None:
    talk = moving(["2"])
    talk.due(30.0, WALL)
    talk.due(60.0, WALL)
    event = talk.give_up(talk.unanswered, WALL)
    assert event is not None
    assert event.asset_ids == ("2",)
    hear(talk, book("2"), 61.0)
    assert talk.give_up(["2", "9"], WALL) is None
    assert talk.stalled == ()


def test_what_was_told_elsewhere_is_not_watched_again() -> None:
    talk = Session(MarketDialect(), PATIENT, connection=3, moves=True)
    talk.want(["2"], BOOKS, 0.0)
    talk.was_told(["2"])
    talk.opened(0.0, WALL)
    talk.due(0.0, WALL)
    assert (talk.stalled, talk.pending) == (("2",), ("2",))
    frames, events = talk.due(1000.0, WALL)
    assert (without_pings(frames), events, talk.unanswered) == ([], [], [])
    talk.refresh(["2"], 1000.0)
    talk.due(1000.05, WALL)
    assert without_pings(talk.due(1030.05, WALL)[0]) == AGAIN


def test_a_last_chance_ends_with_the_wish() -> None:
    talk = Session(MarketDialect(), PATIENT, connection=3, moves=True)
    talk.grant_last_chance(["2"])
    talk.want(["1"], BOOKS, 0.0)
    talk.want(["1", "2"], BOOKS, 0.0)
    talk.opened(0.0, WALL)
    talk.due(0.0, WALL)
    hear(talk, book("1"), 1.0)
    assert without_pings(texts(talk, 30.0)) == AGAIN


def test_pending_names_what_was_not_asked_for_yet() -> None:
    talk = session()
    talk.want(["1", "2"], BOOKS, 0.0)
    assert talk.pending == ("1", "2")
    talk.want(["1", "2"], TRADES, 0.0)
    assert talk.pending == ()


def test_an_id_is_not_asked_for_while_another_connection_has_it() -> None:
    elsewhere = {"1", "2"}
    talk = Session(MarketDialect(), PATIENT, connection=3, others=lambda: [elsewhere])
    talk.want(["1", "2", "3"], BOOKS, 0.0)
    talk.opened(0.0, WALL)
    assert json.loads(texts(talk, 0.0)[0])["assets_ids"] == ["3"]
    elsewhere.discard("1")
    assert json.loads(texts(talk, COALESCE_SECONDS)[0])["assets_ids"] == ["1"]
    elsewhere.clear()
    assert json.loads(texts(talk, 2 * COALESCE_SECONDS)[0])["assets_ids"] == ["2"]
    assert talk.next_deadline() == 10.0


def test_an_id_counts_as_left_once_that_is_written() -> None:
    talk = opened(["1", "2"])
    talk.want(["1"], BOOKS, 1.0)
    texts(talk, 1.0 + COALESCE_SECONDS)
    assert (list(talk.sent), talk.leaving) == (["1"], ("2",))
    talk.closed(1006, "", WALL)
    assert talk.leaving == ()


def test_nothing_is_said_while_others_have_all_that_is_wanted() -> None:
    elsewhere = {"1"}
    talk = Session(MarketDialect(), PATIENT, connection=3, others=lambda: [elsewhere])
    talk.want(["1"], BOOKS, 0.0)
    talk.opened(0.0, WALL)
    assert talk.due(0.0, WALL) == ([], [])
    assert not talk.begun
    elsewhere.clear()
    assert '"type":"market"' in texts(talk, COALESCE_SECONDS)[0]


def test_a_program_that_changes_its_mind_in_a_loop_is_slowed_down() -> None:
    talk = opened(liveness=Liveness(socket=None, first_book=None))
    sent = 0
    now = 0.0
    for turn in range(1000):
        now = turn * 0.01
        talk.want([str(turn % 2 + 1)], BOOKS, now)
        sent += len(without_pings(texts(talk, now)))
    assert now < 10.0
    assert sent <= BURST_FRAMES + FRAMES_PER_SECOND * now + 2
    talk.want(["9"], BOOKS, now)
    deadline = talk.next_deadline()
    assert deadline is not None
    texts(talk, max(deadline, now + 1.0))
    assert list(talk.sent) == ["9"]


# -- deadlines -------------------------------------------------------------------------


@given(
    start=st.floats(0, 1e7),
    first_book=st.floats(0.001, 1000),
    socket=st.floats(0.001, 1000),
)
def test_a_deadline_is_never_missed_by_a_rounding_error(
    start: float, first_book: float, socket: float
) -> None:
    talk = opened(liveness=Liveness(socket=socket, first_book=first_book), now=start)
    now = start
    for _ in range(8):
        deadline = talk.next_deadline()
        assert deadline is not None
        assert deadline > now
        now = deadline
        if talk.silent(now) is not None:
            return
        talk.due(now, WALL)


IDS = st.lists(st.sampled_from("12345"), max_size=5, unique=True)
KINDS = st.sampled_from([BOOKS, TRADES, NEW, BOOKS | NEW, frozenset({Book}), frozenset()])


class Time(RuleBasedStateMachine):
    """Whatever happens, the owner may sleep until the deadline and then get on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1234.5678
        self.open = False
        self.begun = False

    @initialize(
        first_book=st.sampled_from([None, 0.02, 30.0]),
        socket=st.sampled_from([None, 30.0]),
        data=st.sampled_from([None, 45.0]),
    )
    def begin(self, first_book: float | None, socket: float | None, data: float | None) -> None:
        self.talk = session(Liveness(first_book=first_book, socket=socket, data=data))

    def look(self) -> None:
        """Do what the owner does in each turn."""
        if not self.open:
            assert self.talk.next_deadline() is None
            return
        if self.talk.silent(self.now) is not None:
            self.talk.closed(1006, "silent", WALL)
            self.open = False
            return
        frames, events = self.talk.due(self.now, WALL)
        for frame in frames:
            if not self.begun:
                assert frame.startswith('{"type":"market"')
                self.begun = True
            else:
                assert frame == "PING" or frame.startswith('{"operation"')
        for event in events:
            if isinstance(event, SubscriptionStalled):
                assert not set(event.asset_ids) & self.talk.awaited.keys()
        assert self.talk.due(self.now, WALL) == ([], [])
        deadline = self.talk.next_deadline()
        assert deadline is None or deadline > self.now

    @rule(ids=IDS, kinds=KINDS)
    def want(self, ids: list[str], kinds: frozenset[type[Event]]) -> None:
        self.talk.want(ids if kinds - NEW else [], kinds, self.now)

    @rule(ids=IDS)
    def refresh(self, ids: list[str]) -> None:
        self.talk.refresh(ids, self.now)

    @rule()
    def open_anew(self) -> None:
        if self.open:
            self.talk.closed(1006, "", WALL)
        self.open = True
        self.begun = False
        self.talk.opened(self.now, WALL)
        self.look()

    @rule(ids=IDS)
    def hear_books(self, ids: list[str]) -> None:
        if self.open:
            hear(self.talk, book(*ids), self.now)

    @rule()
    def hear_a_pong(self) -> None:
        if self.open:
            hear(self.talk, b"PONG", self.now)

    @rule(seconds=st.floats(0.0, 40.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    @rule()
    def sleep_until_the_deadline(self) -> None:
        deadline = self.talk.next_deadline()
        if deadline is not None:
            self.now = max(self.now, deadline)
            self.look()


TestTime = Time.TestCase
TestTime.settings = settings(max_examples=150, stateful_step_count=30)


def test_books_that_nobody_asked_for_are_not_remembered() -> None:
    talk = opened(["1", "2"])
    hear(talk, book(*(str(number) for number in range(2, 1_000))), 1.0)
    assert talk.pending == ("1",)
    assert talk._awaiting._came == {"2"}
