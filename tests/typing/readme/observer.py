import sys

from polymarket_ws import Client, LastTradePrice, Market, lookup

client = Client()


@client.on(LastTradePrice)
def traded(trade: LastTradePrice) -> None:
    print(trade.side, trade.size, "at", trade.price)


client.listen(Market(lookup(sys.argv[1])))
client.run()  # until Ctrl-C, client.close(), or an error that retrying cannot mend
