"""Cells of a notebook: who trades at which price.

Open it in Jupyter or an editor that knows ``# %%`` cells, or run it whole. Without an address it
takes a market of an exchange that runs inside this process.
"""

# %% Choose a market
from __future__ import annotations

import sys
from decimal import Decimal

from polymarket_ws import Client, Endpoints, LastTradePrice, Market, OrderBook, lookup

what = sys.argv[1] if len(sys.argv) > 1 else None
if what is None:
    from polymarket_ws.simulator import Exchange

    exchange = Exchange(rate=500)
    exchange.start()
    endpoints = Endpoints.at(exchange.url)
    market = exchange.markets[0]
else:
    endpoints = Endpoints()
    market = lookup(what)
print(market.question)

# %% Listen. Running this cell again closes nothing and loses nothing: the stream goes on
client = Client(endpoints=endpoints)
stream = client.subscribe(Market(market))
books = {asset_id: OrderBook.of(market, asset_id) for asset_id in market.asset_ids}

# %% Collect 50 trades. Run it again for the next 50; the kernel's stop button loses none
trades: list[LastTradePrice] = []
for event in stream.all():
    for book in books.values():
        book.apply(event)
    if isinstance(event, LastTradePrice):
        trades.append(event)
        if len(trades) == 50:
            break

# %% Look at them
names = dict(zip(market.asset_ids, market.outcomes, strict=True))
shares: dict[str, Decimal] = {}
paid: dict[str, Decimal] = {}
for trade in trades:
    key = f"{trade.side} {names[trade.asset_id]}"
    shares[key] = shares.get(key, Decimal(0)) + trade.size
    paid[key] = paid.get(key, Decimal(0)) + trade.price * trade.size
for key, count in sorted(shares.items()):
    print(f"{key:9} {count:12.2f} shares, {paid[key] / count:.3f} on average")

# %% And at the book, which is exact as long as it says that it is live
for asset_id, book in books.items():
    print(f"{names[asset_id]}: {book.state}, {book.snapshot(allow_stale=True).midpoint}")

# %% Done
client.close()
if what is None:
    exchange.close()
