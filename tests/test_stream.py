from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.delivery import Delivery
from polymarket_ws.errors import (
    ClientClosed,
    SlowConsumer,
    StreamClosed,
    StreamGap,
    UsageError,
)
from polymarket_ws.events.lifecycle import (
    Connected,
    Disconnected,
    Dropped,
    Lifecycle,
    Subscribed,
    UnknownEvent,
    Unsubscribed,
)
from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    NewMarket,
    PriceChange,
)
from polymarket_ws.stream import Stats, Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import Loopback, Talk, eventually, flood, price_change, trade

ROOT = Path(__file__).resolve().parents[1]
SOON = scaled(5.0)
QUICK = Backoff(initial=0.001, maximum=0.01)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def client(server: Loopback) -> Iterator[Client]:
    with Client(endpoints=server.endpoints, backoff=QUICK) as running:
        yield running


Trades = Stream[LastTradePrice]


def trades_of(client: Client, *asset_ids: str, **options: Any) -> Trades:
    return client.subscribe(Market(*asset_ids or ("1",), events=[LastTradePrice]), **options)


def number_of(event: LastTradePrice) -> int:
    return int(event.size)


def balance(stats: Stats) -> None:
    """Check that every event is in exactly one place."""
    read = sum(stats.by_type.values()) - stats.by_type.get(Dropped, 0)
    assert stats.received == (
        read + stats.buffered + stats.dropped + stats.merged + stats.discarded
    )


# One cursor.


