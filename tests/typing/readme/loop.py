import sys

from polymarket_ws import Client, Market, lookup

market = lookup(sys.argv[1])  # the address of a market's page, its slug, or an id
print(market.question)

with Client() as client:
    for event in client.subscribe(Market(market)):
        print(event)
