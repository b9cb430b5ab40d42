from __future__ import annotations

from polymarket_ws import Connected, Disconnected
from polymarket_ws.integrations.sse.board import Board
from polymarket_ws.integrations.sse.browser import Browser
from polymarket_ws.integrations.sse.outages import Outages
from tests.integrations.sse.wire import MARKET, told

BROWSER = Browser([Board(MARKET, since=0)], user=False, cursor=0)
ACCOUNT = Browser((), user=True, cursor=0)
LOST = Disconnected(channel="market", connection=1, code=1006, asset_ids=("999", "111"))


def test_who_comes_meanwhile_is_told_of_the_loss_of_its_own_tokens() -> None:
    outages = Outages()
    assert outages.note(LOST) is None
    (body,) = outages.concerning(BROWSER)
    assert told(body)["data"]["asset_ids"] == ["111"]
    assert outages.concerning(ACCOUNT) == []


def test_the_account_concerns_who_may_see_it() -> None:
    outages = Outages()
    outages.note(Disconnected(channel="user", connection=1, code=1006))
    assert outages.concerning(BROWSER) == []
    assert len(outages.concerning(ACCOUNT)) == 1


def test_a_loss_ends_with_the_return_of_that_connection() -> None:
    outages = Outages()
    outages.note(LOST)
    outages.note(Connected(channel="market", connection=2, epoch=1))
    assert len(outages.concerning(BROWSER)) == 1
    assert outages.note(Connected(channel="market", connection=1, epoch=2)) is None
    assert outages.concerning(BROWSER) == []


def test_a_first_connection_that_came_late_is_told_as_a_return() -> None:
    outages = Outages()
    outages.note(Disconnected(channel="market", code=1006, asset_ids=("111",)))
    render = outages.note(Connected(channel="market", connection=1, epoch=1))
    assert render is not None
    assert told(render(["111"]))["event"] == "polymarket-ws-subscribed"
    assert outages.concerning(BROWSER) == []


def test_what_nobody_listens_to_any_more_is_forgotten() -> None:
    outages = Outages()
    outages.note(LOST)
    outages.note(Disconnected(channel="user", connection=1, code=1006))
    outages.forget("market")
    assert outages.concerning(BROWSER) == []
    assert len(outages.concerning(ACCOUNT)) == 1