def test_every_way_of_reading_shares_one_cursor(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    talk.send([trade(n) for n in range(12)])
    seen: list[int] = []
    for event in stream:
        seen.append(number_of(event))
        if len(seen) == 2:
            break
    seen.append(number_of(next(stream)))
    seen.append(number_of(stream.get(SOON)))
    seen.append(number_of(stream.get(0)))
    assert iter(stream) is stream
    for odd in stream.all():
        assert isinstance(odd, LastTradePrice)
        seen.append(number_of(odd))
        if len(seen) == 7:
            break
    last = stream.all().get(SOON)
    assert isinstance(last, LastTradePrice)
    seen.append(number_of(last))
    for event in stream:
        seen.append(number_of(event))
        if len(seen) == 12:
            break
    assert seen == list(range(12))
    with pytest.raises(TimeoutError):
        stream.get(0)


def test_what_was_read_is_let_go_before_the_wait_for_more(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    for take in (stream.get, stream.all().get):
        talk.send([trade(1)])
        event: object = None
        while not isinstance(event, LastTradePrice):
            event = take(SOON)
        kept = weakref.ref(event)
        del event
        # Whoever waits holds it no more, and nobody waits yet.
        with pytest.raises(TimeoutError):
            take(0)
        # The thread that brought it may be on its way from there.
        eventually(lambda kept=kept: kept() is None, "nothing that is held")  # type: ignore[misc]


def test_what_was_read_is_let_go_while_a_loop_waits(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    kept: list[weakref.ref[LastTradePrice]] = []

    def read() -> None:
        # A loop's own variable would hold the last one.
        for kept_now in map(weakref.ref, stream):
            kept.append(kept_now)  # noqa: PERF402 seen while it grows

    thread = threading.Thread(target=read)
    thread.start()
    talk.send([trade(n) for n in range(5)])
    eventually(lambda: len(kept) == 5 and not any(ref() for ref in kept), "nothing that is held")
    stream.close()
    thread.join(scaled(5.0))
    assert not thread.is_alive()


def test_a_signal_handler_that_reads_takes_no_reader_out_twice(client: Client) -> None:
    class Interrupted(dict[None, int]):
        def get(self, key: None, default: Any = None) -> Any:  # type: ignore[override]
            found = super().get(key, default)
            # A handler that reads comes right here, and is done before its answer is looked at.
            self.pop(key, None)
            return found

    stream = trades_of(client)
    stream._reader = Interrupted()
    with pytest.raises(TimeoutError):
        stream.get(0)


def test_timeout_loses_nothing(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    with pytest.raises(TimeoutError, match="no event within the time given"):
        stream.get(0.01)
    talk.send([trade(1)])
    assert number_of(stream.get(SOON)) == 1


def test_view_of_all_tells_the_connection_in_order(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    talk.send([trade(1)])
    everything = stream.all()
    kinds = [type(everything.get(SOON)) for _ in range(3)]
    assert kinds == [Connected, Subscribed, LastTradePrice]
    talk.hang_up()
    server.wait_for_connection(2, "1").send([trade(2)])
    kinds = [type(everything.get(SOON)) for _ in range(4)]
    assert kinds == [Disconnected, Connected, Subscribed, LastTradePrice]


def test_plain_loop_sees_only_data(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    server.wait_for("1").send([trade(1)], '{"event_type":"moon_phase"}', [trade(2)])
    assert [number_of(stream.get(SOON)), number_of(next(stream))] == [1, 2]
    stats = stream.stats
    assert (stats.unknown_events, stats.by_type[UnknownEvent]) == (1, 1)


@pytest.mark.parametrize("timeout", [-1, True, "5", float("nan")])
def test_timeout_that_is_no_time_is_refused(client: Client, timeout: Any) -> None:
    stream = trades_of(client)
    with pytest.raises(UsageError, match="timeout takes seconds from 0 up, or None, not"):
        stream.get(timeout)
    with pytest.raises(UsageError, match="timeout takes seconds"):
        stream.all().get(timeout)


def test_second_thread_that_reads_is_told_so(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    talk = server.wait_for("1")
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.append(number_of(next(stream))))
    reader.start()
    eventually(lambda: stream._mailbox._waiting and stream._reader)
    with pytest.raises(UsageError, match=r"two threads read one stream; .* client\.subscribe"):
        next(stream)
    with pytest.raises(UsageError, match="two threads"):
        stream.get(0)
    with pytest.raises(UsageError, match="two threads"):
        stream.all().get(0)
    talk.send([trade(1), trade(2)])
    reader.join(SOON)
    assert got == [1]
    assert number_of(next(stream)) == 2


def test_another_thread_may_go_on_reading(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    server.wait_for("1").send([trade(1), trade(2)])
    assert number_of(next(stream)) == 1
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.append(number_of(next(stream))))
    reader.start()
    reader.join(SOON)
    assert got == [2]


def test_two_threads_in_a_flood_never_share_an_event_unnoticed() -> None:
    seen: list[list[int]] = [[], []]
    told: list[UsageError] = []
    with (
        Loopback(flood()) as server,
        Client(endpoints=server.endpoints, delivery=Delivery(max_events=10**6)) as client,
    ):
        stream = trades_of(client)

        def read(mine: list[int]) -> None:
            while len(mine) < 3000:
                try:
                    mine.append(number_of(next(stream)))
                except UsageError as error:
                    told.append(error)

        threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(scaled(30.0))
        finally:
            sys.setswitchinterval(interval)
        assert not any(thread.is_alive() for thread in threads)
    both = seen[0] + seen[1]
    assert len(both) == len(set(both))


# Ctrl-C.

INTERRUPTED = """
import os, sys
from polymarket_ws import Client, Delivery, Endpoints, LastTradePrice, Market

seen = []
client = Client(
    endpoints=Endpoints.at(sys.argv[1]),
    delivery=Delivery(max_events=10**7, max_bytes=2**32),
)
stream = client.subscribe(Market("1", events=[LastTradePrice]))
seen.append(next(stream))


interrupts = answered = 0


# A function of its own, called inside the try: Python 3.13 may raise at the jump back of a loop
# for which the loop's own try does not hold.
def read():
    global answered
    for event in stream:
        seen.append(event)
        if event.size == 10**9:
            return
        # Here and not below: the next interrupt comes only after the answer, so it always
        # finds the loop.
        if interrupts > answered:
            answered = interrupts
            os.write(1, b"!")


os.write(1, b"?")
while True:
    try:
        read()
        break
    except KeyboardInterrupt:
        interrupts += 1
stats = stream.stats
os.write(1, b"\\n")
print(" ".join(str(event.size) for event in seen))
print(stats.received, sum(stats.by_type.values()), stats.buffered, stats.dropped)
client.close()
"""


def test_interrupts_in_a_flooded_loop_lose_nothing_and_repeat_nothing() -> None:
    interrupts = 400
    stop = threading.Event()

    def script(talk: Talk) -> None:
        answers = talk.obey()
        next(answers, None)
        number = 0
        while not stop.is_set() and talk.send([trade(number + i) for i in range(20)]):
            number += 20
        talk.send([trade(10**9)])
        for _ in answers:
            pass

    with Loopback(script) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, server.url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            fd = process.stdout.fileno()
            assert os.read(fd, 1) == b"?"
            moments = random.Random(7)
            pause = threading.Event()
            for _ in range(interrupts):
                pause.wait(moments.uniform(0.0005, 0.005))
                process.send_signal(signal.SIGINT)
                assert os.read(fd, 1) == b"!", process.communicate()[1].decode()
        finally:
            stop.set()
        out, err = process.communicate(timeout=scaled(60.0))
    assert err == b""
    assert process.returncode == 0
    sizes, counters = out.decode().split("\n")[1:3]
    numbers = [int(size) for size in sizes.split()]
    assert numbers.pop() == 10**9
    assert len(numbers) > interrupts
    assert numbers == sorted(set(numbers))
    missing = numbers[-1] + 1 - len(numbers)
    # Before 3.11 the interpreter looks for signals between the return of __next__ and the
    # assignment to the loop's name, too.
    assert missing == 0 if sys.version_info >= (3, 11) else missing <= interrupts
    received, read, buffered, dropped = map(int, counters.split())
    assert (dropped, received) == (0, read + buffered)


# Gaps.


def test_gap_is_raised_after_what_came_before_it_and_the_stream_goes_on(
    server: Loopback, client: Client
) -> None:
    stream = trades_of(client, on_gap="raise")
    talk = server.wait_for("1")
    talk.send([trade(1), trade(2)])
    eventually(lambda: stream.stats.received == 4)
    talk.hang_up(1012)
    server.wait_for_connection(2, "1").send([trade(3)])
    seen: list[int] = []
    with pytest.raises(StreamGap, match="the stream has a gap here: Disconnected market#1") as gap:
        seen.extend(map(number_of, stream))
    assert seen == [1, 2]
    assert isinstance(gap.value.event, Disconnected)
    assert stream.end_reason is None
    assert number_of(stream.get(SOON)) == 3


def test_drop_is_a_gap_for_get_too(server: Loopback, client: Client) -> None:
    stream = trades_of(client, on_gap="raise", delivery=Delivery(max_events=2))
    server.wait_for("1").send([trade(n) for n in range(5)])
    eventually(lambda: stream.stats.dropped == 3)
    with pytest.raises(StreamGap) as gap:
        stream.get(SOON)
    assert isinstance(gap.value.event, Dropped)
    assert [number_of(stream.get(SOON)), number_of(next(stream))] == [3, 4]


def test_view_of_all_yields_a_gap_and_does_not_raise_it(server: Loopback, client: Client) -> None:
    stream = trades_of(client, on_gap="raise", delivery=Delivery(max_events=1))
    server.wait_for("1").send([trade(1), trade(2)])
    eventually(lambda: stream.stats.dropped == 1)
    everything = stream.all()
    told = everything.get(SOON)
    while not isinstance(told, Dropped):
        assert isinstance(told, Lifecycle)
        told = everything.get(SOON)
    assert told.count == 1


def test_unknown_on_gap_is_refused_and_leaves_nothing_behind(
    server: Loopback, client: Client
) -> None:
    with pytest.raises(UsageError, match='on_gap takes "continue" or "raise", not \'stop\''):
        trades_of(client, on_gap="stop")
    assert client.health().connections == ()


# Stats and the end.


def test_stats_agree_at_any_moment() -> None:
    with Loopback(flood()) as server, Client(endpoints=server.endpoints) as client:
        stream = trades_of(client, delivery=Delivery(max_events=200))
        done = threading.Event()

        def read() -> None:
            for _ in stream:
                if done.is_set():
                    return

        reader = threading.Thread(target=read)
        reader.start()
        eventually(lambda: stream.stats.delivered > 100)
        for _ in range(500):
            balance(stream.stats)
        done.set()
        reader.join(SOON)
        before = stream.stats.delivered
        assert number_of(next(stream)) >= 0
        assert stream.stats.delivered == before + 1
        stream.close()
        balance(stream.stats)
        assert stream.stats.buffered == 0


def test_closing_ends_the_loop_and_says_why(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    server.wait_for("1").send([trade(1), trade(2)])
    eventually(lambda: stream.stats.received == 4)
    assert stream.end_reason is None
    assert number_of(next(stream)) == 1
    stream.close()
    stream.close()
    assert stream.closed
    assert list(stream) == []
    assert list(stream.all()) == []
    assert stream.stats.discarded == 1
    assert isinstance(stream.end_reason, StreamClosed)
    with pytest.raises(StreamClosed, match="the stream was closed"):
        stream.get(0)
    server.wait_for()


def test_closing_in_another_thread_ends_a_loop_that_waits(client: Client) -> None:
    stream = trades_of(client)
    ended = threading.Event()

    def read() -> None:
        for _ in stream:
            pass
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    eventually(lambda: stream._mailbox._waiting)
    stream.close()
    assert ended.wait(SOON)
    reader.join()


def test_closed_client_ends_the_stream_and_is_named(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    client.close()
    assert list(stream) == []
    reason = stream.end_reason
    assert isinstance(reason, ClientClosed)
    assert not isinstance(reason, StreamClosed)
    with pytest.raises(ClientClosed, match="the client was closed"):
        stream.get()
    with pytest.raises(ClientClosed, match="closing is final, make a new Client"):
        stream.add("2")


def test_stream_closed_before_its_client_keeps_its_reason(client: Client) -> None:
    stream = trades_of(client)
    stream.close()
    client.close()
    assert isinstance(stream.end_reason, StreamClosed)


def test_fail_delivers_what_is_buffered_and_raises(server: Loopback, client: Client) -> None:
    stream = trades_of(client, delivery=Delivery(max_events=4, overflow="fail"))
    server.wait_for("1").send(*([trade(n)] for n in range(20)))
    eventually(lambda: stream.end_reason is not None)
    seen: list[int] = []
    with pytest.raises(SlowConsumer):
        seen.extend(map(number_of, stream))
    assert seen == [0, 1]  # beside Connected and Subscribed
    assert isinstance(stream.end_reason, SlowConsumer)
    balance(stream.stats)


def test_what_a_stream_wanted_is_left_once_an_error_has_ended_it(
    server: Loopback, client: Client
) -> None:
    strict = trades_of(client, "1", "2", delivery=Delivery(max_events=4, overflow="fail"))
    other = trades_of(client, "2")
    talk = server.wait_for("1", "2")
    talk.send(*([trade(n)] for n in range(20)))
    eventually(lambda: strict.end_reason is not None)
    # What comes next shows that nobody takes it.
    talk.send([trade(20)])
    server.wait_for("2")
    talk.send([trade(21, "2")])
    assert number_of(other.get(SOON)) == 21


# Changing a feed.


def test_assets_are_added_and_removed_on_the_live_socket(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    server.wait_for("1")
    stream.add("2", Market("3", events=[LastTradePrice]))
    server.wait_for("1", "2", "3")
    stream.remove("1", "3")
    server.wait_for("2")
    stream.replace("4", "5")
    server.wait_for("4", "5")
    assert len(server.talks) == 1
    assert stream.asset_ids == ("4", "5")
    assert len(server.talks[0].frames) == 5


def test_replacing_asks_only_for_what_is_new(server: Loopback, client: Client) -> None:
    stream = trades_of(client, "1", "2")
    talk = server.wait_for("1", "2")
    stream.replace("2", "3")
    server.wait_for("2", "3")
    asked = {frame.get("operation"): frame["assets_ids"] for frame in talk.frames[1:]}
    assert asked == {"subscribe": ["3"], "unsubscribe": ["1"]}


def test_bare_ids_want_what_the_feed_wants(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    stream.add("2")
    talk = server.wait_for("1", "2")
    talk.send([price_change(("2", "0.4", "1"))], [trade(7, "2")])
    assert number_of(stream.get(SOON)) == 7
    assert stream.stats.by_type.get(PriceChange) is None


def test_emptied_feed_still_takes_bare_ids(server: Loopback, client: Client) -> None:
    stream = trades_of(client)
    server.wait_for("1")
    stream.remove("1")
    server.wait_for()
    stream.add("2")
    server.wait_for("2").send([trade(1, "2")])
    assert number_of(stream.get(SOON)) == 1


def test_bare_ids_work_beside_new_markets(server: Loopback, client: Client) -> None:
    stream = client.subscribe(Market("1", events=(Book, NewMarket)))
    stream.add("2")
    server.wait_for("1", "2")


def test_bare_id_in_a_feed_of_several_kinds_is_refused(client: Client) -> None:
    feed = client.listen(Market("1", events=[Book]), Market("2", events=[LastTradePrice]))
    with pytest.raises(UsageError, match=r"write Market\('3', events=\[…\]\)"):
        feed.add("3")
    feed.add(Market("3", events=[Book]))
    assert feed.asset_ids == ("1", "2", "3")


def test_wishes_of_one_feed_add_up(server: Loopback, client: Client) -> None:
    stream = client.subscribe(Market("1", events=[Book]), Market("1", events=[LastTradePrice]))
    server.wait_for("1").send([trade(1)])
    assert isinstance(stream.get(SOON), Book)
    assert isinstance(stream.get(SOON), LastTradePrice)


def test_removing_what_is_not_held_changes_nothing(client: Client) -> None:
    stream = trades_of(client, "1", "2")
    with pytest.raises(UsageError, match="this feed does not hold 3"):
        stream.remove("1", "3")
    assert stream.asset_ids == ("1", "2")


def test_removed_assets_are_told_and_what_is_buffered_is_delivered(
    server: Loopback, client: Client
) -> None:
    stream = trades_of(client, "1", "2")
    server.wait_for("1", "2").send([trade(1), trade(2, "2")])
    eventually(lambda: stream.stats.received == 4)
    stream.remove("2")
    server.wait_for("1")
    everything = [stream.all().get(SOON) for _ in range(5)]
    assert [type(event) for event in everything[2:]] == [
        LastTradePrice,
        LastTradePrice,
        Unsubscribed,
    ]
    assert everything[4].asset_ids == ("2",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ((), r"name at least one subscription, such as Market\(asset_id\)"),
        ((["1"],), r"pass the subscriptions one by one: write subscribe\(\*subscriptions\)"),
        ((Market,), r"Market is a class; write Market\(…\)"),
        ((7,), r"subscribe takes subscriptions such as Market\(asset_id\), not 7"),
        (("abc",), "is no token id"),
        ((None,), "takes subscriptions"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(client: Client, wrong: Any, text: str) -> None:
    stream = trades_of(client)
    for change in (stream.add, stream.replace):
        with pytest.raises(UsageError, match=text):
            change(*wrong)
    assert stream.asset_ids == ("1",)


def test_bare_id_opens_no_stream(client: Client) -> None:
    with pytest.raises(UsageError, match=r"write Market\('1'\)"):
        client.subscribe("1")  # type: ignore[arg-type]


def test_closed_feed_takes_nothing(client: Client) -> None:
    feed = client.listen(Market("1"))
    feed.close()
    for change in (feed.add, feed.remove, feed.replace):
        with pytest.raises(StreamClosed, match="make a new one with subscribe or listen"):
            change("2")


def test_feed_is_closed_by_its_with_block(server: Loopback, client: Client) -> None:
    with client.listen(Market("1")) as feed:
        server.wait_for("1")
        assert repr(feed) == "<Feed: 1 assets>"
    assert feed.closed
    assert repr(feed) == "<Feed: closed>"
    server.wait_for()


# Several streams of one client.


def test_two_streams_of_one_asset_cost_one_wire_subscription(
    server: Loopback, client: Client
) -> None:
    first = trades_of(client)
    talk = server.wait_for("1")
    second = trades_of(client)
    client.listen(Market("1", events=[LastTradePrice]))
    assert type(second.all().get(SOON)) is Connected
    talk.send([trade(1)])
    assert number_of(first.get(SOON)) == number_of(second.get(SOON)) == 1
    first.close()
    third = trades_of(client, "2")
    server.wait_for("1", "2")
    asked = [key for frame in talk.frames for key in frame["assets_ids"]]  # type: ignore[attr-defined]
    assert asked == ["1", "2"]
    second.close()
    third.close()
    assert client.health().connections[0].asset_ids >= 1


def test_late_joiner_gets_a_true_book_first(server: Loopback, client: Client) -> None:
    first = client.subscribe(Market("1"))
    talk = server.wait_for("1")
    talk.send([price_change(("1", "0.45", "7"))], [price_change(("1", "0.40", "0"))])
    assert [type(first.get(SOON)) for _ in range(3)] == [Book, PriceChange, PriceChange]
    late = client.subscribe(Market("1"))
    opening = late.get(SOON)
    assert isinstance(opening, Book)
    assert [(level.price, level.size) for level in opening.bids] == [(Decimal("0.45"), Decimal(7))]
    talk.send([price_change(("1", "0.46", "1"))])
    assert isinstance(late.get(SOON), PriceChange)
    assert len(talk.frames) == 1


def test_stream_gets_only_its_own_assets_of_a_price_change(
    server: Loopback, client: Client
) -> None:
    one = client.subscribe(Market("1", events=[PriceChange]))
    both = client.subscribe(Market("1", "2", events=[PriceChange]))
    talk = server.wait_for("1", "2")
    talk.send([price_change(("1", "0.4", "1"), ("2", "0.6", "2"), ("3", "0.1", "3"))])
    assert [change.asset_id for change in one.get(SOON).price_changes] == ["1"]
    assert [change.asset_id for change in both.get(SOON).price_changes] == ["1", "2"]


def test_features_are_switched_on_where_they_are_wanted(server: Loopback, client: Client) -> None:
    stream = client.subscribe(Market("1", events=[Book]))
    talk = server.wait_for("1")
    assert talk.frames[0]["custom_feature_enabled"] is False
    stream.add(Market("1", events=[BestBidAsk]))
    eventually(lambda: len(talk.frames) == 2)
    assert talk.frames[1]["custom_feature_enabled"] is True


# Collected streams.


def test_dropped_stream_unsubscribes_without_a_word(
    server: Loopback, client: Client, recwarn: pytest.WarningsRecorder
) -> None:
    kept = trades_of(client, "1")
    stream = trades_of(client, "2")
    server.wait_for("1", "2")
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None
    server.wait_for("1")
    assert not kept.closed
    assert not recwarn


def test_last_dropped_stream_leaves_no_thread(server: Loopback, client: Client) -> None:
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws")]

    for _ in trades_of_one(server, client):
        break
    gc.collect()
    eventually(lambda: not threads(), "the end of the connection's thread")
    eventually(lambda: not server.open, "the end of the server's connection")
    client.subscribe(Market("3")).get(SOON)


def trades_of_one(server: Loopback, client: Client) -> Trades:
    stream = trades_of(client, "1")
    server.wait_for("1").send([trade(1)])
    return stream


def test_notebook_cell_that_runs_again_leaves_one_connection(server: Loopback) -> None:
    namespace: dict[str, Any] = {"Client": Client, "Market": Market, "server": server}
    cell = (
        "client = Client(endpoints=server.endpoints)\n"
        "stream = client.subscribe(Market('1'))\n"
        "for event in stream:\n"
        "    break\n"
    )

    def run_again_and_again() -> None:
        for _ in range(10):
            exec(cell, namespace)
            gc.collect()

    with pytest.warns(ResourceWarning, match=r"a polymarket_ws\.Client was not closed"):
        run_again_and_again()
    eventually(lambda: len(server.open) == 1)
    assert len(server.talks) == 10
    namespace["client"].close()


# Signal handlers.


# How closing in one never locks up is in processes/test_interrupts.py.


@pytest.mark.parametrize(
    "times", [60, pytest.param(200, marks=(pytest.mark.slow, pytest.mark.timeout(scaled(600))))]
)
def test_feeds_change_in_signal_handlers(times: int, seconds: Callable[[float], float]) -> None:
    answers: list[str] = []
    script_over = threading.Event()

    def script(talk: Talk) -> None:
        reader = threading.Thread(target=lambda: [None for _ in talk.obey()])
        reader.start()
        number = 0
        while talk.send([trade(number + i) for i in range(20)]):
            number += 20
        reader.join()

    with Loopback(script) as server, Client(endpoints=server.endpoints) as client:
        stream = trades_of(client)
        moments = random.Random(5)

        def handler(*_: object) -> None:
            key = str(moments.randint(2, 9))
            if key in stream.asset_ids:
                stream.remove(key)
            else:
                stream.add(key)
            with trades_of(client, "77"):
                answers.append(key)

        def ring() -> None:
            for _ in range(times):
                threading.Event().wait(moments.uniform(0.0, 0.01))
                count = len(answers)
                os.kill(os.getpid(), signal.SIGUSR1)
                eventually(lambda seen=count: len(answers) > seen)  # type: ignore[misc]
            script_over.set()

        previous = signal.signal(signal.SIGUSR1, handler)
        thread = threading.Thread(target=ring)
        try:
            thread.start()
            for _ in stream:
                if script_over.is_set():
                    break
                with contextlib.suppress(UsageError):
                    stream.add("1")
        finally:
            thread.join(seconds(20.0))
            signal.signal(signal.SIGUSR1, previous)
        assert len(answers) == times
        server.wait_for(*stream.asset_ids)
