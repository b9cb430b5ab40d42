from __future__ import annotations

import contextlib
import gc
import json
import socket
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from polymarket_ws.book import OrderBook
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book, MarketEvent
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.simulator import Exchange
from polymarket_ws.simulator.client_session import Drop
from tests.conftest import scaled
from tests.simulator.breaking import eventually
from tests.simulator.clients import (
    get,
    joined,
    subscribed,
    text,
    tokens,
    unread,
    until_pong,
    value,
)


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws-simulator")]


# -- life -------------------------------------------------------------------------------


def test_an_exchange_is_inert_until_it_is_started() -> None:
    exchange = Exchange()
    assert threads() == []
    assert len(exchange.markets) == 2
    assert exchange.connections == ()
    with pytest.raises(UsageError, match="start"):
        exchange.url  # noqa: B018  reading it is the point


def test_the_url_is_one_for_all_endpoints() -> None:
    with Exchange(rate=None) as exchange:
        endpoints = Endpoints.at(exchange.url)
        assert endpoints.market == f"{exchange.url}/ws/market"
        assert endpoints.gamma == exchange.url.replace("ws:", "http:")


def test_closing_leaves_no_thread_behind() -> None:
    with Exchange(rate=500) as exchange, contextlib.ExitStack() as stack:
        for _ in range(5):
            text(stack.enter_context(subscribed(exchange)))
        get(exchange, "/markets")
        assert len(threads()) >= 2 + 5 * 3
        # In time, and not only some time later; the sockets are everybody's fixture's business.
        assert exchange.close(timeout=scaled(2))
        assert threads() == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_running_again_and_again_uses_no_more_descriptors() -> None:
    def after_a_run() -> int:
        with Exchange(rate=None) as exchange, subscribed(exchange) as client:
            text(client)
            get(exchange, "/markets")
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    counts = [after_a_run() for _ in range(20)]
    # The thread of a client may close its own last ones a moment later.
    assert min(counts[10:]) <= min(counts[:10])


def test_closing_and_starting_twice_is_like_once() -> None:
    exchange = Exchange(rate=None)
    assert exchange.close(timeout=scaled(2))
    exchange.start()
    exchange.start()
    url = exchange.url
    assert exchange.close(timeout=scaled(2))
    assert exchange.close(timeout=scaled(2))
    assert exchange.url == url


def test_closing_says_1001_and_frees_the_port() -> None:
    exchange = Exchange(rate=None)
    with exchange, subscribed(exchange) as client:
        text(client)
        assert exchange.close(timeout=scaled(2))
        with pytest.raises(ConnectionClosed) as caught:
            text(client)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        with pytest.raises(ConnectionRefusedError), joined(exchange):
            pass


@pytest.mark.parametrize("how", ["reset", "fin", "close", "half_frame"])
def test_it_comes_back_on_the_same_port_with_the_market_as_it_was(how: Drop) -> None:
    exchange = Exchange(rate=None)
    with exchange:
        url = exchange.url
        for number in range(1, 6):
            with subscribed(exchange) as client:
                text(client)
                exchange.step(5)
                hashes = {c["asset_id"]: c["hash"] for c in last_changes(until_pong(client))}
                assert exchange.close(how, timeout=scaled(2))
                with pytest.raises(ConnectionClosed):
                    text(client)
            exchange.start()
            assert exchange.url == url
            with subscribed(exchange) as client:
                assert hashes.items() <= {b["asset_id"]: b["hash"] for b in value(client)}.items()
                assert [c.number for c in exchange.connections] == [2 * number]


def last_changes(texts: list[str]) -> list[dict[str, str]]:
    changes = [json.loads(t) for t in texts if "price_changes" in t]
    return list(changes[-1]["price_changes"])


