from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from polymarket_ws.client import Client
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import ConnectionFailed
from polymarket_ws.events.lifecycle import Connected, Disconnected
from polymarket_ws.subscriptions import Market
from polymarket_ws.transport import connection as connection_module
from polymarket_ws.transport.backoff import Backoff
from tests.transport.peers import Conversation, Peer, book, eventually

Seconds = Callable[[float], float]


def make_client(peer: Peer, **options: Any) -> Client:
    return Client(
        endpoints=Endpoints(market=peer.url),
        backoff=Backoff(initial=0.01, maximum=0.05),
        **options,
    )


def ids(numbers: range) -> list[str]:
    return [str(number) for number in numbers]


def serve(conversation: Conversation) -> None:
    conversation.accept()
    conversation.read_on()


def answer(conversation: Conversation) -> None:
    """Serve, and answer each subscription with the book of every asset that it names anew."""
    conversation.accept()
    known: set[str] = set()
    while True:
        opcode, _ = conversation.read()
        if opcode == 8:
            conversation.sock.close()
            return
        now = conversation.asset_ids
        conversation.send(*(book(asset_id) for asset_id in now - known))
        known = now


def carried(peer: Peer) -> list[set[str]]:
    return [conversation.asset_ids for conversation in peer.conversations]


def test_assets_are_spread_over_as_few_connections_as_the_limit_allows() -> None:
    with Peer(serve) as peer, make_client(peer) as client:
        stream = client.subscribe(Market(*ids(range(450))))
        eventually(lambda: sorted(map(len, carried(peer))) == [50, 200, 200])
        assert set().union(*carried(peer)) == set(stream.asset_ids)


@pytest.mark.parametrize("assets", [200, 201])
def test_limit_itself_still_fits(assets: int) -> None:
    with Peer(serve) as peer, make_client(peer) as client:
        client.listen(Market(*ids(range(assets))))
        eventually(lambda: sum(map(len, carried(peer))) == assets)
        assert len(peer.conversations) == (1 if assets == 200 else 2)


def test_connection_that_is_not_full_is_filled_first() -> None:
    with Peer(serve) as peer, make_client(peer, assets_per_connection=10) as client:
        for number in range(25):
            client.listen(Market(str(number)))
        eventually(lambda: sorted(map(len, carried(peer))) == [5, 10, 10])


def test_place_that_became_free_is_taken_again() -> None:
    with Peer(serve) as peer, make_client(peer, assets_per_connection=10) as client:
        stream = client.subscribe(Market(*ids(range(20))))
        eventually(lambda: sorted(map(len, carried(peer))) == [10, 10])
        stream.remove(*ids(range(3)))
        eventually(lambda: sorted(map(len, carried(peer))) == [7, 10])
        stream.add(*ids(range(100, 103)))
        eventually(lambda: sorted(map(len, carried(peer))) == [10, 10])
        assert len(peer.conversations) == 2


def test_asset_is_left_only_when_its_last_stream_leaves_it() -> None:
    with Peer(serve) as peer, make_client(peer) as client:
        first = client.subscribe(Market("1", "2"))
        second = client.subscribe(Market("2", "3"))
        eventually(lambda: carried(peer) == [{"1", "2", "3"}])
        first.close()
        second.add("4")
        eventually(lambda: carried(peer) == [{"2", "3", "4"}])
        second.remove("2")
        eventually(lambda: carried(peer) == [{"3", "4"}])
        named = [text for text in peer.conversations[0].texts if '"2"' in text]
        assert len(named) == 2  # subscribed once, unsubscribed once


def test_each_connection_tells_a_stream_its_own_share(seconds: Seconds) -> None:
    with Peer(serve) as peer, make_client(peer, assets_per_connection=2) as client:
        stream = client.subscribe(Market("1", "2", "3"))
        told = []
        while len(told) < 2:
            event = stream.all().get(seconds(5))
            if isinstance(event, Connected):
                told.append((event.connection, event.asset_ids))
    assert sorted(told) == [(1, ("1", "2")), (2, ("3",))]


def test_one_lost_connection_does_not_touch_the_others(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.read()
        if conversation.asset_ids == {"1"} and conversation.number < 2:
            conversation.peer.wait(lambda: len(conversation.peer.conversations) == 2)
            conversation.reset()
        else:
            conversation.read_on()

    with Peer(script) as peer, make_client(peer, assets_per_connection=1) as client:
        streams = {asset_id: client.subscribe(Market(asset_id)) for asset_id in ("1", "2")}
        while not isinstance(streams["1"].all().get(seconds(5)), Disconnected):
            pass
        eventually(lambda: len(peer.conversations) == 3)
        eventually(lambda: [c.over.is_set() for c in peer.conversations].count(True) == 1)
        lost = next(c for c in peer.conversations if c.over.is_set())
        assert lost.asset_ids == {"1"}


def test_connection_that_ended_is_replaced(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.02)
    with Peer(serve) as peer, make_client(peer) as client:
        for number in range(5):
            with client.subscribe(Market("1", "2")):
                eventually(lambda number=number: len(peer.conversations) > number)
                eventually(lambda number=number: carried(peer)[number] == {"1", "2"})
            assert peer.conversations[number].over.wait(seconds(5))


def test_connections_that_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.0)
    with Peer(serve) as peer, make_client(peer) as client:
        shards = client._engine._shards["market"]
        for number in range(10):
            with client.subscribe(Market(str(number))):
                peer.wait(lambda number=number: len(peer.conversations) > number)
            eventually(lambda: not shards.connections)
        assert len(shards._loads) <= 1


