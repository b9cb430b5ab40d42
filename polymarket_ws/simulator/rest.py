"""The REST answers of the simulated exchange: Gamma and CLOB on one port.

Pure: a request target in, status and JSON out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from polymarket_ws.simulator.catalogue import Occasion
from polymarket_ws.simulator.venue import Listing

__all__ = ["NO_STREAM", "NO_UPGRADE", "TOO_MANY", "Answer", "Directory", "answer"]


class Directory(Protocol):
    """What the answers are made from."""

    def listings(self) -> Sequence[Listing]:
        """Return every market, in a fixed order."""
        ...

    def rest_book(self, asset_id: str) -> str | None:
        """Spell the book of a token; None when there is none."""
        ...


@attrs.frozen
class Answer:
    """A response.

    Attributes:
        status: the HTTP status code.
        body: JSON.
        headers: what is to be said beside the usual.
    """

    status: int
    body: str
    headers: Mapping[str, str] = attrs.field(factory=dict)


#: What upgrades are answered that lead to no stream.
NO_STREAM = Answer(404, '{"error":"there is no such stream here"}')
NO_UPGRADE = Answer(426, '{"error":"this path only takes a WebSocket upgrade"}')
TOO_MANY = Answer(429, '{"error":"too many connections at once"}', {"Retry-After": "1"})

_NOT_FOUND = '{"error":"not found"}'
_NO_SLUG = '{"type":"not found error","error":"slug not found"}'


def answer(target: str, directory: Directory) -> Answer:
    """Answer a ``GET``.

    Args:
        target: path and query, as in the request line.
        directory: the markets.

    Returns:
        The live shapes, and 404 with a JSON body for what is not there.
    """
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    path = parts.path.rstrip("/") or "/"
    route = _ROUTES.get(path)
    if route is not None:
        return route(query, directory)
    rows = list(enumerate(directory.listings(), 1))
    if path.startswith("/markets/slug/"):
        slug = unquote(path.removeprefix("/markets/slug/"))
        for row in rows:
            if row[1].info.slug == slug:
                return Answer(200, _json(gamma_market(row, rows)))
        return Answer(404, _NO_SLUG)
    if path.startswith("/events/slug/"):
        slug = unquote(path.removeprefix("/events/slug/"))
        for members in _by_event(rows):
            if _occasion(members[0][1]).slug == slug:
                return Answer(200, _json(gamma_event(members)))
        return Answer(404, _NO_SLUG)
    return Answer(404, _NOT_FOUND)


Row = tuple[int, Listing]
"""A market and its number, from 1."""


def gamma_market(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """Return a market as Gamma does; three of its lists are JSON inside of strings.

    Args:
        row: the market.
        rows: every market, for the event that it belongs to.
    """
    market = _gamma_market(*row)
    slug = _occasion(row[1]).slug
    members = [other for other in rows if _occasion(other[1]).slug == slug]
    market["events"] = [_gamma_event(members)]
    return market


def gamma_event(members: Sequence[Row]) -> dict[str, Any]:
    """Return an event with its markets as Gamma does."""
    event = _gamma_event(members)
    event["markets"] = [_gamma_market(*row) for row in members]
    return event


def _occasion(listing: Listing) -> Occasion:
    # What is not known to belong to an event is one of its own, under its own address.
    info = listing.info
    own = Occasion(title=info.question, slug=info.slug, neg_risk=info.neg_risk)
    return listing.occasion or own


def _by_event(rows: Sequence[Row]) -> list[list[Row]]:
    events: dict[str, list[Row]] = {}
    for row in rows:
        events.setdefault(_occasion(row[1]).slug, []).append(row)
    return list(events.values())


def _gamma_market(number: int, listing: Listing) -> dict[str, Any]:
    info = listing.info
    market: dict[str, Any] = {
        "id": str(number),
        "question": info.question,
        "conditionId": info.condition_id,
        "slug": info.slug,
        "endDate": info.end_date,
        "description": "A market of the simulated exchange.",
        "outcomes": _json(list(info.outcomes)),
        "active": info.active,
        "closed": info.closed,
        "archived": False,
        "enableOrderBook": True,
        "clobTokenIds": _json(list(info.asset_ids)),
        "acceptingOrders": not info.closed,
        "negRisk": info.neg_risk,
    }
    if info.tick_size is not None:
        market["orderPriceMinTickSize"] = float(info.tick_size)
    if info.min_order_size is not None:
        size = info.min_order_size
        market["orderMinSize"] = int(size) if size == int(size) else float(size)
    if listing.item:
        market["groupItemTitle"] = listing.item
    if listing.last_trade_price is not None:
        market["lastTradePrice"] = float(listing.last_trade_price)
    if listing.winner is not None:
        won = [str(int(outcome == listing.winner)) for outcome in range(len(info.outcomes))]
        market["outcomePrices"] = _json(won)
    elif listing.best_bid is not None and listing.best_ask is not None:
        best_bid, best_ask = Decimal(listing.best_bid), Decimal(listing.best_ask)
        middle = (best_bid + best_ask) / 2
        market["outcomePrices"] = _json([format(middle, "f"), format(1 - middle, "f")])
        market["bestBid"] = float(best_bid)
        market["bestAsk"] = float(best_ask)
        market["spread"] = float(best_ask - best_bid)
    return market


def _gamma_event(members: Sequence[Row]) -> dict[str, Any]:
    number, first = members[0]
    occasion = _occasion(first)
    return {
        "id": str(number),
        "ticker": occasion.slug,
        "slug": occasion.slug,
        "title": occasion.title,
        "endDate": first.info.end_date,
        "active": any(listing.info.active for _, listing in members),
        "closed": all(listing.info.closed for _, listing in members),
        "archived": False,
        "negRisk": occasion.neg_risk,
    }


def _matches(listing: Listing, query: dict[str, list[str]]) -> bool:
    info = listing.info
    return info.condition_id in query.get("condition_ids", [info.condition_id]) and (
        "clob_token_ids" not in query or not set(info.asset_ids).isdisjoint(query["clob_token_ids"])
    )


def _wants_closed(query: dict[str, list[str]]) -> bool:
    # As live, closed markets are only shown on request, and then only these.
    return query.get("closed", ["false"])[-1].lower() == "true"


def _markets(query: dict[str, list[str]], directory: Directory) -> Answer:
    # As live, a key is repeated for several values.
    rows = list(enumerate(directory.listings(), 1))
    found = [
        row
        for row in rows
        if row[1].info.closed is _wants_closed(query)
        and row[1].info.slug in query.get("slug", [row[1].info.slug])
        and _matches(row[1], query)
    ]
    return Answer(200, _json([gamma_market(row, rows) for row in found]))


def _events(query: dict[str, list[str]], directory: Directory) -> Answer:
    found = []
    for members in _by_event(list(enumerate(directory.listings(), 1))):
        slug = _occasion(members[0][1]).slug
        if (
            all(listing.info.closed for _, listing in members) is _wants_closed(query)
            and slug in query.get("slug", [slug])
            and any(_matches(listing, query) for _, listing in members)
        ):
            found.append(gamma_event(members))
    return Answer(200, _json(found))


def _book(query: dict[str, list[str]], directory: Directory) -> Answer:
    token_id = query.get("token_id", [""])[-1]
    if not token_id:
        return Answer(400, '{"error":"Invalid token id"}')
    text = directory.rest_book(token_id)
    if text is None:
        return Answer(404, '{"error":"No orderbook exists for the requested token id"}')
    return Answer(200, text)


_ROUTES: dict[str, Callable[[dict[str, list[str]], Directory], Answer]] = {
    "/markets": _markets,
    "/events": _events,
    "/book": _book,
}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
