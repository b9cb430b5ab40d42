"""The resting orders of one market, seen from both of its outcomes.

Pure. One set of levels is kept, in terms of the first outcome; the second outcome is its mirror:
a bid for NO at 0.26 *is* an ask for YES at 0.74.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal

import attrs

from polymarket_ws.book_hash import HashFacts, book_hash, padded_price, wire_text
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import wire

__all__ = ["BUY", "SELL", "Ladder", "Ledger", "mirrored"]

BUY = "BUY"
SELL = "SELL"


def mirrored(side: str) -> str:
    """Return the other side."""
    return SELL if side == BUY else BUY


class Ladder:
    """One side of a ledger: levels in wire order, which is worst first and best last.

    Args:
        side: ``BUY`` for bids, ``SELL`` for asks, of the first outcome.
    """

    def __init__(self, side: str) -> None:
        self.side = side
        # Bids ascend and asks descend; with this sign both are plain ascending keys.
        self._sign = 1 if side == BUY else -1
        self._keys: list[int] = []
        self._sizes: dict[int, int] = {}
        # The two spellings of each level. A change touches one level, but every hash covers all
        # of them: rendering them again for each hash would be nine tenths of the work.
        self._own: dict[int, str] = {}
        self._mirror: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def best(self) -> int | None:
        """The best price in thousandths; None when the side is empty."""
        return self._keys[-1] * self._sign if self._keys else None

    @property
    def prices(self) -> list[int]:
        """Every price in thousandths, worst first."""
        return [key * self._sign for key in self._keys]

    def size(self, price: int) -> int:
        """Return what rests at ``price`` in hundredths of a share; 0 when nothing does."""
        return self._sizes.get(price * self._sign, 0)

    def set(self, price: int, size: int) -> None:
        """Make ``size`` the whole of what rests at ``price``; 0 removes the level."""
        key = price * self._sign
        known = key in self._sizes
        if size:
            if not known:
                insort(self._keys, key)
            self._sizes[key] = size
            self._own[key] = wire.level(price, size)
            self._mirror[key] = wire.level(wire.ONE - price, size)
        elif known:
            del self._keys[bisect_left(self._keys, key)]
            del self._sizes[key], self._own[key], self._mirror[key]

    def rendered(self, outcome: int) -> str:
        """Spell the levels in terms of ``outcome``, without the brackets around them."""
        texts = self._mirror if outcome else self._own
        return ",".join([texts[key] for key in self._keys])


class Ledger:
    """Both sides of a market, with the hash and time of the last change.

    Args:
        info: a market with two outcomes, ``tick_size`` and ``min_order_size``.
        last_trade: price of the last trade, in thousandths of the first outcome.
    """

    def __init__(self, info: MarketInfo, last_trade: int) -> None:
        if len(info.asset_ids) != 2 or info.tick_size is None or info.min_order_size is None:
            raise ValueError("a ledger needs two asset ids, a tick size and a minimum order size")
        self.info = info
        self.bids = Ladder(BUY)
        self.asks = Ladder(SELL)
        self.timestamp = 0
        self.hashes = ("", "")
        # Shared by both tokens and hashed with three decimals, as live.
        self._facts = HashFacts(
            info.min_order_size, info.tick_size, info.neg_risk, _dollars(last_trade)
        )

    @property
    def last_trade_price(self) -> str:
        """Price of the last trade, with three decimals; of the market, not of a token."""
        return wire_text(self._facts.last_trade_price)

    def traded(self, price: int) -> None:
        """Make ``price``, in thousandths of the taker's outcome, that of the last trade."""
        self._facts = attrs.evolve(self._facts, last_trade_price=_dollars(price))

    def change_tick_size(self, tick_size: Decimal) -> None:
        """Make ``tick_size`` part of the hashes; the books and their time stay."""
        self.info = attrs.evolve(self.info, tick_size=tick_size)
        self._facts = attrs.evolve(self._facts, tick_size=tick_size)
        self.seal(self.timestamp)

    def ladder(self, side: str) -> Ladder:
        """Return the bids for ``BUY``, the asks for ``SELL``, of the first outcome."""
        return self.bids if side == BUY else self.asks

    def top(self, outcome: int) -> tuple[int, int]:
        """Return best bid and best ask in thousandths; 0 and 1000 where a side is empty."""
        bid = self.bids.best
        ask = self.asks.best
        bid = 0 if bid is None else bid
        ask = wire.ONE if ask is None else ask
        return (wire.ONE - ask, wire.ONE - bid) if outcome else (bid, ask)

    def seal(self, timestamp: int) -> None:
        """Stamp what was changed and take the hashes of both outcomes."""
        self.timestamp = timestamp
        self.hashes = (self._digest(0), self._digest(1))

    def _digest(self, outcome: int) -> str:
        return book_hash(wire.unsealed(self._text(outcome)), self._facts)

    def opening(self, outcome: int) -> str:
        """Spell the book that answers a subscription."""
        return wire.opening_book(
            self._text(outcome),
            tick_size=wire_text(self._facts.tick_size),
            last_trade_price=self.last_trade_price,
        )

    def post_trade(self, outcome: int) -> str:
        """Spell the book that follows a trade."""
        return wire.post_trade_book(self._text(outcome))

    def rest(self, outcome: int) -> str:
        """Spell the answer to ``GET /book``."""
        return wire.rest_book(
            self._text(outcome),
            min_order_size=wire_text(self._facts.min_order_size),
            tick_size=wire_text(self._facts.tick_size),
            neg_risk=self.info.neg_risk,
            last_trade_price=self.last_trade_price,
        )

    def _text(self, outcome: int) -> wire.BookText:
        bids, asks = self.bids, self.asks
        if outcome:
            bids, asks = asks, bids
        return wire.BookText(
            market=self.info.condition_id,
            asset_id=self.info.asset_ids[outcome],
            timestamp=self.timestamp,
            hash=self.hashes[outcome],
            bids=bids.rendered(outcome),
            asks=asks.rendered(outcome),
        )


def _dollars(price: int) -> Decimal:
    return padded_price(Decimal(price).scaleb(-3))
