"""The ledger of one account: its orders, its trades, and what it is told about them.

Pure: chance comes from a seed and time from the caller. Orders of the account rest in the books of
the simulated markets, where the random traders meet them; each step of an order or a trade becomes
one event of the user channel, once, and is never replayed. REST knows the present state only.
"""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.ledger import mirrored
from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.stakes import Match, Part
from polymarket_ws.simulator.user_wire import (
    MakerState,
    OrderState,
    TradeState,
    order_frame,
    trade_frame,
)
from polymarket_ws.simulator.wire import Message

__all__ = ["Account", "Keys", "OrderType"]

OrderType = Literal["GTC", "FOK", "FAK"]

S = TypeVar("S")

_KILLED = {
    "FOK": "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
    "FAK": "CANCELED_no orders found to match with FAK order. FAK orders are partially filled or "
    "killed if no match is found.",
}

# Bounds the memory of an exchange that runs for weeks; what is not over is never forgotten.
_HISTORY = 100_000

# A block of the chain comes every two seconds; a few more of them make a trade final.
_MINED_MS, _FINAL_MS = 2_000, 6_000

_STEPS = {
    # status: what it becomes, what it becomes where the chain refuses, and how long after the match
    "MATCHED": ("MINED", "RETRYING", _MINED_MS),
    "MINED": ("CONFIRMED", "CONFIRMED", _FINAL_MS),
    "RETRYING": ("FAILED", "FAILED", _FINAL_MS),
}


class Keys:
    """What identifies the account. Not shown, so that it looks like real ones do in a log."""

    def __init__(self, rng: random.Random) -> None:
        self.api_key = _uuid(rng)
        self.secret = base64.urlsafe_b64encode(rng.randbytes(32)).decode()
        self.passphrase = f"{rng.getrandbits(256):064x}"
        self.address = _address(rng)


