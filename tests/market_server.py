"""A scripted market channel on loopback: real sockets, the frames of the real one."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from polymarket_ws.endpoints import Endpoints
from polymarket_ws.simulator.listening import accept
from tests.conftest import scaled

#: No wait of a test is longer, but for what a slow machine adds.
PATIENCE = 10.0


def eventually(reached: Callable[[], object], what: str = "it") -> None:
    """Wait until ``reached`` returns something true."""
    deadline = time.monotonic() + scaled(PATIENCE)
    pause = threading.Event()
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not happen"
        pause.wait(0.005)


def book(
    asset_id: str, bid: str = "0.40", ask: str = "0.60", size: str = "10"
) -> dict[str, object]:
    return {
        "event_type": "book",
        "market": "0xabc",
        "asset_id": asset_id,
        "timestamp": "1750428146322",
        "hash": "h",
        "bids": [{"price": bid, "size": size}],
        "asks": [{"price": ask, "size": size}],
    }


def trade(number: int, asset_id: str = "1") -> dict[str, object]:
    """Return a trade whose size is ``number``."""
    return {
        "event_type": "last_trade_price",
        "market": "0xabc",
        "asset_id": asset_id,
        "price": "0.5",
        "size": str(number),
        "fee_rate_bps": "0",
        "side": "BUY",
        "timestamp": "1750428146322",
    }


def price_change(*changes: tuple[str, str, str]) -> dict[str, object]:
    """Return a change of bids: asset id, price, size."""
    return {
        "event_type": "price_change",
        "market": "0xabc",
        "timestamp": "1750428146323",
        "price_changes": [
            {"asset_id": asset_id, "price": price, "size": size, "side": "BUY", "hash": "h"}
            for asset_id, price, size in changes
        ],
    }


class Talk:
    """One accepted connection."""

    def __init__(self, server: Loopback, connection: ServerConnection, number: int) -> None:
        self.number = number
        self.frames: list[dict[str, object]] = []
        self.asset_ids: set[str] = set()
        self.over = threading.Event()
        self._server = server
        self._connection = connection
        self._answering = threading.Lock()

    def send(self, *messages: object) -> bool:
        """Send each as JSON (a ``str`` as it is); False once the client is gone."""
        try:
            for message in messages:
                self._connection.send(message if isinstance(message, str) else json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    def ping(self) -> bool:
        """Send a protocol ping; False once the client is gone."""
        try:
            self._connection.ping()
        except ConnectionClosed:
            return False
        return True

    def hang_up(self, code: int = 1012) -> None:
        self._connection.close(code)

    def obey(self) -> Iterator[None]:
        """Answer the client as the market channel does; yield after each of its frames."""
        with contextlib.suppress(ConnectionClosed):
            for text in self._connection:
                if text == "PING":
                    self.send("PONG")
                else:
                    self._take(json.loads(text))
                yield

    def wait_answered(self) -> None:
        """Wait until the books of all that is in ``asset_ids`` by now are sent."""
        with self._answering:
            pass

    def _take(self, frame: dict[str, object]) -> None:
        with self._answering:
            self._answer(frame)

    def _answer(self, frame: dict[str, object]) -> None:
        ids = frame["assets_ids"]
        assert isinstance(ids, list)
        with self._server.changed:
            new = [key for key in ids if key not in self.asset_ids]
            if frame.get("operation") == "unsubscribe":
                self.asset_ids -= set(ids)
                new = []
            else:
                self.asset_ids |= set(ids)
            self.frames.append(frame)
            self._server.changed.notify_all()
        books = [book(key) for key in new if key not in self._server.silent]
        if books or "type" in frame:
            self.send(books)


Script = Callable[[Talk], None]


def obey(talk: Talk) -> None:
    """Answer until the client is gone."""
    for _ in talk.obey():
        pass


def flood(asset_id: str = "1", batch: int = 50) -> Script:
    """Return a script that sends numbered trades as fast as the client takes them."""

    def script(talk: Talk) -> None:
        answers = talk.obey()
        next(answers, None)
        numbers = itertools.count()
        while talk.send([trade(next(numbers), asset_id) for _ in range(batch)]):
            pass

    return script


def flood_and_obey(talk: Talk) -> None:
    """Send numbered trades of one asset at full rate, and go on to do as the client says."""
    answers = talk.obey()
    next(answers, None)
    reader = threading.Thread(target=lambda: [None for _ in answers])
    reader.start()
    number = 0
    pause = threading.Event()
    while talk.send([trade(number + i) for i in range(50)]):
        number += 50
        # The lock of the connection is not fair: without a pause its answers take seconds.
        pause.wait(0.0005)
    reader.join()


class Loopback:
    """A server; each connection runs ``script`` on a thread of its own."""

    def __init__(
        self,
        script: Script = obey,
        silent: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        logger = logging.getLogger("tests.market_server")
        logger.setLevel(logging.CRITICAL)
        self._script = script
        self.silent = frozenset(silent)
        self.talks: list[Talk] = []
        self.changed = threading.Condition()
        self._server = serve(
            self._serve,
            "127.0.0.1",
            0,
            ssl=tls,
            compression=None,
            ping_interval=None,
            logger=logger,
        )
        self._scheme = "ws" if tls is None else "wss"
        self._thread = threading.Thread(target=accept, args=(self._server,))

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.socket.getsockname()[1]}"

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints.at(self.url)

    def _serve(self, connection: ServerConnection) -> None:
        with self.changed:
            talk = Talk(self, connection, len(self.talks) + 1)
            self.talks.append(talk)
            self.changed.notify_all()
        try:
            self._script(talk)
        finally:
            talk.over.set()

    @property
    def open(self) -> list[Talk]:
        return [talk for talk in self.talks if not talk.over.is_set()]

    @property
    def asset_ids(self) -> list[str]:
        """What is subscribed on all open connections, sorted, with duplicates."""
        return sorted(key for talk in self.open for key in talk.asset_ids)

    def wait_for(self, *asset_ids: str) -> Talk:
        """Wait until exactly these are subscribed, and return the latest connection.

        Their books are sent by then: what a test sends comes behind them.
        """
        eventually(lambda: self.asset_ids == sorted(asset_ids), f"subscribing {asset_ids}")
        for talk in self.talks:
            talk.wait_answered()
        return (self.open or self.talks)[-1]

    def wait_for_connection(self, number: int, *asset_ids: str) -> Talk:
        """Wait until these alone are subscribed on the connection of that number, and answered."""
        eventually(
            lambda: (
                len(self.talks) >= number and self.talks[number - 1].asset_ids == set(asset_ids)
            ),
            f"connection {number} with {asset_ids}",
        )
        talk = self.talks[number - 1]
        talk.wait_answered()
        return talk

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        for talk in self.open:
            talk.hang_up(1001)
        self._server.shutdown()
        self._thread.join()
        for talk in self.talks:
            assert talk.over.wait(scaled(PATIENCE)), "the script did not end"


def random_moments(count: int, most: float, seed: int) -> list[float]:
    """Return pauses in seconds, the same for the same seed."""
    source = random.Random(seed)
    return [source.uniform(0.0, most) for _ in range(count)]
