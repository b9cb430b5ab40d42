"""Events to JSON and back, and the tolerant way in for what is spelled unusually.

One cattrs converter does it all. It is built on first use: the usual way of a frame
(``protocol.decoding``) does not need it, and importing cattrs takes longer than connecting.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
import types
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

import attrs
import msgspec

from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event, aware_time
from polymarket_ws.events.lifecycle import Lifecycle, UnknownEvent
from polymarket_ws.events.market import Book, MarketResolved, NewMarket, PriceChange

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "FIRST_MILLISECOND",
    "LAST_MILLISECOND",
    "MAX_EXPONENT",
    "from_json",
    "parse_json",
    "reason",
    "structure",
    "to_dict",
    "to_json",
]

E = TypeVar("E", bound=Event)
Wire = Mapping[str, object]
_Structure = Callable[[object, object], object]

# The same limit as the fast way applies. No price or size needs a hundred places, and
# format(d, "f") turns the ten bytes of 1e999999999 into a gigabyte of zeros.
MAX_EXPONENT = 100

# Unix milliseconds passed 10**11 in March 1973, Unix seconds will in the year 5138.
FIRST_MILLISECOND = 10**11
# Far beyond nanoseconds, should the exchange ever send those; still short to write out.
LAST_MILLISECOND = 10**30

# A token id has 78 digits. Python turns digits into an int in quadratic time, and refuses
# more than 4,300 of them.
_MAX_DIGITS = 1_000
_MAX_SHOWN = 60
_MAX_REASON = 200

# Set from the socket, never from the wire and never in the JSON.
_LOCAL_FIELDS = ("received_at", "epoch")

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


# ---------------------------------------------------------------------------- in and out


def to_dict(event: Event) -> dict[str, object]:
    """Return an event under the wire's names, as values JSON has.

    Prices and sizes are strings with the wire's digits, ``timestamp`` is a string of Unix
    milliseconds, other times are ISO 8601, tuples are lists, what is ``None`` is left out.
    The first key is ``event_type``: the wire's for data, the class in snake_case for
    lifecycle events. The wire's own ``event_type`` of an ``UnknownEvent`` is
    ``unknown_type``. ``received_at`` and ``epoch`` are left out, but for ``Connected.epoch``.
    """
    return cast("dict[str, object]", _converter().unstructure(event))


def to_json(event: Event) -> str:
    """Return :func:`to_dict` as one line of compact JSON."""
    return msgspec.json.encode(to_dict(event)).decode()


def from_json(text: str | bytes) -> Event:
    """Return the event that ``event.to_json()`` wrote, data or lifecycle.

    A single event as it is on the wire is read as well.

    Raises:
        UsageError: it is not the JSON of an event of this version; the text says where.
    """
    try:
        wire = parse_json(text if isinstance(text, str) else bytes(text).decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(reason(error)) from error
    if not isinstance(wire, dict):
        raise UsageError(f"an event is a JSON object, not {_shown(wire)}")
    event_type = wire.get("event_type")
    cls = _classes().get(event_type) if isinstance(event_type, str) else None
    if cls is None:
        raise UsageError(f"event_type: no event of this version is called {_shown(event_type)}")
    return structure(cls, wire)


def structure(cls: type[E], mapping: Mapping[str, object]) -> E:
    """Return the event of class ``cls`` that a wire object holds, however it is spelled.

    The tolerant way: ``""`` for "none", numbers for strings and strings for numbers, lists
    as JSON strings, times in several spellings, layouts since 2024. Unknown fields are
    ignored, and so are wire fields called ``received_at`` or ``epoch``.

    Args:
        cls: the class of the event; ``event_type``, where there is one, must be its.
        mapping: the JSON object, best from :func:`parse_json`, which keeps every digit.

    Raises:
        UsageError: a field is missing or cannot be read; the text is one short line that
            names it.
    """
    try:
        return _converter().structure(mapping, cls)
    except Exception as error:  # whatever cattrs and the hooks say about foreign data
        raise UsageError(reason(error)) from error


def parse_json(text: str) -> object:
    """Return what JSON text says, with every digit: fractions are ``Decimal``.

    A number beyond any reason is a string of its digits.

    Raises:
        ValueError: it is not JSON; ``NaN`` and ``Infinity`` are not, either.
        RecursionError: it is nested too deeply.
    """
    return _JSON.decode(text)


def reason(error: BaseException) -> str:
    """Return why something could not be read: one short line that names the field."""
    path = ""
    while True:
        inner, step = _innermost(error)
        if inner is None:
            break
        error, path = inner, path + step
    path = path.lstrip(".")
    if isinstance(error, RecursionError):
        text = "nested too deeply"
    elif isinstance(error, KeyError):
        path, text = f"{path}." if path else "", f"{error.args[0]} is missing"
    elif isinstance(error, json.JSONDecodeError):
        text = f"not JSON: {error.msg} at character {error.pos}"
    elif isinstance(error, (UnicodeDecodeError, UnicodeEncodeError)):
        text = f"not UTF-8 text: {error.reason}"
    else:
        text = str(error) or type(error).__name__
    if path and not path.endswith("."):
        path += ": "
    return " ".join(f"{path}{text}".split())[:_MAX_REASON]


def _innermost(error: BaseException) -> tuple[BaseException | None, str]:
    """Return the first error inside a cattrs group of errors, and the step that leads there."""
    groups = getattr(error, "group_exceptions", None)
    if groups is None:
        return None, ""
    noted, bare = groups()
    if not noted:
        return (bare[0] if bare else None), ""
    inner, note = noted[0]
    if isinstance(inner, KeyError):
        # The missing field names itself; the note would name it once more.
        return inner, ""
    return inner, f".{note.name}" if hasattr(note, "name") else f"[{note.index}]"


# ------------------------------------------------------------------------------ one value


def _shown(value: object) -> str:
    """Return a value for an error message, cut short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_SHOWN else value[: _MAX_SHOWN - 1] + "…")
    if isinstance(value, (int, float, Decimal)):
        # Python refuses to write out very long integers, so their length cannot be asked.
        small = not isinstance(value, int) or abs(value) < 10**_MAX_SHOWN
        return str(value)[:_MAX_SHOWN] if small else "a very long number"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


