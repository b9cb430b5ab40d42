from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from polymarket_ws.simulator.line import Line
from tests.conftest import scaled


@pytest.fixture
def pair() -> Iterator[tuple[Line, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    peer.settimeout(scaled(5))
    with Line(accepted) as line, peer:
        yield line, peer


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def test_without_a_fault_it_is_a_socket(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    line.sendall(b"there")
    assert peer.recv(9) == b"there"
    peer.sendall(b"back")
    assert line.recv(9) == b"back"
    peer.shutdown(socket.SHUT_WR)
    assert line.recv(9) == b""


def test_a_muted_line_says_nothing_no_end_either(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    line.mute()
    line.sendall(b"lost")
    line.shutdown(socket.SHUT_WR)
    line.mute(muted=False)
    line.sendall(b"heard")
    assert peer.recv(9) == b"heard"


def test_a_deaf_line_reads_later(
    pair: tuple[Line, socket.socket], aside: ThreadPoolExecutor
) -> None:
    line, peer = pair
    line.deafen()
    reading = aside.submit(line.recv, 9)
    peer.sendall(b"wait")
    assert not wait([reading], 0.1).done
    line.hear()
    assert reading.result(scaled(5)) == b"wait"


@pytest.mark.parametrize("fault", [Line.deafen, Line.swallow])
def test_shutting_down_ends_every_wait(
    pair: tuple[Line, socket.socket], aside: ThreadPoolExecutor, fault: Callable[[Line], None]
) -> None:
    line, peer = pair
    fault(line)
    reading = aside.submit(line.recv, 9)
    peer.sendall(b"lost")
    peer.shutdown(socket.SHUT_WR)
    assert not wait([reading], 0.1).done
    line.shutdown(socket.SHUT_RDWR)
    assert reading.result(scaled(5)) == b""


@pytest.mark.parametrize("fault", [Line.deafen, Line.swallow])
def test_a_timeout_counts_while_it_does_not_hear(
    pair: tuple[Line, socket.socket], fault: Callable[[Line], None]
) -> None:
    line, peer = pair
    fault(line)
    peer.sendall(b"lost")
    line.settimeout(0.05)
    with pytest.raises(TimeoutError):
        line.recv(9)


def test_a_line_that_swallows_reads_what_comes_and_tells_nothing(
    pair: tuple[Line, socket.socket], aside: ThreadPoolExecutor
) -> None:
    line, peer = pair
    reading = aside.submit(line.recv, 2**16)
    line.swallow()
    peer.sendall(bytes(2**24))
    peer.close()
    assert not wait([reading], 0.1).done
    line.shutdown(socket.SHUT_RDWR)
    assert reading.result(scaled(5)) == b""


def test_what_the_deaf_kept_is_swallowed_as_well(
    pair: tuple[Line, socket.socket], aside: ThreadPoolExecutor
) -> None:
    line, peer = pair
    line.deafen()
    reading = aside.submit(line.recv, 2**16)
    peer.sendall(b"kept")
    assert not wait([reading], 0.1).done
    line.swallow()
    # More than any buffer holds: it is read.
    peer.sendall(bytes(2**24))
    line.shutdown(socket.SHUT_RDWR)
    assert reading.result(scaled(5)) == b""


def test_a_dripping_line_writes_byte_by_byte(pair: tuple[Line, socket.socket]) -> None:
    line, peer = pair
    line.drip(0.02)
    started = time.monotonic()
    line.sendall(b"drops")
    assert time.monotonic() - started >= 0.1
    assert peer.recv(9) == b"drops"


def test_nobody_minds_when_the_peer_of_a_dripping_line_has_gone(
    pair: tuple[Line, socket.socket],
) -> None:
    line, peer = pair
    peer.close()
    line.drip(0.001)
    line.sendall(b"drops" * 10)


def test_a_slow_line_is_as_fast_as_it_is_told(pair: tuple[Line, socket.socket]) -> None:
    line, _ = pair
    line.slow_down(1000)
    started = time.monotonic()
    line.sendall(bytes(200))
    assert 0.15 <= time.monotonic() - started < scaled(2)


def test_a_slow_line_ends_with_an_error_when_it_is_shut_down(
    pair: tuple[Line, socket.socket], aside: ThreadPoolExecutor
) -> None:
    line, peer = pair
    line.slow_down(1)
    writing = aside.submit(line.sendall, bytes(100))
    peer.recv(1)
    # Not here: it must end a write that is under way. Awaited, or it could come after the close.
    shutting = aside.submit(line.shutdown, socket.SHUT_RDWR)
    with pytest.raises(BrokenPipeError):
        writing.result(scaled(5))
    shutting.result(scaled(5))
