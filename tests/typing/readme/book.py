import sys

from polymarket_ws import Client, Disconnected, Dropped, Market, OrderBook, lookup

market = lookup(sys.argv[1])
book = OrderBook.of(market, market.asset_ids[0])

with Client() as client:
    for event in client.subscribe(Market(book.asset_id)).all():
        if isinstance(event, (Disconnected, Dropped)):
            print("missed what came after this:", event)
        if book.apply(event) and book.state == "live":
            print(book.best_bid, book.best_ask)