def test_closing_is_quick_with_a_client_that_never_speaks() -> None:
    with Exchange(rate=None) as exchange:
        host, port = exchange.url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port))):
            with joined(exchange):
                assert exchange.wait_for(lambda: exchange.connections, scaled(5))
                started = time.monotonic()
                assert exchange.close(timeout=scaled(2))
                assert time.monotonic() - started < scaled(2)


def test_closing_is_quick_with_a_client_that_does_not_answer_the_close() -> None:
    with Exchange(rate=None) as exchange, unread(exchange, tokens(exchange)):
        assert exchange.wait_for(lambda: exchange.subscribed, scaled(5))
        started = time.monotonic()
        assert exchange.close(timeout=scaled(2))
        assert time.monotonic() - started < scaled(2)


def test_a_port_in_use_is_an_os_error() -> None:
    with Exchange(rate=None) as exchange:
        port = int(exchange.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            Exchange(port=port).start()


def test_it_listens_on_ipv6_too() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 here")
    with Exchange("::1", rate=None) as exchange, subscribed(exchange) as client:
        assert exchange.url.startswith("ws://[::1]:")
        assert text(client)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rate": 2001},
        {"rate": -1},
        {"markets": 0},
        {"markets": 10_001},
        {"port": 70_000},
        {"showcase": -1.0},
        {"idle_seconds": 0},
        {"upgrades_per_second": -1},
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(arguments))):
        Exchange(**arguments)  # type: ignore[arg-type]


# -- HTTP -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/", "/ws/marke", "/ws/sports", "/ws/market/"])
def test_an_upgrade_elsewhere_is_answered_404_in_json(path: str) -> None:
    with Exchange(rate=None) as exchange:
        with pytest.raises(InvalidStatus) as caught, connect(exchange.url + path):
            pass
        response = caught.value.response
        assert response.status_code == 404
        assert response.headers["Content-Type"].startswith("application/json")
        assert "error" in json.loads(response.body or b"")


def test_an_upgrade_may_have_a_query() -> None:
    with (
        Exchange(rate=None) as exchange,
        connect(f"{exchange.url}/ws/market?x=1", compression=None),
    ):
        assert exchange.wait_for(lambda: exchange.connections, scaled(5))
        assert exchange.connections[0].path == "/ws/market?x=1"


def test_no_extension_is_negotiated() -> None:
    with Exchange(rate=None) as exchange:
        with connect(f"{exchange.url}/ws/market", compression="deflate") as client:
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers


def test_the_path_of_the_stream_without_an_upgrade_says_so() -> None:
    with Exchange(rate=None) as exchange:
        status, kind, body = get(exchange, "/ws/market")
        assert status == 426
        assert kind.startswith("application/json")
        assert "upgrade" in json.loads(body)["error"]


def test_rest_is_json_on_the_same_port() -> None:
    with Exchange(rate=None) as exchange:
        status, kind, body = get(exchange, f"/markets?slug={exchange.markets[1].slug}")
        assert (status, kind.split(";")[0]) == (200, "application/json")
        assert json.loads(body)[0]["conditionId"] == exchange.markets[1].condition_id
        status, kind, body = get(exchange, "/book?token_id=1")
        assert (status, kind.split(";")[0]) == (404, "application/json")
        assert json.loads(body) == {"error": "No orderbook exists for the requested token id"}


def test_the_book_over_rest_is_that_of_the_stream() -> None:
    with Exchange(rate=None, markets=8) as exchange, subscribed(exchange) as client:
        kept = Kept(exchange)
        for _ in range(5):
            exchange.step(200)
            kept.apply(until_pong(client))
            assert all(kept.agrees(asset_id) for asset_id in kept.books)


