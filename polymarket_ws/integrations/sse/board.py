"""One market as browsers see it: its books of this moment, and its trades of late. Pure.

What happens between two calls of :meth:`Board.flush` is folded: of a book only the newest state
is told, once for all browsers and rendered once. Trades are told one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from polymarket_ws.book import OrderBook
from polymarket_ws.events.event import Event
from polymarket_ws.events.market import LastTradePrice, MarketResolved, TickSizeChange
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.ring import Frame, Ring
from polymarket_ws.market_info import MarketInfo

__all__ = ["Board"]

#: Trades of a busy market over several minutes, about 300 bytes each.
_MOST_FRAMES: Final = 1024
_MOST_BYTES: Final = 1024 * 1024

_ONE: Final = Decimal(1)


class _Token:
    """One outcome: its book, and how it was shown last."""

    __slots__ = (
        "asset_id",
        "book",
        "changed",
        "last_trade_price",
        "outcome",
        "received_at",
        "shown",
    )

    def __init__(self, market: MarketInfo, asset_id: str, outcome: str | None) -> None:
        self.asset_id = asset_id
        self.outcome = outcome
        self.book = OrderBook.of(market, asset_id)
        self.last_trade_price: Decimal | None = None
        self.received_at = 0.0
        self.changed = False
        self.shown: Frame | None = None

    def body(self, market: str) -> bytes:
        return payloads.book(
            self.book.snapshot(allow_stale=True),
            market=market,
            outcome=self.outcome,
            last_trade_price=self.last_trade_price,
            received_at=self.received_at,
        )


class Board:
    """One market.

    Args:
        info: the market.
        since: the number of the newest frame of the process when this board begins.
    """

    def __init__(self, info: MarketInfo, *, since: int) -> None:
        self.info = info
        self.market = info.condition_id
        outcomes = info.outcomes or (None,) * len(info.asset_ids)
        self._tokens = {
            asset_id: _Token(info, asset_id, outcome)
            for asset_id, outcome in zip(info.asset_ids, outcomes, strict=True)
        }
        self._told: list[bytes] = []
        #: How the market was settled, once it was.
        self.settlement: MarketResolved | None = None
        self._resolution: bytes | None = None
        self._shown_resolution: bytes | None = None
        self.ring = Ring(most_frames=_MOST_FRAMES, most_bytes=_MOST_BYTES, since=since)
        #: The number of the newest frame.
        self.newest = since

    def apply(self, event: Event) -> bool:
        """Take an event of the stream; return whether there is something to flush."""
        if isinstance(event, LastTradePrice):
            token = self._tokens.get(event.asset_id)
            outcome = None if token is None else token.outcome
            self._told.append(payloads.trade(event, market=self.market, outcome=outcome))
            self._note_price(event)
        elif isinstance(event, TickSizeChange):
            # These are known to come twice, as the next ones are.
            token = self._tokens.get(event.asset_id)
            if token is not None and token.book.tick_size != event.new_tick_size:
                self._told.append(payloads.tick_size(event, market=self.market))
        elif isinstance(event, MarketResolved) and not self._resolved:
            self.settlement = event
            self._resolution = payloads.resolved(event, market=self.market)
            self._told.append(self._resolution)
        changed = bool(self._told)
        for token in self._tokens.values():
            if token.book.apply(event):
                token.changed = changed = True
                if event.received_at:
                    token.received_at = event.received_at
        return changed

    @property
    def _resolved(self) -> bool:
        return all(token.book.resolved for token in self._tokens.values())

    def _note_price(self, event: LastTradePrice) -> None:
        for token in self._tokens.values():
            if token.asset_id == event.asset_id:
                price = event.price
            elif len(self._tokens) == 2:
                # Of two outcomes the other one was traded for what is left to 1.
                price = _ONE - event.price
            else:
                continue
            if price != token.last_trade_price:
                token.last_trade_price = price
                token.changed = True

    def flush(self, number: Callable[[bytes], Frame]) -> None:
        """Make frames of what happened since the last time.

        Args:
            number: makes the next frame of the process out of a body.
        """
        told, self._told = self._told, []
        self._shown_resolution = self._resolution
        for body in told:
            frame = number(body)
            self.ring.put(frame)
            self.newest = frame.number
        for token in self._tokens.values():
            if token.changed:
                token.changed = False
                token.shown = frame = number(token.body(self.market))
                self.newest = frame.number

    def states(self) -> list[bytes]:
        """Return the body of each book as it was shown last, and who won, once that was shown."""
        states = [
            token.body(self.market) if token.shown is None else token.shown.body
            for token in self._tokens.values()
        ]
        return states if self._shown_resolution is None else [*states, self._shown_resolution]

    def since(self, number: int) -> list[Frame]:
        """Return what came after ``number``: what is in the ring, and the newest books."""
        frames = self.ring.since(number)
        frames += [
            token.shown
            for token in self._tokens.values()
            if token.shown is not None and token.shown.number > number
        ]
        return frames
