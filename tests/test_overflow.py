from __future__ import annotations

from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    Subscribed,
    SubscriptionStalled,
    UnknownEvent,
)
from polymarket_ws.events.market import LastTradePrice, LevelChange, MarketResolved, PriceChange
from polymarket_ws.overflow import Front, is_droppable

ONE = Decimal(1)


def trade(asset_id: str = "1", **values: float) -> LastTradePrice:
    received_at = values.get("received_at", 0.0)
    return LastTradePrice(
        market="m", asset_id=asset_id, price=ONE, size=ONE, side="BUY", received_at=received_at
    )


def connected(epoch: int, connection: int = 1) -> Connected:
    return Connected(connection=connection, epoch=epoch)


def disconnected(epoch: int, connection: int = 1) -> Disconnected:
    return Disconnected(connection=connection, epoch=epoch, code=1006)


def contents(front: Front) -> list[Event]:
    return front.contents()[0]


def test_hole_grows_where_it_began() -> None:
    front = Front(0)
    front.merge(connected(1))
    front.drop(trade("1"))
    front.merge(disconnected(1))
    front.drop(trade("2", received_at=5.0))
    first, hole, last = contents(front)
    assert (type(first), type(last)) == (Connected, Disconnected)
    assert isinstance(hole, Dropped)
    assert (hole.count, hole.asset_ids, hole.received_at) == (2, ("1", "2"), 5.0)


def test_hole_names_the_assets_of_every_sort_of_event() -> None:
    change = LevelChange(asset_id="2", price=ONE, size=ONE, side="BUY", hash=None)
    front = Front(0)
    front.drop(PriceChange(market="m", price_changes=(change,)))
    front.drop(MarketResolved(market="m", assets_ids=("3", "4")))
    (hole,) = contents(front)
    assert isinstance(hole, Dropped)
    assert hole.asset_ids == ("2", "3", "4")


def test_flapping_leaves_the_first_loss_and_the_last_connection() -> None:
    front = Front(0)
    merged = front.merge(connected(1))
    for epoch in range(1, 100):
        merged += front.merge(disconnected(epoch))
        merged += front.merge(connected(epoch + 1))
    told = contents(front)
    assert [(type(event), event.epoch) for event in told] == [
        (Connected, 1),
        (Disconnected, 1),
        (Connected, 100),
    ]
    assert merged == 199 - 3
    assert front.waiting() == 3


def test_connection_that_was_lost_again_does_not_look_open() -> None:
    front = Front(0)
    front.merge(disconnected(1))
    front.merge(connected(2))
    front.merge(Subscribed(connection=1, epoch=2, asset_ids=("1",)))
    assert front.merge(disconnected(2)) == 3
    assert [type(event) for event in contents(front)] == [Disconnected]


def test_connections_are_merged_apart() -> None:
    front = Front(0)
    for event in (disconnected(1, 1), disconnected(1, 2), connected(2, 2), connected(2, 1)):
        assert front.merge(event) == 0
    assert [event.connection for event in contents(front)] == [1, 2, 2, 1]  # type: ignore[attr-defined]


def test_merged_events_name_the_assets_of_all() -> None:
    front = Front(0)
    front.merge(SubscriptionStalled(connection=1, asset_ids=("1", "2")))
    front.merge(SubscriptionStalled(connection=1, asset_ids=("2", "3")))
    (stalled,) = contents(front)
    assert isinstance(stalled, SubscriptionStalled)
    assert stalled.asset_ids == ("1", "2", "3")


def test_data_that_must_stay_separates_holes() -> None:
    front = Front(0)
    front.drop(trade())
    front.keep(trade("9"), 70)
    front.drop(trade())
    front.drop(trade())
    events, offsets = front.contents()
    assert [getattr(event, "count", None) for event in events] == [1, None, 2]
    assert offsets == [0, 0, 70, 70]
    assert (front.undroppable, front.bytes, front.waiting()) == (1, 70, 1)


def test_what_counts_as_data_is_droppable() -> None:
    assert is_droppable(trade())
    assert is_droppable(DecodeFailure(raw="x", error="y"))
    assert is_droppable(UnknownEvent(event_type="x", raw="{}"))
    assert not is_droppable(connected(1))
    assert not is_droppable(Dropped(count=1))


LIFECYCLE = st.builds(
    lambda kind, connection, ids: attrs.evolve(kind, connection=connection, asset_ids=tuple(ids)),
    st.sampled_from(
        [
            connected(1),
            disconnected(1),
            Subscribed(epoch=1),
            SubscriptionStalled(epoch=1),
        ]
    ),
    st.integers(1, 3),
    st.lists(st.sampled_from("123"), max_size=2),
)


@given(st.lists(st.none() | LIFECYCLE, max_size=200))
def test_front_is_bounded_and_ends_in_the_true_state(happened: list[Lifecycle | None]) -> None:
    front = Front(0)
    merged = 0
    for event in happened:
        if event is None:
            front.drop(trade())
        else:
            merged += front.merge(event)
    told = contents(front)
    data = happened.count(None)
    assert sum(event.count for event in told if isinstance(event, Dropped)) == data
    assert front.waiting() + merged == len(happened) - data
    for connection in (1, 2, 3):
        mine = [e for e in happened if e is not None and e.connection == connection]
        left = [e for e in told if isinstance(e, Lifecycle) and e.connection == connection]
        assert len(left) <= 7
        state = [type(e) for e in mine if isinstance(e, (Connected, Disconnected))]
        state_told = [type(e) for e in left if isinstance(e, (Connected, Disconnected))]
        assert state_told[-1:] == state[-1:]
        lost = [e for e in mine if isinstance(e, Disconnected)]
        assert [e for e in left if isinstance(e, Disconnected)] == lost[:1]
