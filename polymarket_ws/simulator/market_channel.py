"""The market channel: what a client may say on it, and who hears what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from polymarket_ws.simulator.client_session import ClientSession, Ending
from polymarket_ws.simulator.connection import TextFrame, text_frame
from polymarket_ws.simulator.requests import parse_first, parse_operation
from polymarket_ws.simulator.venue import SimulatedVenue
from polymarket_ws.simulator.wire import Message

__all__ = ["MarketChannel"]

# Live, a connection with more tokens than this is accepted and gets no opening books.
_DUMP_TOKENS = 500

_PONG = text_frame("PONG")

_ALL_RESOLVED = Ending("close", 1000, "all subscribed assets resolved")


class MarketChannel:
    """The clients of the market channel and their subscriptions.

    Not thread-safe: the exchange calls it with its lock held, so that an opening book and the
    changes that follow it are queued in the order in which they happened.

    Args:
        venue: the markets; None when a recording is played, which takes no part in this.
    """

    def __init__(self, venue: SimulatedVenue | None) -> None:
        self._venue = venue
        self._sessions: dict[int, ClientSession] = {}
        # Ordered as they came. A market counts how many of its tokens the client is subscribed to.
        self._by_asset: dict[str, dict[ClientSession, None]] = {}
        self._by_market: dict[str, dict[ClientSession, int]] = {}

    @property
    def sessions(self) -> Sequence[ClientSession]:
        """The clients, oldest first."""
        return tuple(self._sessions.values())

    def join(self, session: ClientSession) -> None:
        """Add a client."""
        self._sessions[session.number] = session

    def leave(self, session: ClientSession) -> None:
        """Forget a client and its subscriptions."""
        del self._sessions[session.number]
        self._unsubscribe(session, tuple(session.asset_ids))

    def heard(self, session: ClientSession, message: str | bytes) -> bool:
        """Take one frame of a client; return whether it is its first subscription.

        Nothing is ever acknowledged. A frame that means nothing is ignored, except for the
        first one: when that is no subscription (a text ``PING`` is none) the client is closed.
        """
        text = message if isinstance(message, str) else ""
        if session.ending:
            return False
        if not session.subscribed:
            first = parse_first(text)
            if first is None:
                session.end(Ending("close", 1008, "invalid subscription payload"))
                return False
            session.subscribed = True
            session.custom_feature_enabled = first.custom_feature_enabled
            self._subscribe(session, first.asset_ids, dump=first.initial_dump)
            return True
        if text == "PING":
            session.put([_PONG])
            return False
        operation = parse_operation(text)
        if operation is not None:
            # The flag counts even where every token is a duplicate, as live.
            if operation.custom_feature_enabled is not None:
                session.custom_feature_enabled = operation.custom_feature_enabled
            if operation.subscribe:
                new = [token for token in operation.asset_ids if token not in session.asset_ids]
                if new:
                    self._subscribe(session, new, dump=True)
            else:
                self._unsubscribe(session, operation.asset_ids)
        return False

    def publish(self, messages: Iterable[Message], *, timeout: float = 0.0) -> None:
        """Queue messages for whoever is subscribed to what they are about.

        A message about one token goes to the subscribers of that token, one about a market to
        the subscribers of any of its tokens, one for everybody to every subscriber of anything.
        Each is made into a frame once, not per client. After the final message of a market the
        clients that have no market left are closed.

        Args:
            messages: in order.
            timeout: seconds to wait for room in a full queue before that client is too slow.
        """
        outgoing: dict[ClientSession, list[TextFrame]] = {}
        ended: list[str] = []
        for message in messages:
            if message.final:
                ended.append(message.market)
            frame: TextFrame | None = None
            for session in self._audience(message):
                if message.custom and not session.custom_feature_enabled:
                    continue
                if frame is None:
                    frame = text_frame(message.text)
                outgoing.setdefault(session, []).append(frame)
        for session, frames in outgoing.items():
            session.put(frames, timeout)
        for market in ended:
            self._end_without_markets(market)

    def subscribers(self, market: str) -> Sequence[ClientSession]:
        """Return the clients that are subscribed to a token of that market."""
        return tuple(self._by_market.get(market, ()))

    def _audience(self, message: Message) -> Iterable[ClientSession]:
        if message.everybody:
            return (session for session in self._sessions.values() if session.subscribed)
        if message.asset_id is not None:
            return self._by_asset.get(message.asset_id, ())
        return self._by_market.get(message.market, ())

    def _end_without_markets(self, market: str) -> None:
        # Live, a client that names settled tokens only is not closed at once: it happens when
        # its last market is resolved.
        if self._venue is None:
            return
        for session in self._by_market.get(market, ()):
            if not any(map(self._venue.is_live, session.asset_ids)):
                session.end(_ALL_RESOLVED)

    def _subscribe(self, session: ClientSession, asset_ids: Sequence[str], *, dump: bool) -> None:
        if self._venue is None:
            session.asset_ids.update(dict.fromkeys(asset_ids))
            return
        for asset_id in asset_ids:
            if asset_id in session.asset_ids:
                continue
            session.asset_ids[asset_id] = None
            market = self._venue.market_of(asset_id)
            if market is not None:
                self._by_asset.setdefault(asset_id, {})[session] = None
                clients = self._by_market.setdefault(market, {})
                clients[session] = clients.get(session, 0) + 1
        if dump and len(session.asset_ids) <= _DUMP_TOKENS:
            session.put([text_frame(self._venue.dump(asset_ids))])

    def _unsubscribe(self, session: ClientSession, asset_ids: Sequence[str]) -> None:
        for asset_id in asset_ids:
            session.asset_ids.pop(asset_id, None)
            if self._venue is None or self._by_asset.get(asset_id, {}).pop(session, 0) == 0:
                continue
            market = self._venue.market_of(asset_id)
            if market is not None:
                clients = self._by_market[market]
                clients[session] -= 1
                if not clients[session]:
                    del clients[session]
