"""What happened to the connections, told to each browser for the markets that it shows. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from polymarket_ws.events.lifecycle import (
    Connected,
    Disconnected,
    Dropped,
    Lifecycle,
    RecoveryFailed,
    SubscriptionRejected,
    SubscriptionStalled,
)
from polymarket_ws.integrations.sse import payloads
from polymarket_ws.integrations.sse.ring import Frame

if TYPE_CHECKING:
    from polymarket_ws.integrations.sse.browser import Browser

__all__ = ["Notice", "Notices", "Render", "told"]

#: Of hours, even where the exchange is lost again and again.
_MOST: Final = 256

Render = Callable[[Sequence[str]], bytes]


@attrs.frozen
class Notice:
    """Something that concerns the browsers of some tokens, or of the account.

    Attributes:
        number: its place among all events of this process.
        channel: ``"market"`` or ``"user"``.
        asset_ids: the tokens; none means all of them.
        render: makes the body for a browser out of those tokens that are its own.
    """

    number: int
    channel: str
    asset_ids: tuple[str, ...]
    render: Render


class Notices:
    """The newest notices, in order."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque()
        #: The number of the newest one of each channel that had to go.
        self._lost_through: dict[str, int] = {}

    def put(self, notice: Notice) -> None:
        """Add the newest notice."""
        self._notices.append(notice)
        if len(self._notices) > _MOST:
            oldest = self._notices.popleft()
            self._lost_through[oldest.channel] = oldest.number

    def lost_through(self, browser: Browser) -> int:
        """Return the number up to which something may be missing that concerns a browser."""
        user = self._lost_through.get("user", 0) if browser.user else 0
        market = self._lost_through.get("market", 0) if browser.boards else 0
        return max(user, market)

    @property
    def newest(self) -> int:
        """The number of the newest notice; 0 when there is none."""
        return self._notices[-1].number if self._notices else 0

    def since(
        self, number: int, browser: Browser, text: Callable[[int, bytes], bytes]
    ) -> list[Frame]:
        """Return what concerns a browser after ``number``, oldest first.

        Args:
            number: the newest that it has got.
            browser: who is told.
            text: puts the id of a number before a body.
        """
        frames: list[Frame] = []
        for notice in reversed(self._notices):
            if notice.number <= number:
                break
            own = [asset_id for asset_id in notice.asset_ids if asset_id in browser.assets]
            if notice.channel == "user":
                concerned = browser.user
            else:
                concerned = bool(own if notice.asset_ids else browser.boards)
            if concerned:
                body = notice.render(own)
                frames.append(Frame(notice.number, body, text(notice.number, body)))
        frames.reverse()
        return frames


def told(event: Lifecycle, channel: str) -> Render | None:
    """Return how a browser is told of an event; ``None`` for what it need not know.

    Args:
        event: that happened.
        channel: of the stream that it happened in: a drop does not know it.
    """
    if isinstance(event, Disconnected):
        return lambda own: payloads.disconnected(event, own)
    if isinstance(event, Connected):
        # The first time there is nothing to come back to.
        return (lambda own: payloads.reconnected(event, own)) if event.epoch > 1 else None
    if isinstance(event, SubscriptionStalled):
        text = "no book came: unknown and settled tokens never answer"
        return lambda own: payloads.problem("stalled", text, asset_ids=own)
    if isinstance(event, SubscriptionRejected):
        text = "the exchange refused a subscription"
        return lambda own: payloads.problem("rejected", text, asset_ids=own)
    if isinstance(event, Dropped):
        text = f"{event.count} events were not told: the server reads too slowly"
        return lambda own: payloads.problem(
            "dropped", text, count=event.count, channel=channel, asset_ids=own
        )
    if isinstance(event, RecoveryFailed):
        text = "orders and fills of a gap could not be fetched"
        return lambda _: payloads.problem(
            "gap", text, channel="user", since=event.since, until=event.until
        )
    return None
