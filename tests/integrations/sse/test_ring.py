from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.integrations.sse.ring import Frame, Ring


def frame(number: int, size: int = 1) -> Frame:
    return Frame(number, b"", b"x" * size)


def test_new_ring_misses_nothing_after_its_beginning() -> None:
    ring = Ring(most_frames=3, most_bytes=100, since=7)
    assert (ring.lost_through, ring.newest, ring.total, ring.evicted) == (7, 0, 0, 0)
    assert ring.since(0) == []


def test_oldest_frames_go_first_and_are_counted() -> None:
    ring = Ring(most_frames=3, most_bytes=100, since=0)
    for number in (2, 4, 6, 8):
        ring.put(frame(number))
    assert [found.number for found in ring.since(0)] == [4, 6, 8]
    assert [found.number for found in ring.since(4)] == [6, 8]
    assert (ring.lost_through, ring.newest, ring.total, ring.evicted) == (2, 8, 4, 1)


def test_a_frame_larger_than_the_limit_is_kept_alone() -> None:
    ring = Ring(most_frames=3, most_bytes=10, since=0)
    ring.put(frame(1))
    ring.put(frame(2, 50))
    assert [found.number for found in ring.since(0)] == [2]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 20)), max_size=60),
    st.integers(1, 8),
    st.integers(1, 60),
    st.integers(0, 100),
)
def test_ring_is_the_newest_part_of_everything_within_its_limits(
    puts: list[tuple[int, int]], most_frames: int, most_bytes: int, after: int
) -> None:
    ring = Ring(most_frames=most_frames, most_bytes=most_bytes, since=0)
    everything: list[Frame] = []
    number = 0
    for step, size in puts:
        number += step
        everything.append(frame(number, size))
        ring.put(everything[-1])
    kept = ring.since(0)
    assert kept == everything[len(everything) - len(kept) :]
    assert len(kept) <= most_frames
    assert sum(len(each.text) for each in kept) <= most_bytes or len(kept) == 1
    assert ring.evicted == len(everything) - len(kept)
    assert ring.since(after) == [each for each in kept if each.number > after]
    # Who has read up to where something was lost has missed nothing.
    seen = [each for each in everything if each.number > ring.lost_through]
    assert ring.since(ring.lost_through) == seen
