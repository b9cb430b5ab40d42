"""What happened to a stream, told in one order with its data.

A plain loop skips these; ``stream.all()`` yields them, and observers can ask for them.
"""

from __future__ import annotations

import attrs

from polymarket_ws.events.event import Event, one_line, short

__all__ = [
    "CallbackFailed",
    "Connected",
    "DecodeFailure",
    "Disconnected",
    "Dropped",
    "Lifecycle",
    "RecoveryFailed",
    "Subscribed",
    "SubscriptionRejected",
    "SubscriptionStalled",
    "UnknownEvent",
    "Unsubscribed",
]


@attrs.frozen(kw_only=True)
class Lifecycle(Event):
    """Base of all that is not data.

    Attributes:
        channel: ``"market"``, ``"user"``, …; empty where no channel is concerned.
        connection: small stable number of the connection in its client, from 1; 0 where
            none is concerned.
        asset_ids: the tokens *of this stream* that it concerns.
        condition_ids: the markets *of this stream* that it concerns.
    """

    channel: str = ""
    connection: int = 0
    asset_ids: tuple[str, ...] = ()
    condition_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.channel}#{self.connection}"


@attrs.frozen(kw_only=True)
class Connected(Lifecycle):
    """The server accepted the connection; what was subscribed is asked for again.

    Attributes:
        epoch: how many connections were made under this ``connection`` number. Nothing
            of an older epoch comes after this.
        recovers: on the user channel, whether fills that a gap hides are fetched over REST,
            for which the credentials need an address; ``None`` on the other channels.
        gap_seconds: time since the last frame of the connection before, 0.0 at first.
    """

    epoch: int = 0
    gap_seconds: float = 0.0
    recovers: bool | None = None

    def __str__(self) -> str:
        gap = f", nothing heard for {self.gap_seconds:.1f} s" if self.gap_seconds else ""
        return f"Connected {self.channel}#{self.connection} (epoch {self.epoch}{gap})"


@attrs.frozen(kw_only=True)
class Disconnected(Lifecycle):
    """The connection ended. What happens until the next ``Connected`` is missed.

    Attributes:
        code: the close code; 1006 where the peer sent none.
        reason: the peer's words, or what was seen here.
        last_message_at: Unix seconds of the last frame, ``None`` if there was none.
    """

    code: int
    reason: str = ""
    last_message_at: float | None = None

    def __str__(self) -> str:
        reason = one_line(self.reason)
        return f"Disconnected {self.channel}#{self.connection}: {self.code} {reason}".rstrip()


@attrs.frozen(kw_only=True)
class Subscribed(Lifecycle):
    """The subscription was sent. The market and user channels never acknowledge one."""


@attrs.frozen(kw_only=True)
class Unsubscribed(Lifecycle):
    """The end of the subscription was sent."""


@attrs.frozen(kw_only=True)
class SubscriptionStalled(Lifecycle):
    """These never answered with a first book, though they were asked for again.

    Unknown, misspelled and settled tokens behave like that.
    """

    def __str__(self) -> str:
        more = f" and {len(self.asset_ids) - 3} more" if len(self.asset_ids) > 3 else ""
        return (
            f"SubscriptionStalled {self.channel}#{self.connection}: no book of "
            f"{', '.join(map(short, self.asset_ids[:3]))}{more} came; unknown, misspelled and "
            "settled tokens never answer"
        )


@attrs.frozen(kw_only=True)
class SubscriptionRejected(Lifecycle):
    """The server refused a subscription.

    Attributes:
        message: the server's words.
    """

    message: str = ""

    def __str__(self) -> str:
        return f"SubscriptionRejected {self.channel}#{self.connection}: {one_line(self.message)}"


@attrs.frozen(kw_only=True)
class Dropped(Lifecycle):
    """The consumer was too slow: so many events are missing exactly here.

    Attributes:
        count: how many.
    """

    count: int

    def __str__(self) -> str:
        return f"Dropped {self.count} events (the consumer is too slow)"


@attrs.frozen(kw_only=True)
class DecodeFailure(Lifecycle):
    """Something arrived that could not be read. The rest of its frame was.

    Attributes:
        raw: the text as received, cut at 4 kB.
        error: what was wrong with it.
    """

    raw: str
    error: str

    def __str__(self) -> str:
        return f"DecodeFailure {self.channel}#{self.connection}: {one_line(self.error)}"


@attrs.frozen(kw_only=True)
class UnknownEvent(Lifecycle):
    """A well-formed event of a type that this version does not know.

    Attributes:
        event_type: as on the wire; empty where it had none.
        raw: the JSON as received, cut at 4 kB.
    """

    event_type: str
    raw: str

    def __str__(self) -> str:
        return f"UnknownEvent {one_line(self.event_type)!r}"


@attrs.frozen(kw_only=True)
class RecoveryFailed(Lifecycle):
    """What the user channel missed could not be fetched in time; live events go on.

    It is tried again. What a later try brings comes marked ``recovered``, out of order.

    Attributes:
        since: Unix milliseconds from which on trades may be missing.
        until: Unix milliseconds up to which.
        error: why, as far as it is known.
    """

    since: int
    until: int
    error: str = ""

    def __str__(self) -> str:
        return (
            f"RecoveryFailed {self.channel}#{self.connection}: fills from {self.since} to "
            f"{self.until} may be missing. {one_line(self.error)}".rstrip()
        )


@attrs.frozen(kw_only=True)
class CallbackFailed(Lifecycle):
    """An observer raised. The traceback is in the log.

    Attributes:
        callback: module and name of the function.
        error: the exception, as text.
    """

    callback: str
    error: str

    def __str__(self) -> str:
        return one_line(f"CallbackFailed {self.callback}: {self.error}")
