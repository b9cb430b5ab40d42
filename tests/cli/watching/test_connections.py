from __future__ import annotations

from polymarket_ws.cli.watching.connections import NEWS_SECONDS, Connections
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    SubscriptionRejected,
    UnknownEvent,
)


def connected(number: int = 1, epoch: int = 1, gap: float = 0.0) -> Connected:
    return Connected(channel="user", connection=number, epoch=epoch, gap_seconds=gap)


def lost(number: int = 1, reason: str = "reset", code: int = 1006) -> Disconnected:
    return Disconnected(channel="user", connection=number, code=code, reason=reason)


def test_connecting_then_live_then_lost_then_live() -> None:
    state = Connections("here:1")
    assert state.link_word == ("connecting", "plain")
    assert state.status(0.0).text == "connecting to here:1 …"
    state.follow(connected(), 1.0)
    assert (state.connected, state.link_word) == (True, ("live", "good"))
    assert state.status(5.0).text == "connected 4 s ago, nothing missed"
    state.follow(lost(), 6.0)
    assert (state.connected, state.link_word) == (False, ("lost", "bad"))
    assert state.status(8.0).text == "connection lost 2 s ago (reset), connecting again"
    state.follow(connected(epoch=2, gap=3.5), 9.0)
    assert state.status(10.0).text == "reconnected 1 s ago, 3.5 s missed"
    assert state.missed == "1 gap: 3.5 s missed"


def test_one_of_several_that_is_lost_is_counted() -> None:
    state = Connections("here:1")
    state.follow(connected(1), 1.0)
    state.follow(connected(2), 1.0)
    state.follow(lost(2, "going away", 1001), 2.0)
    assert state.link_word == ("1 of 2 lost", "bad")
    assert "(1001 going away)" in state.status(3.0).text


def test_news_go_after_a_while() -> None:
    state = Connections("here:1")
    state.follow(connected(), 0.0)
    for event, words in (
        (Dropped(count=1234), "1,234 events dropped"),
        (SubscriptionRejected(message="no\x1b[2J"), "refused: no"),
        (DecodeFailure(raw="{", error="cut off"), "unreadable: cut off"),
    ):
        state.follow(event, 1.0)
        assert words in state.status(2.0).text
        assert "\x1b" not in state.status(2.0).text
        assert state.status(1.0 + NEWS_SECONDS).text.startswith("connected")
    assert state.missed == "1,234 dropped"


def test_what_is_not_about_connections_changes_nothing() -> None:
    state = Connections("here:1")
    state.follow(UnknownEvent(event_type="new", raw="{}"), 1.0)
    assert state.links == {}
