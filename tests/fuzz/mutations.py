"""Break JSON texts and byte streams in the ways that they break, and in some that they do not.

Seeded: the same seed breaks the same texts in the same way.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

import attrs

__all__ = ["Mutator"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[\[\]{},:]')

#: A message that is nested so deeply costs a millisecond, so it is rare.
_DEPTH = 100_000

#: What stands in the place of a value: wrong types, numbers beyond reason, text that is none.
_STRANGE = (
    "null", "true", "false", "[]", "{}", "[[]]", '[{"a":[]}]', "0", "-0", "-1", "1", "0.0", "-0.0",
    "1e400", "1E-400", "1e999999999", "-1e999999999", "1e99", "1e100", "0e999999999", "1e-99",
    "9007199254740993", "18446744073709551616", "-9223372036854775809", "1" + "0" * 400,
    "1." + "0" * 5000 + "1", "9" * 5000, "0." + "1" * 300, "NaN", "Infinity", "-Infinity", "nan",
    "1_000", "0x10", "01", "1.", ".5", "+1", "--1", "1e", "tru", "'a'", "undefined",
    '""', '" "', '"null"', '"NULL"', '"true"', '"1"', '"0"', '"-1"', '"0.5"', '".5"', '"5."',
    '"1e5"', '"1e999999999"', '"-1e999999999"', '"1e-999999999"', '"0e999999999"', '"+1"', '" 1 "',
    '"1_000"', '"0x10"', '"NaN"', '"sNaN"', '"-sNaN123"', '"Infinity"', '"-inf"', '"１２"', '"٣.٥"',
    '"\\u0661"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\ud83d"',
    '"\\n\\r\\u2028\\u2029\\u0085\\u001b[31m"', '"a\\nb"', '"\\u202e"', '"\\""', '"\\\\"', '"\\/"',
    '"\\x"', '"\\u12"', '"[]"', '"{}"', '"[1,\\"2\\"]"', '"[[]]"', '"{\\"a\\":1}"', '"["',
    '"[[[[[[[[[[]]]]]]]]]]"', '"BUY"', '"SELL"', '"buy"', '"?"', '"0x"', '"7"', '"8"',
    '"book"', '"price_change"', '"order"', '"trade"', '"no_such_type"', '"dropped"', '"connected"',
    '"2026-10-04T17:00:00Z"', '"2026-13-45T99:99:99Z"', '"0001-01-01T00:00:00+23:59"',
    '"9999-12-31 23:59:59-23:59"', '"2026-10-04 17:00:00+99:99"', '"٢٠٢٦-10-04"', '"10:00"',
    "253402300800000", "-62135596800001", "99999999999", "100000000000", "-99999999999",
    '"99999999999.999"', "1" + "0" * 29, "1" + "0" * 30, "-1" + "0" * 30, '"' + "9" * 1001 + '"',
    '"' + "x" * 5000 + '"', '"' + "é" * 3000 + '"', '"' + "7" * 78 + '"', '"MATCHED"', '"CANCELED"',
    '"TRADE_STATUS_CONFIRMED"', '"PLACEMENT"', '"TRADE"', '"\U0010ffff"', '"\x7f"', '"\t"',
)  # fmt: skip

#: What is unusual and may be right, where it stands.
_UNUSUAL = (
    "null", "0", "1", "-1", "0.5", "1e-3", "12345678901234567890", "true", "false", "[]", '""',
    '"0"', '"1"', '"-0.0"', '"0.50"', '".5"', '"1E+2"', '"1e-30"', '"0.1234567890123456789012345"',
    '"BUY"', '"SELL"', '"buy"', '"MATCHED"', '"CANCELED"', '"LIVE"', '"7"', '"8"', '"0x1"', '"é"',
    '"a b"', '"' + "7" * 78 + '"', '"\u0041"', '"😀"', "1791128503", '"1791128503"',
    "1791128503230", '"1791128503230000"', '"1791128503.25"', '"0.5"', '"-5"', '"2026-10-04"',
    '"null"', '"[\\"7\\"]"', '"1" ', ' "2"', "[null]", '["7"]', '{"price":"0.4","size":"0"}',
    '[{"price":"0.4","size":"0"},{"price":"0.4","size":"1"}]',
)  # fmt: skip

_KEYS = (
    "event_type", "received_at", "epoch", "recovered", "asset_ids", "assets_ids", "market", "type",
    "asset_id", "price", "size", "side", "hash", "timestamp", "bids", "asks", "price_changes",
    "changes", "maker_orders", "fee_schedule", "unknown_type", "raw", "error", "", "\\ud800",
    "a\\nb", "__class__", "self", "event\\u005ftype", "é",
)  # fmt: skip

#: What is put between bytes: framing, the ends of JSON, halves of characters.
_BYTES = (
    b"", b"\x00", b"\xff", b"\x81", b"\x01", b"\x80", b"\x82", b"\x88\x00", b"\x89\x00",
    b"\x8a\x01a", b"\x81\x7e\x00", b"\x81\x7f" + bytes(8), b"\x81\x7f\xff", b"\xc1\x00",
    b"\x88\x02\x03\xe8", b"\x88\x01\x03", b"\x81\xff", b"\xed\xa0\x80", b"\xc3", b"\xa9",
    b"\xf4\x90", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\xef\xbb\xbf",
    b'"event_type":"',
)  # fmt: skip


@attrs.frozen
class _Parsed:
    """A text, and where its values, members and elements are."""

    text: str
    values: tuple[tuple[int, int], ...]
    keys: tuple[tuple[int, int], ...]
    members: tuple[tuple[int, int], ...]


def _parse(text: str) -> _Parsed:
    """Find the parts of a text; what is no JSON has none."""
    tokens = [(found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]
    values: list[tuple[int, int]] = []
    keys: list[tuple[int, int]] = []
    members: list[tuple[int, int]] = []

    def value(at: int) -> int:
        """Note the value that begins with token ``at``; return the token behind it."""
        opening, start, _ = tokens[at]
        if opening not in ("{", "["):
            values.append(tokens[at][1:])
            return at + 1
        at += 1
        while tokens[at][0] not in ("}", "]"):
            begun = tokens[at][1]
            if opening == "{":
                keys.append(tokens[at][1:])
                at += 2
            at = value(at)
            members.append((begun, tokens[at - 1][2]))
            at += tokens[at][0] == ","
        values.append((start, tokens[at][2]))
        return at + 1

    try:
        json.loads(text)
    except ValueError:
        return _Parsed(text, (), (), ())
    value(0)
    return _Parsed(text, tuple(values), tuple(keys), tuple(members))


class Mutator:
    """Breaks the texts that it was given.

    Args:
        texts: sound ones.
        seed: of everything that it does.
    """

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        self._bases = [_parse(text) for text in texts]
        self._rich = [base for base in self._bases if base.members]
        self.random = random.Random(seed)

    def text(self) -> bytes:
        """Return the next text: sound, with other parts, or with other bytes."""
        chance = self.random.random()
        if chance < 0.08:
            return self.random.choice(self._bases).text.encode()
        if chance < 0.82:
            return self._restructured()
        if chance < 0.85:
            # Several in one array, one of them broken.
            picks = [self.random.choice(self._rich).text.encode() for _ in range(3)]
            picks[self.random.randrange(3)] = self._restructured()
            return b"[" + b",".join(picks) + b"]"
        if chance < 0.855:
            return self._nested()
        data = bytearray(self.random.choice(self._bases).text.encode())
        for _ in range(self.random.choice((1, 1, 1, 2, 5))):
            self.damage(data)
        if self.random.random() < 0.8:
            # What is no UTF-8 ends the connection, which is to happen now and then only.
            return data.decode(errors="ignore").encode()
        return bytes(data)

    def _restructured(self) -> bytes:
        base = self.random.choice(self._rich)
        edits = [self._edit(base) for _ in range(self.random.choice((1, 1, 1, 2, 3)))]
        text = base.text
        untouched = len(text)
        # From the end, so that what was found stays where it is; overlaps are left out.
        for start, end, new in sorted(edits, reverse=True):
            if end <= untouched:
                text = text[:start] + new + text[end:]
                untouched = start
        return text.encode()

    def _edit(self, base: _Parsed) -> tuple[int, int, str]:
        """Return a span of a text, and what stands there instead."""
        pick = self.random.choice
        kind = self.random.randrange(12)
        if kind < 5:
            return (*pick(base.values), pick(_STRANGE if kind < 2 else _UNUSUAL))
        if kind == 5:
            donor = pick(self._rich)
            start, end = pick(donor.values)
            return (*pick(base.values), donor.text[start:end])
        start, end = pick(base.members)
        member = base.text[start:end]
        if kind == 6:
            # A member less, with the comma behind it or before it, or with neither.
            if self.random.random() < 0.1:
                return start, end, ""
            if base.text[end : end + 1] == ",":
                return start, end + 1, ""
            return start - (base.text[start - 1 : start] == ","), end, ""
        if kind == 7:
            # Twice: with the same value, or another one.
            other = f"{member.partition(':')[0]}:{pick(_STRANGE)}" if ":" in member else member
            return start, end, f"{member},{pick((member, other))}"
        if kind == 8:
            return start, start, f'"{pick(_KEYS)}":{pick(_STRANGE)},'
        if kind == 9 and base.keys:
            return (*pick(base.keys), f'"{pick(_KEYS)}"')
        start, end = pick(base.values)
        value = base.text[start:end]
        if kind == 10:
            # Wrapped in an array, an object, a string of JSON; or in too much of that.
            quoted = json.dumps(value)
            layers = pick((1, 1, 20, 300, 600, 1200))
            deep = "[" * layers + value + "]" * layers
            fields = '{"a":' * layers + value + "}" * layers
            return start, end, pick((f"[{value}]", f'{{"a":{value}}}', quoted, deep, fields))
        return start, end, pick((value.strip('"'), f'"{value}"', f" \n\t{value} ", value * 2))

    def _nested(self) -> bytes:
        opening, closing = self.random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
        depth = self.random.choice((100,) * 4 + (500,) * 4 + (900,) * 4 + (1500, _DEPTH))
        closed = closing * depth if self.random.random() < 0.5 else ""
        nested = opening * depth + closed
        if self.random.random() < 0.5:
            return nested.encode()
        base = self.random.choice(self._rich)
        start, end = self.random.choice(base.values)
        return (base.text[:start] + nested + base.text[end:]).encode()

    def damage(self, data: bytearray) -> None:
        """Change bytes in one place."""
        size = len(data)
        at = self.random.randint(0, size)
        kind = self.random.randrange(7)
        if kind == 0 and at < size:
            data[at] ^= 1 << self.random.randrange(8)
        elif kind == 1 and at < size:
            data[at] = self.random.randrange(256)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + self.random.randint(1, 20)]
        elif kind == 4:
            data[at:at] = data[at : at + self.random.randint(1, 40)]
        elif kind == 5:
            donor = self.random.choice(self._bases).text.encode()
            data[at:] = donor[self.random.randint(0, len(donor)) :]
        else:
            data[at:at] = self.random.choice(_BYTES)
