"""What a screen shows of an account, folded from the events of its stream.

Pure: no clock, terminal or network. Whoever reads events says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import attrs

from polymarket_ws.cli.watching.connections import Connections, Link, Status, Tone
from polymarket_ws.cli.watching.figures import ago, printable, span
from polymarket_ws.cli.watching.history import LagMeter
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import Connected, Lifecycle, RecoveryFailed
from polymarket_ws.events.user import Fill, Order, Trade
from polymarket_ws.market_info import MarketInfo

__all__ = ["AccountState", "End", "FillState", "OrderState", "Step"]

#: As often as the lag of a market is read: a number that changes more often cannot be read.
READING_SECONDS = 0.5

#: More than the tallest screen shows. Open orders are kept however many they are.
_ENDED_ROWS = 200
_FILL_ROWS = 500

#: Nothing comes after these, whatever arrives late.
_FINAL = frozenset(("CONFIRMED", "FAILED"))

_KILLED_AT_ONCE = frozenset(("FOK", "FAK", "IOC"))

_CANCELLED = "CANCEL"
_OVER = ("INVALID", "UNMATCHED", "EXPIRED")

End = Literal["", "filled", "cancelled"]


@attrs.frozen
class Step:
    """One word of an order's way.

    Attributes:
        word: ``placed``, ``partly``, ``filled``, ``cancelled``, ``killed``, or the exchange's.
        recovered: fetched after a gap: there may have been others before it.
    """

    word: str
    recovered: bool = False


@attrs.define(eq=False)
class OrderState:
    """One order.

    Attributes:
        id: its hash.
        market: the condition id.
        outcome: of its token.
        side: ``BUY`` or ``SELL``.
        price: the limit.
        size: shares at first.
        matched: shares filled.
        order_type: ``GTC``, …; empty where the wire had none.
        at: Unix seconds of the last step.
        way: the steps so far, the first one first; none follows one like it.
        end: how it ended; empty as long as it is open.
    """

    id: str
    market: str
    outcome: str
    side: str
    price: Decimal
    size: Decimal
    matched: Decimal
    order_type: str
    at: float
    way: tuple[Step, ...] = ()
    end: End = ""

    @property
    def filled(self) -> float:
        """Which part of it is filled, 0 to 1."""
        if self.size <= 0:
            return 0.0
        return float(min(self.matched / self.size, Decimal(1)))


@attrs.define(eq=False)
class FillState:
    """What a trade meant for one of the user's orders.

    Attributes:
        fill: the part of the trade.
        market: the condition id.
        at: Unix seconds of the match.
        status: ``MATCHED``, ``MINED``, ``CONFIRMED``, ``RETRYING`` or ``FAILED``.
        recovered: whether that was fetched after a gap.
    """

    fill: Fill
    market: str
    at: float
    status: str
    recovered: bool = False


class AccountState(Connections):
    """Everything that is shown.

    Args:
        api_key: whose fills are shown.
        infos: markets whose names are known.
        where: the exchange, as the screen names it.
        now: monotonic seconds.
    """

    def __init__(self, api_key: str, infos: Iterable[MarketInfo], where: str, now: float) -> None:
        super().__init__(where)
        self.fills: dict[tuple[str, str, str], FillState] = {}
        self.recovers: bool | None = None
        self.unrecovered = 0
        self.filled = 0
        self.cancelled = 0
        self.lag = LagMeter()
        self.scrolled = 0
        self._api_key = api_key
        self._open: dict[str, OrderState] = {}
        self._ended: dict[str, OrderState] = {}
        self._names = {
            info.condition_id.lower(): printable(info.question) or info.slug for info in infos
        }
        self._next_reading = now
        self._following[RecoveryFailed] = self._unrecovered

    # -- folding -------------------------------------------------------------------------

    def apply(self, event: Event, now: float, wall: float) -> None:
        """Fold one event.

        Args:
            event: of the stream, in its order.
            now: monotonic seconds.
            wall: Unix seconds.
        """
        if isinstance(event, Lifecycle):
            self.follow(event, now)
            if isinstance(event, Connected):
                self.recovers = event.recovers
            return
        if isinstance(event, Order):
            self._fold_order(event, wall)
        elif isinstance(event, Trade):
            self._fold_trade(event, wall)
        else:
            return
        # What was recovered is old, and a time in whole seconds tells no lag.
        timestamp = event.timestamp
        if timestamp is not None and timestamp % 1000 and not event.recovered and event.received_at:
            self.lag.add(event.received_at * 1000 - timestamp)

    def _fold_order(self, event: Order, wall: float) -> None:
        order = self._open.get(event.id) or self._ended.get(event.id)
        if order is None:
            order = OrderState(
                id=event.id,
                market=event.market,
                outcome=printable(event.outcome or ""),
                side=printable(event.side).upper(),
                price=event.price,
                size=event.original_size,
                matched=Decimal(0),
                order_type=printable(event.order_type or "").upper(),
                at=wall,
            )
            self._open[event.id] = order
        # Late is not less: shares that were filled stay filled.
        order.matched = max(order.matched, event.size_matched or Decimal(0))
        if order.end:
            return
        if event.timestamp is not None:
            order.at = event.timestamp / 1000
        elif event.recovered:
            order.at = wall
        word, order.end = _step(event, order)
        if not order.way or order.way[-1].word != word:
            order.way += (Step(word, event.recovered),)
        if order.end:
            self._finish(order)

    def _finish(self, order: OrderState) -> None:
        del self._open[order.id]
        self._ended[order.id] = order
        if order.end == "filled":
            self.filled += 1
        else:
            self.cancelled += 1
        if len(self._ended) > _ENDED_ROWS:
            del self._ended[next(iter(self._ended))]

    def _fold_trade(self, event: Trade, wall: float) -> None:
        status = printable(event.status).upper()
        at = event.timestamp if event.match_time is None else event.match_time
        for fill in event.fills_of(self._api_key):
            key = (fill.trade_id, fill.order_id, fill.role)
            known = self.fills.get(key)
            if known is None:
                self.fills[key] = FillState(
                    fill, event.market, wall if at is None else at / 1000, status, event.recovered
                )
            elif known.status not in _FINAL:
                known.status = status
                known.recovered |= event.recovered
        while len(self.fills) > _FILL_ROWS:
            del self.fills[next(iter(self.fills))]

    def _unrecovered(self, event: RecoveryFailed, now: float) -> None:
        self.unrecovered += 1
        missing = f"fills of {span((event.until - event.since) / 1000)} may be missing"
        self.tell(f"{missing}, asking again: {event.error}".rstrip(": "), now, "bad")

    # -- reading -------------------------------------------------------------------------

    def tick(self, now: float) -> bool:
        """Read the lag when it is time; return whether it was."""
        if now < self._next_reading:
            return False
        self._next_reading = now + READING_SECONDS
        self.lag.read()
        return True

    def select(self, step: int) -> None:
        """Scroll the orders by that many lines."""
        most = max(0, len(self._open) + len(self._ended) - 1)
        self.scrolled = min(max(0, self.scrolled + step), most)

    @property
    def open_count(self) -> int:
        """How many orders are open, of those that were heard of."""
        return len(self._open)

    @property
    def orders(self) -> list[OrderState]:
        """The open ones, then those that ended; the newest of each first."""
        return [*reversed(self._open.values()), *reversed(self._ended.values())]

    @property
    def last_fills(self) -> list[FillState]:
        """The fills, the newest first."""
        return list(reversed(self.fills.values()))

    def name_of(self, market: str) -> str:
        """Return a market's question, or the beginning of its condition id."""
        return self._names.get(market.lower()) or f"{market[:8]}…"

    @property
    def link_word(self) -> tuple[str, Tone]:
        """The state of the connection in a word or two."""
        word, tone = super().link_word
        return (word, "bad") if self.unrecovered and tone == "good" else (word, tone)

    def reconnected(self, link: Link, now: float) -> Status:
        """Return what there is to say of a connection that has just come back."""
        newest = self._newest(now)
        if newest is not None:
            return newest  # that its gap could not be recovered
        back, gap = ago(now - link.since), span(link.gap_seconds)
        if self.recovers:
            return Status(f"reconnected {back}, what {gap} hid is recovered (*)", "bad")
        return Status(
            f"reconnected {back}, what {gap} hid is missing: the key has no address", "bad"
        )

    @property
    def missed(self) -> str:
        """What was missed so far, all in all."""
        parts = []
        if self.gaps:
            gaps = "1 gap" if self.gaps == 1 else f"{self.gaps:,} gaps"
            parts.append(gaps if self.recovers else f"{gaps}: {span(self.missed_seconds)} missed")
        if self.unrecovered:
            parts.append(f"{self.unrecovered:,} not recovered in time")
        if self.dropped:
            parts.append(f"{self.dropped:,} dropped")
        return ", ".join(parts) or "nothing missed"


def _step(event: Order, order: OrderState) -> tuple[str, End]:
    """Return the word for what an order has come to, and whether it is over."""
    status = (event.status or "").upper()
    if event.type.upper() == "CANCELLATION" or status.startswith(_CANCELLED):
        at_once = order.order_type in _KILLED_AT_ONCE
        return ("killed" if at_once else "cancelled"), "cancelled"
    if order.matched >= order.size > 0:
        return "filled", "filled"
    if status.startswith(_OVER):
        return printable(status.lower()), "cancelled"
    if order.matched > 0:
        return "partly", ""
    if status in ("", "LIVE", "MATCHED"):
        return "placed", ""
    return printable(status.lower()), ""
