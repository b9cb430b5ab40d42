from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from polymarket_ws.transport.outgoing import Outgoing
from polymarket_ws.transport.tls import TlsSocket
from tests.conftest import scaled

NAME = "exchange.test"

#: A record of application data that nobody's key opens.
FORGED = b"\x17\x03\x03\x00\x20" + bytes(32)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def pair(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Pair]:
    sockets = Pair(authority, request.param)
    yield sockets
    sockets.close()


class Pair:
    """Our end, after the handshake, and the server's: in memory, so that every byte is seen."""

    def __init__(self, authority: trustme.CA, version: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = version
        authority.issue_cert(NAME).configure_cert(context)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        near, self.far = socket.socketpair()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.near = TlsSocket(near, trusting, NAME)
        self._handshake()

    def _handshake(self) -> None:
        done = {"near": False, "far": False}
        while not all(done.values()):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.near.do_handshake()
                done["near"] = True
            self.listen()
            with contextlib.suppress(ssl.SSLWantReadError):
                self.server.do_handshake()
                done["far"] = True
            self.far.sendall(self.outgoing.read())

    def listen(self) -> None:
        """Take in what our end has written."""
        if select.select([self.far], [], [], 0)[0]:
            self.incoming.write(self.far.recv(1_000_000))

    def record(self, data: bytes) -> bytes:
        """Return one record of the server."""
        self.server.write(data)
        return self.outgoing.read()

    def close(self) -> None:
        self.near.close()
        self.far.close()


def everything(sock: TlsSocket) -> bytes:
    """Read up to the end, or until nothing is there."""
    received = b""
    with contextlib.suppress(ssl.SSLWantReadError):
        while piece := sock.recv(1_000_000):
            received += piece
    return received


def test_one_read_gives_out_many_records(pair: Pair) -> None:
    pair.far.sendall(b"".join(pair.record(b"%d," % number) for number in range(500)))
    assert pair.near.recv(1_000_000) == b"".join(b"%d," % number for number in range(500))
    with pytest.raises(ssl.SSLWantReadError):
        pair.near.recv(1_000_000)


def test_a_record_may_come_byte_by_byte(pair: Pair) -> None:
    for byte in pair.record(b"whole"):
        with pytest.raises(ssl.SSLWantReadError):
            pair.near.recv(1_000_000)
        pair.far.sendall(bytes([byte]))
    assert pair.near.recv(1_000_000) == b"whole"


def test_nothing_decrypted_stays_behind_a_small_read(pair: Pair) -> None:
    record = pair.record(bytes(16_000))
    pair.far.sendall(record[:-1])
    with pytest.raises(ssl.SSLWantReadError):
        pair.near.recv(100_000)
    pair.far.sendall(record[-1:] + b"".join(pair.record(b"next") for _ in range(3)))
    # The last byte of the first record, and not all of the second.
    assert pair.near.recv(10) == bytes(16_000)
    assert select.select([pair.near], [], [], 0)[0]
    assert everything(pair.near) == b"next" * 3


@pytest.mark.parametrize("notified", [True, False])
def test_the_end_comes_after_what_was_said_before_it(pair: Pair, *, notified: bool) -> None:
    last = pair.record(b"last words")
    if notified:
        with contextlib.suppress(ssl.SSLWantReadError):
            pair.server.unwrap()
        last += pair.outgoing.read()
    pair.far.sendall(last)
    pair.far.shutdown(socket.SHUT_WR)
    assert pair.near.recv(1_000_000) == b"last words"
    assert pair.near.recv(1_000_000) == b""
    assert pair.near.recv(1_000_000) == b""


def test_a_forged_record_is_told_after_what_was_said_before_it(pair: Pair) -> None:
    pair.far.sendall(pair.record(b"true") + FORGED)
    assert pair.near.recv(1_000_000) == b"true"
    for _ in range(2):
        with pytest.raises(ssl.SSLError, match=r"(?i)mac|decrypt"):
            pair.near.recv(1_000_000)


def test_a_write_that_would_block_is_repeated_with_more_behind_it(pair: Pair) -> None:
    outgoing = Outgoing(pair.near)
    expected = bytearray()
    for number in range(300):
        frame = str(number).encode() * 5000
        expected += frame
        outgoing.add(frame, 0.0)
        assert outgoing.flush(0.0) is None
    assert outgoing.pending
    received = bytearray()
    while len(received) < len(expected):
        pair.listen()
        assert outgoing.flush(0.0) is None
        with contextlib.suppress(ssl.SSLWantReadError):
            while data := pair.server.read(1_000_000):
                received += data
    assert received == expected
    assert not outgoing.pending


def handshake(sock: TlsSocket, seconds: Callable[[float], float]) -> None:
    deadline = time.monotonic() + seconds(10)
    while time.monotonic() < deadline:
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            select.select([sock], [], [], 1)
        except ssl.SSLWantWriteError:
            select.select([], [sock], [], 1)


def test_a_server_that_is_not_trusted_is_told_so(
    authority: trustme.CA, seconds: Callable[[float], float]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    near, far = socket.socketpair()
    told: list[str] = []

    def serve() -> None:
        try:
            with context.wrap_socket(far, server_side=True) as secure:
                secure.recv(1)
        except ssl.SSLError as error:
            told.append(str(error))

    thread = threading.Thread(target=serve)
    thread.start()
    with TlsSocket(near, ssl.create_default_context(), NAME) as sock:
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(sock, seconds)
        thread.join(scaled(10))
    far.close()
    assert "unknown ca" in told[0].replace("_", " ").lower()


def test_a_host_that_no_certificate_can_name_leaves_the_socket_to_its_owner() -> None:
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(ValueError, match="label|server_hostname"):
            TlsSocket(near, ssl.create_default_context(), ".wrong")
        far.sendall(b"still open")
        assert near.recv(100) == b"still open"
