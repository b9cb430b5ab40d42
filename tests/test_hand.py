from __future__ import annotations

from collections import Counter

from polymarket_ws.events.event import Event
from polymarket_ws.hand import Hand


def test_what_was_read_is_counted_on_top_of_what_was_read_before() -> None:
    hand = Hand([Event(), Event()], [0, 10, 30], upto=2, before=Counter({Event: 5}))
    assert (hand.left(), hand.bytes_left()) == (2, 30)
    hand.position = 1
    assert (hand.left(), hand.bytes_left()) == (1, 20)
    assert hand.read(hand.position) == Counter({Event: 6})
    assert hand.before == Counter({Event: 5})


def test_only_a_hand_of_data_may_be_given_out_without_a_look() -> None:
    events = [Event()]
    assert Hand(events, [0, 1], upto=1, before=Counter(), plain=True).stop == 1
    assert Hand(events, [0, 1], upto=1, before=Counter()).stop == 0
