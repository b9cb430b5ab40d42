from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from polymarket_ws.transport import line as line_module
from polymarket_ws.transport.frames import CLOSE, PING, PONG, text_frame
from polymarket_ws.transport.line import ABNORMAL, End, Line
from polymarket_ws.transport.opening import Opened
from polymarket_ws.transport.readiness import Readiness
from tests.transport.peers import server_frame


class Ends:
    """A line over a socket pair, and its peer."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.readiness = Readiness()
        self.line = Line(Opened(self.ours, b"early"), self.readiness)

    def sent(self) -> list[Frame]:
        """Return what the peer was sent, read by the websockets package, masks and all."""
        self.peer.setblocking(False)
        protocol = ServerProtocol(state=OPEN)
        try:
            protocol.receive_data(self.peer.recv(1 << 20))
        except BlockingIOError:
            return []
        assert protocol.parser_exc is None
        return [event for event in protocol.events_received() if isinstance(event, Frame)]

    def close(self) -> None:
        self.ours.close()
        self.peer.close()
        self.readiness.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_what_came_behind_the_upgrade_is_kept(ends: Ends) -> None:
    assert ends.line.early == b"early"


def test_nothing_to_read_is_no_end(ends: Ends) -> None:
    assert ends.line.receive() == (b"", None)


def test_read_gives_what_came_before_a_hang_up(ends: Ends) -> None:
    ends.peer.sendall(b"last words")
    ends.peer.shutdown(socket.SHUT_WR)
    assert ends.line.receive() == (b"last words", None)
    hung_up = End(ABNORMAL, "the peer hung up without a close frame", by_peer=True)
    assert ends.line.receive() == (b"", hung_up)


def test_broken_socket_is_an_end_with_its_reason() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    readiness = Readiness()
    data, end = Line(Opened(ours, b""), readiness).receive()
    assert not data
    assert end is not None
    assert end.code == ABNORMAL
    assert end.by_peer
    assert "reset" in end.reason.lower()
    for resource in (ours, listener, readiness):
        resource.close()


def test_ping_is_answered_with_its_payload(ends: Ends) -> None:
    assert ends.line.obey(PING, b"abc", 0.0) is None
    assert ends.line.pending
    ends.line.flush(0.0)
    assert ends.sent() == [Frame(Opcode.PONG, b"abc")]


def test_pong_is_not_answered(ends: Ends) -> None:
    assert ends.line.obey(PONG, b"abc", 0.0) is None
    assert not ends.line.pending


def test_pings_are_not_answered_while_much_waits_to_be_written(ends: Ends) -> None:
    ends.line.send(text_frame("x" * (64 * 1024)), 0.0)
    waiting = ends.line.unsent_bytes
    ends.line.obey(PING, b"", 0.0)
    assert ends.line.unsent_bytes == waiting


@pytest.mark.parametrize(
    ("payload", "end"),
    [
        (b"\x03\xf5slow", End(1013, "slow", by_peer=True)),
        (b"", End(1005, "", by_peer=True)),
    ],
)
def test_close_frame_is_the_end(ends: Ends, payload: bytes, end: End) -> None:
    assert ends.line.obey(CLOSE, payload, 0.0) == end


def test_violation_is_an_end_with_the_code_that_tells_it(ends: Ends) -> None:
    assert ends.line.cut(server_frame("a")) == [b"a"]
    assert ends.line.violated is None
    assert ends.line.cut(server_frame("b") + server_frame(b"\xff")) == [b"b"]
    assert ends.line.violated is not None
    assert ends.line.violated.code == 1007
    assert not ends.line.violated.by_peer


def test_deadline_is_that_of_what_waits_to_be_written(ends: Ends) -> None:
    assert ends.line.deadline is None
    ends.line.send(text_frame("a"), 10.0)
    assert ends.line.deadline is not None
    assert ends.line.deadline > 10.0
    assert ends.line.flush(10.0) is None
    assert ends.line.deadline is None


@pytest.mark.parametrize("code", [1000, 1002, 1005])
def test_farewell_echoes_the_code(ends: Ends, code: int) -> None:
    ends.peer.shutdown(socket.SHUT_WR)
    ends.line.bid_farewell(End(code, ""))
    payload = b"" if code == 1005 else struct.pack("!H", code)
    assert ends.sent() == [Frame(Opcode.CLOSE, payload)]


def test_farewell_waits_for_the_answer_and_not_for_ever(
    ends: Ends, seconds: Callable[[float], float]
) -> None:
    began = time.monotonic()
    ends.line.bid_farewell(End(1000, ""))
    assert 0.1 < time.monotonic() - began < seconds(2)


def test_farewell_ends_when_the_peer_hangs_up(
    ends: Ends, seconds: Callable[[float], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "_FAREWELL_SECONDS", seconds(30))
    threading.Timer(0.01, ends.peer.shutdown, [socket.SHUT_WR]).start()
    began = time.monotonic()
    ends.line.bid_farewell(End(1000, ""))
    assert time.monotonic() - began < seconds(5)


def test_end_without_a_close_frame_gets_none(ends: Ends) -> None:
    ends.line.bid_farewell(End(ABNORMAL, "reset"))
    assert ends.sent() == []
