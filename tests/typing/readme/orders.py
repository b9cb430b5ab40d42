from polymarket_ws import Client, Credentials, Trade, User

credentials = Credentials.find()  # the environment, then the keyring

with Client(credentials) as client:
    for event in client.subscribe(User()):
        if isinstance(event, Trade):
            for fill in event.fills_of(credentials.api_key):
                print(event.status, fill.side, fill.size, "at", fill.price)
        else:
            print(event.type, event.side, event.size_matched, "of", event.original_size)
