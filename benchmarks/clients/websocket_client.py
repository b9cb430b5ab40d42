"""websocket-client's own receive path, with msgspec."""

from __future__ import annotations

from websocket import create_connection

from benchmarks.clients import Take
from benchmarks.clients.bare import decode, first_frame


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    # Its check of UTF-8 is Python, 100 µs for 300 bytes; nobody who measures leaves it on.
    connection = create_connection(url, skip_utf8_validation=True)
    connection.send(first_frame(ids))
    while True:
        _, raw = connection.recv_data()
        event = decode(raw)
        if isinstance(event, list):
            for book in event:
                take(book.market)
        elif take(event.market):
            break
    connection.close()
    return {}
