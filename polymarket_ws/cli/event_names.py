"""The names of events on the command line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from polymarket_ws.events.market import (
    BestBidAsk,
    Book,
    LastTradePrice,
    MarketEvent,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
)

__all__ = ["event_classes"]

_BY_WIRE_NAME: dict[str, type[MarketEvent]] = {
    "book": Book,
    "price_change": PriceChange,
    "last_trade_price": LastTradePrice,
    "tick_size_change": TickSizeChange,
    "best_bid_ask": BestBidAsk,
    "new_market": NewMarket,
    "market_resolved": MarketResolved,
}


def _plain(name: str) -> str:
    return name.strip().replace("_", "").lower()


_BY_PLAIN_NAME = {_plain(name): kind for name, kind in _BY_WIRE_NAME.items()}


def event_classes(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> frozenset[type[MarketEvent]]:
    """Return the classes in ``book,price_change`` or ``Book,PriceChange``, in any case.

    Raises:
        click.BadParameter: one of the names is none; the text lists those that there are.
    """
    kinds = set()
    for name in (name for value in values for name in value.split(",")):
        kind = _BY_PLAIN_NAME.get(_plain(name))
        if kind is None:
            known = ", ".join(_BY_WIRE_NAME)
            raise click.BadParameter(
                f"there is no event {name.strip()!r}; there are {known}", context, parameter
            )
        kinds.add(kind)
    return frozenset(kinds)
