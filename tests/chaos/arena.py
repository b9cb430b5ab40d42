"""An exchange that breaks, a client, and readers that hold it to account."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from polymarket_ws.client import Client
from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import ClientClosed
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Dropped, Lifecycle
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.simulator.audit import Audit
from polymarket_ws.simulator.exchange import Exchange
from polymarket_ws.stream import Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import eventually

__all__ = ["PATIENT", "SILENCE", "Arena", "Reader", "arena"]

#: What a mute socket may be, and still be told from one that a loaded machine makes wait.
SILENCE = scaled(0.5)

#: Where nothing is mute on purpose, whatever a loaded machine makes wait.
PATIENT = Liveness(socket=scaled(5.0), first_book=scaled(30.0))


class Reader:
    """Reads a stream on a thread of its own, and counts.

    Args:
        stream: what it reads.
        audit: told of every event.
        pause: seconds between two events; a slow consumer.
    """

    def __init__(self, stream: Stream[Any], audit: Audit | None = None, pause: float = 0.0) -> None:
        self.stream = stream
        self.lifecycle: list[Lifecycle] = []
        self.data = 0
        self.dropped = 0
        self.failed: BaseException | None = None
        self._audit = audit
        self._pause = pause
        self._pauses = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in self.stream.all():
                self._note(event)
                if self._pause:
                    self._pauses.wait(self._pause)
        except BaseException as error:  # noqa: BLE001 - raised where the test sees it
            self.failed = error

    def _note(self, event: Event) -> None:
        if self._audit is not None:
            self._audit.received(event)
        if isinstance(event, Dropped):
            self.dropped += event.count
        elif isinstance(event, Lifecycle):
            self.lifecycle.append(event)
        else:
            self.data += 1

    def seen(self, kind: type[Lifecycle]) -> list[Any]:
        return [event for event in tuple(self.lifecycle) if isinstance(event, kind)]

    def hurry(self) -> None:
        """Read on without pauses."""
        self._pause = 0.0
        self._pauses.set()

    def join(self) -> None:
        self.hurry()
        self._thread.join(scaled(10))
        assert not self._thread.is_alive()
        if self.failed is not None and not isinstance(self.failed, ClientClosed):
            raise self.failed


class Mover:
    """Lets the market move, about so many steps a second, until it is stopped."""

    def __init__(self, exchange: Exchange, steps: float) -> None:
        self._exchange = exchange
        self._interval = 1.0 / steps
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._move)
        self._thread.start()

    def _move(self) -> None:
        while not self._stopped.wait(self._interval):
            self._exchange.step()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(scaled(10))
        assert not self._thread.is_alive()


class Arena:
    """What a chaos test plays with."""

    def __init__(
        self, exchange: Exchange, client: Client, audit: Audit, wish: Market, steps: float
    ) -> None:
        self.exchange = exchange
        self._steps = steps
        self.client = client
        self.audit = audit
        self.fast = Reader(client.subscribe(wish), audit)
        self.slow = Reader(client.subscribe(wish, delivery=Delivery(max_events=400)), pause=0.005)
        # Both begin with one book of each asset, whichever of them came first.
        assets = len(self.fast.stream.asset_ids)
        eventually(lambda: min(self.fast.data, self.slow.data) >= assets, "the opening books")
        self.mover = Mover(exchange, steps)

    def flows(self) -> None:
        """Wait until data comes, which it does only over a connection that works."""
        before = self.fast.data
        eventually(lambda: self.fast.data >= before + 20, "data that flows")

    @contextlib.contextmanager
    def standstill(self) -> Iterator[None]:
        """Let nothing move for a while."""
        self.mover.stop()
        try:
            yield
        finally:
            self.mover = Mover(self.exchange, self._steps)

    def settle(self) -> None:
        """Heal everything, stand still, and wait until all that was sent has its place."""
        self.exchange.heal()
        self.flows()
        self.mover.stop()
        eventually(lambda: self.audit.account().waiting == 0, str(self.audit.account()))
        account = self.audit.account()
        assert account.is_clean, account
        assert account.sent == (
            account.delivered + account.dropped + account.in_gaps + account.not_asked_for
        )
        self.slow.hurry()
        self.check_the_slow_one()

    def check_the_slow_one(self) -> None:
        """Whoever reads slowly gets the same, but for what is told as dropped."""
        eventually(
            lambda: (
                self.slow.data + self.slow.dropped + self._odd(self.slow)
                >= self.fast.data + self._odd(self.fast)
            ),
            f"all in the slow stream: {self.slow.stream.stats} against {self.fast.stream.stats}",
        )
        stats = self.slow.stream.stats
        assert self.fast.dropped == 0
        assert stats.dropped == self.slow.dropped
        assert self.slow.data + self.slow.dropped + self._odd(self.slow) == (
            self.fast.data + self._odd(self.fast)
        )

    @staticmethod
    def _odd(reader: Reader) -> int:
        stats = reader.stream.stats
        return stats.decode_failures + stats.unknown_events


@contextlib.contextmanager
def arena(
    *,
    markets: int = 10,
    steps: float = 200.0,
    assets_per_connection: int = 200,
    liveness: Liveness = PATIENT,
    connect_timeout: float = scaled(1.0),
) -> Iterator[Arena]:
    """Yield an arena whose data flows."""
    audit = Audit()
    with (
        Exchange(rate=None, markets=markets, tap=audit.sent) as exchange,
        Client(
            endpoints=Endpoints.at(exchange.url),
            backoff=Backoff(initial=0.02, maximum=0.2),
            liveness=liveness,
            assets_per_connection=assets_per_connection,
            connect_timeout=connect_timeout,
        ) as client,
    ):
        made = Arena(exchange, client, audit, Market(*exchange.markets), steps)
        try:
            made.flows()
            yield made
        finally:
            made.mover.stop()
            client.close()
            made.fast.join()
            made.slow.join()
