"""Events to JSON and back, and the tolerant way in for what is spelled unusually.

One cattrs converter does it all. It is built on first use: the usual way of a frame
(``protocol.decoding``) does not need it, and importing cattrs takes longer than connecting.
"""

from __future__ import annotations

import functools
import json
import re
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

import attrs
import msgspec

from polymarket_ws.errors import UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Lifecycle
from polymarket_ws.spelling import (
    LAYOUTS,
    as_boolean,
    as_datetime,
    as_decimal,
    as_float,
    as_integer,
    as_json_object,
    as_list,
    as_optional_milliseconds,
    as_text,
    in_utc,
    is_given,
    is_none,
    json_value,
    parse_json,
    shown,
    time_digits,
    unpacked,
)

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "from_json",
    "reason",
    "structure",
    "to_dict",
    "to_json",
]

E = TypeVar("E", bound=Event)
_Structure = Callable[[object, object], object]

_MAX_REASON = 200

# Unix times: seconds or milliseconds on the wire, milliseconds here, text in the JSON.
_TIMES = frozenset(("timestamp", "created_at", "expiration", "match_time", "last_update"))

# Ours and not the wire's: in the JSON only where it says something.
_ONLY_WHEN_TRUE = frozenset(("recovered",))

# Set from the socket, never from the wire and never in the JSON.
_LOCAL_FIELDS = ("received_at", "epoch")


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
        raise UsageError(f"an event is a JSON object, not {shown(wire)}")
    event_type = wire.get("event_type")
    cls = _classes().get(event_type) if isinstance(event_type, str) else None
    if cls is None:
        raise UsageError(f"event_type: no event of this version is called {shown(event_type)}")
    return structure(cls, wire)


def structure(cls: type[E], mapping: Mapping[str, object]) -> E:
    """Return the event of class ``cls`` that a wire object holds, however it is spelled.

    The tolerant way: ``""`` for "none", numbers for strings and strings for numbers, lists
    as JSON strings, times in several spellings, layouts since 2024. Unknown fields are
    ignored, and so are wire fields called ``received_at`` or ``epoch``.

    Args:
        cls: the class of the event; ``event_type``, where there is one, must be its.
        mapping: the JSON object, best from ``parse_json``, which keeps every digit.

    Raises:
        UsageError: a field is missing or cannot be read; the text is one short line that
            names it.
    """
    try:
        return _converter().structure(mapping, cls)
    except Exception as error:  # whatever cattrs and the hooks say about foreign data
        raise UsageError(reason(error)) from error


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
    layout = LAYOUTS.get(cls)
    overrides: dict[str, Any] = {}
    for field in attrs.fields(cls):
        if _is_local(field) or _is_fixed_type(field):
            overrides[field.name] = override(omit=True)
        elif field.name in _TIMES:
            overrides[field.name] = override(struct_hook=as_optional_milliseconds)
    usual = make_dict_structure_fn(cls, converter, **overrides)
    fixed = "event_type" in overrides

    def make(value: object, _: object) -> object:
        value = unpacked(value)
        if not isinstance(value, Mapping):
            raise ValueError(f"an object is wanted, not {shown(value)}")
        if fixed and is_given(value, "event_type") and value["event_type"] != name:
            raise ValueError(f"event_type is {shown(value['event_type'])}, not {name!r}")
        return usual(layout(value) if layout else value, cls)

    return make


def _structured_optional(wanted: Any, converter: Converter) -> _Structure:
    inner = _inside_optional(wanted)
    hook = converter.get_structure_hook(inner)
    if inner is str:
        # "" is a text like any other.
        return lambda value, _: None if value is None else hook(value, inner)
    return lambda value, _: None if is_none(value) else hook(value, inner)


def _structured_tuple(wanted: Any, converter: Converter) -> _Structure:
    # The hook for lists tells the index of what it refuses.
    items: Any = types.GenericAlias(list, get_args(wanted)[:1])
    hook = converter.get_structure_hook(items)
    return lambda value, _: tuple(hook(as_list(value), items))


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
        hook = time_digits if name in _TIMES else converter.get_unstructure_hook(wanted)
        rows.append((name, "unknown_type" if name == "event_type" else name, hook))

    def render(value: object) -> dict[str, object]:
        rendered: dict[str, object] = dict(first)
        for name, key, hook in rows:
            item = getattr(value, name)
            if item is not None and (item or name not in _ONLY_WHEN_TRUE):
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
    converter.register_structure_hook(str, as_text)
    converter.register_structure_hook(Decimal, as_decimal)
    converter.register_structure_hook(int, as_integer)
    converter.register_structure_hook(float, as_float)
    converter.register_structure_hook(bool, as_boolean)
    converter.register_structure_hook(datetime, as_datetime)
    converter.register_structure_hook_func(_is_mapping, as_json_object)
    converter.register_structure_hook_factory(attrs.has, _structured)
    converter.register_structure_hook_factory(_is_list_like, _structured_tuple)
    converter.register_structure_hook_factory(_is_optional, _structured_optional)
    converter.register_unstructure_hook(Decimal, lambda value: format(value, "f"))
    converter.register_unstructure_hook(datetime, lambda value: in_utc(value).isoformat())
    converter.register_unstructure_hook_func(_is_mapping, json_value)
    converter.register_unstructure_hook_factory(attrs.has, _unstructured)
    converter.register_unstructure_hook_factory(_is_list_like, _unstructured_tuple)
    return converter
