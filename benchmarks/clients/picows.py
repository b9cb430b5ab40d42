"""picows: frames cut in C, no thread and no queue, msgspec in the callback. A practical limit."""

from __future__ import annotations

import asyncio
import ssl

import picows

from benchmarks.clients import Take
from benchmarks.clients.bare import decode, first_frame


def run(url: str, ids: list[str], take: Take) -> dict[str, float]:
    """See the package."""
    asyncio.run(_listen(url, ids, take))
    return {}


async def _listen(url: str, ids: list[str], take: Take) -> None:
    ended = asyncio.Event()

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            transport.send(picows.WSMsgType.TEXT, first_frame(ids).encode())

        def on_ws_frame(self, _: picows.WSTransport, frame: picows.WSFrame) -> None:
            event = decode(frame.get_payload_as_bytes())
            if isinstance(event, list):
                for book in event:
                    take(book.market)
            elif take(event.market):
                ended.set()

    context = ssl.create_default_context() if url.startswith("wss:") else None
    transport, _ = await picows.ws_connect(Listener, url, ssl_context=context)
    await ended.wait()
    transport.disconnect()
