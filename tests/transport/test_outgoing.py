from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.transport.outgoing import STALL_SECONDS, Outgoing

Seconds = Callable[[float], float]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(10)
    with near, far:
        yield near, far


def test_frame_goes_out_whole_and_nothing_is_left(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    outgoing = Outgoing(near)
    outgoing.add(b"one", 1.0)
    outgoing.add(b"two", 1.0)
    assert outgoing.pending
    assert outgoing.flush(1.0) is None
    assert not outgoing.pending
    assert outgoing.deadline is None
    assert far.recv(100) == b"onetwo"


def fill(outgoing: Outgoing, now: float) -> int:
    """Add until the socket takes no more; return how much was added."""
    added = 0
    while not outgoing.pending:
        outgoing.add(b"x" * 100_000, now)
        added += 100_000
        assert outgoing.flush(now) is None
    return added


def test_what_the_socket_does_not_take_waits_and_follows_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    outgoing = Outgoing(near)
    added = fill(outgoing, 1.0)
    outgoing.add(b"end", 2.0)
    received = b""
    while len(received) < added + 3:
        received += far.recv(1_000_000)
        assert outgoing.flush(2.0) is None
    assert received == b"x" * added + b"end"
    assert not outgoing.pending


def test_peer_that_takes_no_byte_for_five_seconds_is_gone(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    outgoing = Outgoing(pair[0])
    fill(outgoing, 100.0)
    assert outgoing.deadline == 100.0 + STALL_SECONDS
    assert outgoing.flush(104.9) is None
    assert outgoing.flush(105.0) == "the peer took no byte for 5 s"


def test_more_to_write_does_not_give_a_dead_peer_more_time(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    outgoing = Outgoing(pair[0])
    fill(outgoing, 100.0)
    outgoing.add(b"heartbeat", 104.0)
    assert outgoing.deadline == 105.0


def test_any_byte_taken_gives_a_slow_peer_more_time(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    outgoing = Outgoing(near)
    fill(outgoing, 100.0)
    outgoing.add(b"x" * 10_000_000, 100.0)
    far.recv(10_000_000)
    assert outgoing.flush(104.0) is None
    assert outgoing.deadline == 109.0


def test_time_counts_from_the_first_byte_that_waits(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    outgoing = Outgoing(pair[0])
    outgoing.add(b"early", 1.0)
    assert outgoing.flush(1.0) is None
    outgoing.add(b"late", 1000.0)
    assert outgoing.deadline == 1000.0 + STALL_SECONDS


def test_peer_that_is_gone_is_a_reason_and_no_exception(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    far.close()
    outgoing = Outgoing(near)
    outgoing.add(b"x", 1.0)
    assert outgoing.flush(1.0) == "Broken pipe"


def test_nothing_to_write_is_no_write(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    far.close()
    assert Outgoing(near).flush(1.0) is None


@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=30), st.data())
def test_bytes_arrive_in_order_however_the_peer_reads(
    frames: list[bytes], data: st.DataObject
) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        outgoing = Outgoing(near)
        received = b""
        for frame in frames:
            outgoing.add(frame, 0.0)
            assert outgoing.flush(0.0) is None
            if data.draw(st.booleans()):
                received += received_now(far)
        while outgoing.pending:
            received += received_now(far)
            assert outgoing.flush(0.0) is None
        received += received_now(far)
    assert received == b"".join(frames)


def received_now(sock: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            received += sock.recv(1_000_000)
        except BlockingIOError:
            return received
