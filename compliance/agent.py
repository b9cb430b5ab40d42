"""A small client over the transport of the package, for peers that test it.

All but the answers is what a ``Client`` uses: the opening, and the line with its parser, its
answers to control frames, its out-buffer and its farewell.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from websocket import ABNF

from polymarket_ws.transport.frames import BINARY, TEXT, text_frame
from polymarket_ws.transport.line import ABNORMAL, End, Line
from polymarket_ws.transport.opening import Opener
from polymarket_ws.transport.readiness import Readiness

__all__ = ["Agent", "Answer", "echo"]

Answer = Callable[[int, bytes], "bytes | None"]
"""Takes the opcode and the payload of a message, and returns the frame to send, if any."""


def echo(opcode: int, payload: bytes) -> bytes:
    """Answer a message with itself."""
    if opcode == TEXT:
        return text_frame(payload)
    # The package itself never sends a binary message, so it has no name for one.
    return ABNF.create_frame(payload, BINARY).format()


class Agent:
    """Talks to one peer after the other, in the thread of the caller."""

    def __init__(self) -> None:
        self._readiness = Readiness()
        self._opener = Opener(ssl_context=None, proxy=None, user_agent="polymarket-ws")

    def talk(self, url: str, answer: Answer, *, seconds: float) -> End:
        """Open a connection, answer every message, and return how it ended.

        Args:
            url: ``ws://``.
            answer: what to say to each message.
            seconds: how long all of it may take.

        Raises:
            OpeningFailed: there is no connection.
            TimeoutError: the peer did not come to an end.
        """
        until = time.monotonic() + seconds
        wake = self._readiness.wake
        opened = self._opener.open(url, wait=self._wait, wake=wake, until=until)
        with contextlib.closing(opened.sock):
            line = Line(opened, self._readiness)
            end = self._take(line, line.early, answer)
            while end is None:
                end = self._turn(line, answer, until)
            line.bid_farewell(end)
        return end

    def _turn(self, line: Line, answer: Answer, until: float) -> End | None:
        now = time.monotonic()
        if now >= until:
            raise TimeoutError("the peer did not come to an end")
        broken = line.flush(now)
        if broken is not None:
            return End(ABNORMAL, broken)
        deadlines = [until] if line.deadline is None else [until, line.deadline]
        wait = self._wait
        readable, _ = wait(line.sock, read=True, write=line.pending, until=min(deadlines))
        if not readable:
            return None
        data, hung_up = line.receive()
        return self._take(line, data, answer) or hung_up

    def _take(self, line: Line, data: bytes, answer: Answer) -> End | None:
        now = time.monotonic()
        end: End | None = None
        for arrival in line.cut(data):
            opcode, payload = (TEXT, arrival) if isinstance(arrival, bytes) else arrival
            if opcode in (TEXT, BINARY):
                frame = answer(opcode, payload)
                if frame is not None:
                    line.send(frame, now)
            else:
                end = line.obey(opcode, payload, now)
        return end or line.violated

    def _wait(
        self, sock: socket.socket | None, *, read: bool, write: bool, until: float
    ) -> tuple[bool, bool]:
        readable, writable, _ = self._readiness.wait(sock, read=read, write=write, until=until)
        return readable, writable

    def close(self) -> None:
        """Let go of what it waits with."""
        self._readiness.close()
