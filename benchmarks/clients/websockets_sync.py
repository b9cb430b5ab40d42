"""websockets' threaded client, with msgspec."""

from __future__ import annotations

from websockets.sync.client import connect

from benchmarks.clients import Take
from benchmarks.clients.bare import decode, first_frame


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    with connect(url, compression=None, max_size=None) as connection:
        connection.send(first_frame(ids))
        while True:
            event = decode(connection.recv(decode=False))
            if isinstance(event, list):
                for book in event:
                    take(book.market)
            elif take(event.market):
                return {}
