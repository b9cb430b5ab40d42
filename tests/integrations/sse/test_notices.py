from __future__ import annotations

import pytest

from polymarket_ws import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    RecoveryFailed,
    Subscribed,
    SubscriptionRejected,
    SubscriptionStalled,
)
from polymarket_ws.integrations.sse.board import Board
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.integrations.sse.notices import Notice, Notices
from polymarket_ws.integrations.sse.notices import told as how
from tests.integrations.sse.wire import MARKET, told


def text(number: int, body: bytes) -> bytes:
    return b"id: %d\n%b" % (number, body)


def given(notices: Notices, browser: Browser, since: int = 0) -> list[dict[str, object]]:
    return [told(frame.body) for frame in notices.since(since, browser, text)]


def noted(*events: Lifecycle) -> Notices:
    notices = Notices()
    for number, event in enumerate(events, start=1):
        render = how(event, event.channel)
        assert render is not None
        notices.put(Notice(number, event.channel, event.asset_ids, render))
    return notices


BROWSER = Browser([Board(MARKET, since=0)], user=False, cursor=0)
ACCOUNT = Browser((), user=True, cursor=0)


def test_a_browser_is_told_of_its_own_tokens_only() -> None:
    lost = Disconnected(channel="market", code=1006, asset_ids=("999", "111"))
    (whole,) = given(noted(lost), BROWSER)
    assert whole["event"] == "polymarket-ws-disconnected"
    assert whole["data"]["asset_ids"] == ["111"]  # type: ignore[index]
    foreign = Disconnected(channel="market", code=1006, asset_ids=("999",))
    assert given(noted(foreign), BROWSER) == []
    assert given(noted(lost), ACCOUNT) == []


def test_the_account_concerns_who_may_see_it() -> None:
    lost = Disconnected(channel="user", code=1006)
    assert given(noted(lost), BROWSER) == []
    assert len(given(noted(lost), ACCOUNT)) == 1


def test_a_drop_that_names_no_token_concerns_everybody_who_sees_markets() -> None:
    assert len(given(noted(Dropped(channel="market", count=3)), BROWSER)) == 1
    assert given(noted(Dropped(channel="market", count=3)), ACCOUNT) == []


def test_notices_are_told_once_and_in_order() -> None:
    notices = noted(
        Disconnected(channel="market", code=1, asset_ids=("111",)),
        Connected(channel="market", epoch=2, gap_seconds=1.0, asset_ids=("111",)),
    )
    names = [whole["event"] for whole in given(notices, BROWSER)]
    assert names == ["polymarket-ws-disconnected", "polymarket-ws-subscribed"]
    assert len(given(notices, BROWSER, since=1)) == 1
    assert given(notices, BROWSER, since=2) == []
    assert notices.newest == 2


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (SubscriptionStalled(channel="market", asset_ids=("111",)), "stalled"),
        (SubscriptionRejected(channel="market", asset_ids=("111",), message="no"), "rejected"),
        (Dropped(channel="market", asset_ids=("111",), count=5), "dropped"),
    ],
)
def test_what_goes_wrong_is_an_error_of_its_type(event: Lifecycle, kind: str) -> None:
    (whole,) = given(noted(event), BROWSER)
    assert whole["event"] == "polymarket-ws-error"
    assert whole["data"]["type"] == kind  # type: ignore[index]


@pytest.mark.parametrize("channel", ["market", "user"])
def test_a_drop_says_of_which_channel_it_was(channel: str) -> None:
    render = how(Dropped(count=2), channel)
    assert render is not None
    data = told(render([]))["data"]
    assert (data["count"], data["channel"], data["asset_ids"]) == (2, channel, [])


def test_fills_that_a_gap_hid_are_a_gap() -> None:
    failed = RecoveryFailed(channel="user", since=1, until=2, error="10.0.0.1 refused")
    (whole,) = given(noted(failed), ACCOUNT)
    assert whole["data"]["type"] == "gap"  # type: ignore[index]
    assert "10.0.0.1" not in str(whole)


def test_what_had_to_go_is_known_to_whom_it_concerned() -> None:
    lost = Disconnected(channel="market", code=1006)
    notices = noted(*[lost] * 256)
    assert notices.lost_through(BROWSER) == 0
    notices = noted(*[lost] * 300)
    assert [len(given(notices, BROWSER)), notices.lost_through(BROWSER)] == [256, 44]
    assert notices.lost_through(ACCOUNT) == 0
    notices = noted(Disconnected(channel="user", code=1006), *[lost] * 256)
    assert [notices.lost_through(BROWSER), notices.lost_through(ACCOUNT)] == [0, 1]


def test_what_a_page_need_not_know_is_not_told() -> None:
    for event in (
        Connected(channel="market", epoch=1),
        Subscribed(channel="market"),
        DecodeFailure(channel="market", raw="?", error="?"),
    ):
        assert how(event, event.channel) is None
