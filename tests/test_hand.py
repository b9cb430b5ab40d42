from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected
from polymarket_ws.hand import Hand, Tally


def test_what_was_read_is_counted_on_top_of_what_was_read_before() -> None:
    hand = Hand(
        [Event()] * 2, (Event, Event), [0, 10, 30], upto=2, before=Tally(Counter({Event: 5}))
    )
    assert hand.left() == 2
    hand.position = 1
    assert hand.left() == 1
    assert hand.read(hand.position).counts() == Counter({Event: 6})
    assert hand.before.counts() == Counter({Event: 5})


def test_only_a_hand_of_data_may_be_given_out_without_a_look() -> None:
    events = [Event()]
    assert Hand(events, (Event,), [0, 1], upto=1, before=Tally(), plain=True).stop == 1
    assert Hand(events, (Event,), [0, 1], upto=1, before=Tally()).stop == 0


@given(st.lists(st.lists(st.sampled_from([Event(), Connected()]), max_size=700), max_size=12))
def test_tally_counts_whatever_the_portions_are(portions: list[list[Event]]) -> None:
    tally = Tally()
    for portion in portions:
        earlier = tally.counts()
        later = tally.plus(tuple(map(type, portion)))
        assert tally.counts() == earlier
        tally = later
    assert tally.counts() == Counter(type(event) for portion in portions for event in portion)
