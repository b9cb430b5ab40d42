"""The idea of ours with nothing around it: large reads, msgspec, batches through a queue.

It knows no fragments, no heartbeat, no reconnect, checks no UTF-8 and bounds nothing.
"""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any

from websocket import create_connection

from benchmarks.clients import Take
from benchmarks.clients.bare import decode, first_frame


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    connection = create_connection(url)
    connection.send(first_frame(ids))
    batches: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    thread = threading.Thread(target=_read, args=(connection.sock, batches), daemon=True)
    thread.start()
    while True:
        for event in batches.get():
            if take(event.market):
                connection.close()
                return {}


def _read(sock: socket.socket, batches: queue.SimpleQueue[list[Any]]) -> None:
    rest = b""
    while True:
        try:
            piece = sock.recv(256 * 1024)
        except OSError:
            return
        if not piece:
            return
        data = rest + piece
        events: list[Any] = []
        position = 0
        while len(data) >= position + 10:
            length = data[position + 1]
            start = position + 2
            if length == 126:
                start += 2
                length = data[position + 2] << 8 | data[position + 3]
            elif length == 127:
                start += 8
                length = int.from_bytes(data[position + 2 : start], "big")
            if len(data) < start + length:
                break
            position = start + length
            event = decode(data[start:position])
            if isinstance(event, list):
                events += event
            else:
                events.append(event)
        rest = data[position:]
        if events:
            batches.put(events)