def test_connection_whose_failure_ended_its_streams_is_replaced(seconds: Seconds) -> None:
    def script(conversation: Conversation) -> None:
        if conversation.number:
            answer(conversation)
        conversation.read_head()
        conversation.sock.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

    with Peer(script) as peer, make_client(peer) as client:
        broken = client.subscribe(Market("1", "2"))
        with pytest.raises(Exception, match="HTTP 404"):
            broken.get(seconds(5))
        assert client.subscribe(Market("2", "3")).get(seconds(5)).asset_id in {"2", "3"}


def refuse(conversation: Conversation) -> None:
    conversation.read_head()
    conversation.sock.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")


def ignore(conversation: Conversation) -> None:
    conversation.read_head()
    conversation.hold()


@pytest.mark.parametrize("trouble", [refuse, ignore])
def test_one_of_many_that_does_not_open_ends_nobodys_stream(
    trouble: Callable[[Conversation], None], seconds: Seconds
) -> None:
    def script(conversation: Conversation) -> None:
        (trouble if conversation.number in {1, 2} else answer)(conversation)

    options = {"assets_per_connection": 2, "connect_timeout": seconds(1)}
    with Peer(script) as peer, make_client(peer, **options) as client:
        stream = client.subscribe(Market("1", "2"))
        assert {stream.get(seconds(5)).asset_id, stream.get(seconds(5)).asset_id} == {"1", "2"}
        stream.add("3")
        assert stream.get(seconds(10)).asset_id == "3"
        assert [conversation.number for conversation in peer.conversations] == [0, 1, 2, 3]
        assert stream.stats.disconnects == 0


def test_the_only_connection_that_does_not_open_ends_its_streams(seconds: Seconds) -> None:
    with Peer(ignore) as peer, make_client(peer, connect_timeout=seconds(0.3)) as client:
        stream = client.subscribe(Market("1"))
        with pytest.raises(ConnectionFailed, match=r"within .* s \(\d attempts?\)"):
            stream.get(seconds(10))


def test_no_wish_is_lost_when_a_connection_ends_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch, seconds: Seconds
) -> None:
    monkeypatch.setattr(connection_module, "_IDLE_SECONDS", 0.003)
    failures: list[BaseException] = []

    with Peer(answer) as peer, make_client(peer, assets_per_connection=2) as client:

        def end_all() -> None:
            shards = client._engine._shards["market"]
            eventually(lambda: not shards.connections, "the end of every connection")

        # Now and then nobody wants anything until all have ended, however slow they are.
        nobody = threading.Barrier(3, end_all, seconds(20))

        def come_and_go(seed: int) -> None:
            chance = random.Random(seed)
            pause = threading.Event()
            try:
                for turn in range(60):
                    if turn % 10 == 9:
                        nobody.wait()
                    asset_id = str(chance.randrange(1, 4) + 10 * seed)
                    with client.subscribe(Market(asset_id)) as stream:
                        assert stream.get(seconds(5)).asset_id == asset_id
                    pause.wait(chance.random() * 0.006)
            except BaseException as error:  # noqa: BLE001 - raised where the test sees it
                failures.append(error)
                nobody.abort()

        threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        # It was what was meant to be tested: connections did end in between.
        assert len(peer.conversations) > 5


def test_change_of_many_streams_at_once_ends_in_what_is_wanted() -> None:
    with Peer(serve) as peer, make_client(peer, assets_per_connection=7) as client:
        streams = [client.subscribe(Market(str(number))) for number in range(4)]

        def change(number: int) -> None:
            chance = random.Random(number)
            for _ in range(40):
                wanted = chance.sample(range(40), chance.randrange(1, 12))
                streams[number].replace(*map(str, wanted))

        threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = sorted({asset_id for stream in streams for asset_id in stream.asset_ids})

        def on_the_wire() -> list[str]:
            living = (c for c in peer.conversations if not c.over.is_set())
            return sorted(asset_id for c in living for asset_id in c.asset_ids)

        eventually(lambda: on_the_wire() == wanted, "the wanted set on the wire, each asset once")
