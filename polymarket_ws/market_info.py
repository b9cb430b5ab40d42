"""What a market is: the facts that its events do not carry."""

from __future__ import annotations

from decimal import Decimal

import attrs

__all__ = ["MarketInfo"]


@attrs.frozen(kw_only=True)
class MarketInfo:
    """One market, as ``lookup`` found it.

    Attributes:
        question: what is asked.
        condition_id: ``0x`` and 64 hex digits; events call it ``market``.
        slug: the last part of its page's address.
        outcomes: such as ``("Yes", "No")``.
        asset_ids: one token an outcome, in the same order.
        tick_size: smallest price step at the moment of asking.
        min_order_size: in shares; part of the hash of a book.
        neg_risk: whether it is one of several exclusive markets; part of that hash.
        active: whether it was ever opened.
        closed: whether it is settled; a closed market sends nothing.
        end_date: ISO 8601 as Gamma gives it.
    """

    question: str
    condition_id: str
    slug: str = ""
    outcomes: tuple[str, ...] = ()
    asset_ids: tuple[str, ...] = ()
    tick_size: Decimal | None = None
    min_order_size: Decimal | None = None
    neg_risk: bool = False
    active: bool = True
    closed: bool = False
    end_date: str | None = None
