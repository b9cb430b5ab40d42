from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from compliance.agent import Agent, echo
from polymarket_ws.simulator.listening import accept
from polymarket_ws.transport.line import End
from polymarket_ws.transport.opening import OpeningFailed
from tests.transport.peers import Conversation, Peer, server_frame

Script = Callable[[ServerConnection], None]


@pytest.fixture
def agent() -> Iterator[Agent]:
    with contextlib.closing(Agent()) as agent:
        yield agent


@contextlib.contextmanager
def serving(script: Script) -> Iterator[str]:
    server = serve(script, "127.0.0.1", 0, compression=None, max_size=None)
    thread = threading.Thread(target=accept, args=(server,))
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()


def test_everything_comes_back_as_it_was(agent: Agent, seconds: Callable[[float], float]) -> None:
    sent = ["", "é€\U0001f600", "x" * 70_000, b"", bytes(range(256)), b"\xff" * 4_000_000]
    received: list[str | bytes] = []

    def script(connection: ServerConnection) -> None:
        for message in sent:
            connection.send(message)
            received.append(connection.recv(seconds(20)))
        connection.send(["in ", "three ", "pieces"])
        received.append(connection.recv(seconds(20)))
        assert connection.ping(b"abc").wait(seconds(20))
        connection.close(1001, "enough")

    with serving(script) as url:
        assert agent.talk(url, echo, seconds=seconds(60)) == End(1001, "enough", by_peer=True)
    assert received == [*sent, "in three pieces"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"\xc1\x00", 1002),
        (server_frame(b"\xff"), 1007),
        (b"\x82\x7f" + struct.pack("!Q", 1 << 40), 1009),
        (server_frame(b"\x03", 8), 1002),
        (server_frame(struct.pack("!H", 1005), 8), 1002),
        (server_frame(struct.pack("!H", 1000) + b"\xff", 8), 1007),
    ],
)
def test_peer_that_breaks_the_protocol_is_told_with_the_right_code(
    agent: Agent, broken: bytes, code: int, seconds: Callable[[float], float]
) -> None:
    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.sock.sendall(server_frame("before") + broken + server_frame("after"))
        conversation.read_on()

    with Peer(script) as peer:
        assert agent.talk(peer.url, echo, seconds=seconds(10)).code == code
        before, (opcode, payload) = peer.wait_frames(2).frames
    assert before == (1, b"before")
    assert opcode == 8
    assert struct.unpack("!H", payload[:2]) == (code,)


def test_peer_that_never_ends_is_left(agent: Agent) -> None:
    def script(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            connection.recv()

    with serving(script) as url, pytest.raises(TimeoutError):
        agent.talk(url, echo, seconds=0.2)


def test_nobody_there_is_said(agent: Agent) -> None:
    with serving(lambda connection: None) as url:
        pass
    with pytest.raises(OpeningFailed):
        agent.talk(url, echo, seconds=1.0)
