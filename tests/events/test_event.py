from __future__ import annotations

from datetime import datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.events import Event
from polymarket_ws.events.event import aware_time, one_line, short
from tests.strategies import DATA_EVENTS, LIFECYCLE_EVENTS

EVENTS = DATA_EVENTS | LIFECYCLE_EVENTS


@given(EVENTS)
def test_an_event_is_immutable_and_has_slots_only(event: Event) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.epoch = 5  # type: ignore[misc]
    assert not hasattr(event, "__dict__")


@given(EVENTS)
def test_equal_events_have_equal_hashes(event: Event) -> None:
    other = attrs.evolve(event, received_at=9.5)
    assert other == event
    assert hash(other) == hash(event)
    assert len({event, other}) == 1


@given(EVENTS)
def test_received_at_is_not_in_the_repr(event: Event) -> None:
    assert "received_at" not in repr(event)


@given(EVENTS)
def test_str_is_one_short_line(event: Event) -> None:
    assert len(str(event).splitlines()) == 1
    assert len(str(event)) < 300


@given(st.integers(-(10**13), 10**14))
def test_aware_time_is_exact_and_utc(timestamp: int) -> None:
    time = aware_time(timestamp)
    assert time is not None
    assert time.utcoffset() == timedelta(0)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert (time - epoch) // timedelta(milliseconds=1) == timestamp


@pytest.mark.parametrize("timestamp", [None, 10**17, -(10**17), 10**29])
def test_aware_time_is_none_where_datetime_has_none(timestamp: int | None) -> None:
    assert aware_time(timestamp) is None


def test_one_line_joins_and_cuts_foreign_text() -> None:
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("x" * 100) == "x" * 100
    assert one_line("x" * 10_000) == "x" * 99 + "…"


def test_one_line_leaves_out_what_a_terminal_would_obey() -> None:
    assert one_line("bye\n\x1b[31mred\x00\x9b0m \u202eé…") == "bye [31mred 0m é…"
    assert short("\x1b[2Jabc") == "[2Jabc"
