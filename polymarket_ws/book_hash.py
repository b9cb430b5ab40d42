"""The exchange's hash of an order book, and the search for what the stream leaves out.

The hash is the SHA-1 of one compact JSON object with fixed keys. A stream carries the
levels; ``min_order_size``, ``neg_risk``, the tick size (but for the opening book) and the
last trade price that the exchange used have to come from elsewhere, or be found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from typing import Literal

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.events.market import Level

__all__ = [
    "EXACT",
    "HashFacts",
    "HashFields",
    "book_hash",
    "fitting_facts",
    "hashed_levels",
    "padded_price",
    "wire_text",
]

HashFields = Literal["2026", "2024-12", "2024-11"]
"""Which keys are hashed: ten today, nine without ``last_trade_price`` from December 2024,
six without ``min_order_size``, ``tick_size`` and ``neg_risk`` before that."""

# A caller may have lowered the precision of its own decimal context; prices must not
# round, and an absurd number on the wire must not raise in the middle of a stream.
EXACT = Context(prec=50, traps=[])

_ONE = Decimal(1)
_THREE_DECIMALS = Decimal("0.000")

# Every tick size that the exchange has (official SDK 0.14, ``TickSize``), the ones that
# live markets had in captures first.
_TICK_SIZES = tuple(map(Decimal, ("0.001", "0.01", "0.1", "0.0001", "0.005", "0.0025")))

# 0.000 to 1.000: every price that three decimals can say, so the search has an end.
_TRADE_PRICES = tuple(f"{number // 1000}.{number % 1000:03d}" for number in range(1001))


@attrs.frozen
class HashFacts:
    """What is hashed and stands in no ``PriceChange``; ``None`` where it is not known."""

    min_order_size: Decimal
    tick_size: Decimal | None
    neg_risk: bool | None
    last_trade_price: Decimal | None


def wire_text(number: Decimal | None) -> str:
    """Return the digits as the wire has them; ``""`` is its word for none."""
    if number is None:
        return ""
    text = str(number)
    # str() is three times as fast as format(), and only wrong where it uses an exponent.
    return format(number, "f") if "E" in text else text


def padded_price(price: Decimal) -> Decimal:
    """Return a price as the exchange spells last trade prices, such as ``0.110``."""
    # Adding, not quantizing: a price with more than three decimals keeps them all.
    return EXACT.add(price, _THREE_DECIMALS)


def hashed_levels(
    market: str,
    asset_id: str,
    timestamp: int | None,
    bids: Sequence[Level],
    asks: Sequence[Level],
) -> str:
    """Return the first part of the hashed text, up to and with the levels.

    Args:
        market: the condition id.
        asset_id: the token.
        timestamp: Unix milliseconds of the last change.
        bids: best first; they are hashed worst first, as on the wire.
        asks: best first; they are hashed worst first, as on the wire.
    """
    # The order of the keys and the missing blanks are part of the hash.
    return (
        f'{{"market":{json.dumps(market)},"asset_id":{json.dumps(asset_id)},'
        f'"timestamp":"{"" if timestamp is None else timestamp}","hash":"",'
        f'"bids":[{_levels(bids)}],"asks":[{_levels(asks)}]'
    )


def book_hash(levels: str, facts: HashFacts, fields: HashFields = "2026") -> str:
    """Return the hash, 40 lower-case hex digits.

    Args:
        levels: what :func:`hashed_levels` returned.
        facts: the rest.
        fields: which keys are hashed.

    Raises:
        UsageError: the tick size or ``neg_risk`` is needed and not known.
    """
    _check(fields)
    if fields != "2024-11":
        if facts.tick_size is None or facts.neg_risk is None:
            unknown = "tick_size" if facts.tick_size is None else "neg_risk"
            raise UsageError(
                f"the hash needs {unknown}, which the stream has not told: "
                f"OrderBook(asset_id, {unknown}=…) or OrderBook.of(lookup(…), asset_id)"
            )
        levels += _market_facts(facts.min_order_size, facts.tick_size, neg_risk=facts.neg_risk)
    if fields == "2026":
        levels += f',"last_trade_price":"{wire_text(facts.last_trade_price)}"'
    return _digest(levels + "}").hexdigest()


def fitting_facts(
    wanted: str,
    levels: str,
    facts: HashFacts,
    trade_prices: Iterable[Decimal],
    fields: HashFields = "2026",
) -> HashFacts | None:
    """Return the facts with which the levels have the wanted hash, ``None`` if none do.

    Tried are the last trade price of ``facts``, then each of ``trade_prices`` and its
    complement, then 0.000 to 1.000; with every tick size and both values of
    ``neg_risk`` where those are not known. About a millisecond when nothing fits and
    both are known.

    Args:
        wanted: the hash from the wire.
        levels: what :func:`hashed_levels` returned.
        facts: what is known.
        trade_prices: likely last trade prices.
        fields: which keys are hashed.
    """
    _check(fields)
    if fields == "2024-11":
        return facts if _digest(levels + "}").hexdigest() == wanted else None
    begun = [
        (
            tick_size,
            neg_risk,
            _digest(levels + _market_facts(facts.min_order_size, tick_size, neg_risk=neg_risk)),
        )
        for tick_size in (_TICK_SIZES if facts.tick_size is None else (facts.tick_size,))
        for neg_risk in ((False, True) if facts.neg_risk is None else (facts.neg_risk,))
    ]
    size = facts.min_order_size
    if fields == "2024-12":
        for tick_size, neg_risk, digest in begun:
            digest.update(b"}")
            if digest.hexdigest() == wanted:
                return HashFacts(size, tick_size, neg_risk, facts.last_trade_price)
        return None
    for text in _price_texts(facts.last_trade_price, trade_prices):
        tail = f',"last_trade_price":"{text}"}}'.encode()
        for tick_size, neg_risk, digest in begun:
            # The levels are most of the text: they are digested once, not 1,001 times.
            attempt = digest.copy()
            attempt.update(tail)
            if attempt.hexdigest() == wanted:
                return HashFacts(size, tick_size, neg_risk, Decimal(text) if text else None)
    return None


def _price_texts(current: Decimal | None, likely: Iterable[Decimal]) -> Iterator[str]:
    yield wire_text(current)
    for price in likely:
        yield wire_text(padded_price(price))
        # The exchange may quote the trade in terms of the other outcome.
        yield wire_text(padded_price(EXACT.subtract(_ONE, price)))
    yield from _TRADE_PRICES


def _levels(best_first: Sequence[Level]) -> str:
    return ",".join(
        [
            f'{{"price":"{wire_text(level.price)}","size":"{wire_text(level.size)}"}}'
            for level in reversed(best_first)
        ]
    )


def _market_facts(min_order_size: Decimal, tick_size: Decimal, *, neg_risk: bool) -> str:
    return (
        f',"min_order_size":"{wire_text(min_order_size)}",'
        f'"tick_size":"{wire_text(tick_size)}","neg_risk":{"true" if neg_risk else "false"}'
    )


def _digest(text: str) -> hashlib._Hash:
    # FIPS builds of OpenSSL refuse SHA-1 unless told that it protects nothing.
    return hashlib.sha1(text.encode(), usedforsecurity=False)


def _check(fields: str) -> None:
    if fields not in ("2026", "2024-12", "2024-11"):
        raise UsageError(f'fields is "2026", "2024-12" or "2024-11", not {fields!r}')
