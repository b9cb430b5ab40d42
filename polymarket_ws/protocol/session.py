"""One connection's conversation, without its socket.

Messages and the time go in; events, frames to send and the next deadline come out. It
belongs to its connection's thread, and it knows no clock: ``now`` is monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import (
    Connected,
    DecodeFailure,
    Disconnected,
    Lifecycle,
    Subscribed,
    SubscriptionRejected,
    SubscriptionStalled,
)
from polymarket_ws.protocol.decoding import Decoder
from polymarket_ws.protocol.dialect import Dialect
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.subscribing import Subscribing

__all__ = ["Session"]

#: Wishes are collected for so long before they are sent: a program that subscribes in a
#: loop costs one frame. Short enough that nobody sees it.
COALESCE_SECONDS = 0.05

#: How much of an undecodable text is kept.
_RAW_CHARACTERS = 4096


class Session:
    """What was said and heard on one connection number, over all its epochs."""

    def __init__(
        self,
        dialect: Dialect,
        liveness: Liveness,
        *,
        connection: int,
        recovers: bool | None = None,
    ) -> None:
        self._recovers = recovers
        self._dialect = dialect
        self._liveness = liveness
        self._connection = connection
        self._decoder = Decoder(dialect.vocabulary, connection=connection)
        self._subscribing = Subscribing(dialect)
        self._heartbeat = dialect.heartbeat()
        self._open = False
        self._heard_at = 0.0
        self._data_at = 0.0
        self._gap_began: float | None = None
        self._wish_due: float | None = None
        self._awaited: dict[str, float] = {}
        self._asked_again: set[str] = set()
        self.epoch = 0
        self.last_frame_at: float | None = None

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return self._dialect.channel

    @property
    def authenticates(self) -> bool:
        """Whether the first frame carries credentials."""
        return self._dialect.authenticates

    @property
    def recovers(self) -> bool | None:
        """Whether what a gap hides is fetched; ``None`` where nothing could be."""
        return self._recovers

    @property
    def begun(self) -> bool:
        """Whether the first frame was made."""
        return self._subscribing.begun

    @property
    def skipped(self) -> int:
        """How many events were not decoded because nobody wants their class."""
        return self._decoder.skipped

    @property
    def sent(self) -> dict[str, None]:
        """The ids that the server was asked for on this connection."""
        return self._subscribing.sent

    @property
    def awaited(self) -> dict[str, float]:
        """The ids whose first snapshot has not come, with the time they were asked at."""
        return self._awaited

    # -- the connection comes and goes -------------------------------------------------------

    def opened(self, now: float, received_at: float) -> Connected:
        """Note that the server accepted a connection."""
        if self._gap_began is None:
            # What comes before the first connection is no gap.
            self._gap_began = now
        gap = now - self._gap_began
        self._open = True
        self.epoch += 1
        self._heard_at = now
        self._data_at = now
        self._forget()
        self._wish_due = now
        return Connected(
            channel=self._dialect.channel,
            connection=self._connection,
            epoch=self.epoch,
            gap_seconds=gap,
            recovers=self._recovers,
            received_at=received_at,
        )

    def closed(self, code: int, reason: str, received_at: float) -> Disconnected:
        """Note that the connection is gone."""
        self._open = False
        self._heartbeat.stopped()
        self._wish_due = None
        self._forget()
        return Disconnected(
            channel=self._dialect.channel,
            connection=self._connection,
            epoch=self.epoch,
            code=code,
            reason=reason,
            last_message_at=self.last_frame_at,
            received_at=received_at,
        )

    def _forget(self) -> None:
        self._subscribing.forget()
        self._awaited.clear()
        self._asked_again.clear()

    # -- what is wanted ----------------------------------------------------------------------

    def want(
        self,
        ids: Sequence[str],
        kinds: frozenset[type[Event]],
        now: float,
        *,
        everything: bool = False,
    ) -> None:
        """Set every id and class that is wanted from now on.

        Args:
            ids: every id.
            kinds: every class.
            now: monotonic seconds.
            everything: whether somebody wants what belongs to no id, or to any.
        """
        self._decoder.wanted = kinds
        if everything and self._dialect.ids_narrow:
            ids = ()
        if self._dialect.snapshot not in kinds:
            # Those still to come are not decoded, so they would be missed for ever.
            self._awaited.clear()
        self._subscribing.want(ids, features=self._dialect.features(kinds), anything=bool(kinds))
        self._schedule(now)

    def refresh(self, ids: Iterable[str], now: float) -> None:
        """Have the server tell the opening state of ids once more."""
        again = tuple(ids)
        self._subscribing.refresh(again)
        self._asked_again.difference_update(again)
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        if self._open and self._wish_due is None and not self._subscribing.settled:
            # The first frame is not held back: until it is sent there is no heartbeat.
            self._wish_due = now + COALESCE_SECONDS if self._subscribing.begun else now

    # -- what arrives ------------------------------------------------------------------------

    def heard(self, now: float, received_at: float) -> None:
        """Note a frame of any kind: the connection lives."""
        self._heard_at = now
        self._gap_began = now
        self.last_frame_at = received_at

    def receive(self, text: bytes, received_at: float) -> list[Event]:
        """Return the events of one message; control texts have none."""
        # JSON begins with one of these two but for white space, which no server sends.
        if text[:1] in (b"{", b"["):
            self._data_at = self._heard_at
            events = self._decoder.decode(text, received_at, self.epoch)
        else:
            events = self._receive_unusual(text, received_at)
        if self._awaited:
            self._note_snapshots(events)
        return events

    def _receive_unusual(self, text: bytes, received_at: float) -> list[Event]:
        if self._dialect.is_control(text):
            return []
        if text.strip()[:1] in (b"{", b"["):
            self._data_at = self._heard_at
            return self._decoder.decode(text, received_at, self.epoch)
        words = self._dialect.rejection(text)
        if words is not None:
            return [
                SubscriptionRejected(
                    channel=self._dialect.channel,
                    connection=self._connection,
                    epoch=self.epoch,
                    message=words,
                    received_at=received_at,
                )
            ]
        return [self.failure(text, "neither a JSON event nor a known text", received_at)]

    def failure(self, raw: bytes, error: str, received_at: float) -> DecodeFailure:
        """Return a ``DecodeFailure`` of this connection."""
        return DecodeFailure(
            channel=self._dialect.channel,
            connection=self._connection,
            epoch=self.epoch,
            raw=raw[: 4 * _RAW_CHARACTERS].decode(errors="replace")[:_RAW_CHARACTERS],
            error=error,
            received_at=received_at,
        )

    def _note_snapshots(self, events: list[Event]) -> None:
        snapshot = self._dialect.snapshot
        for event in events:
            if snapshot is not None and isinstance(event, snapshot):
                self._awaited.pop(event.asset_id, None)

    # -- what is due -------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when :meth:`due` or :meth:`silent` has something to say."""
        if not self._open:
            return None
        candidates = [self._wish_due, self._heartbeat.deadline]
        if self._liveness.socket is not None:
            candidates.append(self._heard_at + self._liveness.socket)
        if self._liveness.data is not None:
            candidates.append(self._data_at + self._liveness.data)
        if self._liveness.first_book is not None and self._awaited:
            # Insertion order is the order of asking: the first is the oldest.
            candidates.append(next(iter(self._awaited.values())) + self._liveness.first_book)
        return min((when for when in candidates if when is not None), default=None)

    def silent(self, now: float) -> str | None:
        """Return why the connection counts as dead, if it does."""
        limit = self._liveness.socket
        if limit is not None and now >= self._heard_at + limit:
            return f"no frame of any kind for {limit:g} s"
        limit = self._liveness.data
        if limit is not None and now >= self._data_at + limit:
            return f"no data for {limit:g} s"
        return None

    def due(self, now: float, received_at: float) -> tuple[list[str], list[Lifecycle]]:
        """Return the texts to send now, and what there is to tell about them.

        ``asset_ids`` of what is told name every id concerned, whatever ids the channel has,
        and not one stream's share; none means the whole connection.
        """
        texts: list[str] = []
        told: list[Lifecycle] = []
        if self._liveness.first_book is not None and self._awaited:
            told += self._ask_again(now, self._liveness.first_book, received_at)
        if self._wish_due is not None and now >= self._wish_due:
            self._wish_due = None
            begun = self._subscribing.begun
            difference = self._subscribing.frames()
            texts += difference.frames
            if difference.added or (difference.frames and not begun):
                told.append(
                    Subscribed(
                        channel=self._dialect.channel,
                        connection=self._connection,
                        epoch=self.epoch,
                        asset_ids=tuple(difference.added),
                        received_at=received_at,
                    )
                )
            for key in difference.removed:
                self._awaited.pop(key, None)
            self._asked_again.difference_update(difference.added)
            self._await(difference.again + difference.added, now)
            if self._subscribing.begun:
                self._heartbeat.started(now)
        beat = self._heartbeat.beat(now)
        if beat is not None:
            texts.append(beat)
        return texts, told

    def _await(self, ids: Iterable[str], now: float) -> None:
        if self._dialect.snapshot in self._decoder.wanted:
            for key in ids:
                # Re-inserted, so that the oldest stays the first.
                self._awaited.pop(key, None)
                self._awaited[key] = now

    def _ask_again(self, now: float, limit: float, received_at: float) -> list[Lifecycle]:
        late = []
        for key, asked_at in self._awaited.items():
            # The same sum as in next_deadline(): a difference may round the other way.
            if now < asked_at + limit:
                break
            late.append(key)
        if not late:
            return []
        stalled = tuple(key for key in late if key in self._asked_again)
        again = [key for key in late if key not in self._asked_again]
        for key in late:
            del self._awaited[key]
        if again:
            self._subscribing.refresh(again)
            self._asked_again.update(again)
            self._wish_due = now
        if not stalled:
            return []
        return [
            SubscriptionStalled(
                channel=self._dialect.channel,
                connection=self._connection,
                epoch=self.epoch,
                asset_ids=stalled,
                received_at=received_at,
            )
        ]
