"""One connection's conversation, without its socket.

Messages and the time go in; events, frames to send and the next deadline come out. It
belongs to its connection's thread, and it knows no clock: ``now`` is monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Sequence

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
from polymarket_ws.protocol.awaiting import Awaiting
from polymarket_ws.protocol.decoding import Decoder, Source
from polymarket_ws.protocol.dialect import Dialect
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.protocol.pacing import Pacing
from polymarket_ws.protocol.subscribing import Subscribing

__all__ = ["Session"]

#: Wishes are collected for so long before they are sent: a program that subscribes in a
#: loop costs one frame. Short enough that nobody sees it.
COALESCE_SECONDS = 0.05

#: No limit is published for the market channel; a sister channel closes above 20 frames a
#: second. A connection that opens needs three, and a program that changes its mind in a loop
#: gets half of what that sister bears.
BURST_FRAMES = 10
FRAMES_PER_SECOND = 10.0

#: As many as in the default limit: 30 s, with a beat every 10 s.
_BEATS_IN_SILENCE = 3

_BRACE = ord("{")

#: How much of an undecodable text is kept.
_RAW_CHARACTERS = 4096


def _nobody() -> Collection[Container[str]]:
    return ()


class Session:
    """What was said and heard on one connection number, over all its epochs.

    Args:
        dialect: the channel.
        liveness: when silence means that something is broken.
        connection: its number, for lifecycle events.
        recovers: whether what a gap hides is fetched; ``None`` where nothing could be.
        others: what the channel's other connections have asked the server for. An id is not
            asked for here before another connection has written that it leaves it.
        moves: whether ids that are never answered here are asked for elsewhere.

    Attributes:
        epoch: how many connections were made.
        last_frame_at: Unix seconds of the last frame.
        unanswered: ids to be asked for elsewhere; for the owner to read and clear.
        leaving: ids whose end was put into words, but is not written yet.
    """

    def __init__(
        self,
        dialect: Dialect,
        liveness: Liveness,
        *,
        connection: int,
        recovers: bool | None = None,
        others: Callable[[], Collection[Container[str]]] = _nobody,
        moves: bool = False,
    ) -> None:
        self._recovers = recovers
        self._dialect = dialect
        self._liveness = liveness
        self._connection = connection
        self._decoder = Decoder(dialect.vocabulary, connection=connection)
        self._subscribing = Subscribing(dialect)
        self._heartbeat = dialect.heartbeat()
        if liveness.socket is not None:
            # Where nothing happens only the answer to it breaks the silence, and one may be late.
            self._heartbeat.keep_within(liveness.socket / _BEATS_IN_SILENCE)
        self._open = False
        self._heard_at = 0.0
        self._data_at = 0.0
        self._gap_began: float | None = None
        self._wish_due: float | None = None
        self._awaiting = Awaiting(liveness.first_book, moves=moves)
        self._pacing = _pacing()
        self._others = others
        self.unanswered: list[str] = []
        self.leaving: tuple[str, ...] = ()
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
        """The ids whose first snapshot is waited for, with the time they were asked at."""
        return self._awaiting.since

    @property
    def has_wishes(self) -> bool:
        """Whether something is to be said or settled that no deadline may have told of."""
        return self._wish_due is not None or bool(self.unanswered or self.leaving)

    @property
    def pending(self) -> tuple[str, ...]:
        """The wanted ids whose first snapshot has not come; read from other threads, too."""
        if self._dialect.snapshot not in self._decoder.wanted:
            return ()
        return tuple(filter(self._awaiting.lacks, self._subscribing.wanted))

    @property
    def stalled(self) -> tuple[str, ...]:
        """The ids that were given up; read from other threads, too."""
        return tuple(self._awaiting.stalled)

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
        self._pacing = _pacing()
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
        self._awaiting.forget()
        self.unanswered = []
        self.leaving = ()

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
            self._awaiting.stop()
        self._subscribing.want(ids, features=self._dialect.features(kinds), anything=bool(kinds))
        self._awaiting.keep(self._subscribing.wanted)
        self._schedule(now)

    def refresh(self, ids: Iterable[str], now: float) -> None:
        """Have the server tell the opening state of ids once more."""
        again = tuple(ids)
        self._subscribing.refresh(again)
        self._awaiting.asked_anew(again)
        self._schedule(now)

    def grant_last_chance(self, ids: Iterable[str]) -> None:
        """Note that ids were never answered on another connection."""
        self._awaiting.grant_last_chance(ids)

    def was_told(self, ids: Iterable[str]) -> None:
        """Note that ids stalled on another connection, and that this was told."""
        self._awaiting.was_told(ids)

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

    def advanced(self, now: float) -> None:
        """Note that a good part of a message came: the peer is not silent."""
        self._heard_at = now

    def receive(
        self, texts: Sequence[bytes], received_at: float
    ) -> tuple[list[Event], list[int], list[Source]]:
        """Return the events of messages, and of each the wire bytes and what it came in.

        Control texts have none.
        """
        events: list[Event] = []
        sizes: list[int] = []
        sources: list[Source] = []
        decode, epoch = self._decoder.decode_object, self.epoch
        is_data = False
        for text in texts:
            # Nearly all JSON that comes is an object.
            if text and text[0] == _BRACE:
                event = decode(text, received_at, epoch)
                is_data = True
                if event is not None:
                    events.append(event)
                    sizes.append(len(text))
                    sources.append(text)
            else:
                more = self._receive_unusual(text, received_at)
                if more:
                    events += more
                    sizes += [len(text) // len(more)] * len(more)
                    sources += more
        if is_data:
            self._data_at = self._heard_at
        if self._awaiting.since or self._awaiting.stalled:
            self._note_snapshots(events)
        return events, sizes, sources

    def _receive_unusual(self, text: bytes, received_at: float) -> list[Event]:
        # The opening books are an array, of megabytes perhaps.
        if text[:1] != b"[" and self._dialect.is_control(text):
            return []
        if text[:1] == b"[" or text.strip()[:1] in (b"{", b"["):
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
        snapshot, sent = self._dialect.snapshot, self._subscribing.sent
        for event in events:
            # What a server sends unasked is not remembered: it could be anything, for ever.
            if snapshot is not None and isinstance(event, snapshot) and event.asset_id in sent:
                self._awaiting.came(event.asset_id)

    # -- what is due -------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when :meth:`due` or :meth:`silent` has something to say."""
        if not self._open:
            return None
        candidates = [self._wish_due, self._heartbeat.deadline, self._awaiting.deadline]
        if self._liveness.socket is not None:
            candidates.append(self._heard_at + self._liveness.socket)
        if self._liveness.data is not None:
            candidates.append(self._data_at + self._liveness.data)
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
        late = self._awaiting.late(now)
        if late is not None:
            self.unanswered += late.elsewhere
            if late.again:
                self._subscribing.refresh(late.again)
                self._wish_due = now
            if late.stalled:
                told.append(self._stalled(late.stalled, received_at))
        if self._wish_due is not None and now >= self._wish_due:
            # What is not made now is collected with what comes meanwhile.
            ready_at = self._pacing.ready_at(now)
            self._wish_due = ready_at if ready_at > now else None
            if self._wish_due is None:
                self._make_wishes(texts, told, now, received_at)
        beat = self._heartbeat.beat(now)
        if beat is not None:
            texts.append(beat)
        return texts, told

    def _make_wishes(
        self, texts: list[str], told: list[Lifecycle], now: float, received_at: float
    ) -> None:
        begun = self._subscribing.begun
        others = self._others()
        # Before they are taken from what was sent: others that look at both in the meantime
        # must find them in one.
        self.leaving += self._subscribing.removed
        difference = self._subscribing.frames(others)
        texts += difference.frames
        self._pacing.sent(len(difference.frames), now)
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
        self._awaiting.left(difference.removed)
        if self._dialect.snapshot in self._decoder.wanted:
            self._awaiting.asked(difference.again + difference.added, now)
        if self._subscribing.begun:
            self._heartbeat.started(now)
        if not self._subscribing.settled:
            # Another connection is about to leave what is wanted here.
            self._wish_due = now + COALESCE_SECONDS

    def give_up(self, ids: Iterable[str], received_at: float) -> SubscriptionStalled | None:
        """Return what to tell of ids that could not be asked for elsewhere, if anything."""
        given_up = [key for key in ids if key in self.sent and self._awaiting.lacks(key)]
        if not given_up:
            return None
        self._awaiting.stalled.update(dict.fromkeys(given_up))
        return self._stalled(given_up, received_at)

    def _stalled(self, ids: Iterable[str], received_at: float) -> SubscriptionStalled:
        return SubscriptionStalled(
            channel=self._dialect.channel,
            connection=self._connection,
            epoch=self.epoch,
            asset_ids=tuple(ids),
            received_at=received_at,
        )


def _pacing() -> Pacing:
    return Pacing(BURST_FRAMES, FRAMES_PER_SECOND)
