"""How the wire spells values and lays out messages, in all the ways seen since 2024."""

from __future__ import annotations

import contextlib
import json
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import cast

from polymarket_ws.events.event import aware_time
from polymarket_ws.events.lifecycle import UnknownEvent
from polymarket_ws.events.market import Book, MarketResolved, NewMarket, PriceChange
from polymarket_ws.events.user import Order, Trade

__all__ = [
    "FIRST_MILLISECOND",
    "LAST_MILLISECOND",
    "LAYOUTS",
    "TOO_LARGE",
    "are_sane",
    "as_boolean",
    "as_datetime",
    "as_decimal",
    "as_float",
    "as_integer",
    "as_json_object",
    "as_list",
    "as_optional_milliseconds",
    "as_text",
    "in_utc",
    "is_given",
    "is_none",
    "is_sane",
    "json_value",
    "may_be_signed",
    "parse_json",
    "shown",
    "time_digits",
    "unpacked",
]

Wire = Mapping[str, object]

# No price or size needs a hundred places, and format(d, "f") turns the ten bytes of
# 1e999999999 into a gigabyte of zeros. Of a zero it writes none, whatever its exponent above 0.
_MAX_EXPONENT = 100
TOO_LARGE = Decimal(f"1e{_MAX_EXPONENT}")
# A minus sign before the other would round it, as the context says that a user set.
_TOO_SMALL = TOO_LARGE.copy_negate()

_MINUS = ord("-")
_BACKSLASH = ord("\\")

# Unix milliseconds passed 10**11 in March 1973, Unix seconds will in the year 5138.
FIRST_MILLISECOND = 10**11
# Far beyond nanoseconds, should the exchange ever send those; still short to write out.
LAST_MILLISECOND = 10**30

# A token id has 78 digits. Python turns digits into an int in quadratic time, and refuses
# more than 4,300 of them.
_MAX_DIGITS = 1_000
_MAX_SHOWN = 60

# What was read with much of the stack left is written and compared with little of it left,
# deep inside a user's program, so how deep it is must not depend on the stack.
_MAX_NESTING = 64

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def parse_json(text: str) -> object:
    """Return what JSON text says, with every digit: fractions are ``Decimal``.

    A number beyond any reason is a string of its digits.

    Raises:
        ValueError: it is not JSON; ``NaN`` and ``Infinity`` are not, either.
        RecursionError: it is nested too deeply.
    """
    return _JSON.decode(text)


def shown(value: object) -> str:
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


def is_none(value: object) -> bool:
    """Return whether a value means "none"."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "null"))


def as_text(value: object, _: object = None) -> str:
    """Return text; a number as its digits."""
    if isinstance(value, str):
        if not value.isascii():
            # A lone surrogate cannot be printed, logged or stored: say so here.
            value.encode()
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = as_decimal(value)
        return format(number, "f")
    raise ValueError(f"text is wanted, not {shown(value)}")


def as_decimal(value: object, _: object = None) -> Decimal:
    """Return a finite decimal of sane size, with the digits of the wire."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError(f"a decimal is wanted, not {shown(value)}")
    try:
        # repr: the shortest digits that are this float, as its sender meant them.
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise ValueError(f"a decimal is wanted, not {shown(value)}") from None
    if not number.is_finite() or not _TOO_SMALL < number < TOO_LARGE or _is_puffed(number, value):
        raise ValueError(f"a finite decimal of sane size is wanted, not {shown(value)}")
    return number


def _is_puffed(number: Decimal, text: object) -> bool:
    """Return whether a number has, or may have, more places than it was written with."""
    if number.adjusted() > -_MAX_EXPONENT:
        return False
    return not isinstance(text, str) or "e" in text.lower()


def is_sane(number: Decimal) -> bool:
    """Return whether a decimal is finite and short, however it was written."""
    return (
        number.is_finite()
        and _TOO_SMALL < number < TOO_LARGE
        and number.adjusted() > -_MAX_EXPONENT
    )


def may_be_signed(raw: bytes) -> bool:
    """Return whether a number in JSON may have a minus sign, be it that of an exponent.

    Without one it is not below 0, nor has more places than it was written with: it is sane if
    only it is below ``TOO_LARGE``.
    """
    # A backslash may stand for one. As bytes, which are found five times as fast as texts of one.
    return _MINUS in raw or _BACKSLASH in raw


def are_sane(numbers: Iterable[Decimal | None], raw: bytes) -> bool:
    """Return whether all numbers that were read from JSON are sane; ``None`` is none."""
    if may_be_signed(raw):
        return all(number is None or is_sane(number) for number in numbers)
    return all(number is None or number < TOO_LARGE for number in numbers)


def as_integer(value: object, _: object = None) -> int:
    """Return a whole number."""
    if type(value) is int:
        return value
    number = as_decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"a whole number is wanted, not {shown(value)}")
    return int(number)


def as_float(value: object, _: object = None) -> float:
    """Return a finite float."""
    number = math.nan
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a finite number is wanted, not {shown(value)}")
    return number


