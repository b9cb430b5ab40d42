"""Any wishes, disconnects and moments: the server's set always becomes the wanted one."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from polymarket_ws.client import Client
from polymarket_ws.events.market import Book, LastTradePrice
from polymarket_ws.stream import Feed, Stream
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport.backoff import Backoff
from tests.conftest import scaled
from tests.market_server import Loopback, Talk, eventually, trade

ASSETS = [str(number) for number in range(1, 13)]
SOME = st.lists(st.sampled_from(ASSETS), min_size=1, max_size=6, unique=True)

#: Small enough that twelve assets need several connections and places become free.
SHARD = 4


class Server(Loopback):
    """Answers as the market channel does, and notes what it should never see."""

    def __init__(self) -> None:
        self.twice: list[object] = []
        super().__init__(self.serve)

    def serve(self, talk: Talk) -> None:
        known: set[str] = set()
        for _ in talk.obey():
            frame = talk.frames[-1] if talk.frames else {}
            ids = frame.get("assets_ids")
            if isinstance(ids, list) and frame.get("operation") != "unsubscribe":
                self.twice += known & set(ids)
            known = set(talk.asset_ids)


class Wishes(RuleBasedStateMachine):
    """Feeds come, change and go while connections break."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = contextlib.ExitStack()
        self.feeds: list[Feed] = []
        self.numbers = itertools.count(2)

    @initialize()
    def begin(self) -> None:
        self.server = self.ends.enter_context(Server())
        self.client = self.ends.enter_context(
            Client(
                endpoints=self.server.endpoints,
                backoff=Backoff(initial=0.005, maximum=0.02),
                assets_per_connection=SHARD,
            )
        )
        self.client.on(LastTradePrice, self.called_back)
        self.wishes_of_callbacks: list[Any] = []

    def called_back(self, event: LastTradePrice) -> None:
        while self.wishes_of_callbacks:
            self.wishes_of_callbacks.pop()()

    @rule(ids=SOME, silent=st.booleans())
    def open(self, ids: list[str], silent: bool) -> None:
        wish = Market(*ids)
        self.feeds.append(self.client.listen(wish) if silent else self.client.subscribe(wish))

    @precondition(lambda self: self.feeds)
    @rule(data=st.data(), ids=SOME, where=st.sampled_from(["here", "thread", "callback"]))
    def change(self, data: st.DataObject, ids: list[str], where: str) -> None:
        feed = data.draw(st.sampled_from(self.feeds))
        how = data.draw(st.sampled_from(["add", "remove", "replace"]))
        if how == "remove":
            ids = [key for key in ids if key in feed.asset_ids]
            if not ids:
                return
        wish = getattr(feed, how)

        def act() -> None:
            wish(*map(Market, ids))

        if where == "here":
            act()
        elif where == "thread":
            thread = threading.Thread(target=act)
            thread.start()
            thread.join()
        else:
            self.in_a_callback(act)

    def in_a_callback(self, act: Any) -> None:
        done = threading.Event()

        def once() -> None:
            act()
            done.set()

        self.wishes_of_callbacks.append(once)
        with self.client.listen(Market("99", events=[LastTradePrice])):

            def reached() -> bool:
                for talk in self.server.open:
                    if "99" in talk.asset_ids:
                        talk.send(trade(1, "99"))
                return done.is_set()

            eventually(reached, "the callback")

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        feed = data.draw(st.sampled_from(self.feeds))
        self.feeds.remove(feed)
        feed.close()

    # Drawn without a look at what is open, which no seed repeats.
    @rule(which=st.integers(0, 3), code=st.sampled_from([1001, 1011]))
    def disconnect(self, which: int, code: int) -> None:
        talks = self.server.open
        if talks:
            talk = talks[which % len(talks)]
            talk.hang_up(code)
            # Until then it counts as open, with all that is subscribed on it.
            assert talk.over.wait(scaled(10))

    @rule()
    def settle(self) -> None:
        wanted = sorted({key for feed in self.feeds for key in feed.asset_ids})
        eventually(lambda: self.server.asset_ids == wanted, f"{wanted} on the wire, each once")
        assert self.server.twice == []
        assert all(len(talk.asset_ids) <= SHARD for talk in self.server.open)
        eventually(lambda: self.client.health().pending == (), "every book")

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def every_stream_gets_what_it_wants(self, data: st.DataObject) -> None:
        self.settle()
        feed = data.draw(st.sampled_from(self.feeds))
        if not isinstance(feed, Stream) or not feed.asset_ids:
            return
        drain(feed)
        asset_id = data.draw(st.sampled_from(feed.asset_ids))
        # What another feed was asked about may come to this one only now.
        number = next(self.numbers)
        for talk in self.server.open:
            if asset_id in talk.asset_ids:
                talk.send(trade(number, asset_id))
        event = feed.get(scaled(10))
        while isinstance(event, Book) or event.size < number:
            event = feed.get(scaled(10))
        assert (event.asset_id, event.size) == (asset_id, number)

    def teardown(self) -> None:
        try:
            if hasattr(self, "server"):
                self.settle()
        finally:
            self.ends.close()


def drain(stream: Stream[Any]) -> None:
    with contextlib.suppress(TimeoutError):
        while True:
            stream.get(0)


class TestWishes(Wishes.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


@pytest.mark.slow
class TestManyWishes(Wishes.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
