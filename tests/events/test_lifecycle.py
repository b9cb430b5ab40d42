from __future__ import annotations

import pytest

from polymarket_ws import events
from polymarket_ws.events import (
    CallbackFailed,
    Connected,
    DecodeFailure,
    Disconnected,
    Dropped,
    Lifecycle,
    Subscribed,
    SubscriptionRejected,
    UnknownEvent,
)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Connected(channel="market", connection=2, epoch=1), "Connected market#2 (epoch 1)"),
        (
            Connected(channel="market", connection=2, epoch=3, gap_seconds=1.25),
            "Connected market#2 (epoch 3, nothing heard for 1.2 s)",
        ),
        (Disconnected(channel="market", connection=2, code=1006), "Disconnected market#2: 1006"),
        (
            Disconnected(channel="market", connection=2, code=1013, reason="slow\nconsumer"),
            "Disconnected market#2: 1013 slow consumer",
        ),
        (Subscribed(channel="market", connection=2), "Subscribed market#2"),
        (
            SubscriptionRejected(channel="user", connection=1, message="no"),
            "SubscriptionRejected user#1: no",
        ),
        (Dropped(count=5), "Dropped 5 events (the consumer is too slow)"),
        (
            DecodeFailure(channel="market", connection=2, raw="{", error="not JSON"),
            "DecodeFailure market#2: not JSON",
        ),
        (UnknownEvent(event_type="paused", raw="{}"), "UnknownEvent 'paused'"),
        (CallbackFailed(callback="a.b", error="oh"), "CallbackFailed a.b: oh"),
    ],
)
def test_str_tells_what_happened_in_one_line(event: Lifecycle, text: str) -> None:
    assert str(event) == text


def test_connected_counts_its_epoch_as_data() -> None:
    assert Connected(epoch=1) != Connected(epoch=2)
    assert "epoch=2" in repr(Connected(epoch=2))


def test_the_epoch_of_other_events_is_not_data() -> None:
    assert Subscribed(epoch=1) == Subscribed(epoch=2)
    assert "epoch" not in repr(Subscribed(epoch=1))


def test_every_lifecycle_class_says_what_it_concerns() -> None:
    for name in events.__all__:
        cls = getattr(events, name)
        if issubclass(cls, Lifecycle):
            for field in ("channel", "connection", "asset_ids", "condition_ids"):
                assert hasattr(cls, field)
