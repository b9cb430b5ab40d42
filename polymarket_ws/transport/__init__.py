"""How bytes move. Sockets live here, and only here is ``websocket`` imported."""
