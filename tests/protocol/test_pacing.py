from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.protocol.pacing import Pacing


def test_a_burst_goes_at_once_and_the_next_waits_for_a_token() -> None:
    pacing = Pacing(3, 10.0)
    for _ in range(3):
        assert pacing.ready_at(5.0) == 5.0
        pacing.sent(1, 5.0)
    assert pacing.ready_at(5.0) == 5.1


def test_a_batch_is_not_cut_and_is_paid_back() -> None:
    pacing = Pacing(3, 10.0)
    pacing.sent(8, 0.0)
    assert pacing.ready_at(0.0) == 0.6


def test_a_long_rest_gives_one_burst_and_no_more() -> None:
    pacing = Pacing(2, 10.0)
    pacing.sent(2, 0.0)
    pacing.sent(2, 1000.0)
    assert pacing.ready_at(1000.0) == 1000.1


BATCHES = st.lists(st.tuples(st.integers(1, 4), st.floats(0, 2)), max_size=60)


@given(BATCHES)
def test_no_second_has_more_than_the_rate_the_burst_and_one_batch(
    batches: list[tuple[int, float]],
) -> None:
    pacing = Pacing(5, 10.0)
    now = 0.0
    sent: list[tuple[float, int]] = []
    for count, pause in batches:
        now = pacing.ready_at(now + pause)
        pacing.sent(count, now)
        sent.append((now, count))
    for start, _ in sent:
        within = sum(count for when, count in sent if start <= when < start + 1.0)
        assert within <= 10 + 5 + 4