# A number that Python does not take stays its text: where it is wanted that is refused by
# name, and where nobody reads it, it does no harm.


def _integer_digits(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _decimal_digits(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _constant(text: str) -> object:
    raise ValueError(f"not JSON: {text}")


_JSON = json.JSONDecoder(
    parse_int=_integer_digits, parse_float=_decimal_digits, parse_constant=_constant
)


def _is_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "null"))


def _text(value: object, _: object = None) -> str:
    if isinstance(value, str):
        if not value.isascii():
            # A lone surrogate cannot be printed, logged or stored: say so here.
            value.encode()
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = _decimal(value)
        return format(number, "f")
    raise ValueError(f"text is wanted, not {_shown(value)}")


def _decimal(value: object, _: object = None) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError(f"a decimal is wanted, not {_shown(value)}")
    try:
        # repr: the shortest digits that are this float, as its sender meant them.
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise ValueError(f"a decimal is wanted, not {_shown(value)}") from None
    if not number.is_finite() or not -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT:
        raise ValueError(f"a finite decimal of sane size is wanted, not {_shown(value)}")
    return number


def _integer(value: object, _: object = None) -> int:
    if type(value) is int:
        return value
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"a whole number is wanted, not {_shown(value)}")
    return int(number)


def _float(value: object, _: object = None) -> float:
    number = math.nan
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a finite number is wanted, not {_shown(value)}")
    return number


def _boolean(value: object, _: object = None) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else value
    if word in ("true", "1") or (type(word) is int and word == 1):
        return True
    if word in ("false", "0") or (type(word) is int and word == 0):
        return False
    raise ValueError(f"true or false is wanted, not {_shown(value)}")


def _milliseconds(value: object, _: object = None) -> int:
    # Integers, because Decimal arithmetic rounds to whatever context the thread has.
    numerator, denominator = _decimal(value).as_integer_ratio()
    if abs(numerator) < FIRST_MILLISECOND * denominator:
        numerator *= 1000
    milliseconds = numerator // denominator
    if abs(milliseconds) >= LAST_MILLISECOND:
        raise ValueError(f"Unix milliseconds are wanted, not {_shown(value)}")
    return milliseconds


def _optional_milliseconds(value: object, _: object = None) -> int | None:
    return None if _is_none(value) else _milliseconds(value)


def _datetime(value: object, _: object = None) -> datetime:
    if isinstance(value, datetime):
        return _utc(value)
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is not None:
            return _iso_datetime(match)
        time = aware_time(_milliseconds(value))
    except ValueError:
        time = None
    if time is None:
        raise ValueError(f"an ISO 8601 time or Unix milliseconds are wanted, not {_shown(value)}")
    return time


