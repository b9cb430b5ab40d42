"""Bytes of one text message in, events out. The hot path of the package.

The usual way is msgspec, straight into the frozen class. What msgspec refuses goes the
tolerant way (``conversion.structure``) and comes out the same; what that refuses too is a
``DecodeFailure``, and a well-formed object of a type nobody knows is an ``UnknownEvent``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, cast

import attrs
import msgspec

from polymarket_ws.conversion import reason, structure
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import DecodeFailure, UnknownEvent
from polymarket_ws.spelling import FIRST_MILLISECOND, are_sane, parse_json

__all__ = ["Decoder", "Source", "Spelling", "Vocabulary"]

#: What an event came in: its text, or the event itself where that is not at hand.
Source = bytes | Event

# Enough to recognise what came; a frame may have 32 MiB, and failures are kept in mailboxes.
_RAW_LIMIT = 4096

# Twenty times the books of the largest answer that a server gives. Each element becomes an event
# before the first of them reaches a mailbox, so nothing else bounds how many there are.
_MOST_ELEMENTS = 10_000

# Where a large array has more commas than one in so many bytes, not even its elements could be
# counted in reasonable memory. A level of a book is the densest that there is: one in 14.
_LARGE = 1024 * 1024
_BYTES_A_COMMA = 8

_KEY = b'"event_type":"'

# What msgspec takes for a timestamp; what it refuses, such as seconds, goes the tolerant way.
_Milliseconds = Annotated[int, msgspec.Meta(ge=FIRST_MILLISECOND, le=2**63 - 1)] | None

# Frozen classes are set through their slots: 0.05 µs, where evolve() makes a new event.
_set_received_at: Callable[[Event, float], None] = cast(Any, Event).received_at.__set__
_set_epoch: Callable[[Event, int], None] = cast(Any, Event).epoch.__set__
_set_class: Callable[[Event, type[Event]], None] = cast(Any, object).__dict__["__class__"].__set__

_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*"?|[\[\]{},]', re.DOTALL)


@attrs.frozen
class Spelling:
    """How a class that comes often is made, where that is faster than msgspec alone.

    Attributes:
        fields: the types that msgspec decodes some of its fields into.
        complete: takes the event and its JSON and gives these fields their values; returns whether
            every ``Decimal`` of the event is sane. May raise where one is not, or is none.
    """

    fields: Mapping[str, object]
    complete: Callable[[Any, bytes], bool]


@attrs.frozen
class _Route:
    """How one class is decoded.

    Attributes:
        decode: msgspec's, into a class of the same layout as ``cls``.
        cls: what becomes of that.
        complete: see ``Spelling``.
    """

    decode: Callable[[bytes], Any]
    cls: type[Event]
    complete: Callable[[Any, bytes], bool]


def _route(cls: type[Event], vocabulary: Vocabulary) -> _Route:
    decimals = vocabulary.decimals[cls]

    def complete(event: Any, raw: bytes) -> bool:
        return are_sane(decimals(event), raw)

    spelling = vocabulary.spellings.get(cls) or Spelling(fields={}, complete=complete)
    # What the wire does not have msgspec looks for on the new object, which costs an
    # AttributeError a field, 0.3 µs, before it sets the default. The decoder sets the two
    # of Event itself, so msgspec gets a class of the same layout that does not tell of them.
    fields = attrs.fields_dict(Event)
    told = tuple(field for field in attrs.fields(cls) if field.name not in fields)
    types = {"timestamp": _Milliseconds, **spelling.fields}
    parts = {"__slots__": (), "__attrs_attrs__": told, "__annotations__": types}
    decoded = type(cls.__name__, (cls,), parts)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(decoded, strict=False).decode
    return _Route(decode, cls, spelling.complete)


def _routes_of(vocabulary: Vocabulary) -> Mapping[str, _Route]:
    return {name: _route(cls, vocabulary) for name, cls in vocabulary.fast.items()}


@attrs.frozen(kw_only=True)
class Vocabulary:
    """The event types of one channel.

    Attributes:
        channel: ``"market"``, ``"user"``, …
        fast: wire ``event_type`` to the class that msgspec decodes into.
        usual: the wire ``event_type`` of ``fast`` that is most of the traffic.
        tolerant: wire ``event_type`` to the class that is always made the tolerant way.
        infer: names the type of an object that has no ``event_type``; ``""`` if unknown.
        decimals: for each class of ``fast`` every ``Decimal`` of an event, which must be sane
            (``spelling.is_sane``); msgspec cannot ask that.
        spellings: of those that come often.
        routes: wire ``event_type`` to how a class of ``fast`` is decoded.
    """

    channel: str
    fast: Mapping[str, type[Event]]
    usual: str = ""
    tolerant: Mapping[str, type[Event]]
    infer: Callable[[Mapping[str, object]], str]
    decimals: Mapping[type[Event], Callable[[Any], Iterable[Decimal | None]]]
    spellings: Mapping[type[Event], Spelling] = {}
    # Once a channel and not once a connection: msgspec decoders keep no state between calls.
    routes: Mapping[str, _Route] = attrs.field(
        init=False, default=attrs.Factory(_routes_of, takes_self=True)
    )


def _endings_of(name: str) -> tuple[bytes, bytes]:
    ending = _KEY + name.encode() + b'"}'
    return b"," + ending, b" " + ending


class _Envelope(msgspec.Struct):
    """The one field that says what an object is; msgspec skips, but checks, the rest."""

    event_type: str | None = None


_envelope = msgspec.json.Decoder(_Envelope)


def _event_type(raw: bytes) -> str | None:
    try:
        return _envelope.decode(raw).event_type
    except Exception:  # noqa: BLE001 broken JSON: the tolerant way says what is wrong
        return None


_elements = msgspec.json.Decoder(list[msgspec.Raw])


class Decoder:
    """Decode the text messages of one connection. Belongs to that connection's thread.

    Attributes:
        skipped: events that were not decoded because their class is not wanted.
    """

    def __init__(self, vocabulary: Vocabulary, *, connection: int) -> None:
        """Make a decoder that wants every class of ``vocabulary``.

        Args:
            vocabulary: the channel's types.
            connection: its number, for the lifecycle events that decoding makes.
        """
        self.skipped = 0
        self._vocabulary = vocabulary
        self._connection = connection
        self._classes = {**vocabulary.fast, **vocabulary.tolerant}
        self.wanted = frozenset(self._classes.values())

    @property
    def wanted(self) -> frozenset[type[Event]]:
        """The data classes that are decoded. Others are skipped and counted.

        ``UnknownEvent`` and ``DecodeFailure`` come out in any case.
        """
        return self._wanted

    @wanted.setter
    def wanted(self, classes: frozenset[type[Event]]) -> None:
        self._wanted = classes
        self._unwanted = {name for name, cls in self._classes.items() if cls not in classes}
        self._routes = {
            name: route
            for name, route in self._vocabulary.routes.items()
            if name not in self._unwanted
        }
        # The exchange has put event_type last since 2025, after "," or ", ".
        self._endings = {
            ending: route for name, route in self._routes.items() for ending in _endings_of(name)
        }
        # Of one type, whose ending is looked at without looking for it.
        self._usual_route = self._routes.get(self._vocabulary.usual)
        self._usual_endings = _endings_of(self._vocabulary.usual) if self._usual_route else ()

    def decode(self, raw: bytes, received_at: float, epoch: int) -> list[Event]:
        """Return the events of one text message, in wire order. Never raises.

        Args:
            raw: the message: one JSON object, or an array of them.
            received_at: Unix seconds at which it was read; given to every event.
            epoch: of the connection; given to every event.
        """
        if raw[:1] != b"{":
            raw = raw.strip(b" \t\r\n")
        if raw[:1] != b"[":
            event = self.decode_object(raw, received_at, epoch)
            return [] if event is None else [event]
        if len(raw) > _LARGE and raw.count(b",") > len(raw) // _BYTES_A_COMMA:
            return [self._failure("an array of far too many elements", raw, received_at, epoch)]
        elements: Sequence[bytes]
        try:
            elements = _elements.decode(raw)
        except Exception:  # noqa: BLE001 one broken element, or more
            elements = _split(raw)
        if len(elements) > _MOST_ELEMENTS:
            words = f"an array of more than {_MOST_ELEMENTS} elements"
            return [self._failure(words, raw, received_at, epoch)]
        events = [self.decode_object(bytes(element), received_at, epoch) for element in elements]
        return [event for event in events if event is not None]

    def decode_object(self, raw: bytes, received_at: float, epoch: int) -> Event | None:
        """Return the event of one JSON object; ``None`` if nobody wants its class."""
        # A hint, for the frames that are most of the traffic; msgspec verifies it. The only
        # brace after it closes the object, so it is the key of the object itself, and what
        # is before it is no backslash, so it is not inside a string.
        if raw.endswith(self._usual_endings):
            route = self._usual_route
        else:
            route = self._endings.get(raw[raw.rfind(_KEY) - 1 :])
        if route is None:
            # Another layout or spelling, another type, or nobody wants it.
            name = _event_type(raw)
            if name in self._unwanted:
                self.skipped += 1
                return None
            route = self._routes.get(name) if name else None
            if route is None:
                return self._tolerant(raw, received_at, epoch)
        try:
            event: Event = route.decode(raw)
            _set_class(event, route.cls)
            _set_received_at(event, received_at)
            _set_epoch(event, epoch)
            # It raises for what is no number, which says the same as False.
            if not route.complete(event, raw):
                return self._tolerant(raw, received_at, epoch)
        except Exception:  # noqa: BLE001 unusual or wrong: the tolerant way decides which
            return self._tolerant(raw, received_at, epoch)
        return event

    def _tolerant(self, raw: bytes, received_at: float, epoch: int) -> Event | None:
        try:
            wire = parse_json(raw.decode())
            if not isinstance(wire, dict):
                raise ValueError("an event is a JSON object, and this is none")
            event_type = wire.get("event_type")
            if event_type is None or event_type == "":
                event_type = self._vocabulary.infer(wire)
            elif not isinstance(event_type, str):
                raise ValueError("event_type: text is wanted")
            cls = self._classes.get(event_type)
            if cls is None:
                # A lone surrogate could not be printed.
                event_type.encode()
                return self._unknown(event_type, raw, received_at, epoch)
            if cls not in self._wanted:
                self.skipped += 1
                return None
            # Ours: what was fetched over REST says so, and what came over the socket was not.
            wire.pop("recovered", None)
            event = structure(cls, wire)
        except Exception as error:  # noqa: BLE001 # foreign data; the stream tells it and goes on
            return self._failure(reason(error), raw, received_at, epoch)
        _set_received_at(event, received_at)
        _set_epoch(event, epoch)
        return event

    def _unknown(self, event_type: str, raw: bytes, received_at: float, epoch: int) -> Event:
        return UnknownEvent(
            received_at=received_at,
            epoch=epoch,
            channel=self._vocabulary.channel,
            connection=self._connection,
            event_type=event_type[:_RAW_LIMIT],
            raw=_cut(raw),
        )

    def _failure(self, error: str, raw: bytes, received_at: float, epoch: int) -> Event:
        return DecodeFailure(
            received_at=received_at,
            epoch=epoch,
            channel=self._vocabulary.channel,
            connection=self._connection,
            raw=_cut(raw),
            error=error,
        )


def _cut(raw: bytes) -> str:
    """Return at most 4 kB as text, without half a character at the cut."""
    return codecs.utf_8_decode(raw[:_RAW_LIMIT], "replace", len(raw) <= _RAW_LIMIT)[0]


def _split(raw: bytes) -> list[bytes]:
    """Cut an array that msgspec refuses into its elements, so that one bad one stays alone.

    Nothing is checked here. Where brackets do not match, what is left is one last element,
    which nobody can read.
    """
    elements: list[bytes] = []
    depth = 0
    start = 1
    for token in _TOKEN.finditer(raw):
        character = token[0]
        if character in (b"[", b"{"):
            depth += 1
        elif character in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                last = raw[start : token.start()].strip()
                if last or elements:
                    elements.append(last)
                rest = raw[token.end() :].strip()
                if rest or character == b"}":
                    elements.append(rest)
                break
        elif character == b"," and depth == 1:
            elements.append(raw[start : token.start()].strip())
            start = token.end()
            if len(elements) > _MOST_ELEMENTS:
                break
    else:
        # The array does not end. With the comma or bracket before it what is left is no JSON,
        # even when it looks like a whole element, so the break is told.
        elements.append(raw[start - 1 :])
    return elements
