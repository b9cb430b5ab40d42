"""The user channel from the exchange's ledger to the loop, through every cut."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from polymarket_ws import (
    AuthenticationFailed,
    Backoff,
    Client,
    Connected,
    Credentials,
    CredentialsNotFound,
    Endpoints,
    Market,
    Order,
    RecoveryFailed,
    Trade,
    UsageError,
    User,
)
from polymarket_ws.events.event import Event
from polymarket_ws.simulator import Exchange, Refuse
from tests.conftest import scaled

QUICK = Backoff(initial=0.01, maximum=0.05)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=1) as exchange:
        yield exchange


def made(exchange: Exchange, **options: object) -> Client:
    given = {"endpoints": Endpoints.at(exchange.url), "backoff": QUICK, **options}
    return Client(exchange.account.credentials, **given)  # type: ignore[arg-type]


def is_subscribed(exchange: Exchange, timeout: float) -> bool:
    """Wait until the exchange has read what was sent behind the subscription."""
    return exchange.wait_for(
        lambda: any(
            (number, "PING") in exchange.received
            for number in [c.number for c in exchange.connections if c.path == "/ws/user"]
        ),
        timeout,
    )


class Seen:
    """Everything that a loop over ``all()`` yields, collected in a thread of its own."""

    def __init__(self, stream: object) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: object) -> None:
        for event in stream.all():  # type: ignore[attr-defined]
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()

    def wait(self, reached: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(reached, timeout)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def trades(self) -> dict[str, str]:
        """Return the last status of each trade."""
        return {t.id: t.status for t in self.of(Trade)}  # type: ignore[attr-defined]

    def join(self) -> None:
        self._thread.join(5)


def test_order_and_its_fill_arrive(exchange: Exchange, seconds: Callable[[float], float]) -> None:
    market = exchange.market()
    token = market.info.asset_ids[0]
    with made(exchange) as client:
        seen = Seen(client.subscribe(User()))
        assert is_subscribed(exchange, seconds(5))
        order_id = exchange.account.place(token, "BUY", market.best_ask(0), 5)
        exchange.account.finish_trades()
        assert seen.wait(lambda: "CONFIRMED" in seen.trades().values(), seconds(10))
        orders = [o for o in seen.of(Order) if o.id == order_id]  # type: ignore[attr-defined]
        assert orders
        key = exchange.account.credentials.api_key
        fills = [f for t in seen.of(Trade) for f in t.fills_of(key)]  # type: ignore[attr-defined]
        assert {f.order_id for f in fills} == {order_id}
    seen.join()


def test_nothing_of_the_account_is_lost_in_fifty_cuts(
    seconds: Callable[[float], float],
) -> None:
    with Exchange(rate=200.0, markets=2) as exchange:
        account = exchange.account
        with made(exchange) as client:
            stream = client.subscribe(User())
            seen = Seen(stream)
            assert client.wait_connected(seconds(10))
            account.trade_by_itself(20)
            pause = threading.Event()
            for cut in range(50):
                epoch = cut + 2
                pause.wait(0.02 * (cut % 5))
                # Connected is told before the exchange's own thread knows of the client.
                assert exchange.wait_for(lambda: bool(exchange.connections), seconds(10))
                how = ("reset", "fin", "half_frame")[cut % 3]
                for connection in exchange.connections:
                    exchange.drop(how, connection=connection)
                assert seen.wait(
                    lambda epoch=epoch: any(
                        c.epoch >= epoch  # type: ignore[attr-defined]
                        for c in seen.of(Connected)
                    ),
                    seconds(20),
                ), f"cut {cut}"
            account.trade_by_itself(0)
            account.cancel_all()
            account.finish_trades()

            def complete() -> bool:
                return seen.trades() == {t.id: t.status for t in account.trades.values()}

            assert seen.wait(complete, seconds(30)), difference(seen, exchange)
        seen.join()
        told = [(t.id, t.status) for t in seen.of(Trade)]  # type: ignore[attr-defined]
        assert len(told) == len(set(told))
        assert len(seen.trades()) > 10
        last = {o.id: o for o in seen.of(Order)}  # type: ignore[attr-defined]
        ledger = account.orders
        for order_id, order in last.items():
            final = ledger[order_id]
            assert (order.size_matched or 0) == final.size_matched  # type: ignore[attr-defined]
            assert order.status == final.status  # type: ignore[attr-defined]


def difference(seen: Seen, exchange: Exchange) -> str:
    ledger = {trade.id: trade.status for trade in exchange.account.trades.values()}
    told = seen.trades()
    wrong = {key: (told.get(key), ledger.get(key)) for key in {*told, *ledger}}
    return str({key: pair for key, pair in wrong.items() if pair[0] != pair[1]})


def test_silence_of_rest_is_told_and_what_it_brings_later_is_marked(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    market = exchange.market()
    token = market.info.asset_ids[0]
    account = exchange.account
    with made(exchange, recovery_timeout=0.3) as client:
        seen = Seen(client.subscribe(User()))
        assert is_subscribed(exchange, seconds(10))
        account.rest = "down"
        # Nobody is there when it happens, however quick the client is.
        exchange.inject(Refuse(503))
        exchange.drop("reset")
        account.place(token, "BUY", market.best_ask(0), 5)
        exchange.heal()
        assert seen.wait(lambda: bool(seen.of(RecoveryFailed)), seconds(10))
        account.rest = "ok"
        assert seen.wait(lambda: bool(seen.of(Trade)), seconds(20))
        (trade,) = seen.of(Trade)
        assert trade.recovered  # type: ignore[attr-defined]
    seen.join()


def test_since_brings_the_trades_from_then_on(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    market = exchange.market()
    token = market.info.asset_ids[0]
    exchange.account.place(token, "BUY", market.best_ask(0), 5)
    exchange.account.finish_trades()
    with made(exchange) as client:
        since = datetime.now(timezone.utc) - timedelta(hours=1)
        stream = client.subscribe(User(), since=since)
        event = stream.get(timeout=seconds(10))
        while not isinstance(event, Trade):
            event = stream.get(timeout=seconds(10))
        assert event.recovered
        assert event.status == "CONFIRMED"


def test_wrong_credentials_are_told_before_the_socket_is_opened(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    right = exchange.account.credentials
    wrong = Credentials(right.api_key, "d3Jvbmc=", "wrong", address=right.address)
    with Client(wrong, endpoints=Endpoints.at(exchange.url)) as client:
        began = time.monotonic()
        with pytest.raises(AuthenticationFailed, match="Likely causes"):
            client.subscribe(User()).get(timeout=seconds(10))
        assert time.monotonic() - began < seconds(5)
        assert not any(c.path == "/ws/user" for c in exchange.connections)


def test_hang_up_right_after_the_credentials_is_told(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    wrong = Credentials("00000000-0000-0000-0000-000000000000", "d3Jvbmc=", "wrong")
    with Client(wrong, endpoints=Endpoints.at(exchange.url)) as client:
        stream = client.subscribe(User())
        with pytest.raises(AuthenticationFailed, match="Builder key"):
            stream.get(timeout=seconds(10))


def test_without_an_address_nothing_is_recovered_and_connected_says_so(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    right = exchange.account.credentials.reveal()
    bare = Credentials(right["apiKey"], right["secret"], right["passphrase"])
    with Client(bare, endpoints=Endpoints.at(exchange.url)) as client:
        event = client.subscribe(User()).all().get(timeout=seconds(10))
        assert isinstance(event, Connected)
        assert event.recovers is False
    with made(exchange) as client:
        event = client.subscribe(User()).all().get(timeout=seconds(10))
        assert isinstance(event, Connected)
        assert event.recovers is True


def test_client_without_credentials_says_which_ways_there_are(exchange: Exchange) -> None:
    with Client(endpoints=Endpoints.at(exchange.url)) as client:
        with pytest.raises(CredentialsNotFound, match="from_env"):
            client.subscribe(User())


def test_markets_and_orders_come_in_one_stream(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    market = exchange.market()
    token = market.info.asset_ids[0]
    with made(exchange) as client:
        stream = client.subscribe(Market(token), User(market.info.condition_id))
        seen = Seen(stream)
        assert is_subscribed(exchange, seconds(10))
        assert exchange.wait_for(lambda: token in exchange.subscribed, seconds(10))
        exchange.account.place(token, "BUY", market.best_bid(0), 5)
        assert seen.wait(lambda: bool(seen.of(Order)), seconds(10))
        connected = {c.channel: c for c in seen.of(Connected)}  # type: ignore[attr-defined]
        assert connected["market"].asset_ids == (token,)
        assert connected["user"].condition_ids == (market.info.condition_id,)
        assert connected["user"].asset_ids == ()
    seen.join()


@pytest.mark.parametrize(
    ("markets", "words"),
    [
        (("123",), r"is a token id; the user channel takes condition ids"),
        (("a-slug",), r"User\(lookup\('a-slug'\)\)"),
        ((["0x" + "a" * 64],), "one by one"),
        ((7,), "takes condition ids"),
    ],
)
def test_what_is_no_condition_id_is_a_usage_error(markets: tuple[object, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        User(*markets)  # type: ignore[arg-type]


TRACED = """
import logging, sys, threading, traceback
import websocket
from polymarket_ws import Backoff, Client, Connected, Credentials, Endpoints, User
from polymarket_ws.simulator import Exchange

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
websocket.enableTrace(True)
with Exchange(rate=None, markets=1) as exchange:
    right = exchange.account.credentials
    sys.stderr.write("\\n".join("".join(value) for value in right.reveal().values()))
    quick = Backoff(initial=0.01, maximum=0.05)
    with Client(right, endpoints=Endpoints.at(exchange.url), backoff=quick) as client:
        stream = client.subscribe(User())
        everything = stream.all()
        for epoch in (1, 2, 3):
            event = everything.get(10)
            while not (isinstance(event, Connected) and event.epoch == epoch):
                event = everything.get(10)
            assert exchange.wait_for(lambda: bool(exchange.connections), 10)
            token = exchange.markets[0].asset_ids[0]
            exchange.account.place(token, "BUY", exchange.market().best_ask(0), 1)
            exchange.drop("half_frame")
        print(repr(client), client.health(), vars(client), vars(client._engine))
    secret = right.reveal()["secret"]
    wrong = Credentials(right.api_key, secret, "x" * 10, address=right.address)
    try:
        with Client(wrong, endpoints=Endpoints.at(exchange.url)) as client:
            client.subscribe(User()).get(10)
    except Exception as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(told.format()))
    else:
        raise SystemExit("wrong credentials were not told")
"""


def test_secrets_occur_nowhere() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=scaled(90),
        check=False,
    )
    secrets = done.stderr.split("\n")[:3]
    said = done.stdout + "\n".join(done.stderr.split("\n")[3:])
    assert done.returncode == 0, said
    assert "AuthenticationFailed" in said
    assert len(set(secrets)) == 3
    for secret in secrets:
        assert len(secret) > 8
        assert secret not in said
