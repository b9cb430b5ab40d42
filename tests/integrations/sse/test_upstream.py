from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from polymarket_ws import (
    Client,
    ConnectionFailed,
    CredentialsNotFound,
    Endpoints,
    PolymarketWSError,
)
from polymarket_ws.events.event import Event
from polymarket_ws.integrations.sse.upstream import Reader, read_account, read_markets
from polymarket_ws.simulator import Exchange


class Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.errors: list[PolymarketWSError] = []
        self._changed = threading.Condition()

    def deliver(self, reader: Reader, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def failed(self, reader: Reader, error: PolymarketWSError) -> None:
        with self._changed:
            self.errors.append(error)
            self._changed.notify_all()

    def wait_for(self, predicate: Callable[[], object], timeout: float) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(predicate, timeout))

    def types(self) -> set[str]:
        return {type(event).__name__ for event in self.events}


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=1) as exchange:
        yield exchange


def test_data_and_lifecycle_come_in_one_order(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    heard = Heard()
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        reader = read_markets(client, list(exchange.markets), heard.deliver, heard.failed)
        assert heard.wait_for(lambda: "Book" in heard.types(), seconds(10))
        exchange.market().resolve("Yes")
        assert heard.wait_for(lambda: "MarketResolved" in heard.types(), seconds(10))
        # The exchange hangs up once all is resolved, so more may follow, and comes after.
        assert heard.wait_for(lambda: "Disconnected" in heard.types(), seconds(10))
        told = ("Connected", "Subscribed", "Book", "MarketResolved", "Disconnected")
        names = [type(event).__name__ for event in list(heard.events)]
        firsts = [name for at, name in enumerate(names) if name not in names[:at]]
        assert [name for name in firsts if name in told] == list(told)
        reader.close()
        assert reader.join(seconds(5))
        assert heard.errors == []


def test_what_ends_a_stream_for_good_is_told_once(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    heard = Heard()
    # There is no such stream on it: 404, which is final before a first success.
    nowhere = Endpoints(market=f"{exchange.url}/ws/nowhere")
    with Client(endpoints=nowhere) as client:
        reader = read_markets(client, list(exchange.markets), heard.deliver, heard.failed)
        assert reader.join(seconds(10))
    assert [type(error) for error in heard.errors] == [ConnectionFailed]


def test_a_mistake_of_ours_ends_the_stream_and_is_logged(
    exchange: Exchange, seconds: Callable[[float], float], caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def mistaken(reader: Reader, event: Event) -> None:
        raise ZeroDivisionError

    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        reader = read_markets(client, list(exchange.markets), mistaken, heard.failed)
        assert reader.join(seconds(10))
        assert exchange.wait_for(lambda: not exchange.connections, seconds(10))
    assert [type(error) for error in heard.errors] == [PolymarketWSError]
    assert "ZeroDivisionError" in caplog.text


def test_an_account_needs_credentials(exchange: Exchange) -> None:
    heard = Heard()
    with (
        Client(endpoints=Endpoints.at(exchange.url)) as client,
        pytest.raises(CredentialsNotFound),
    ):
        read_account(client, heard.deliver, heard.failed)


def test_orders_of_the_account_are_read(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    heard = Heard()
    account = exchange.account
    with Client(account.credentials, endpoints=Endpoints.at(exchange.url)) as client:
        read_account(client, heard.deliver, heard.failed)
        assert exchange.wait_for(lambda: len(exchange.received) > 1, seconds(10))
        account.place(exchange.markets[0].asset_ids[0], "BUY", "0.01", 7)
        assert heard.wait_for(lambda: "Order" in heard.types(), seconds(10))
