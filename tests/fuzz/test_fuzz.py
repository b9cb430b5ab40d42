"""Broken frames through framing, session, decoder and router; the invariant is in ``listener``."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.bases import MARKET, USER, Channel, captured
from tests.fuzz.listener import Listener
from tests.fuzz.mutations import Mutator

#: Together 10**5, which takes about twenty seconds of one slow core.
MARKET_FRAMES = 60_000
USER_FRAMES = 40_000

#: Pieces of memory that may be kept longer than a message of 6,000 is: in caches, and in what is
#: bounded but not empty. One that is kept for each message is three times as many.
SPARE_BLOCKS = 2_000


@contextlib.contextmanager
def listening(channel: Channel, seed: int) -> Iterator[tuple[Listener, Mutator]]:
    mutator = Mutator(channel.texts, seed)
    with contextlib.closing(Listener(channel, mutator)) as listener:
        yield listener, mutator


def say(listener: Listener, mutator: Mutator, frames: int) -> None:
    until = listener.frames + frames
    while listener.frames < until:
        count = min(mutator.random.randint(1, 16), until - listener.frames)
        listener.hear([mutator.text() for _ in range(count)])


def check_variety(listener: Listener, channel: Channel) -> None:
    """Check that much survived and much did not: a fuzzer that only breaks finds nothing."""
    told = listener.told
    vocabulary = channel.dialect.vocabulary
    for cls in {**vocabulary.fast, **vocabulary.tolerant}.values():
        assert told[cls.__name__] > listener.frames // 1_000, cls
    assert listener.frames // 10 < told["DecodeFailure"] < listener.frames
    assert told["UnknownEvent"] > listener.frames // 1_000
    assert told["SubscriptionRejected"]
    assert {1002, 1007} <= set(listener.ends)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("channel", "frames"), [(MARKET, MARKET_FRAMES), (USER, USER_FRAMES)], ids=["market", "user"]
)
def test_broken_frames_become_events_failures_or_a_clean_end(channel: Channel, frames: int) -> None:
    with listening(channel, seed=1) as (listener, mutator):
        say(listener, mutator, frames)
        assert listener.frames == frames
        check_variety(listener, channel)


def test_broken_captures_become_events_failures_or_a_clean_end(wire: Path) -> None:
    with listening(captured(wire), seed=2) as (listener, mutator):
        say(listener, mutator, 3_000)
        assert listener.told["Book"] > 100


def test_same_seed_says_the_same() -> None:
    one, other = (Mutator(MARKET.texts, seed=3) for _ in range(2))
    assert [one.text() for _ in range(2_000)] == [other.text() for _ in range(2_000)]


def test_what_is_kept_does_not_grow_with_what_was_heard() -> None:
    with listening(MARKET, seed=4) as (listener, mutator):

        def kept_after(frames: int) -> int:
            say(listener, mutator, frames)
            listener.begin_anew()
            gc.collect()
            return sys.getallocatedblocks()

        before = kept_after(3_000)
        assert kept_after(6_000) - before < SPARE_BLOCKS


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("channel", [MARKET, USER], ids=["market", "user"])
def test_half_a_million_broken_frames_become_events_failures_or_a_clean_end(
    channel: Channel,
) -> None:
    with listening(channel, seed=5) as (listener, mutator):
        say(listener, mutator, 500_000)
        check_variety(listener, channel)
