"""One client of the exchange: its bounded out-queue and the thread that empties it."""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

import attrs

from polymarket_ws.simulator.connection import ClientConnection, ConnectionClosed, text_frame

__all__ = ["ClientSession", "Connection", "Drop", "Ending"]

Drop = Literal["reset", "fin", "close", "half_frame"]

SLOW_CONSUMER = (1013, "slow consumer: send buffer full")

# So long a client that is cut off as too slow has to read what is before the close frame; then
# the connection is reset, as the live exchange does too.
_SLOW_SECONDS = 10.0

# Frames are joined up to this size for one write. Larger writes gain nothing, and smaller ones
# leave more of a slow client's backlog in the queue, where it is counted.
_WRITE_BYTES = 64 * 1024

# The beginning of a text frame of 126 bytes or more, cut in its payload.
_HALF_FRAME = text_frame('{"market":"0x' + "0" * 200)[:100]


@attrs.frozen
class Ending:
    """How a connection ends.

    Attributes:
        how: ``reset`` (TCP RST), ``fin`` (TCP close without a close frame), ``close`` (close
            frame with ``code`` and ``reason``) or ``half_frame`` (part of a frame, then ``then``).
        code: of the close frame.
        reason: of the close frame.
        then: how the connection ends after half a frame.
        patience: seconds for the closing handshake; None is the server's usual limit.
    """

    how: Drop
    code: int = 1001
    reason: str = ""
    then: Literal["reset", "fin"] = "reset"
    patience: float | None = None


@attrs.frozen(kw_only=True)
class Connection:
    """One client at the moment of asking.

    Attributes:
        number: 1 for the first client of this exchange, and so on; never used again.
        path: path and query of the upgrade.
        subscribed: whether a valid first subscription came.
        asset_ids: the tokens it is subscribed to, known to the exchange or not, in the order in
            which they were asked for.
        condition_ids: the markets of a user connection; none when it hears of all.
        custom_feature_enabled: whether it gets the custom events.
        received: the text frames it sent, in order; the last 10,000 of them.
        sent: how many frames were written to it.
        queued: how many frames wait to be written.
    """

    number: int
    path: str
    subscribed: bool
    asset_ids: tuple[str, ...]
    condition_ids: tuple[str, ...]
    custom_feature_enabled: bool
    received: tuple[str, ...]
    sent: int
    queued: int


