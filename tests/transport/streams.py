"""A server's frames as bytes, and what our parser makes of them."""

from __future__ import annotations

import struct

from websockets.frames import Frame, Opcode

from polymarket_ws.transport.frames import MAX_MESSAGE_SIZE, TEXT, FrameParser

CONTINUATION = 0x0

Messages = list[tuple[int, bytes]]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Format a server frame with the websockets package, so that both sides are not ours."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=False)


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


def parse(*reads: bytes, limit: int = MAX_MESSAGE_SIZE) -> tuple[Messages, FrameParser]:
    parser = FrameParser(limit)
    messages: Messages = []
    for data in reads:
        messages += [
            (TEXT, arrival) if isinstance(arrival, bytes) else arrival
            for arrival in parser.feed(data)
        ]
    return messages, parser


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]
