"""The events of the user channel: what became of the user's own orders.

Field facts are those of captures from 2024 to 2026. All times are Unix milliseconds as
``int``; the wire mixes seconds and milliseconds. A field that is ``None`` was not on the
wire; a number or time is ``None`` where the wire had ``""``, too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import attrs

from polymarket_ws.events.event import Event, aware_time, one_line, plain, short

__all__ = ["Fill", "MakerOrder", "Order", "Trade", "UserEvent"]


def _begins(api_key: str | None) -> str:
    """Return how an owner is shown: it is an API key, one of the three secrets."""
    return "None" if api_key is None else repr(f"{api_key[:4]}…")


@attrs.frozen(kw_only=True)
class UserEvent(Event):
    """Base of the events of the user channel.

    Attributes:
        market: the condition id.
        timestamp: the exchange's Unix milliseconds.
        recovered: whether it was fetched over REST because the stream missed it: its state
            is the one at the time of fetching, and steps between are not known.
    """

    market: str
    timestamp: int | None = None
    recovered: bool = False

    @property
    def condition_id(self) -> str:
        """``market`` under the name that it has elsewhere."""
        return self.market

    @property
    def time(self) -> datetime | None:
        """``timestamp`` as an aware UTC ``datetime``."""
        return aware_time(self.timestamp)


@attrs.frozen(kw_only=True)
class Order(UserEvent):
    """One of the user's orders was placed, matched or cancelled.

    Attributes:
        type: ``PLACEMENT``, ``UPDATE`` (a match, partial or full) or ``CANCELLATION``.
        id: the order's hash.
        asset_id: the token.
        side: ``BUY`` or ``SELL``.
        price: the limit.
        original_size: shares at first.
        size_matched: shares filled so far.
        status: as on the wire, which is free text for some cancellations.
        order_type: ``GTC``, ``GTD``, ``FOK``, ``FAK`` or ``IOC``.
        owner: the API key that owns the order.
        associate_trades: ids of the trades that filled it.
        created_at: Unix milliseconds.
        expiration: Unix milliseconds; ``None`` for none (the wire's ``"0"``).
        maker_address: the funder.
    """

    event_type: Literal["order"] = "order"
    type: str = ""
    id: str
    asset_id: str
    side: str
    price: Decimal
    original_size: Decimal
    size_matched: Decimal | None = None
    status: str | None = None
    order_type: str | None = None
    outcome: str | None = None
    owner: str | None = attrs.field(default=None, repr=_begins)
    order_owner: str | None = attrs.field(default=None, repr=_begins)
    maker_address: str | None = None
    associate_trades: tuple[str, ...] = ()
    created_at: int | None = None
    expiration: int | None = None

    def __str__(self) -> str:
        filled = f"{plain(self.size_matched)} of {plain(self.original_size)}"
        line = f"Order {short(self.id)} {self.type} {self.side} {filled} @ {plain(self.price)}"
        return one_line(f"{line} {self.status or ''}") + _mark(self)


@attrs.frozen(kw_only=True)
class MakerOrder:
    """One resting order that a trade filled, the user's own or somebody else's.

    It may be on the other outcome's token (mint and merge).
    """

    order_id: str
    owner: str | None = attrs.field(default=None, repr=_begins)
    maker_address: str | None = None
    matched_amount: Decimal
    price: Decimal
    fee_rate_bps: Decimal | None = None
    asset_id: str
    outcome: str | None = None
    outcome_index: int | None = None
    side: str | None = None


@attrs.frozen(kw_only=True)
class Fill:
    """The part of one trade that fell to one API key.

    Attributes:
        trade_id: the trade.
        order_id: which of the user's orders was filled.
        role: ``TAKER`` or ``MAKER``.
        side: of the user's order; ``None`` where an old wire did not tell a maker's.
    """

    trade_id: str
    order_id: str
    role: Literal["TAKER", "MAKER"]
    asset_id: str
    outcome: str | None
    side: str | None
    price: Decimal
    size: Decimal


@attrs.frozen(kw_only=True)
class Trade(UserEvent):
    """A trade that one of the user's orders took part in. Sent again for each status.

    ``asset_id``, ``side``, ``price`` and ``size`` are the taker's, whoever that was: what
    the user got is in :meth:`fills_of`.

    Attributes:
        id: the trade; ``(id, status)`` tells one message from the next.
        status: ``MATCHED``, ``MINED``, ``CONFIRMED``, or ``RETRYING``, ``FAILED``.
        match_time: Unix milliseconds.
        last_update: Unix milliseconds.
        transaction_hash: ``""`` until mined.
        trader_side: ``TAKER`` or ``MAKER``: the user's role.
    """

    event_type: Literal["trade"] = "trade"
    type: str = ""
    id: str
    taker_order_id: str | None = None
    asset_id: str
    side: str
    size: Decimal
    price: Decimal
    fee_rate_bps: Decimal | None = None
    status: str
    match_time: int | None = None
    last_update: int | None = None
    outcome: str | None = None
    owner: str | None = attrs.field(default=None, repr=_begins)
    trade_owner: str | None = attrs.field(default=None, repr=_begins)
    maker_address: str | None = None
    transaction_hash: str | None = None
    bucket_index: int | None = None
    maker_orders: tuple[MakerOrder, ...] = ()
    trader_side: str | None = None

    def fills_of(self, api_key: str) -> tuple[Fill, ...]:
        """Return what fell to ``api_key``, as taker or in ``maker_orders``.

        Both at once is possible: a taker may meet resting orders of its own key.
        """
        fills = [
            Fill(
                trade_id=self.id,
                order_id=maker.order_id,
                role="MAKER",
                asset_id=maker.asset_id,
                outcome=maker.outcome,
                side=maker.side,
                price=maker.price,
                size=maker.matched_amount,
            )
            for maker in self.maker_orders
            if _same(maker.owner, api_key)
        ]
        taker = self.trade_owner
        if not taker:
            # REST has no trade_owner, and its owner may be whom the answer is for: no taker
            # where that one is a maker.
            taker = None if fills and (self.trader_side or "").upper() == "MAKER" else self.owner
        if not _same(taker, api_key):
            return tuple(fills)
        taken = Fill(
            trade_id=self.id,
            order_id=self.taker_order_id or "",
            role="TAKER",
            asset_id=self.asset_id,
            outcome=self.outcome,
            side=self.side,
            price=self.price,
            size=self.size,
        )
        return (taken, *fills)

    def __str__(self) -> str:
        line = f"{self.status} {self.side} {plain(self.size)} @ {plain(self.price)}"
        return one_line(f"Trade {short(self.id)} {line}") + _mark(self)


def _mark(event: UserEvent) -> str:
    return " (recovered)" if event.recovered else ""


def _same(owner: str | None, api_key: str) -> bool:
    # UUIDs: their letters may come in either case.
    return owner is not None and owner != "" and owner.lower() == api_key.lower()
