"""What can go wrong on a line, one small class each.

Pure: a fault says what it does to what is sent, or names what the exchange has to do. There are
four kinds:

* :class:`HandshakeFault`: what is done to an upgrade, instead of accepting it as usual;
* :class:`LastingFault`: what is in force on a connection until it is healed;
* :class:`IntrusionFault`: what is sent once that no program should ever see;
* :class:`EndingFault`: how a connection ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_arguments import (
    close_code,
    error_status,
    number,
    one_of,
    whole,
    word,
    words,
    wrong,
)

__all__ = [
    "FAULTS",
    "BadFrame",
    "Close",
    "Cut",
    "Deaf",
    "DripHandshake",
    "Duplicate",
    "EndingFault",
    "Fault",
    "Freeze",
    "Garbage",
    "HalfOpen",
    "HandshakeFault",
    "IntrusionFault",
    "InvalidUtf8",
    "LastingFault",
    "Latency",
    "Lose",
    "Mute",
    "NoAnswer",
    "NoBooks",
    "Oversized",
    "Redirect",
    "Refuse",
    "SlowDown",
    "Stall",
    "Unknown",
    "WrongHandshake",
]

# One byte more than the 32 MiB that our client accepts, and the most that any client known to us
# does.
_TOO_LARGE = 32 * 1024 * 1024 + 1

# Far above what any client accepts, and still little enough for a test's machine.
_LARGEST = 256 * 1024 * 1024


def _several(value: Any) -> tuple[Any, ...]:
    # One text is a sequence of texts, too, and never what was meant.
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,)
    return tuple(value)


class Fault:
    """What can go wrong; see ``Exchange.inject``."""

    __slots__ = ()


class HandshakeFault(Fault):
    """What is done to an upgrade."""

    __slots__ = ()


class LastingFault(Fault):
    """What is in force on a connection until it is healed."""

    __slots__ = ()

    def passes(self, text: str) -> tuple[str, ...]:
        """Return what is sent in place of a text: nothing, it, or something else."""
        return (text,)


class IntrusionFault(Fault):
    """What is sent once."""

    __slots__ = ()

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return what is sent: the texts of text frames, or the bytes of the line."""
        raise NotImplementedError


class EndingFault(Fault):
    """How a connection ends."""

    __slots__ = ()


# -- upgrades ---------------------------------------------------------------------------


@attrs.frozen
class Refuse(HandshakeFault):
    """The upgrade is answered with an error.

    Attributes:
        status: the HTTP status, 400 or above.
        retry_after: seconds in a ``Retry-After`` header, whole ones on the wire; None: no header.
    """

    status: int = attrs.field(default=429, validator=error_status)
    retry_after: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(number(0, 1e9))
    )


@attrs.frozen
class WrongHandshake(HandshakeFault):
    """The upgrade is accepted with a wrong ``Sec-WebSocket-Accept``; nothing follows."""


@attrs.frozen
class DripHandshake(HandshakeFault):
    """The upgrade is accepted byte by byte; then all goes on as usual.

    Attributes:
        interval: seconds between the bytes, of which there are about 130.
    """

    interval: float = attrs.field(default=0.1, validator=number(0.001, 3600))


@attrs.frozen
class NoAnswer(HandshakeFault):
    """The upgrade is never answered; TCP stays."""


@attrs.frozen
class Redirect(HandshakeFault):
    """The upgrade is answered with a redirect.

    Attributes:
        location: where to.
    """

    location: str = attrs.field(validator=word)


# -- what lasts -------------------------------------------------------------------------


class _Silent(LastingFault):
    __slots__ = ()

    def passes(self, text: str) -> tuple[str, ...]:  # noqa: ARG002  none at all
        return ()


@attrs.frozen
class Mute(_Silent):
    """Nothing is sent any more, ``PONG`` and control frames included; TCP stays.

    What the client says is still understood. What was queued before is still sent.
    """


@attrs.frozen
class HalfOpen(_Silent):
    """Packets are swallowed both ways: the client sees neither data nor FIN nor RST.

    When it is healed or the exchange is closed, the connection is reset, as a peer does that
    knows nothing of it. Where a connection has to outlive the exchange, take a :class:`Relay`.
    """


@attrs.frozen
class Stall(_Silent):
    """Part of a frame is sent, and then nothing any more.

    When it is healed, the rest of the frame comes, which is an event of an unknown type.
    """


@attrs.frozen
class Deaf(LastingFault):
    """Nothing is read any more, TCP fills up; what happens is sent all the same.

    When it is healed, all that was said is read.
    """


@attrs.frozen
class Freeze(LastingFault):
    """Nothing is sent any more about one asset; a ``price_change`` of several loses its entries.

    Attributes:
        asset_id: the token.
    """

    asset_id: str = attrs.field(validator=word)

    def passes(self, text: str) -> tuple[str, ...]:
        """Return the text without that asset."""
        if self.asset_id not in text:
            return (text,)
        frozen = {self.asset_id}
        value = _json(text)
        if isinstance(value, list):
            return _books_left(text, value, frozen)
        if not isinstance(value, dict) or value.get("asset_id") == self.asset_id:
            return () if isinstance(value, dict) else (text,)
        changes = value.get("price_changes")
        if not isinstance(changes, list):
            return (text,)
        kept = [change for change in changes if not _is_of(change, frozen)]
        if len(kept) == len(changes):
            return (text,)
        return (_compact({**value, "price_changes": kept}),) if kept else ()