class Account:
    """Orders and trades of one account.

    Args:
        seed: of its keys and ids, and of what others in its trades are called.
    """

    def __init__(self, seed: int) -> None:
        self.keys = Keys(random.Random(f"{seed}/keys"))
        self._rng = random.Random(f"{seed}/account")
        self._orders: dict[str, OrderState] = {}
        self._open: dict[str, tuple[SimulatedMarket, int]] = {}
        self._trades: dict[str, TradeState] = {}
        self._pending: dict[str, TradeState] = {}
        self._events: list[tuple[str, str]] = []
        self._taking: OrderState | None = None
        self._refused = 0

    # -- what is asked ------------------------------------------------------------------

    @property
    def orders(self) -> Mapping[str, OrderState]:
        """Every order by its id, oldest first."""
        return self._orders

    @property
    def open_orders(self) -> Sequence[OrderState]:
        """The orders that rest, oldest first."""
        return [self._orders[order_id] for order_id in self._open]

    @property
    def trades(self) -> Mapping[str, TradeState]:
        """Every trade by its id, oldest first."""
        return self._trades

    def market_of(self, order_id: str) -> tuple[SimulatedMarket, int]:
        """Return the market and the outcome of an open order."""
        return self._open[order_id]

    def take_events(self) -> list[tuple[str, str]]:
        """Return condition id and frame of what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    # -- orders -------------------------------------------------------------------------

    def place(
        self,
        market: SimulatedMarket,
        outcome: int,
        *,
        side: str,
        price: int,
        size: int,
        order_type: OrderType,
        now_ms: int,
    ) -> tuple[str, list[Message]]:
        """Take an order: what crosses trades, and the rest rests, or is killed.

        Args:
            market: where.
            outcome: 0 or 1.
            side: ``BUY`` or ``SELL``.
            price: the limit in thousandths.
            size: in hundredths of a share.
            order_type: ``GTC`` rests; ``FOK`` is filled at once and as a whole, or not at
                all; ``FAK`` is filled as far as it can be at once.
            now_ms: Unix milliseconds.

        Returns:
            The order's id, and what the clients of the market channel hear.
        """
        info = market.info
        order = OrderState(
            id=self._hash(),
            owner=self.keys.api_key,
            maker_address=self.keys.address,
            market=info.condition_id,
            asset_id=info.asset_ids[outcome],
            outcome=info.outcomes[outcome],
            side=side,
            price=price,
            size=size,
            order_type=order_type,
            created_ms=now_ms,
        )
        at_once = market.crossing(outcome, side, price, size)
        _remember(self._orders, order.id, order, self._open)
        if order_type != "GTC" and at_once < (size if order_type == "FOK" else 1):
            order.status = _KILLED[order_type]
            self._tell_order(order, "CANCELLATION", now_ms)
            return order.id, []
        self._tell_order(order, "PLACEMENT", now_ms)
        market.stakes.owner = self
        self._taking = order
        try:
            wanted = size if order_type == "GTC" else at_once
            messages = market.submit(outcome, side, price, wanted, now_ms)
        finally:
            self._taking = None
        left = size - order.matched
        if left and order_type == "GTC":
            self._open[order.id] = (market, outcome)
            yes_side, yes_price = _of_first(outcome, side, price)
            level = market.ledger.ladder(yes_side).size(yes_price)
            market.stakes.add(order.id, yes_side, yes_price, left, level)
        elif left:
            order.status = "CANCELED"
            self._tell_order(order, "CANCELLATION", now_ms)
        return order.id, messages

    def cancel(self, order_id: str, now_ms: int) -> list[Message]:
        """Cancel what rests of an order; return what the market channel hears.

        Raises:
            UsageError: there is no such order, or it is not open (any more).
        """
        order = self._orders.get(order_id)
        if order is None:
            raise UsageError(f"the account has no order {order_id!r}")
        if order_id not in self._open:
            raise UsageError(f"the order {order_id} is not open any more: it is {order.status}")
        market, outcome = self._open.pop(order_id)
        market.stakes.withdraw(order_id)
        left = order.size - order.matched
        messages = market.cancel(outcome, order.side, order.price, left, now_ms)
        order.status = "CANCELED"
        self._tell_order(order, "CANCELLATION", now_ms)
        return messages

    def dissolved(self, market: SimulatedMarket, now_ms: int) -> None:
        """End every order in a market that is settled."""
        for order_id in [key for key, (its, _) in self._open.items() if its is market]:
            del self._open[order_id]
            self._orders[order_id].status = "CANCELED_MARKET_RESOLVED"
            self._tell_order(self._orders[order_id], "CANCELLATION", now_ms)

    # -- trades -------------------------------------------------------------------------

    def refuse_next(self, count: int) -> None:
        """Let the chain refuse the next ``count`` trades."""
        self._refused = count

    def matched(self, match: Match, now_ms: int) -> None:
        """Take note of a trade, if the account has a part in it."""
        taking = self._taking
        filled = [(part.order_id, part.size) for part in match.parts if part.order_id is not None]
        if taking is not None:
            filled.append((taking.id, match.size))
        if not filled:
            return
        info = match.market.info
        trade = TradeState(
            id=_uuid(self._rng),
            number=len(self._trades) + 1,
            taker_order_id=taking.id if taking else self._hash(),
            owner=taking.owner if taking else _uuid(self._rng),
            maker_address=taking.maker_address if taking else _address(self._rng),
            market=info.condition_id,
            asset_id=info.asset_ids[match.outcome],
            outcome=info.outcomes[match.outcome],
            side=match.side,
            price=match.price,
            size=match.size,
            trader_side="TAKER" if taking else "MAKER",
            makers=tuple(self._maker(match, part) for part in match.parts),
            matched_ms=now_ms,
            updated_ms=now_ms,
            transaction_hash=match.transaction_hash,
            fails=self._refused > 0,
        )
        self._refused = max(0, self._refused - 1)
        self._pending[trade.id] = trade
        _remember(self._trades, trade.id, trade, self._pending)
        self._tell_trade(trade)
        for order_id, size in filled:
            self._fill(self._orders[order_id], size, trade.id, now_ms)

    def advance(self, now_ms: int) -> None:
        """Let trades reach the chain, as far as they have by now."""
        for trade in self._due(now_ms):
            self._step(trade, now_ms)

    def finish(self, now_ms: int) -> None:
        """Let every trade reach its last status now, through each one before it."""
        while self._pending:
            for trade in list(self._pending.values()):
                self._step(trade, now_ms)

    def _due(self, now_ms: int) -> Iterable[TradeState]:
        # One status a call and trade: two of them never come in the same moment.
        for trade in list(self._pending.values()):
            if now_ms - trade.matched_ms >= _STEPS[trade.status][2]:
                yield trade

    def _step(self, trade: TradeState, now_ms: int) -> None:
        well, ill, _ = _STEPS[trade.status]
        trade.status = ill if trade.fails else well
        trade.updated_ms = now_ms
        if trade.status not in _STEPS:
            del self._pending[trade.id]
        self._tell_trade(trade)

    def _fill(self, order: OrderState, size: int, trade_id: str, now_ms: int) -> None:
        order.matched += size
        order.trades.append(trade_id)
        if order.matched == order.size:
            order.status = "MATCHED"
            self._open.pop(order.id, None)
        self._tell_order(order, "UPDATE", now_ms)

    def _maker(self, match: Match, part: Part) -> MakerState:
        info = match.market.info
        if part.order_id is not None:
            own = self._orders[part.order_id]
            outcome = info.asset_ids.index(own.asset_id)
            order_id, owner, address = own.id, own.owner, own.maker_address
            side, price = own.side, own.price
        else:
            order_id, owner, address = self._hash(), _uuid(self._rng), _address(self._rng)
            # Half of the others are on the other token: two buyers make a pair of tokens.
            outcome = self._rng.randrange(2)
            side, price = _of_first(outcome, part.side, part.price)
        return MakerState(
            order_id=order_id,
            owner=owner,
            maker_address=address,
            asset_id=info.asset_ids[outcome],
            outcome=info.outcomes[outcome],
            outcome_index=outcome,
            side=side,
            price=price,
            matched=part.size,
        )

    # -- how it is told -----------------------------------------------------------------

    def _tell_order(self, order: OrderState, kind: str, now_ms: int) -> None:
        self._events.append((order.market, order_frame(order, kind, now_ms)))

    def _tell_trade(self, trade: TradeState) -> None:
        self._events.append((trade.market, trade_frame(trade)))

    def _hash(self) -> str:
        return f"0x{self._rng.getrandbits(256):064x}"


def _remember(memory: dict[str, S], key: str, value: S, living: Container[str]) -> None:
    memory[key] = value
    oldest = next(iter(memory))
    if len(memory) > _HISTORY and oldest not in living:
        del memory[oldest]


def _of_first(outcome: int, side: str, price: int) -> tuple[str, int]:
    """Return side and price in terms of the first outcome, or back: it is its own inverse."""
    return (mirrored(side), wire.ONE - price) if outcome else (side, price)


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _address(rng: random.Random) -> str:
    return f"0x{rng.getrandbits(160):040x}"
