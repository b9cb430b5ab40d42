"""Sound frames of both channels, to be broken: made here, and the captures where there are any."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from polymarket_ws.credentials import Credentials
from polymarket_ws.protocol.dialect import Dialect
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.user import UserDialect
from polymarket_ws.simulator.user_wire import (
    MakerState,
    OrderState,
    TradeState,
    order_frame,
    rest_order,
    rest_trade,
    trade_frame,
)
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import market_resolved, tick_size_change

__all__ = ["MARKET", "REST_ORDERS", "REST_TRADES", "USER", "Channel", "captured"]

_NOW = 1_791_128_503_230
_OWNER = "00000000-0000-0000-0000-000000000001"

#: Layouts that are no longer sent, and texts that are no JSON.
_OLD = (
    """{"asset_id":"7","market":"0x1","price":"0.5","size":"3","side":"BUY","hash":"0a",\
"timestamp":"1729084877448","event_type":"price_change"}""",
    """{"asset_id":"7","market":"0x1","hash":"0a","timestamp":"1729084877448",\
"changes":[{"price":"0.4","size":"3","side":"SELL"}],"event_type":"price_change"}""",
    """{"market":"0x1","asset_id":"7","buys":[{"price":".5","size":"3"}],"sells":[],"hash":""}""",
    r"""{"event_type":"new_market","id":1,"market":"","assets_ids":"[\"7\"]","outcomes":null,
"tags":["a"],"line":-1.5,"game_start_time":"2026-10-04 17:00:00+00","active":"true",
"fee_schedule":{"rate":0.1,"exponent":[1,{"a":null}]},"timestamp":1791128503}""",
)
_CONTROL = ("PONG", "", "NO NEW ASSETS", "INVALID OPERATION", "[]", "{}", "[]\n")


@attrs.frozen
class Channel:
    """One channel, and what is sent on it.

    Attributes:
        texts: sound frames, as text.
        ids: those that a consumer wants; not all that the texts name.
    """

    dialect: Dialect
    texts: tuple[str, ...]
    ids: tuple[str, ...]


def _market_texts(venue: SimulatedVenue) -> list[str]:
    """Return a few frames of every kind and size, each as short as its kind allows."""
    texts = [venue.dump(venue.infos[0].asset_ids)]
    by_kind: dict[str, list[str]] = {}
    for step in range(3000):
        for message in venue.step(_NOW + step):
            kind = json.loads(message.text)["event_type"]
            by_kind.setdefault(kind, []).append(message.text)
    for kind in sorted(by_kind):
        texts += sorted(by_kind[kind], key=len)[:: max(1, len(by_kind[kind]) // 12)]
    info = venue.infos[0]
    texts.append(tick_size_change(info.condition_id, info.asset_ids[0], "0.01", "0.001", _NOW))
    texts.append(
        market_resolved(
            number=1,
            market=info.condition_id,
            asset_ids=info.asset_ids,
            winning_asset_id=info.asset_ids[0],
            winning_outcome="Yes",
            timestamp=_NOW,
        )
    )
    return texts


def _orders() -> Iterator[OrderState]:
    for number, status in enumerate(("LIVE", "MATCHED", "CANCELED", "CANCELED_MARKET_RESOLVED")):
        yield OrderState(
            id=f"0x{number:064x}", owner=_OWNER, maker_address="0xaa", market="0x1",
            asset_id="7", outcome="Yes", side="BUY", price=480, size=1050, order_type="GTC",
            created_ms=_NOW, matched=500, status=status, trades=["t1", "t2"],
        )  # fmt: skip


def _trades() -> Iterator[TradeState]:
    maker = MakerState(
        order_id="0x02", owner=_OWNER, maker_address="0xbb", asset_id="8", outcome="No",
        outcome_index=1, side="BUY", price=520, matched=500,
    )  # fmt: skip
    for number, status in enumerate(("MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED")):
        yield TradeState(
            id=f"t{number}", number=number, taker_order_id="0x01", owner=_OWNER,
            maker_address="0xaa", market="0x1", asset_id="7", outcome="Yes", side="BUY",
            price=480, size=500, trader_side="TAKER", makers=(maker,) * number,
            matched_ms=_NOW, updated_ms=_NOW + number, transaction_hash="0xff", status=status,
        )  # fmt: skip


def _user_texts() -> list[str]:
    kinds = ("PLACEMENT", "UPDATE", "CANCELLATION")
    texts = [order_frame(order, kind, _NOW) for order in _orders() for kind in kinds]
    texts += [trade_frame(trade) for trade in _trades()]
    return [*texts, f"[{texts[0]},{texts[-1]}]"]


def _market() -> Channel:
    venue = SimulatedVenue(7, markets=2, now_ms=_NOW)
    # Not those of the second market: what nobody asked for may come, too.
    wanted = (*venue.infos[0].asset_ids, "7")
    return Channel(MarketDialect(), (*_market_texts(venue), *_OLD, *_CONTROL), wanted)


def _user() -> Channel:
    credentials = Credentials(api_key=_OWNER, secret="c2VjcmV0", passphrase="p")
    return Channel(UserDialect(credentials), (*_user_texts(), *_CONTROL), ("0x1",))


MARKET = _market()
USER = _user()

#: What REST answers with, one order or trade a text.
REST_ORDERS = tuple(json.dumps(rest_order(order)) for order in _orders())
REST_TRADES = tuple(json.dumps(rest_trade(trade)) for trade in _trades())


def captured(wire: Path) -> Channel:
    """Return the market channel with the frames that were captured below ``wire``."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted(wire.glob("samples/clob_market/*"))
        if not path.name.startswith("client_")
    ]
    for path in sorted(wire.glob("recordings/clob_market__*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            frame = json.loads(line)
            if frame["kind"] == "recv":
                texts.append(frame["text"])
    named = set(re.findall(r'"asset_id": ?"(\d+)"', "".join(texts)))
    return Channel(MarketDialect(), tuple(texts), tuple(sorted(named)))