def _iso_datetime(match: re.Match[str]) -> datetime:
    """Return the time in a match of ``_ISO``; without an offset it is UTC.

    ``datetime.fromisoformat`` of Python 3.10 knows neither ``Z`` nor ``+00``.
    """
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = timezone.utc
    if offset and offset not in "Zz":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        zone = timezone(-shift if offset[0] == "-" else shift)
    time = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
        int((fraction or "").ljust(6, "0")[:6]), tzinfo=zone,
    )  # fmt: skip
    return _utc(time)


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        return time.replace(tzinfo=timezone.utc)
    try:
        return time.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999") from None


def _unpacked(value: object) -> object:
    """Return a value that may be wrapped in a string of JSON."""
    return parse_json(value) if isinstance(value, str) else value


def _list(value: object) -> list[object]:
    value = None if _is_none(value) else _unpacked(value)
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError(f"a list is wanted, not {_shown(value)}")


def _json_object(value: object, _: object = None) -> dict[str, object]:
    value = _unpacked(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"an object is wanted, not {_shown(value)}")
    return cast("dict[str, object]", _json_value(value))


def _json_value(value: object) -> object:
    """Return free-form JSON as ``json.loads`` would, but with no digit lost.

    A number that a ``float`` or 64 bits cannot hold exactly becomes a string of its digits.
    """
    if isinstance(value, Mapping):
        return {_text(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Decimal):
        near = float(value) if value.is_finite() else 0.0
        return near if Decimal(repr(near)) == value else str(value)
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else str(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    raise ValueError(f"a JSON value is wanted, not {_shown(value)}")


# ------------------------------------------------------------------------ old layouts


def _given(wire: Wire, key: str) -> bool:
    return not _is_none(wire.get(key))


def _renamed(wire: Wire, key: str, *others: str) -> Wire:
    """Return ``wire`` with ``key`` taken from the first other name that is there."""
    if not _given(wire, key):
        for other in others:
            if _given(wire, other):
                return {**wire, key: wire[other]}
    return wire


def _book_layout(wire: Wire) -> Wire:
    return _renamed(_renamed(wire, "bids", "buys"), "asks", "sells")


def _price_change_layout(wire: Wire) -> Wire:
    """Bring the layouts before 2025-09-15 into today's: one entry a level, complete in itself.

    First there was one level a message, flat; then ``changes`` under one ``asset_id``
    and ``hash``; since then ``price_changes``, whose entries name both.
    """
    shared: tuple[str, ...] = ("asset_id", "hash")
    if _given(wire, "price_changes"):
        entries, shared = _list(wire["price_changes"]), ("asset_id",)
    elif _given(wire, "changes"):
        entries = _list(wire["changes"])
    elif any(_given(wire, key) for key in ("price", "size", "side")):
        flat = ("price", "size", "side", "best_bid", "best_ask")
        entries = [{key: wire[key] for key in flat if key in wire}]
    else:
        return {**wire, "price_changes": wire["changes"]} if "changes" in wire else wire
    above = {key: wire[key] for key in shared if _given(wire, key)}
    return {
        **wire,
        "price_changes": [{**above, **e} if isinstance(e, Mapping) else e for e in entries],
    }


def _tokens_layout(wire: Wire) -> Wire:
    return _renamed(wire, "assets_ids", "asset_ids", "token_ids")


def _unknown_layout(wire: Wire) -> Wire:
    return {**wire, "event_type": wire["unknown_type"]} if "unknown_type" in wire else wire


_LAYOUTS: Mapping[type, Callable[[Wire], Wire]] = types.MappingProxyType(
    {
        Book: _book_layout,
        PriceChange: _price_change_layout,
        NewMarket: _tokens_layout,
        MarketResolved: _tokens_layout,
        UnknownEvent: _unknown_layout,
    }
)


# ------------------------------------------------------------------------- the converter


def _wire_name(cls: type) -> str:
    """Return what ``event_type`` is for a class: the wire's name, or the class in snake_case."""
    for field in attrs.fields(cls):
        if field.name == "event_type" and isinstance(field.default, str):
            return field.default
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@functools.cache
def _classes() -> Mapping[str, type[Event]]:
    """Return every class that ``from_json`` can make, under its ``event_type``."""
    from polymarket_ws import events

    exported = [getattr(events, name) for name in events.__all__]
    return {
        _wire_name(cls): cls
        for cls in exported
        if issubclass(cls, Event)
        and (issubclass(cls, Lifecycle) or "event_type" in attrs.fields_dict(cls))
        and cls is not Lifecycle
    }


def _is_local(field: attrs.Attribute[Any]) -> bool:
    # Connected declares an epoch of its own, and that one is data.
    return field.name in _LOCAL_FIELDS and bool(cast(Any, field).inherited)


def _is_fixed_type(field: attrs.Attribute[Any]) -> bool:
    # Data classes have it as a constant; UnknownEvent has what was on the wire.
    return field.name == "event_type" and field.default is not attrs.NOTHING


def _inside_optional(wanted: Any) -> Any:
    """Return ``X`` of ``X | None``, and ``None`` for any other type."""
    if get_origin(wanted) not in (Union, types.UnionType):
        return None
    inner = [part for part in get_args(wanted) if part is not type(None)]
    return inner[0] if len(inner) == 1 and len(get_args(wanted)) == 2 else None


def _is_list_like(wanted: Any) -> bool:
    return get_origin(wanted) is tuple and get_args(wanted)[1:] == (...,)


def _is_mapping(wanted: Any) -> bool:
    return get_origin(wanted) is Mapping


def _is_optional(wanted: Any) -> bool:
    return _inside_optional(wanted) is not None


def _structured(cls: Any, converter: Converter) -> _Structure:
    """Return what makes a ``cls`` of a JSON object."""
    from cattrs.gen import make_dict_structure_fn, override

    attrs.resolve_types(cls)
    name = _wire_name(cls)
    layout = _LAYOUTS.get(cls)
    overrides: dict[str, Any] = {}
    for field in attrs.fields(cls):
        if _is_local(field) or _is_fixed_type(field):
            overrides[field.name] = override(omit=True)
        elif field.name == "timestamp":
            overrides[field.name] = override(struct_hook=_optional_milliseconds)
    usual = make_dict_structure_fn(cls, converter, **overrides)
    fixed = "event_type" in overrides

    def make(value: object, _: object) -> object:
        value = _unpacked(value)
        if not isinstance(value, Mapping):
            raise ValueError(f"an object is wanted, not {_shown(value)}")
        if fixed and _given(value, "event_type") and value["event_type"] != name:
            raise ValueError(f"event_type is {_shown(value['event_type'])}, not {name!r}")
        return usual(layout(value) if layout else value, cls)

    return make


def _structured_optional(wanted: Any, converter: Converter) -> _Structure:
    inner = _inside_optional(wanted)
    hook = converter.get_structure_hook(inner)
    if inner is str:
        # "" is a text like any other.
        return lambda value, _: None if value is None else hook(value, inner)
    return lambda value, _: None if _is_none(value) else hook(value, inner)


def _structured_tuple(wanted: Any, converter: Converter) -> _Structure:
    # The hook for lists tells the index of what it refuses.
    items: Any = types.GenericAlias(list, get_args(wanted)[:1])
    hook = converter.get_structure_hook(items)
    return lambda value, _: tuple(hook(_list(value), items))


def _unstructured(cls: Any, converter: Converter) -> Callable[[object], dict[str, object]]:
    """Return what renders a ``cls`` as a JSON object."""
    attrs.resolve_types(cls)
    first = {"event_type": _wire_name(cls)} if issubclass(cls, Event) else {}
    rows: list[tuple[str, str, Callable[[Any], object]]] = []
    for field in attrs.fields(cls):
        name = field.name
        if _is_local(field) or _is_fixed_type(field):
            continue
        wanted: Any = _inside_optional(field.type) or field.type
        hook = str if name == "timestamp" else converter.get_unstructure_hook(wanted)
        rows.append((name, "unknown_type" if name == "event_type" else name, hook))

    def render(value: object) -> dict[str, object]:
        rendered: dict[str, object] = dict(first)
        for name, key, hook in rows:
            item = getattr(value, name)
            if item is not None:
                rendered[key] = hook(item)
        return rendered

    return render


def _unstructured_tuple(wanted: Any, converter: Converter) -> Callable[[Any], list[object]]:
    hook = converter.get_unstructure_hook(get_args(wanted)[0])
    return lambda value: [hook(item) for item in value]


# Two threads that come first at the same time may both build one; either is right, and a
# lock could be held by the thread that a signal handler interrupts.
@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(datetime, _datetime)
    converter.register_structure_hook_func(_is_mapping, _json_object)
    converter.register_structure_hook_factory(attrs.has, _structured)
    converter.register_structure_hook_factory(_is_list_like, _structured_tuple)
    converter.register_structure_hook_factory(_is_optional, _structured_optional)
    converter.register_unstructure_hook(Decimal, lambda value: format(value, "f"))
    converter.register_unstructure_hook(datetime, lambda value: _utc(value).isoformat())
    converter.register_unstructure_hook_func(_is_mapping, _json_value)
    converter.register_unstructure_hook_factory(attrs.has, _unstructured)
    converter.register_unstructure_hook_factory(_is_list_like, _unstructured_tuple)
    return converter