class ClientSession:
    """What the exchange keeps about one client.

    ``asset_ids``, ``condition_ids``, ``custom_feature_enabled``, ``subscribed``, ``received`` and
    ``last_heard`` belong to the exchange, which changes them under its own lock. The queue has a
    lock of its own, which is never held while another is taken.

    Args:
        connection: the server's end of the socket.
        number: 1 for the first client of the exchange, and so on.
        queue_messages: more frames than this waiting means that the client is too slow.
        queue_bytes: the same in bytes; one frame may be larger when it is alone.
    """

    def __init__(
        self, connection: ClientConnection, number: int, *, queue_messages: int, queue_bytes: int
    ) -> None:
        self.connection = connection
        self.number = number
        self.path = connection.request.path if connection.request else ""
        self.asset_ids: dict[str, None] = {}
        self.condition_ids: dict[str, None] = {}
        self.custom_feature_enabled = False
        self.subscribed = False
        self.received: deque[str] = deque(maxlen=10_000)
        self.last_heard = time.monotonic()
        self._last_told = self.last_heard
        self._queue_messages = queue_messages
        self._queue_bytes = queue_bytes
        self._queue: deque[bytes] = deque()
        self._pending_bytes = 0
        self._sent = 0
        self._ending: Ending | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self._give_up: threading.Timer | None = None
        self._writer = threading.Thread(
            target=self._write, name=f"polymarket-ws-simulator-writer-{number}", daemon=True
        )

    @property
    def ending(self) -> bool:
        """Whether the end of this connection is under way."""
        with self._changed:
            return self._stopped or self._ending is not None

    @property
    def last_traffic(self) -> float:
        """When a frame last came or was written, by the monotonic clock."""
        with self._changed:
            return max(self.last_heard, self._last_told)

    def snapshot(self) -> Connection:
        """Return how things stand; the exchange's lock must be held."""
        with self._changed:
            sent, queued = self._sent, len(self._queue)
        return Connection(
            number=self.number,
            path=self.path,
            subscribed=self.subscribed,
            asset_ids=tuple(self.asset_ids),
            condition_ids=tuple(self.condition_ids),
            custom_feature_enabled=self.custom_feature_enabled,
            received=tuple(self.received),
            sent=sent,
            queued=queued,
        )

    def wait_ending(self, timeout: float) -> bool:
        """Wait until the end is under way; return whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._stopped or self._ending is not None, timeout
            )

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    def put(self, frames: Sequence[bytes], timeout: float | None = 0.0) -> bool:
        """Queue frames, in order.

        A client whose queue is full is too slow: what it has not been sent is dropped, and it is
        closed with 1013.

        Args:
            frames: whole frames.
            timeout: seconds to wait for room for each frame before the client is too slow; None
                waits for as long as it takes.

        Returns:
            Whether the frames were queued.
        """
        with self._changed:
            for frame in frames:
                if timeout != 0 and not self._has_room(frame):
                    # What was queued in this call already must be known to the writer now.
                    self._changed.notify_all()
                    self._changed.wait_for(functools.partial(self._has_room, frame), timeout)
                if self._stopped or self._ending is not None:
                    return False
                if not self._has_room(frame):
                    self._cut_off()
                    return False
                self._queue.append(frame)
                self._pending_bytes += len(frame)
            self._changed.notify_all()
        return True

    def _has_room(self, frame: bytes) -> bool:
        # An ending connection takes nothing, so whoever waits for room need not wait on.
        if not self._queue or self._stopped or self._ending is not None:
            return True
        return (
            len(self._queue) < self._queue_messages
            and self._pending_bytes + len(frame) <= self._queue_bytes
        )

    def _cut_off(self) -> None:
        """Close the client as too slow; requires holding ``_changed``."""
        self._queue.clear()
        self._ending = Ending("close", *SLOW_CONSUMER, patience=_SLOW_SECONDS)
        # The writer may be blocked in a write that this client never reads.
        self._give_up = threading.Timer(_SLOW_SECONDS, self.connection.abort)
        self._give_up.name = f"polymarket-ws-simulator-slow-{self.number}"
        self._give_up.daemon = True
        self._give_up.start()
        self._changed.notify_all()

    def end(self, ending: Ending) -> None:
        """End the connection after what is queued; the first ending counts."""
        with self._changed:
            if self._ending is None:
                self._ending = ending
                self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """Stop the writer, drop what is queued, and return whether the thread ended in time."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()
            give_up = self._give_up
        if give_up is not None:
            give_up.cancel()
            give_up.join(timeout)
        self._writer.join(timeout)
        return not self._writer.is_alive()

    def _write(self) -> None:
        try:
            while True:
                with self._changed:
                    while not (self._queue or self._ending or self._stopped):
                        self._changed.wait()
                    if self._stopped:
                        return
                    frames, count = self._take()
                    ending = None if count else self._ending
                if ending is not None:
                    self._finish(ending)
                    return
                self.connection.write(frames)
                with self._changed:
                    self._sent += count
                    self._last_told = time.monotonic()
                    self._pending_bytes -= len(frames)
                    self._changed.notify_all()
        except ConnectionClosed:
            # The client is gone. Its serving thread hears of it too, and cleans up.
            with self._changed:
                self._stopped = True
                self._queue.clear()
                self._changed.notify_all()

    def _take(self) -> tuple[bytes, int]:
        """Join what fits in one write; requires holding ``_changed``."""
        frames: list[bytes] = []
        size = 0
        while self._queue and (not frames or size + len(self._queue[0]) <= _WRITE_BYTES):
            frame = self._queue.popleft()
            frames.append(frame)
            size += len(frame)
        return b"".join(frames), len(frames)

    def _finish(self, ending: Ending) -> None:
        connection = self.connection
        if ending.how == "close":
            if ending.patience is not None:
                connection.close_timeout = ending.patience
            connection.close(ending.code, ending.reason)
        elif ending.how == "half_frame":
            connection.cut(reset=ending.then == "reset", partial=_HALF_FRAME)
        else:
            connection.cut(reset=ending.how == "reset")
