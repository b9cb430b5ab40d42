"""The exchange's side, in a process of its own: nothing but sockets and ready-made frames.

Run as ``python -m benchmarks.server [certificate]``. It prints its port and serves until its
standard input is closed. The path of a request says what to send after the subscription:

- ``/blast?frames=N``: the opening books and then ``N`` frames, as fast as the client reads.
- ``/steady?frames=N&rate=R``: the same at ``R`` frames a second. The market of each frame is
  the monotonic clock at which it was sent, in hexadecimal nanoseconds.
- ``/dump?books=N&levels=M``: after a second one array of ``N`` books of ``M`` levels.
- ``/quiet``: the opening books and nothing more.

Frames are made once and repeated, so the server costs a fraction of any client. Over TLS each
frame is a record of its own, as it is where frames come one by one.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from benchmarks.mix import Mix, compact

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CYCLE = 20_000
_FRAMES_A_WRITE = 400
_CLOSE, _PING = 8, 9
_MARKET = b'"market":"0x'


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return a server's frame, unmasked."""
    head = bytes([0x80 | opcode])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    if size < 0x10000:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


class Gone(Exception):
    """The client closed, or broke off."""


class Plain:
    """A socket without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def waiting(self, seconds: float) -> bool:
        """Wait for something to read."""
        return bool(select.select([self._sock], [], [], seconds)[0])

    def receive(self) -> bytes:
        """Return what is there, at least a byte."""
        data = self._sock.recv(65536)
        if not data:
            raise Gone
        return data

    def send(self, frames: list[bytes]) -> None:
        """Write everything at once."""
        self._sock.sendall(b"".join(frames))


class Encrypted(Plain):
    """A socket with TLS. Encrypted in memory: one write to the socket for hundreds of records."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(self._outgoing.read())
                self._incoming.write(super().receive())
        sock.sendall(self._outgoing.read())

    def receive(self) -> bytes:
        """Return what is there, at least a byte."""
        data = None
        while data is None:
            data = self._read()
        return data

    def _read(self) -> bytes | None:
        try:
            return self._tls.read(65536)
        except ssl.SSLWantReadError:
            self._incoming.write(super().receive())
            return None
        except ssl.SSLError:
            raise Gone from None

    def send(self, frames: list[bytes]) -> None:
        """Write everything at once, each frame as a record."""
        for one in frames:
            self._tls.write(one)
        self._sock.sendall(self._outgoing.read())


class Peer:
    """One client."""

    def __init__(self, transport: Plain) -> None:
        self._transport = transport
        self._buffer = b""

    def greet(self) -> tuple[str, dict[str, int]]:
        """Do the upgrade; return the path and the numbers in its query."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._transport.receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
        key = next(
            line.split(b": ", 1)[1]
            for line in lines
            if line.lower().startswith(b"sec-websocket-key")
        )
        if b"upgrade" not in headers:
            raise Gone
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        target = urlsplit(lines[0].split()[1].decode())
        return target.path, {name: int(value) for name, value in parse_qsl(target.query)}

    def subscribed(self) -> list[str]:
        """Wait for the subscription; return its tokens."""
        while True:
            for _, payload in self._frames():
                if payload.startswith(b"{"):
                    return list(json.loads(payload)["assets_ids"])
            self._buffer += self._transport.receive()

    def send(self, *frames: bytes) -> None:
        """Write everything."""
        self._transport.send(list(frames))

    def attend(self) -> None:
        """Answer what the client said meanwhile, without waiting."""
        if not self._transport.waiting(0):
            return
        self._buffer += self._transport.receive()
        for opcode, payload in self._frames():
            if opcode == _CLOSE:
                self.send(frame(payload, _CLOSE))
                raise Gone
            if opcode == _PING:
                self.send(frame(payload, 10))
            elif payload == b"PING":
                self.send(frame(b"PONG"))

    def listen(self, seconds: float) -> None:
        """Answer for ``seconds``."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._transport.waiting(left)
            self.attend()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while len(self._buffer) >= 6:
            size = self._buffer[1] & 0x7F
            start = 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._buffer[2:start], "big")
            stop = start + 4 + size
            if len(self._buffer) < stop:
                return
            opcode = self._buffer[0] & 0x0F
            mask = self._buffer[start : start + 4]
            payload = bytes(
                byte ^ mask[i % 4] for i, byte in enumerate(self._buffer[start + 4 : stop])
            )
            self._buffer = self._buffer[stop:]
            yield opcode, payload


class Server:
    """Serves each connection on a thread of its own."""

    def __init__(self, certificate: str | None) -> None:
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ready: dict[tuple[str, ...], list[bytes]] = {}
        self._making = threading.Lock()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Accept for ever."""
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            context = self._context
            peer = Peer(Plain(sock) if context is None else Encrypted(sock, context))
            path, numbers = peer.greet()
            ids = peer.subscribed()
            getattr(self, f"_{path.strip('/')}")(peer, ids, **numbers)
            peer.listen(60.0)
        except (Gone, OSError):
            pass
        finally:
            sock.close()

    def _frames(self, ids: list[str], count: int) -> list[bytes]:
        """Return the frames of one cycle; made once for each set of tokens."""
        with self._making:
            key = (*ids, str(count))
            if key not in self._ready:
                self._ready[key] = [frame(message) for message in Mix(ids).messages(count)]
            return self._ready[key]

    def _blast(self, peer: Peer, ids: list[str], frames: int) -> None:
        cycle = self._frames(ids, min(frames, _CYCLE))
        peer.send(frame(compact(Mix(ids).opening())))
        for start in range(0, frames, _FRAMES_A_WRITE):
            place = start % len(cycle)
            peer.send(*cycle[place : min(place + _FRAMES_A_WRITE, place + frames - start)])
            peer.attend()
        peer.send(frame(Mix.end(ids)))

    def _steady(self, peer: Peer, ids: list[str], frames: int, rate: int) -> None:
        cycle = [one.partition(_MARKET) for one in self._frames(ids, min(frames, _CYCLE))]
        peer.send(frame(compact(Mix(ids).opening())))
        peer.listen(0.5)
        start = time.perf_counter()
        for number in range(frames):
            left = start + number / rate - time.perf_counter()
            if left > 0:
                time.sleep(left)
            before, key, after = cycle[number % len(cycle)]
            peer.send(before + key + b"%064x" % time.perf_counter_ns() + after[64:])
            if not number % 256:
                peer.attend()
        peer.send(frame(Mix.end(ids)))

    def _dump(self, peer: Peer, ids: list[str], books: int, levels: int) -> None:
        messages = [book for _ in range(-(-books // len(ids))) for book in Mix(ids).opening(levels)]
        whole = frame(compact(messages[:books]) + b"\n")
        peer.send(frame(compact(Mix(ids).opening(2))))
        peer.listen(1.0)
        peer.send(whole)
        peer.listen(1.0)
        peer.send(frame(Mix.end(ids)))

    def _quiet(self, peer: Peer, ids: list[str]) -> None:
        peer.send(frame(compact(Mix(ids).opening())))


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("certificate", nargs="?")
    server = Server(parser.parse_args().certificate)
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
