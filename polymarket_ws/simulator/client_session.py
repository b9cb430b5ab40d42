"""One client of the exchange: its bounded out-queue and the thread that empties it."""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import attrs

from polymarket_ws.simulator.connection import (
    ClientConnection,
    ConnectionClosed,
    TextFrame,
    text_frame,
)
from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import (
    Close,
    Cut,
    Deaf,
    Fault,
    HalfOpen,
    IntrusionFault,
    LastingFault,
    Latency,
    Mute,
    SlowDown,
    Stall,
)
from polymarket_ws.simulator.interference import Interference, Kind, Sent

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
_HALF_FRAME = text_frame('{"market":"0x' + "0" * 200).data[:100]

# The frame that stalls: whole in the end, when the fault is healed.
_STALLED = text_frame('{"event_type":"stalled","market":"0x' + "0" * 200 + '"}').data
_STALLED_BYTES = 100


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


@attrs.frozen
class _Hold:
    """What comes after it in the queue is not written before a time of the monotonic clock."""

    until: float


@attrs.frozen(kw_only=True)
class Connection:
    """One client at the moment of asking.

    Attributes:
        number: 1 for the first upgrade to a stream of this exchange, and so on; never used again.
            An upgrade that a fault spoils has one, too.
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
    lock of its own; while it is held only that of the agenda is taken, and the tap is called.

    Faults act in the order of the queue: what was queued before is written as if nothing were.

    Args:
        connection: the server's end of the socket.
        number: 1 for the first client of the exchange, and so on.
        queue_messages: more frames than this waiting means that the client is too slow.
        queue_bytes: the same in bytes; one frame may be larger when it is alone.
        entries: faults that are to come, but for those that begin at a time.
        tap: told of each message that is queued, but for ``PONG``.
        later: called with seconds and what to do then.
    """

    def __init__(
        self,
        connection: ClientConnection,
        number: int,
        *,
        queue_messages: int,
        queue_bytes: int,
        entries: Sequence[At] = (),
        tap: Callable[[Sent], object] | None = None,
        later: Callable[[float, Callable[[], object]], None],
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
        # Frames; and what the writer does or waits for when their turn comes.
        self._queue: deque[bytes | _Hold | Callable[[], object]] = deque()
        self._waiting = 0
        self._pending_bytes = 0
        # Only where there is something to tell or to break: nobody else pays for it.
        self._interference = Interference(entries) if entries or tap is not None else None
        self._tap = tap
        self._later = later
        self._stalled = False
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
            sent, queued = self._sent, self._waiting
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
        """Start the writer, and the faults that are there from the beginning."""
        with self._changed:
            if self._interference is not None:
                self._begin_due(self._interference)
        self._writer.start()

    def put(self, frames: Sequence[TextFrame], timeout: float | None = 0.0) -> bool:
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
            if self._interference is not None:
                return self._put_watched(frames, timeout, self._interference)
            # Only a wait lets go of the lock, so nothing else can change this in between.
            if self._stopped or self._ending is not None:
                return False
            for _, data in frames:
                after = self._pending_bytes + len(data)
                if self._waiting < self._queue_messages and after <= self._queue_bytes:
                    self._queue.append(data)
                    self._waiting += 1
                    self._pending_bytes = after
                elif not self._enqueue(data, timeout):
                    return False
            self._changed.notify_all()
        return True

    def _enqueue(self, data: bytes, timeout: float | None) -> bool:
        """Queue the bytes of one frame, as ``put`` does; requires holding ``_changed``."""
        if timeout != 0 and not self._has_room(data):
            # What was queued in this call already must be known to the writer now.
            self._changed.notify_all()
            self._changed.wait_for(functools.partial(self._has_room, data), timeout)
        if self._stopped or self._ending is not None:
            return False
        if not self._has_room(data):
            self._cut_off()
            return False
        self._queue.append(data)
        self._waiting += 1
        self._pending_bytes += len(data)
        return True

    def _has_room(self, data: bytes) -> bool:
        # An ending connection takes nothing, so whoever waits for room need not wait on.
        if not self._waiting or self._stopped or self._ending is not None:
            return True
        return (
            self._waiting < self._queue_messages
            and self._pending_bytes + len(data) <= self._queue_bytes
        )

    def _put_watched(
        self, frames: Sequence[TextFrame], timeout: float | None, interference: Interference
    ) -> bool:
        """Queue frames through the faults, and tell of them; requires holding ``_changed``."""
        for frame in frames:
            is_message = frame.text != "PONG"
            kind: Kind = "data"
            for text in interference.passes(frame.text):
                passed = frame if text is frame.text else text_frame(text)
                self._hold(interference.delay)
                if not self._enqueue(passed.data, timeout):
                    return False
                if is_message:
                    self._tell(text, kind)
                    self._begin_due(interference, sent=kind == "data")
                kind = "duplicate"
        self._changed.notify_all()
        return not self._stopped and self._ending is None

    def _hold(self, delay: float) -> None:
        if delay:
            self._queue.append(_Hold(time.monotonic() + delay))

    def _tell(self, text: str, kind: Kind) -> None:
        if self._tap is not None:
            self._tap(Sent(self.number, text, kind))

    # -- faults -------------------------------------------------------------------------

    def impose(self, fault: Fault, lasting: float | None = None) -> None:
        """Do something to this connection, after what is queued.

        Args:
            fault: any but one of a handshake.
            lasting: seconds after which it is healed; None: for ever.
        """
        with self._changed:
            if self._stopped or self._ending is not None:
                return
            if self._interference is None:
                self._interference = Interference()
            if isinstance(fault, LastingFault):
                if self._interference.add(fault):
                    self._take_effect(fault)
                    if lasting is not None:
                        self._later(lasting, functools.partial(self.lift, fault))
            elif isinstance(fault, IntrusionFault):
                self._intrude(fault, self._interference)
            elif isinstance(fault, Cut):
                self.end(Ending(fault.how, then=fault.then))
            elif isinstance(fault, Close):
                self.end(Ending("close", fault.code, fault.reason))
            self._changed.notify_all()

    def lift(self, fault: Fault) -> None:
        """Heal a fault, if it is in force."""
        with self._changed:
            interference = self._interference
            if interference is not None and interference.remove(fault):
                self._wear_off(fault, interference)
                self._changed.notify_all()

    def heal(self) -> None:
        """Heal everything that is in force, and forget what is to come."""
        with self._changed:
            if self._interference is not None:
                for fault in self._interference.active:
                    self.lift(fault)
                self._interference.clear()

    def _begin_due(self, interference: Interference, *, sent: bool = False) -> None:
        for entry in interference.due(sent=sent):
            self.impose(entry.fault, entry.lasting)

    def _take_effect(self, fault: LastingFault) -> None:
        line = self.connection.line
        if isinstance(fault, Mute):
            self._queue.append(line.mute)
        elif isinstance(fault, HalfOpen):
            line.swallow()
            self._queue.append(line.mute)
        elif isinstance(fault, Stall):
            self._queue.append(self._stall)
        elif isinstance(fault, Deaf):
            line.deafen()
        elif isinstance(fault, SlowDown):
            self._queue.append(self._slow_down)

    def _wear_off(self, fault: Fault, interference: Interference) -> None:
        line = self.connection.line
        if isinstance(fault, HalfOpen):
            self.end(Ending("reset"))
        elif isinstance(fault, (Mute, Stall)) and not interference.silenced():
            self._queue.append(self._speak)
        elif isinstance(fault, Deaf) and HalfOpen() not in interference.active:
            line.hear()
        elif isinstance(fault, SlowDown):
            # At once: it may be behind a write that takes for ever.
            self._slow_down()
        elif isinstance(fault, Latency):
            kept = [turn for turn in self._queue if not isinstance(turn, _Hold)]
            self._queue = deque(kept)

    def _intrude(self, fault: IntrusionFault, interference: Interference) -> None:
        if interference.silenced():
            return
        for payload in fault.payloads():
            if isinstance(payload, str):
                frame = text_frame(payload)
            else:
                frame = TextFrame(payload.decode(errors="backslashreplace"), payload)
            self._hold(interference.delay)
            # Not counted against the limits: one that is larger than they are is the point.
            self._queue.append(functools.partial(self.connection.write, frame.data))
            self._tell(frame.text, "intrusion")

    def _slow_down(self) -> None:
        with self._changed:
            active = self._interference.active if self._interference is not None else ()
            rates = [fault.bytes_per_second for fault in active if isinstance(fault, SlowDown)]
            self.connection.line.slow_down(min(rates, default=None))

    def _stall(self) -> None:
        self.connection.write(_STALLED[:_STALLED_BYTES])
        self._stalled = True
        self.connection.line.mute()

    def _speak(self) -> None:
        self.connection.line.mute(muted=False)
        if self._stalled:
            self._stalled = False
            self.connection.write(_STALLED[_STALLED_BYTES:])

    # -- the end ------------------------------------------------------------------------

    def _cut_off(self) -> None:
        """Close the client as too slow; requires holding ``_changed``."""
        self._forget()
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
            self._forget()
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
                    while not self._is_ready():
                        self._changed.wait(self._until_ready())
                    if self._stopped:
                        return
                    turn = self._queue[0] if self._queue else self._ending
                    frames, count = b"", 0
                    if isinstance(turn, bytes):
                        frames, count = self._take()
                    elif self._queue:
                        self._queue.popleft()
                if isinstance(turn, Ending):
                    self._finish(turn)
                    return
                if callable(turn):
                    turn()
                    continue
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
                self._forget()
                self._changed.notify_all()

    def _forget(self) -> None:
        self._queue.clear()
        self._waiting = 0

    def _is_ready(self) -> bool:
        """Pass what need not be waited for; return whether there is something to do."""
        queue = self._queue
        while queue and isinstance(hold := queue[0], _Hold):
            # An end does not wait: it has a deadline.
            if self._ending is None and hold.until > time.monotonic():
                return self._stopped
            queue.popleft()
        return bool(queue or self._ending or self._stopped)

    def _until_ready(self) -> float | None:
        hold = self._queue[0] if self._queue else None
        return max(0.0, hold.until - time.monotonic()) if isinstance(hold, _Hold) else None

    def _take(self) -> tuple[bytes, int]:
        """Join what fits in one write, at least one frame; requires holding ``_changed``."""
        frames: list[bytes] = []
        size = 0
        while self._queue and isinstance(frame := self._queue[0], bytes):
            if frames and size + len(frame) > _WRITE_BYTES:
                break
            self._queue.popleft()
            frames.append(frame)
            size += len(frame)
        self._waiting -= len(frames)
        return b"".join(frames), len(frames)

    def _finish(self, ending: Ending) -> None:
        connection = self.connection
        if ending.how == "close" and connection.line.muted:
            # Nobody would hear the close frame, nor answer it.
            connection.cut(reset=True)
        elif ending.how == "close":
            if ending.patience is not None:
                connection.close_timeout = ending.patience
            connection.close(ending.code, ending.reason)
        elif ending.how == "half_frame":
            connection.cut(reset=ending.then == "reset", partial=_HALF_FRAME)
        else:
            connection.cut(reset=ending.how == "reset")
