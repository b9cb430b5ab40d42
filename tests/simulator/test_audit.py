from __future__ import annotations

import json
from decimal import Decimal

import pytest

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Subscribed,
    UnknownEvent,
    Unsubscribed,
)
from polymarket_ws.events.market import LastTradePrice, LevelChange, PriceChange
from polymarket_ws.simulator.audit import Audit
from polymarket_ws.simulator.interference import Sent


def trade(number: int, asset_id: str = "1") -> LastTradePrice:
    return LastTradePrice(
        market="0xabc",
        asset_id=asset_id,
        price=Decimal("0.5"),
        size=Decimal(number),
        side="BUY",
        timestamp=1_791_128_525_003,
    )


class Run:
    """An audit, and both sides of it in the hands of the test."""

    def __init__(self) -> None:
        self.audit = Audit()

    def send(self, *events: Event | str, connection: int = 1) -> None:
        for event in events:
            text = event if isinstance(event, str) else event.to_json()
            self.audit.sent(Sent(connection, text, "data"))

    def receive(self, *events: Event) -> None:
        for event in events:
            self.audit.received(event)

    def connect(self, *asset_ids: str, connection: int = 1, epoch: int = 1) -> None:
        self.receive(Connected(connection=connection, asset_ids=asset_ids or ("1",), epoch=epoch))

    def counts(self) -> dict[str, int]:
        account = self.audit.account()
        assert account.sent == (
            account.delivered
            + account.dropped
            + account.in_gaps
            + account.not_asked_for
            + account.waiting
            + account.lost
        )
        return {
            name: getattr(account, name)
            for name in ("delivered", "dropped", "in_gaps", "not_asked_for", "waiting", "lost")
            if getattr(account, name)
        } | ({"strange": account.strange} if account.strange else {})


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_was_sent_and_came_is_delivered(run: Run) -> None:
    run.connect()
    run.send(trade(1), trade(2), trade(3))
    run.receive(trade(1), trade(2))
    assert run.counts() == {"delivered": 2, "waiting": 1}
    assert run.audit.account().is_clean


def test_array_is_as_many_events_as_it_has(run: Run) -> None:
    run.connect()
    run.send(f"[{trade(1).to_json()},{trade(2).to_json()}]")
    run.receive(trade(1))
    assert run.counts() == {"delivered": 1, "waiting": 1}


def test_missing_event_is_lost_though_the_next_one_came(run: Run) -> None:
    run.connect()
    run.send(trade(1), trade(2), trade(3))
    run.receive(trade(1), trade(3))
    assert run.counts() == {"delivered": 2, "lost": 1}
    account = run.audit.account()
    assert not account.is_clean
    assert account.first is not None
    assert "1 events before" in account.first


def test_event_that_was_never_sent_is_strange(run: Run) -> None:
    run.connect()
    run.send(trade(1))
    run.receive(trade(1), trade(1))
    assert run.counts() == {"delivered": 1, "strange": 1}


def test_what_is_told_as_dropped_is_not_lost(run: Run) -> None:
    run.connect()
    run.send(*map(trade, range(5)))
    run.receive(trade(0), Dropped(count=3, asset_ids=("1",)), trade(4))
    assert run.counts() == {"delivered": 2, "dropped": 3}


@pytest.mark.parametrize(("told", "wrong"), [(2, {"lost": 1}), (4, {"strange": 1})])
def test_wrong_number_of_dropped_events_is_noticed(
    run: Run, told: int, wrong: dict[str, int]
) -> None:
    run.connect()
    run.send(*map(trade, range(5)))
    run.receive(trade(0), Dropped(count=told, asset_ids=("1",)), trade(4))
    assert run.counts() == {"delivered": 2, "dropped": min(told, 3), **wrong}


def test_rest_of_a_lost_connection_is_in_the_gap(run: Run) -> None:
    run.connect()
    run.send(trade(1), trade(2), trade(3))
    run.receive(trade(1), Disconnected(connection=1, code=1006))
    run.send(trade(4))
    assert run.counts() == {"delivered": 1, "in_gaps": 3}
    run.connect(epoch=2)
    run.send(trade(5), connection=2)
    run.receive(trade(5))
    assert run.counts() == {"delivered": 2, "in_gaps": 3}
    assert run.audit.account().is_clean


def test_connection_that_was_given_up_before_it_was_told_is_in_the_gap(run: Run) -> None:
    run.send(trade(1), connection=1)
    run.send(trade(2), connection=2)
    run.connect()
    run.receive(trade(2))
    assert run.counts() == {"delivered": 1, "in_gaps": 1}


