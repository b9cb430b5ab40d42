"""Peers on loopback that do to a connection whatever a script says, byte by byte."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.conftest import scaled

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: No wait of a test is longer, but for what a slow machine adds.
PATIENCE = 10.0


def eventually(reached: Callable[[], object], what: str = "it", patience: float = PATIENCE) -> None:
    """Wait until ``reached`` returns something true."""
    deadline = time.monotonic() + scaled(patience)
    pause = threading.Event()
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not happen"
        pause.wait(0.005)


def server_frame(payload: bytes | str, opcode: int = 1, *, final: bool = True) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    head = bytes([opcode | (0x80 if final else 0)])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    if len(data) < 0x10000:
        return head + b"\x7e" + struct.pack("!H", len(data)) + data
    return head + b"\x7f" + struct.pack("!Q", len(data)) + data


def close_frame(code: int, reason: str = "") -> bytes:
    return server_frame(struct.pack("!H", code) + reason.encode(), 8)


def trade(number: int, asset_id: str = "1", padding: str = "") -> str:
    """Return a trade whose size is ``number``."""
    return json.dumps(
        {
            "market": "0xabc",
            "asset_id": asset_id,
            "price": "0.5",
            "size": str(number),
            "fee_rate_bps": "0",
            "side": "BUY",
            "timestamp": "1750428146322",
            "event_type": "last_trade_price",
            **({"padding": padding} if padding else {}),
        }
    )


def book(asset_id: str) -> str:
    """Return the first book of a token."""
    return json.dumps(
        {
            "market": "0xabc",
            "asset_id": asset_id,
            "timestamp": "1750428146322",
            "hash": "0" * 40,
            "bids": [{"price": "0.4", "size": "10"}],
            "asks": [{"price": "0.6", "size": "10"}],
            "event_type": "book",
        }
    )


def trades(numbers: range, asset_id: str = "1") -> bytes:
    return b"".join(server_frame(trade(number, asset_id)) for number in numbers)


class Conversation:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, peer: Peer, number: int) -> None:
        self.sock = sock
        self.peer = peer
        self.number = number
        self.head = b""
        self.frames: list[tuple[int, bytes]] = []
        self.over = threading.Event()
        self._buffer = b""

    def read_head(self) -> str:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        self.head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return self.head.decode()

    def accept(self, *extra: str, behind: bytes = b"") -> None:
        """Answer the upgrade, and send ``behind`` in the same write."""
        head = self.read_head()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        digest = hashlib.sha1(f"{lines['Sec-WebSocket-Key']}{GUID}".encode()).digest()
        answer = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
            *extra,
        ]
        self.sock.sendall("\r\n".join((*answer, "", "")).encode() + behind)

    def read(self) -> tuple[int, bytes]:
        """Return the client's next frame."""
        head = self._take(2)
        assert head[1] & 0x80, "a client must mask"
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        mask = self._take(4)
        data = self._take(length)
        key = (mask * (length // 4 + 1))[:length]
        payload = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        with self.peer.changed:
            self.frames.append((head[0] & 0x0F, payload))
            self.peer.changed.notify_all()
        return self.frames[-1]

    def hears(self, seconds: float) -> bool:
        """Wait up to so long for more from the client; False if nothing came."""
        return bool(self._buffer or select.select([self.sock], [], [], seconds)[0])

    def read_on(self) -> None:
        """Read frames until the client is gone; answer its close frame."""
        while True:
            opcode, payload = self.read()
            if opcode == 8:
                with contextlib.suppress(OSError):
                    self.sock.sendall(server_frame(payload, 8))
                return

    def send(self, *texts: str) -> None:
        self.sock.sendall(b"".join(map(server_frame, texts)))

    def hold(self) -> None:
        """Keep the connection open, reading nothing, until the test is over."""
        self.peer.stopped.wait()

    def reset(self) -> None:
        """End with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    @property
    def texts(self) -> list[str]:
        return [payload.decode() for opcode, payload in self.frames if opcode == 1]

    @property
    def asset_ids(self) -> set[str]:
        """What is subscribed, as this server understands what it was sent."""
        ids: set[str] = set()
        for text in self.texts:
            if text.startswith("{"):
                frame = json.loads(text)
                named = set(frame["assets_ids"])
                ids = ids - named if frame.get("operation") == "unsubscribe" else ids | named
        return ids

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _more(self) -> None:
        data = self.sock.recv(64 * 1024)
        if not data:
            raise EOFError
        self._buffer += data


Script = Callable[[Conversation], None]


class Peer:
    """A listening socket; each connection runs ``script`` on a thread of its own."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.conversations: list[Conversation] = []
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/ws/market"

    def __enter__(self) -> Peer:
        self._threads[0].start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()
        assert not self.failures, self.failures

    def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for conversation in self.conversations:
            with contextlib.suppress(OSError):
                conversation.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def forget(self, but: Conversation) -> None:
        """Let go of every conversation that is over, and of its thread."""
        with self.changed:
            self.conversations = [
                item for item in self.conversations if item is but or not item.over.is_set()
            ]
            self._threads = [
                self._threads[0],
                *filter(threading.Thread.is_alive, self._threads[1:]),
            ]

    def wait(self, reached: Callable[[], Any], what: str = "it") -> None:
        """Wait until something about the conversations is true."""
        with self.changed:
            assert self.changed.wait_for(reached, scaled(PATIENCE)), f"{what} did not happen"

    def wait_frames(self, count: int, conversation: int = 0) -> Conversation:
        """Wait until a conversation has received so many frames."""
        self.wait(
            lambda: (
                len(self.conversations) > conversation
                and len(self.conversations[conversation].frames) >= count
            ),
            f"frame {count} of connection {conversation}",
        )
        return self.conversations[conversation]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            # Sent means sent: a reset throws away what Nagle's algorithm still holds back.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Numbered here, in the order of their coming: their threads may overtake each other.
            with self.changed:
                conversation = Conversation(sock, self, len(self.conversations))
                thread = threading.Thread(target=self._converse, args=(conversation,))
                self.conversations.append(conversation)
                self._threads.append(thread)
                self.changed.notify_all()
                thread.start()

    def _converse(self, conversation: Conversation) -> None:
        try:
            if self._tls is not None:
                conversation.sock = self._tls.wrap_socket(conversation.sock, server_side=True)
            self._script(conversation)
        except (OSError, EOFError):
            pass  # clients that hang up are what many tests are about
        except BaseException as error:  # noqa: BLE001 - raised where the test sees it
            self.failures.append(error)
        finally:
            conversation.sock.close()
            conversation.over.set()
            with self.changed:
                self.changed.notify_all()
