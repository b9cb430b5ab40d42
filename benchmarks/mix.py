"""The traffic: synthetic frames, laid out as the live market channel lays them out.

88 % changes of two levels, 5 % books of 60 levels, 4 % trades, 3 % best quotes: what a
busy afternoon on the live channel looked like. The same seed gives the same frames.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator

__all__ = ["DESCRIPTION", "END", "SEED", "Mix", "asset_ids"]

SEED = 20_261_001
DESCRIPTION = "88 % price_change of two, 5 % book of 60 levels, 4 % trades, 3 % best_bid_ask"

#: The market of the last frame. No condition id is made of one digit.
END = "0x" + "f" * 64

#: Unix milliseconds of the first frame.
_START = 1_791_127_178_000

#: Weights of the shapes, out of 100.
_SHARES = {"price_change": 88, "book": 5, "last_trade_price": 4, "best_bid_ask": 3}


def asset_ids(count: int) -> list[str]:
    """Return token ids of 77 digits, two a market and those side by side."""
    return [
        str(10**76 + int.from_bytes(hashlib.sha256(b"token %d" % number).digest(), "big") % 10**76)
        for number in range(count)
    ]


def compact(value: object) -> bytes:
    """Return JSON as the live exchange spells it since October 2026."""
    return json.dumps(value, separators=(",", ":")).encode()


class Mix:
    """Messages about some tokens.

    Args:
        ids: the tokens; two neighbours are the outcomes of one market.
        seed: the same one gives the same messages.
    """

    def __init__(self, ids: list[str], seed: int = SEED) -> None:
        self._random = random.Random(seed)
        self._ids = ids
        self._markets = [
            "0x" + hashlib.sha256(ids[number - number % 2].encode()).hexdigest()
            for number in range(len(ids))
        ]
        self._now = _START

    def opening(self, levels: int = 60) -> list[dict[str, object]]:
        """Return the first book of each token, which are one array on the wire."""
        return [self._opening_book(number, levels) for number in range(len(self._ids))]

    def messages(self, count: int) -> Iterator[bytes]:
        """Yield ``count`` messages, of each sort exactly its share, shuffled."""
        sorts = [sort for sort, share in _SHARES.items() for _ in range(count * share // 100)]
        sorts += ["price_change"] * (count - len(sorts))
        self._random.shuffle(sorts)
        for sort in sorts:
            self._now += self._random.randrange(3)
            yield compact(getattr(self, f"_{sort}")(self._random.randrange(len(self._ids))))

    @staticmethod
    def end(ids: list[str]) -> bytes:
        """Return the message that says that nothing follows: a trade on an impossible market."""
        return compact(
            {
                "market": END,
                "asset_id": ids[0],
                "price": "0.5",
                "size": "1",
                "fee_rate_bps": "0",
                "side": "BUY",
                "timestamp": str(_START),
                "event_type": "last_trade_price",
                "transaction_hash": END,
            }
        )

    def _price(self) -> str:
        return format(self._random.randrange(1, 1000) / 1000, ".3f").rstrip("0")

    def _size(self) -> str:
        return format(self._random.randrange(1, 2_000_000) / 100, ".2f").rstrip("0").rstrip(".")

    def _hash(self, digits: int = 40) -> str:
        return format(self._random.getrandbits(4 * digits), f"0{digits}x")

    def _levels(self, count: int) -> dict[str, list[dict[str, str]]]:
        # Best prices last, as on the wire.
        middle = self._random.randrange(200, 800)
        prices = range(1, count // 2 + 1)
        return {
            "bids": [self._level(middle - 1 - step) for step in reversed(prices)],
            "asks": [self._level(middle + step) for step in reversed(prices)],
        }

    def _level(self, thousandths: int) -> dict[str, str]:
        price = format(thousandths / 1000, ".3f").rstrip("0")
        return {"price": price, "size": self._size()}

    def _opening_book(self, number: int, levels: int) -> dict[str, object]:
        return {
            "market": self._markets[number],
            "asset_id": self._ids[number],
            "timestamp": str(self._now),
            "hash": self._hash(),
            **self._levels(levels),
            "tick_size": "0.001",
            "event_type": "book",
            "last_trade_price": "0.110",
        }

    def _book(self, number: int) -> dict[str, object]:
        return {
            "market": self._markets[number],
            "asset_id": self._ids[number],
            **self._levels(60),
            "hash": self._hash(),
            "timestamp": str(self._now),
            "event_type": "book",
        }

    def _price_change(self, number: int) -> dict[str, object]:
        first = number - number % 2
        price = self._random.randrange(200, 800)
        size = self._size() if self._random.random() < 0.6 else "0"
        return {
            "market": self._markets[number],
            "price_changes": [
                {
                    "asset_id": self._ids[outcome],
                    "price": f"0.{thousandths:03d}".rstrip("0"),
                    "size": size,
                    "side": side,
                    "hash": self._hash(),
                    "best_bid": f"0.{thousandths + 3:03d}".rstrip("0"),
                    "best_ask": f"0.{thousandths + 4:03d}".rstrip("0"),
                }
                for outcome, thousandths, side in (
                    (first, price, "BUY"),
                    (min(first + 1, len(self._ids) - 1), 1000 - price, "SELL"),
                )
            ],
            "timestamp": str(self._now),
            "event_type": "price_change",
        }

    def _last_trade_price(self, number: int) -> dict[str, object]:
        return {
            "market": self._markets[number],
            "asset_id": self._ids[number],
            "price": self._price(),
            "size": format(self._random.randrange(1, 10**9) / 10**6, ".6f"),
            "fee_rate_bps": "0",
            "side": self._random.choice(("BUY", "SELL")),
            "timestamp": str(self._now),
            "event_type": "last_trade_price",
            "transaction_hash": "0x" + self._hash(64),
        }

    def _best_bid_ask(self, number: int) -> dict[str, object]:
        return {
            "market": self._markets[number],
            "asset_id": self._ids[number],
            "best_bid": self._price(),
            "best_ask": self._price(),
            "spread": "0.001",
            "timestamp": str(self._now),
            "event_type": "best_bid_ask",
        }