def as_boolean(value: object, _: object = None) -> bool:
    """Return a truth value; any other word is an error."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else value
    if word in ("true", "1") or (type(word) is int and word == 1):
        return True
    if word in ("false", "0") or (type(word) is int and word == 0):
        return False
    raise ValueError(f"true or false is wanted, not {shown(value)}")


def as_milliseconds(value: object, _: object = None) -> int:
    """Return Unix milliseconds; seconds are scaled."""
    # Integers, because Decimal arithmetic rounds to whatever context the thread has.
    numerator, denominator = as_decimal(value).as_integer_ratio()
    if abs(numerator) < FIRST_MILLISECOND * denominator:
        numerator *= 1000
    milliseconds = numerator // denominator
    if abs(milliseconds) >= LAST_MILLISECOND:
        raise ValueError(f"Unix milliseconds are wanted, not {shown(value)}")
    return milliseconds


def as_optional_milliseconds(value: object, _: object = None) -> int | None:
    """Return Unix milliseconds, or ``None`` for "none"."""
    return None if is_none(value) else as_milliseconds(value)


def time_digits(milliseconds: int) -> str:
    """Return Unix milliseconds as text that reads as the same time again."""
    if abs(milliseconds) >= FIRST_MILLISECOND:
        return str(milliseconds)
    # A time before 1973 reads as seconds, and can only have been read from them.
    seconds, fraction = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{seconds}.{fraction:03d}" if fraction else f"{sign}{seconds}"


def as_datetime(value: object, _: object = None) -> datetime:
    """Return an aware UTC time."""
    if isinstance(value, datetime):
        return in_utc(value)
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is not None:
            return _iso_datetime(match)
        time = aware_time(as_milliseconds(value))
    except ValueError:
        time = None
    if time is None:
        raise ValueError(f"an ISO 8601 time or Unix milliseconds are wanted, not {shown(value)}")
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
    return in_utc(time)


def in_utc(time: datetime) -> datetime:
    """Return a time as aware UTC; without an offset it is UTC already."""
    if time.tzinfo is None:
        return time.replace(tzinfo=timezone.utc)
    try:
        return time.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999") from None


def unpacked(value: object) -> object:
    """Return a value that may be wrapped in a string of JSON."""
    return parse_json(value) if isinstance(value, str) else value


def as_list(value: object) -> list[object]:
    """Return a list, also out of a string of JSON; ``[]`` for "none"."""
    value = None if is_none(value) else unpacked(value)
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError(f"a list is wanted, not {shown(value)}")


def as_json_object(value: object, _: object = None) -> dict[str, object]:
    """Return free-form JSON that is an object."""
    value = unpacked(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"an object is wanted, not {shown(value)}")
    return cast("dict[str, object]", json_value(value))


def json_value(value: object, nesting: int = _MAX_NESTING) -> object:
    """Return free-form JSON as ``json.loads`` would, but with no digit lost.

    A number that a ``float`` or 64 bits cannot hold exactly becomes a string of its digits.

    Args:
        value: any JSON.
        nesting: how many levels deep it may be.
    """
    if isinstance(value, (Mapping, list, tuple)):
        if not nesting:
            raise ValueError("nested too deeply")
        if isinstance(value, Mapping):
            return {as_text(key): json_value(item, nesting - 1) for key, item in value.items()}
        return [json_value(item, nesting - 1) for item in value]
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, Decimal):
        near = float(value) if value.is_finite() else 0.0
        return near if Decimal(repr(near)) == value else str(value)
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else str(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    raise ValueError(f"a JSON value is wanted, not {shown(value)}")


def is_given(wire: Wire, key: str) -> bool:
    """Return whether a key is there and not "none"."""
    return not is_none(wire.get(key))


def _renamed(wire: Wire, key: str, *others: str) -> Wire:
    """Return ``wire`` with ``key`` taken from the first other name that is there."""
    if not is_given(wire, key):
        for other in others:
            if is_given(wire, other):
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
    if is_given(wire, "price_changes"):
        entries, shared = as_list(wire["price_changes"]), ("asset_id",)
    elif is_given(wire, "changes"):
        entries = as_list(wire["changes"])
    elif any(is_given(wire, key) for key in ("price", "size", "side")):
        flat = ("price", "size", "side", "best_bid", "best_ask")
        entries = [{key: wire[key] for key in flat if key in wire}]
    else:
        return {**wire, "price_changes": wire["changes"]} if "changes" in wire else wire
    above = {key: wire[key] for key in shared if is_given(wire, key)}
    return {
        **wire,
        "price_changes": [{**above, **e} if isinstance(e, Mapping) else e for e in entries],
    }


def _tokens_layout(wire: Wire) -> Wire:
    return _renamed(wire, "assets_ids", "asset_ids", "token_ids")


def _order_layout(wire: Wire) -> Wire:
    # "0" is how an order without an end is spelled, and no time. What is no time at all is
    # refused by name where it is read.
    with contextlib.suppress(ValueError):
        if as_optional_milliseconds(wire.get("expiration")) == 0:
            return {**wire, "expiration": None}
    return wire


def _trade_layout(wire: Wire) -> Wire:
    return _renamed(wire, "match_time", "matchtime")


def _unknown_layout(wire: Wire) -> Wire:
    return {**wire, "event_type": wire["unknown_type"]} if "unknown_type" in wire else wire


LAYOUTS: Mapping[type, Callable[[Wire], Wire]] = types.MappingProxyType(
    {
        Book: _book_layout,
        PriceChange: _price_change_layout,
        NewMarket: _tokens_layout,
        MarketResolved: _tokens_layout,
        Order: _order_layout,
        Trade: _trade_layout,
        UnknownEvent: _unknown_layout,
    }
)