@pytest.mark.parametrize(
    "duration",
    [10.0, pytest.param(300.0, marks=[pytest.mark.slow, pytest.mark.timeout(400)])],
    ids=["short", "long"],
)
def test_books_kept_from_the_stream_equal_those_of_rest_at_quiet_moments(duration: float) -> None:
    with (
        Exchange(rate=500, markets=24, showcase=4.0) as exchange,
        subscribed(exchange, custom_feature_enabled=True) as client,
    ):
        kept = Kept(exchange)
        agreed = 0
        began = time.monotonic()
        # A loaded machine asks slowly, and seldom meets a quiet moment: it goes on for longer.
        while (passed := time.monotonic() - began) < duration or (
            agreed <= 5 * duration and passed < scaled(2 * duration)
        ):
            for asset_id in kept.books:
                kept.apply(until_pong(client))
                before = kept.asked(asset_id)
                kept.apply(until_pong(client))
                # Quiet is where the market did not move while it was asked for its book.
                if kept.asked(asset_id) == before:
                    agreed += kept.agrees(asset_id, before)
        resolved = sum(book.resolved for book in kept.books.values())
        assert agreed > 5 * duration
        assert resolved >= 2


class Kept:
    """Every book of an exchange, kept from what a client hears."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.books = {
            asset_id: OrderBook.of(info, asset_id)
            for info in exchange.markets
            for asset_id in info.asset_ids
        }
        self._of_market = {
            info.condition_id: [self.books[asset_id] for asset_id in info.asset_ids]
            for info in exchange.markets
        }
        self._decoder = Decoder(MarketDialect.vocabulary, connection=1)

    def apply(self, texts: list[str]) -> None:
        for received in texts:
            for event in self._decoder.decode(received.encode(), 0.0, 1):
                assert isinstance(event, MarketEvent)
                for book in self._of_market.get(event.market, ()):
                    book.apply(event)

    def asked(self, asset_id: str) -> tuple[int, str]:
        status, _, body = get(self.exchange, f"/book?token_id={asset_id}")
        return status, body

    def agrees(self, asset_id: str, answer: tuple[int, str] | None = None) -> bool:
        """Compare everything, the hash included; True, or an assertion fails."""
        status, body = answer or self.asked(asset_id)
        book = self.books[asset_id]
        if status == 404:
            assert book.resolved
            return True
        served = json.loads(body)
        assert book.timestamp == int(served["timestamp"])
        for own, theirs in ((book.bids, served["bids"]), (book.asks, served["asks"])):
            assert theirs == [
                {"price": format(level.price, "f"), "size": format(level.size, "f")}
                for level in reversed(own)
            ]
        assert book.hash() == served["hash"]
        assert book.verify(served["hash"])
        return True


# -- what a test sees -------------------------------------------------------------------


def test_connections_are_seen_as_they_are() -> None:
    with Exchange(rate=None) as exchange:
        with joined(exchange) as client:
            assert exchange.wait_for(lambda: exchange.connections, scaled(5))
            [connection] = exchange.connections
            assert (connection.number, connection.path) == (1, "/ws/market")
            assert not connection.subscribed
            client.send('{"type":"market","assets_ids":["2","1"],"custom_feature_enabled":true}')
            assert text(client) == "[]\n"
            assert exchange.wait_for(lambda: exchange.connections[0].sent == 1, scaled(5))
            [connection] = exchange.connections
            assert connection.subscribed
            assert connection.asset_ids == ("2", "1")
            assert connection.custom_feature_enabled
            assert len(connection.received) == 1
            assert connection.queued == 0
            assert exchange.subscribed == {"1", "2"}
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))
        assert exchange.subscribed == frozenset()


def test_every_text_of_every_client_is_kept_in_order() -> None:
    with Exchange(rate=None) as exchange:
        with subscribed(exchange, ["1"]) as first, subscribed(exchange, ["2"]) as second:
            text(first)
            text(second)
            until_pong(first)
            until_pong(second)
        numbers = [number for number, _ in exchange.received]
        assert sorted(numbers) == [1, 1, 2, 2]
        assert [t for _, t in exchange.received][-2:] == ["PING", "PING"]


def test_waiting_ends_with_the_deadline() -> None:
    with Exchange(rate=None) as exchange:
        assert exchange.wait_for(lambda: exchange.connections, timeout=0.05) is False


def test_waiting_ends_soon_after_what_nobody_announces() -> None:
    with Exchange(rate=None) as exchange:
        came = threading.Event()
        timer = threading.Timer(0.05, came.set)
        timer.start()
        begin = time.monotonic()
        assert exchange.wait_for(came.is_set, timeout=scaled(10))
        assert time.monotonic() - begin < scaled(5)
        timer.join()


def test_a_text_can_be_sent_to_one_client_or_to_all() -> None:
    with Exchange(rate=None) as exchange:
        with subscribed(exchange, ["1"]) as first, subscribed(exchange, ["2"]) as second:
            assert text(first) == text(second) == "[]\n"
            exchange.send(exchange.connections[1], "for the second")
            exchange.broadcast("INVALID OPERATION")
            assert text(first) == "INVALID OPERATION"
            assert text(second) == "for the second"
            assert text(second) == "INVALID OPERATION"


def test_sending_to_a_client_that_is_gone_is_a_mistake() -> None:
    with Exchange(rate=None) as exchange, pytest.raises(UsageError, match="number 7"):
        exchange.send(7, "x")


# -- the market over the wire -----------------------------------------------------------


def test_the_same_seed_gives_the_same_frames() -> None:
    def heard(seed: int) -> list[str]:
        with Exchange(seed=seed, rate=1000, markets=12, showcase=0.5) as exchange:
            with subscribed(exchange, custom_feature_enabled=True) as client:
                frames = [text(client) for _ in range(800)]
                exchange.close("reset")
                return frames

    frames = heard(5)
    assert frames == heard(5)
    assert frames != heard(6)
    kinds = {json.loads(frame)["event_type"] for frame in frames[1:]}
    assert kinds >= {"new_market", "market_resolved", "tick_size_change"}


def test_the_same_seed_and_script_give_the_same_frames() -> None:
    def heard() -> list[str]:
        with Exchange(seed=5, rate=None) as exchange, subscribed(exchange) as client:
            texts = [text(client)]
            market = exchange.market()
            market.trade("Yes", "BUY", "0.62", 100)
            exchange.step(500)
            market.place("No", "SELL", "0.10", "2.5")
            market.resolve("No")
            return texts + until_pong(client)

    assert heard() == heard()


def test_with_a_seed_time_goes_on_with_the_messages() -> None:
    with Exchange(seed=5, rate=2000) as exchange, subscribed(exchange) as client:
        [first, *_] = [book["timestamp"] for book in value(client)]
        last = [json.loads(text(client)) for _ in range(2000)][-1]["timestamp"]
        exchange.close("reset")
    assert int(first) == 1_791_072_000_000
    assert int(last) - int(first) == pytest.approx(1000, abs=150)


def test_without_a_seed_timestamps_are_those_of_the_clock() -> None:
    with Exchange(rate=200) as exchange, subscribed(exchange) as client:
        text(client)
        for _ in range(20):
            stamp = int(json.loads(text(client))["timestamp"])
        assert abs(time.time() - stamp / 1000) < scaled(2)


def test_a_clock_may_be_given_with_a_seed() -> None:
    with Exchange(seed=5, rate=None, clock=lambda: 1.7e9) as exchange:
        with subscribed(exchange) as client:
            assert {book["timestamp"] for book in value(client)} == {"1700000000000"}


def test_the_market_stands_still_until_the_first_subscription() -> None:
    with Exchange(rate=2000, clock=lambda: 1.7e9) as exchange, joined(exchange):
        before = get(exchange, "/markets")[2]
        assert not exchange.wait_for(lambda: False, timeout=0.1)
        assert get(exchange, "/markets")[2] == before


def test_the_market_moves_on_when_nobody_listens() -> None:
    with Exchange(rate=500) as exchange:
        with subscribed(exchange) as client:
            opening = {book["asset_id"]: book["hash"] for book in value(client)}
        assert exchange.wait_for(lambda: not exchange.connections, scaled(5))
        first, *_ = tokens(exchange)
        before = get(exchange, f"/book?token_id={first}")
        eventually(lambda: get(exchange, f"/book?token_id={first}") != before)
        with subscribed(exchange) as client:
            later = {book["asset_id"]: book["hash"] for book in value(client)}
        assert opening.keys() == later.keys()
        assert opening != later


@pytest.mark.parametrize("rate", [20, 400])
def test_the_rate_is_kept(rate: int) -> None:
    count = round(1.5 * rate)
    with Exchange(rate=rate) as exchange:
        began = time.monotonic()
        with subscribed(exchange) as client:
            for _ in range(1 + count):
                text(client)
            took = time.monotonic() - began
    # A trade is several messages at once. No load makes the market faster; it may make it late.
    several = max(6, 0.15 * count)
    assert (count - several) / rate <= took < (count + several) / rate + scaled(1)


def test_events_are_those_of_a_market() -> None:
    with Exchange(rate=2000) as exchange, subscribed(exchange) as client:
        decoder = Decoder(MarketDialect.vocabulary, connection=1)
        events: list[Event] = []
        while len(events) < 1000:
            events += decoder.decode(text(client).encode(), 0.0, 1)
        assert {type(event).__name__ for event in events} == {
            "Book",
            "PriceChange",
            "LastTradePrice",
        }
        opening = events[0]
        assert isinstance(opening, Book)
        assert opening.tick_size == Decimal("0.01")


class Counter(threading.Thread):
    """Counts the frames of one client. A whole client each would be what is measured."""

    def __init__(self, client: socket.socket, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.stopped = stop
        self.count = 0
        self.closed = False

    def run(self) -> None:
        buffer = b""
        while not self.stopped.is_set() and not self.closed:
            chunk = self.client.recv(1 << 18)
            buffer += chunk
            self.closed = not chunk
            position = 0
            while len(buffer) - position >= 4:
                self.closed = self.closed or buffer[position] != 0x81
                size = buffer[position + 1]
                header = 2
                if size == 126:
                    size = int.from_bytes(buffer[position + 2 : position + 4], "big")
                    header = 4
                if len(buffer) - position < header + size:
                    break
                position += header + size
                self.count += 1
            buffer = buffer[position:]


@pytest.mark.parametrize(
    "seconds", [5.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_ten_clients_get_2000_messages_a_second_without_a_drop(seconds: float) -> None:
    # The rows that there are by default, and longer ones where a machine may be slower.
    rows = {"queue_messages": round(scaled(4096)), "queue_bytes": round(scaled(2**23))}
    with Exchange(rate=2000, markets=5, **rows) as exchange, contextlib.ExitStack() as stack:
        stop = threading.Event()
        asset_ids = tokens(exchange)
        clients = [
            stack.enter_context(unread(exchange, asset_ids, buffer=1 << 18)) for _ in range(10)
        ]
        counters = [Counter(client, stop) for client in clients]
        for counter in counters:
            counter.start()
        # Not how many come in a certain time: a loaded machine takes longer for them.
        wanted = 0.9 * 2000 * seconds
        deadline = time.monotonic() + scaled(1.2 * seconds)
        while any(counter.count <= wanted and not counter.closed for counter in counters):
            if stop.wait(0.05) or time.monotonic() > deadline:
                break
        stop.set()
        for counter in counters:
            counter.join(scaled(5))
        assert not any(counter.closed for counter in counters)
        assert len(exchange.connections) == 10
        for counter in counters:
            assert counter.count > wanted


def test_market_goes_on_when_the_account_has_bought_it_empty() -> None:
    with Exchange(seed=7, rate=None, markets=2) as exchange:
        exchange.account.trade_by_itself(1000)
        exchange.step()
        assert sum(exchange.step(100) for _ in range(10)) > 1000
