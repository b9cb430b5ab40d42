"""All the markets of one simulated exchange, seeded.

Pure: no socket, thread or clock. The exchange asks it to step, and for what REST and a new
subscription need.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.simulator import wire
from polymarket_ws.simulator.activity import Activity
from polymarket_ws.simulator.catalogue import Occasion, Topic, described, slug_of, topics
from polymarket_ws.simulator.market import SimulatedMarket
from polymarket_ws.simulator.showcase import Scene, Showcase
from polymarket_ws.simulator.wire import Message

__all__ = ["Listing", "SimulatedVenue"]

# So often it is looked at which markets are busy and which sleep.
_WEIGHING_MS = 100

# Where the members of a group open, in thousandths: together 1.
_GROUP_PRICES = (360, 280, 200, 160)
# News of a group: what one member gains another loses, and no one falls below the lower bound.
_GROUP_NEWS = 0.05
_GROUP_NEWS_THOUSANDTHS = 6.0
_GROUP_LOWEST, _GROUP_HIGHEST = 130.0, 600.0


@attrs.frozen(kw_only=True)
class Listing:
    """What Gamma knows about a market at the moment.

    Attributes:
        info: what does not change.
        best_bid: of the first outcome, as text; None when nobody knows.
        best_ask: likewise.
        last_trade_price: likewise.
        occasion: the event that it belongs to; None when it is one of its own.
        item: its name within that event.
        winner: index of the outcome that came true; None before.
    """

    info: MarketInfo
    best_bid: str | None = None
    best_ask: str | None = None
    last_trade_price: str | None = None
    occasion: Occasion | None = None
    item: str = ""
    winner: int | None = None


@attrs.frozen(eq=False)
class _Place:
    """A market with what the venue knows about it."""

    market: SimulatedMarket
    topic: Topic
    activity: Activity


class SimulatedVenue:
    """Seeded random markets.

    Args:
        seed: the same seed gives the same markets, and the same messages for the same steps.
        markets: how many, at least 1.
        now_ms: Unix milliseconds of the opening books.
        showcase: seconds of a period in which a market is listed, one gets a finer tick and one
            is settled; None leaves that to scripts.
    """

    def __init__(
        self, seed: int, markets: int, now_ms: int, *, showcase: float | None = None
    ) -> None:
        self._seed = seed
        self._rng = random.Random(f"{seed}/venue")
        self._dumps = random.Random(f"{seed}/dumps")
        self._news = random.Random(f"{seed}/news")
        self._places: list[_Place] = []
        self._open: list[_Place] = []
        self._located: dict[str, tuple[SimulatedMarket, int]] = {}
        # By slug and by condition id, which never change.
        self._named: dict[str, SimulatedMarket] = {}
        self._groups: dict[str, list[SimulatedMarket]] = {}
        self._weights: list[float] = []
        self._weighed_at: int | None = None
        self._showcase = None if showcase is None else Showcase(showcase)
        self._newest: SimulatedMarket | None = None
        self._leaving: SimulatedMarket | None = None
        for topic in topics(markets):
            self._add(topic, now_ms)

    def _add(self, topic: Topic, now_ms: int) -> SimulatedMarket:
        index = len(self._places)
        # Each market has its own source of chance: what one does never depends on how many
        # others there are.
        rng = random.Random(f"{self._seed}/market/{index}")
        info = described(topic, rng)
        group = topic.occasion.slug if topic.occasion.neg_risk else None
        middle = None
        if group is not None:
            middle = _GROUP_PRICES[len(self._groups.get(group, ()))]
        market = SimulatedMarket(info, rng, now_ms, middle=middle, number=index + 1)
        if group is not None:
            market.flow.wanders = False
            self._groups.setdefault(group, []).append(market)
        activity = Activity(random.Random(f"{self._seed}/activity/{index}"), now_ms)
        place = _Place(market, topic, activity)
        self._places.append(place)
        self._open.append(place)
        self._weighed_at = None
        self._named[info.slug] = self._named[info.condition_id] = market
        for outcome, asset_id in enumerate(info.asset_ids):
            self._located[asset_id] = (market, outcome)
        return market

    # -- what moves ---------------------------------------------------------------------

    def step(self, now_ms: int) -> list[Message]:
        """Let one market, chosen by its liveliness, move; return its messages in order.

        What the showcase has due comes before. Nothing moves when every market is settled.
        """
        messages = self._show(now_ms)
        place = self._choose(now_ms)
        if place is not None:
            if place.topic.occasion.neg_risk:
                self._wander(self._groups[place.topic.occasion.slug])
            messages += place.market.step(now_ms)
        return messages

    def add(self, topic: Topic, now_ms: int) -> tuple[SimulatedMarket, Message]:
        """List a new market; return it and its announcement.

        Raises:
            UsageError: there is one with that address, or none can be made of the question.
        """
        slug = slug_of(topic.question)
        if not slug or slug in self._named:
            raise UsageError(f"a market needs a question of its own, not {topic.question!r}")
        market = self._add(topic, now_ms)
        return market, market.announce(now_ms)

    def _choose(self, now_ms: int) -> _Place | None:
        if self._weighed_at is None or abs(now_ms - self._weighed_at) >= _WEIGHING_MS:
            self._weigh(now_ms)
        while self._open:
            place = self._rng.choices(self._open, cum_weights=self._weights)[0]
            if place.market.moves:
                return place
            self._weigh(now_ms)  # It was settled since.
        return None

    def _weigh(self, now_ms: int) -> None:
        self._open = [place for place in self._open if place.market.moves]
        weights = (place.activity.phase(now_ms).weight for place in self._open)
        self._weights = list(accumulate(weights))
        self._weighed_at = now_ms

    def _wander(self, group: list[SimulatedMarket]) -> None:
        if self._news.random() >= _GROUP_NEWS:
            return
        winner, loser = self._news.sample(group, 2)
        gain = self._news.gauss(0, _GROUP_NEWS_THOUSANDTHS)
        gained, lost = winner.flow.fair + gain, loser.flow.fair - gain
        if all(_GROUP_LOWEST <= fair <= _GROUP_HIGHEST for fair in (gained, lost)):
            winner.flow.fair, loser.flow.fair = gained, lost

    def _show(self, now_ms: int) -> list[Message]:
        messages: list[Message] = []
        if self._showcase is not None:
            for scene in self._showcase.due(now_ms):
                messages += self._play(scene, now_ms)
        return messages

    def _play(self, scene: Scene, now_ms: int) -> list[Message]:
        if scene == "list":
            number = len(self._places) + 1
            topic = Topic.alone(f"Will the coin of draw {number} show heads?")
            self._newest, announcement = self.add(topic, now_ms)
            return [announcement]
        if scene == "repeat":
            return [] if self._newest is None else [self._newest.announce(now_ms)]
        if scene == "rally":
            self._leaving = self._next_to_leave()
            return [] if self._leaving is None else self._leaving.flow.rally(now_ms)
        market = self._leaving
        if market is None or market.winner is not None:
            return []
        return market.settle(now_ms) if scene == "settle" else market.resolve(0, now_ms)

    def _next_to_leave(self) -> SimulatedMarket | None:
        """Return the oldest market with a coarse tick that stands alone, but never the first."""
        first = self._places[0]
        for place in self._open:
            alone = place is not first and not place.topic.occasion.neg_risk
            if alone and place.market.moves and place.market.info.tick_size == Decimal("0.01"):
                return place.market
        return None

    # -- what is asked ------------------------------------------------------------------

    @property
    def markets(self) -> Sequence[SimulatedMarket]:
        """The markets, in a fixed order."""
        return tuple(place.market for place in self._places)

    @property
    def infos(self) -> tuple[MarketInfo, ...]:
        """What the markets are, in the same order."""
        return tuple(place.market.info for place in self._places)

    def find(self, what: str) -> SimulatedMarket | None:
        """Return the market with that slug, condition id or token id."""
        located = self._located.get(what)
        return self._named.get(what) if located is None else located[0]

    def dump(self, asset_ids: Iterable[str]) -> str:
        """Spell the answer to a subscription: one array, ended by a newline.

        It holds one book per token that is known and not settled, in arbitrary order, and
        nothing for the rest.
        """
        live = [self._located[asset_id] for asset_id in asset_ids if self.is_live(asset_id)]
        self._dumps.shuffle(live)
        return f"[{','.join(market.ledger.opening(outcome) for market, outcome in live)}]\n"

    def is_live(self, asset_id: str) -> bool:
        """Return whether there is such a token and its market is not settled."""
        located = self._located.get(asset_id)
        return located is not None and located[0].winner is None

    def market_of(self, asset_id: str) -> str | None:
        """Return the condition id of a token; None when there is no such token."""
        located = self._located.get(asset_id)
        return located[0].condition_id if located else None

    def rest_book(self, asset_id: str) -> str | None:
        """Spell the answer to ``GET /book``; None when there is no such book (any more)."""
        if not self.is_live(asset_id):
            return None
        market, outcome = self._located[asset_id]
        return market.ledger.rest(outcome)

    def listings(self) -> list[Listing]:
        """Return every market with its prices of the moment."""
        listings = []
        for place in self._places:
            market = place.market
            best_bid, best_ask = market.ledger.top(0)
            listings.append(
                Listing(
                    info=market.info,
                    best_bid=wire.price_text(best_bid),
                    best_ask=wire.price_text(best_ask),
                    last_trade_price=market.ledger.last_trade_price,
                    occasion=place.topic.occasion,
                    item=place.topic.item,
                    winner=market.winner,
                )
            )
        return listings
