"""Which connections to the exchange are lost at the moment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_ws.events.lifecycle import Connected, Disconnected, Lifecycle
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.notices import Render

if TYPE_CHECKING:
    from polymarket_ws.integrations.sse.browser import Browser

__all__ = ["Outages"]


class Outages:
    """What is lost, for browsers that come meanwhile."""

    def __init__(self) -> None:
        #: By channel and number; 0 for a connection that never was.
        self._lost: dict[tuple[str, int], Disconnected] = {}

    def note(self, event: Lifecycle) -> Render | None:
        """Note what is lost and what is back; return how to tell of what was never there."""
        place = (event.channel, event.connection)
        if isinstance(event, Disconnected):
            self._lost[place] = event
        elif isinstance(event, Connected):
            late = self._lost.pop((event.channel, 0), None)
            self._lost.pop(place, None)
            if late is not None:
                return lambda own: payloads.reconnected(event, own)
        return None

    def forget(self, channel: str) -> None:
        """Forget what is lost of a channel that nobody listens to any more."""
        for place in [place for place in self._lost if place[0] == channel]:
            del self._lost[place]

    def concerning(self, browser: Browser) -> list[bytes]:
        """Return the body of each loss that lasts and concerns a browser."""
        bodies: list[bytes] = []
        for lost in self._lost.values():
            own = [asset_id for asset_id in lost.asset_ids if asset_id in browser.assets]
            if own or (lost.channel == "user" and browser.user):
                bodies.append(payloads.disconnected(lost, own))
        return bodies