def test_connection_that_was_given_up_may_have_begun_with_the_same_in_another_order(
    run: Run,
) -> None:
    run.send(trade(1), trade(2), trade(3), connection=1)
    run.send(trade(3), trade(1), trade(2), connection=2)
    run.connect()
    run.receive(trade(3), trade(1), trade(2))
    assert run.counts() == {"delivered": 3, "in_gaps": 3}
    assert run.audit.account().is_clean


def test_two_connections_are_told_apart_by_what_they_carry(run: Run) -> None:
    run.connect("1", connection=1)
    run.connect("2", connection=2)
    run.send(trade(1, "2"), connection=1)
    run.send(trade(1, "1"), connection=2)
    run.receive(trade(1, "1"), trade(1, "2"))
    run.send(trade(2, "2"), connection=1)
    run.receive(Disconnected(connection=1, code=1006), trade(2, "2"))
    run.send(trade(2, "1"), connection=2)
    assert run.counts() == {"delivered": 3, "in_gaps": 1}


def test_drop_may_be_of_several_connections(run: Run) -> None:
    run.connect("1", connection=1)
    run.connect("2", connection=2)
    for number in range(3):
        run.send(trade(number, "1"), connection=1)
        run.send(trade(number, "2"), connection=2)
    run.receive(trade(0, "1"), trade(0, "2"), Dropped(count=2, asset_ids=("1", "2")))
    run.receive(trade(2, "1"), trade(2, "2"))
    assert run.counts() == {"delivered": 4, "dropped": 2}
    assert run.audit.account().is_clean


def test_entries_and_types_that_nobody_wants_are_not_asked_for(run: Run) -> None:
    def change(*asset_ids: str) -> PriceChange:
        return PriceChange(
            market="0xabc",
            timestamp=1_791_128_525_003,
            price_changes=tuple(
                LevelChange(asset_id=key, price=Decimal("0.5"), size=Decimal(1), side="BUY")
                for key in asset_ids
            ),
        )

    run.connect("1")
    run.send('{"event_type":"best_bid_ask","asset_id":"1"}', change("2"), change("2", "1"))
    run.receive(change("1"))
    assert run.counts() == {"delivered": 1, "not_asked_for": 2}


def test_what_comes_after_an_asset_was_left_is_not_asked_for(run: Run) -> None:
    run.connect("1", "2")
    run.send(trade(1, "2"))
    run.receive(trade(1, "2"), Unsubscribed(connection=1, asset_ids=("2",)))
    run.send(trade(2, "2"), trade(3, "1"))
    assert run.counts() == {"delivered": 1, "not_asked_for": 1, "waiting": 1}
    run.receive(trade(3, "1"))
    assert run.counts() == {"delivered": 2, "not_asked_for": 1}
    run.send(trade(4, "2"))
    assert run.counts() == {"delivered": 2, "not_asked_for": 2}


def test_asset_may_move_to_a_connection_that_the_stream_has_already(run: Run) -> None:
    run.connect("1", "2")
    run.receive(Connected(connection=2, asset_ids=("3",), epoch=1))
    run.send(trade(1, "1"))
    run.send(trade(2, "3"), connection=2)
    run.receive(trade(1, "1"), trade(2, "3"))
    run.receive(Unsubscribed(connection=1, asset_ids=("2",)))
    run.receive(Subscribed(connection=2, asset_ids=("2",)))
    run.send(trade(3, "2"), connection=2)
    run.receive(trade(3, "2"))
    assert run.counts() == {"delivered": 3}


def test_connection_that_began_without_a_book_is_found_by_what_follows(run: Run) -> None:
    run.connect("1")
    run.connect("2", connection=2)
    run.send("[]\n")
    run.send(trade(1, "2"), connection=2)
    run.receive(trade(1, "2"))
    run.send(trade(2, "1"))
    run.receive(trade(2, "1"))
    assert run.counts() == {"delivered": 2}


def test_texts_that_nobody_can_read_are_told_with_their_text(run: Run) -> None:
    run.connect()
    run.send("no JSON", '{"event_type":"new","asset_id":"1"}', trade(1))
    run.receive(
        DecodeFailure(connection=1, raw="no JSON", error="it is none"),
        UnknownEvent(
            connection=1, event_type="new", raw=json.dumps({"event_type": "new", "asset_id": "1"})
        ),
    )
    assert run.counts() == {"delivered": 1, "waiting": 2, "strange": 1}
    run.receive(
        UnknownEvent(connection=1, event_type="new", raw='{"event_type":"new","asset_id":"1"}'),
        DecodeFailure(connection=1, raw="", error="a broken frame"),
        trade(1),
    )
    assert run.counts() == {"delivered": 3, "strange": 1}
    assert run.audit.account().failures == 1