@attrs.frozen
class NoBooks(LastingFault):
    """Subscriptions are not answered with opening books; all else is as usual.

    Attributes:
        asset_ids: the tokens whose books are left out; none: no books, no answer at all.
    """

    asset_ids: tuple[str, ...] = attrs.field(default=(), converter=_several, validator=words)

    def passes(self, text: str) -> tuple[str, ...]:
        """Return the text without those books."""
        # An array is the answer to a subscription, and nothing else is one.
        if not text.startswith("["):
            return (text,)
        if not self.asset_ids:
            return ()
        value = _json(text)
        if not isinstance(value, list):
            return (text,)
        return _books_left(text, value, set(self.asset_ids))


@attrs.frozen
class Duplicate(LastingFault):
    """Each message comes twice."""

    def passes(self, text: str) -> tuple[str, ...]:
        """Return the text twice."""
        return (text,) if text == "PONG" else (text, text)


@attrs.frozen
class Lose(LastingFault):
    """No message of some types is sent any more; the connection tells nothing of it.

    Attributes:
        event_types: as on the wire, such as ``last_trade_price``.
    """

    event_types: tuple[str, ...] = attrs.field(converter=_several, validator=words)

    def passes(self, text: str) -> tuple[str, ...]:
        """Return the text, or nothing where it is of such a type."""
        if not any(event_type in text for event_type in self.event_types):
            return (text,)
        value = _json(text)
        lost = isinstance(value, dict) and value.get("event_type") in self.event_types
        return () if lost else (text,)


@attrs.frozen
class Latency(LastingFault):
    """Everything is sent so much later, in order; control frames are not.

    Attributes:
        delay: how much later, in seconds.
    """

    delay: float = attrs.field(validator=number(0, 86_400))


@attrs.frozen
class SlowDown(LastingFault):
    """The line is slow: frames arrive in pieces, and what is behind waits.

    Attributes:
        bytes_per_second: how fast it is.
    """

    bytes_per_second: int = attrs.field(validator=whole(1))


# -- what is sent once ------------------------------------------------------------------


@attrs.frozen
class Garbage(IntrusionFault):
    """Text frames that are no JSON: one that never was any, and one that is cut off.

    Attributes:
        texts: one frame each.
    """

    texts: tuple[str, ...] = attrs.field(
        default=("this is no JSON", '{"event_type":"book","asset_id":"1'),
        converter=_several,
        validator=words,
    )

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return the texts."""
        return self.texts


@attrs.frozen
class Unknown(IntrusionFault):
    """An event of a type that nobody knows.

    Attributes:
        event_type: its type.
    """

    event_type: str = attrs.field(default="surprise", validator=word)

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return its text."""
        return (_compact({"event_type": self.event_type, "market": "0x" + "0" * 64}),)


@attrs.frozen
class BadFrame(IntrusionFault):
    """A frame that breaks the WebSocket protocol: its opcode is reserved."""

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return its bytes."""
        return (b"\x83\x00",)


@attrs.frozen
class InvalidUtf8(IntrusionFault):
    """A text frame that is no UTF-8."""

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return its bytes."""
        payload = b'{"event_type":"\xff\xfe"}'
        return (b"\x81" + bytes([len(payload)]) + payload,)


@attrs.frozen
class Oversized(IntrusionFault):
    """A text frame that is larger than what a client accepts.

    Attributes:
        size: in bytes; by default one more than the 32 MiB that ``Client`` accepts.
    """

    size: int = attrs.field(default=_TOO_LARGE, validator=whole(64, _LARGEST))

    def payloads(self) -> tuple[str | bytes, ...]:
        """Return its text, which is an event of an unknown type."""
        empty = _compact({"event_type": "oversized", "padding": ""})
        return (f'{empty[:-2]}{"x" * (self.size - len(empty))}"}}',)


# -- ends -------------------------------------------------------------------------------


@attrs.frozen
class Cut(EndingFault):
    """The connection ends without a close frame.

    Attributes:
        how: ``reset``: TCP RST. ``fin``: TCP close. ``half_frame``: the first half of a frame,
            and then what ``then`` says.
        then: ``reset`` or ``fin``.
    """

    how: Literal["reset", "fin", "half_frame"] = attrs.field(
        default="reset", validator=one_of("reset", "fin", "half_frame")
    )
    then: Literal["reset", "fin"] = attrs.field(default="reset", validator=one_of("reset", "fin"))


def _short_reason(fault: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or len(value.encode()) > 123:
        raise UsageError(wrong(fault, field, "text of up to 123 bytes", value))


@attrs.frozen
class Close(EndingFault):
    """The connection ends with a close frame.

    Attributes:
        code: of the close frame.
        reason: of the close frame, up to 123 bytes.
    """

    code: int = attrs.field(default=1001, validator=close_code)
    reason: str = attrs.field(default="", validator=_short_reason)


#: Every fault by its name.
FAULTS: Mapping[str, type[Any]] = {
    fault.__name__: fault
    for fault in (
        Refuse,
        WrongHandshake,
        DripHandshake,
        NoAnswer,
        Redirect,
        Mute,
        HalfOpen,
        Stall,
        Deaf,
        Freeze,
        NoBooks,
        Duplicate,
        Lose,
        Latency,
        SlowDown,
        Garbage,
        Unknown,
        BadFrame,
        InvalidUtf8,
        Oversized,
        Cut,
        Close,
    )
}


def _is_of(value: object, asset_ids: set[str]) -> bool:
    return isinstance(value, dict) and value.get("asset_id") in asset_ids


def _books_left(text: str, books: list[object], without: set[str]) -> tuple[str, ...]:
    """Spell an answer to a subscription without the books of some tokens."""
    kept = [book for book in books if not _is_of(book, without)]
    return (text,) if len(kept) == len(books) else (_compact(kept) + "\n",)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
