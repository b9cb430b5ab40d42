"""One stage at a time: ``pytest benchmarks``. Needs pytest-benchmark.

Each takes 400 messages of the mix, two thirds of what one read brings at most; divide by that.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.dispatch import Bench
from benchmarks.mix import Mix, asset_ids
from benchmarks.server import frame
from polymarket_ws.book import OrderBook
from polymarket_ws.delivery import Delivery, Mailbox
from polymarket_ws.events.market import Book, PriceChange
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY
from polymarket_ws.transport.deadline import Deadline
from polymarket_ws.transport.frames import FrameParser

MESSAGES = 400
IDS = asset_ids(40)


def raw_messages() -> list[bytes]:
    return list(Mix(IDS).messages(MESSAGES))


def test_cut_frames(benchmark: BenchmarkFixture) -> None:
    data = b"".join(map(frame, raw_messages()))
    parser = FrameParser()
    frames = benchmark(parser.feed, data)
    assert len(frames) == MESSAGES


def test_decode(benchmark: BenchmarkFixture) -> None:
    decoder = Decoder(MARKET_VOCABULARY, connection=1)
    messages = raw_messages()

    def decode() -> int:
        return sum(len(decoder.decode(raw, 1.0, 1)) for raw in messages)

    assert benchmark(decode) == MESSAGES


@pytest.mark.parametrize("streams", [1, 1000])
def test_dispatch(benchmark: BenchmarkFixture, streams: int) -> None:
    bench = Bench(streams)
    messages = bench.messages(0, MESSAGES)

    def again() -> tuple[tuple[object, object], dict[str, object]]:
        bench.read()
        return (0, bench.received(messages)), {}

    benchmark.pedantic(bench.hand_over, setup=again, rounds=50)  # type: ignore[no-untyped-call]
    assert bench.read()


def test_mailbox(benchmark: BenchmarkFixture) -> None:
    decoder = Decoder(MARKET_VOCABULARY, connection=1)
    messages = raw_messages()
    events = [event for raw in messages for event in decoder.decode(raw, 1.0, 1)]
    sizes = [len(raw) for raw in messages]
    mailbox = Mailbox(Delivery())
    now = Deadline(0.0)

    def through() -> int:
        mailbox.put(events, sizes)
        hand = mailbox.refill(now)
        assert hand is not None
        hand.position = hand.size
        return hand.size

    assert benchmark(through) == MESSAGES


def test_book(benchmark: BenchmarkFixture) -> None:
    ids = IDS[:2]
    decoder = Decoder(MARKET_VOCABULARY, connection=1)
    events = [
        event
        for raw in Mix(ids).messages(MESSAGES)
        for event in decoder.decode(raw, 1.0, 1)
        if isinstance(event, (Book, PriceChange))
    ]
    book = OrderBook(ids[0], tick_size=Decimal("0.001"))

    def follow() -> int:
        return sum(book.apply(event) for event in events)

    assert benchmark(follow)
