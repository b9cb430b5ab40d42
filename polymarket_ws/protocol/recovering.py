"""What a gap of the user channel hid, put back into the stream. Pure.

The channel replays nothing. After a gap the account is asked over REST for the trades since
and the orders that are open, and what the stream has not told yet comes out as events that
say ``recovered=True``, with the state at the time of asking: steps in between are not
invented. Live events wait meanwhile, so that the two come out in one order; not for ever.

Two tellers speak of the same trades and orders, and either may lag behind the other. These
rules keep them apart:

* What the stream has told of since it was opened, it goes on telling: REST is not needed.
  Unless the first that it told does not follow what was known: then a step was hidden, and
  what REST says goes before.
* Nothing that REST says is told if it is behind what is known already, and nothing live if
  it is behind what REST said. Live events among themselves come in the exchange's own order.
* No status of a trade is told twice.

The first connection without ``since`` only learns what there is: nothing of it was missed.

One instance belongs to one connection's thread. ``now`` is monotonic seconds, times of
events are Unix milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

import attrs

from polymarket_ws.events.event import Event
from polymarket_ws.events.user import Order, Trade

__all__ = ["Account", "Question", "Recovering", "normalised_status"]

T = TypeVar("T")

#: How many trades, open orders and ended orders are remembered. At a fill a second: hours.
MEMORY = 10_000

#: Asked for so long before a gap began: our clock and the exchange's differ, and REST may
#: lag behind the stream. What comes twice by that is remembered and left out.
MARGIN_MILLISECONDS = 60_000

#: Trades so old may still change their status, so they are listed, too. What is older than
#: that and not settled is asked for by its id.
REACH_MILLISECONDS = 600_000

#: How many trades are asked for by their id at most: each is a request.
MOST_TRADE_IDS = 20

#: A trade that the exchange dates so shortly before the first connection may have come after
#: it: clocks differ, and the exchange's times are whole seconds.
CLOCKS_APART_MILLISECONDS = 5_000

#: Waits between tries after one failed, seconds; the last is repeated.
RETRY_SECONDS = (2.0, 5.0, 15.0, 60.0)

#: After an answer the account is asked once more, without holding anything back: REST is
#: served by several machines, and one that lags behind by seconds does not know the end of
#: the gap yet.
LOOKS = 2
LOOK_AGAIN_SECONDS = 5.0

#: Wire bytes of live events that are held back at most: the default of ``Delivery``.
MOST_BYTES = 16 * 1024 * 1024

_BEGUN = frozenset(("MATCHED_NOT_BROADCASTED", "MATCHED"))
_FINAL = frozenset(("CONFIRMED", "FAILED"))

#: Which comes first among those that are neither final nor the one begun and the other not.
_RANKS: Mapping[str, int] = MappingProxyType(
    {"MATCHED_NOT_BROADCASTED": 0, "MATCHED": 1, "RETRYING": 0, "MINED": 1}
)

#: What may directly follow a status. A reorganised chain undoes MINED.
_NEXT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "MATCHED_NOT_BROADCASTED": ("MATCHED", "MINED", "RETRYING"),
        "MATCHED": ("MINED", "RETRYING"),
        "RETRYING": ("MINED", "FAILED"),
        "MINED": ("CONFIRMED", "RETRYING"),
    }
)

_RESTING = frozenset(("", "LIVE", "DELAYED", "UNMATCHED"))


def normalised_status(status: str) -> str:
    """Return a status as the stream spells it.

    REST says ``TRADE_STATUS_CONFIRMED`` and ``ORDER_STATUS_LIVE``.
    """
    return status.upper().removeprefix("TRADE_STATUS_").removeprefix("ORDER_STATUS_")


def is_open(order: Order) -> bool:
    """Return whether an order of the stream can still be filled."""
    # Not by its status otherwise: that is free text, and MATCHED is said of partial fills, too.
    status = normalised_status(order.status or "")
    ended = order.type == "CANCELLATION" or status.startswith(("CANCEL", "INVALID"))
    return not ended and _matched(order) < order.original_size


@attrs.frozen
class Question:
    """What to ask the account over REST.

    Attributes:
        after: Unix milliseconds; trades matched since then.
        order_ids: orders that were open when last heard of.
        trade_ids: trades from before ``after`` that were not settled when last heard of.
    """

    after: int
    order_ids: tuple[str, ...]
    trade_ids: tuple[str, ...] = ()


@attrs.frozen
class Account:
    """The account's answer.

    Attributes:
        trades: those that were asked for, oldest first.
        open_orders: every order that is open.
        ended_orders: what became of those of ``Question.order_ids`` that are not.
        missing_orders: those of them that REST does not know.
        is_complete: False if there was no time to ask for all of them.
        ahead: milliseconds by which our clock is at most ahead of the exchange's.
    """

    trades: tuple[Trade, ...]
    open_orders: tuple[Order, ...]
    ended_orders: tuple[Order, ...]
    missing_orders: tuple[str, ...] = ()
    is_complete: bool = True
    ahead: int = 0


@attrs.define
class _KnownTrade:
    """The latest of one trade.

    ``told`` is every status that was told; none of a trade that was only learnt.
    ``from_rest``: whether the latest was told from REST. ``heard_on``: the number of the
    connection that told of it last. ``looked_up``: the number of the look in which REST was
    asked for it by id.
    """

    status: str
    last_update: int | None
    match_time: int | None
    told: set[str] = attrs.field(factory=set)
    from_rest: bool = False
    heard_on: int = 0
    looked_up: int = 0


@attrs.define
class _KnownOrder:
    """The latest of one order; the fields as in :class:`_KnownTrade`."""

    matched: Decimal
    ended: bool = False
    told: bool = False
    from_rest: bool = False
    heard_on: int = 0
    looked_up: int = 0


class Recovering:
    """The memory of one user connection, and what it holds back while it asks.

    Args:
        timeout: seconds for which live events are held back at most.
        most_held: how many of them.
        most_bytes: how many wire bytes of them.
        since: Unix milliseconds from which on trades are wanted; ``None``: from connecting.
    """

    def __init__(
        self, *, timeout: float, most_held: int, since: int | None, most_bytes: int = MOST_BYTES
    ) -> None:
        self._timeout = timeout
        self._most_held = most_held
        self._most_bytes = most_bytes
        # The exchange dates trades in whole seconds.
        self._promised_from = None if since is None else since // 1000 * 1000
        self._missed_since = since
        self._missed_again: int | None = None
        self._ahead = 0
        self._only_learns = since is None
        self._epoch = 0
        self._opened_at = 0
        self._trades: OrderedDict[str, _KnownTrade] = OrderedDict()
        self._open: OrderedDict[str, _KnownOrder] = OrderedDict()
        self._ended: OrderedDict[str, _KnownOrder] = OrderedDict()
        self._held: list[Event] = []
        self._held_bytes = 0
        self._holding_until: float | None = None
        self._asked: Question | None = None
        self._asked_since = 0
        self._asked_look = 0
        self._look = 0
        self._looks_left = 0
        self._ask_at: float | None = None
        self._tries = 0

    # -- the connection comes and goes -------------------------------------------------------

    def opened(self, now: float, received_at: float, last_frame_at: float | None) -> None:
        """Note a new connection: what happened since the last one must be asked for.

        Args:
            now: monotonic seconds.
            received_at: Unix seconds now.
            last_frame_at: Unix seconds of the last frame of the connection before.
        """
        self._epoch += 1
        opened_at = int(received_at * 1000)
        if self._promised_from is None:
            self._promised_from = opened_at - CLOCKS_APART_MILLISECONDS
        if self._epoch == 1:
            began = opened_at
        else:
            # Without any frame it was opened and heard nothing: a gap from its beginning.
            began = self._opened_at if last_frame_at is None else int(last_frame_at * 1000)
            self._only_learns = False
        self._opened_at = opened_at
        if self._asked is not None:
            # The answer on its way may be from before this gap, so it is asked once more.
            self._missed_again = _earliest(began, self._missed_again)
        else:
            self._missed_since = _earliest(began, self._missed_since)
        self._ask_at = now
        self._tries = 0
        self._look += 1
        self._looks_left = 1 if self._only_learns else LOOKS
        if not self._only_learns and self._holding_until is None:
            self._holding_until = now + self._timeout

    def closed(self) -> list[Event]:
        """Note the end of the connection, and return what was held back of it.

        It is told before the end is: nothing of a connection comes after the next began.
        """
        return self._release()

    @property
    def holding_until(self) -> float | None:
        """When :meth:`give_up` has something to say; ``None`` while nothing is held back."""
        return self._holding_until

    @property
    def deadline(self) -> float | None:
        """When :meth:`question` or :meth:`give_up` has something to say."""
        candidates = [self._holding_until, None if self._asked is not None else self._ask_at]
        return min((when for when in candidates if when is not None), default=None)

    def question(self, now: float) -> Question | None:
        """Return what to ask the account now; the answer goes to :meth:`answered`."""
        missed_since = self._missed_since
        if self._asked is not None or self._ask_at is None or missed_since is None:
            return None
        if now < self._ask_at:
            return None
        reach = missed_since - REACH_MILLISECONDS
        after = reach if self._only_learns else missed_since - MARGIN_MILLISECONDS
        old: list[str] = []
        for trade_id, trade in self._trades.items():
            if trade.status in _FINAL or trade.heard_on == self._epoch:
                continue
            # A trade from before the gap may have been settled in it.
            if trade.match_time is not None and trade.match_time >= reach:
                after = min(after, trade.match_time)
            elif trade.looked_up != self._look:
                old.append(trade_id)
        unsure = (
            order_id
            for order_id, order in self._open.items()
            if order.heard_on != self._epoch and order.looked_up != self._look
        )
        self._asked = Question(max(0, after), tuple(unsure), tuple(old[-MOST_TRADE_IDS:]))
        self._asked_since = self._opened_at
        self._asked_look = self._look
        return self._asked

    # -- what arrives ------------------------------------------------------------------------

    def take(self, events: Sequence[Event], size: int) -> list[Event]:
        """Return those of the live events that are to be told now, and hold the others.

        Args:
            events: of one message.
            size: its wire bytes.
        """
        if self._holding_until is None:
            return self._fresh(events)
        told: list[Event] = []
        for event in events:
            if isinstance(event, (Order, Trade)):
                self._held.append(event)
            else:
                told.append(event)
        if len(told) < len(events):
            self._held_bytes += size
        return told

    @property
    def is_full(self) -> bool:
        """Whether so much is held that waiting on would break the bounds of ``Delivery``."""
        return len(self._held) >= self._most_held or self._held_bytes >= self._most_bytes

    def give_up(self, now: float) -> tuple[int, list[Event]] | None:
        """Stop holding when the time is up or too much is held.

        Returns:
            From when on trades may be missing (Unix milliseconds), and the held events.
        """
        if self._holding_until is None or (now < self._holding_until and not self.is_full):
            return None
        return self._missed_since or 0, self._release()

    def failed(self, now: float) -> None:
        """Note that the account could not be asked; it will be asked again."""
        if not self._end_asking():
            self._ask_at = now + RETRY_SECONDS[min(self._tries, len(RETRY_SECONDS) - 1)]
            self._tries += 1

    def refused(self, now: float) -> None:
        """Note that REST refuses the credentials: it is not asked again on this connection."""
        self._end_asking()
        self._ask_at = None
        if self._holding_until is not None:
            self._holding_until = now

    def _end_asking(self) -> bool:
        """Widen what is still to be asked by a gap that came meanwhile; whether one did."""
        again, self._missed_again = self._missed_again, None
        self._asked = None
        if again is not None:
            self._missed_since = _earliest(again, self._missed_since)
        return again is not None

    def answered(self, account: Account, now: float) -> list[Event]:
        """Return what the stream missed, then what was held back.

        Where there was another gap since the question, or only a part was answered, the
        next question follows at once and holding goes on.
        """
        self._ahead = max(self._ahead, account.ahead)
        held: dict[str, Event] = {}
        for event in self._held:
            if isinstance(event, (Order, Trade)):
                held.setdefault(event.id, event)
        recovered: list[Event] = [
            *self._missed_trades(account.trades, held),
            *self._missed_orders(account, held),
        ]
        for trade_id in self._asked.trade_ids if self._asked is not None else ():
            trade = self._trades.get(trade_id)
            if trade is not None:
                trade.looked_up = self._asked_look
        self._only_learns = False
        self._tries = 0
        if account.is_complete:
            # Up to there all is known, but for what REST does not know yet itself.
            self._missed_since = self._asked_since
        if self._end_asking() or not account.is_complete:
            self._ask_at = now
            return recovered
        self._look += 1
        self._looks_left -= 1
        if self._looks_left > 0:
            self._ask_at = now + LOOK_AGAIN_SECONDS
        else:
            self._ask_at = None
            self._missed_since = None
        return [*recovered, *self._release()]

    def _missed_trades(self, trades: Iterable[Trade], held: Mapping[str, Event]) -> list[Event]:
        return [
            attrs.evolve(trade, recovered=True)
            for trade in trades
            if self._is_missed(trade, held.get(trade.id))
        ]

    def _is_missed(self, trade: Trade, held: Event | None) -> bool:
        """Return whether a trade of REST is to be told, and learn from it."""
        known = self._trades.get(trade.id)
        status = normalised_status(trade.status)
        if isinstance(held, Trade):
            if _follows(normalised_status(held.status), None if known is None else known.status):
                return False
        elif known is not None and known.heard_on == self._epoch:
            return False
        if known is not None and (
            status in known.told or _compared(status, trade.last_update, known) < 0
        ):
            return False
        # What was only learnt is as good as unknown where it was promised.
        is_new = known is None or not known.told
        changed = known is not None and known.status != status
        told = not self._only_learns and (
            changed or (is_new and self._is_promised(trade.match_time))
        )
        if known is None:
            known = _KnownTrade(status, trade.last_update, trade.match_time)
        self._learn(known, trade)
        if told:
            known.told.add(status)
            known.from_rest = True
        _put(self._trades, trade.id, known)
        return told

    def _is_promised(self, time: int | None) -> bool:
        if time is None or self._promised_from is None:
            return True
        return time >= self._promised_from - self._ahead

    def _missed_orders(self, account: Account, held: Mapping[str, Event]) -> list[Event]:
        missed: list[Event] = []
        for order in account.open_orders:
            if not self._is_told_live(order.id, held) and order.id not in self._ended:
                missed += self._missed_open_order(order)
        for order in account.ended_orders:
            known = self._open.get(order.id)
            if known is None or self._is_told_live(order.id, held):
                continue
            known.looked_up = self._asked_look
            if _rests(order):
                # It was placed a moment ago, and the list of open orders lags behind.
                missed += self._missed_open_order(order)
                continue
            self._note_order(order.id, known, matched=_matched(order), ended=True, from_rest=True)
            missed.append(attrs.evolve(order, type=_type_of_end(order), recovered=True))
        for order_id in account.missing_orders:
            known = self._open.get(order_id)
            if known is not None and not self._is_told_live(order_id, held):
                known.looked_up = self._asked_look
                if self._looks_left <= 1:
                    # Not placed a moment ago, then: REST forgets orders that ended
                    # (py-clob-client issue 217).
                    del self._open[order_id]
        return missed

    def _is_told_live(self, order_id: str, held: Mapping[str, Event]) -> bool:
        known = self._open.get(order_id)
        return order_id in held or (known is not None and known.heard_on == self._epoch)

    def _missed_open_order(self, order: Order) -> list[Event]:
        known = self._open.get(order.id)
        matched = _matched(order)
        is_new = (known is None or not known.told) and self._is_promised(order.created_at)
        filled = known is not None and matched > known.matched
        told = not self._only_learns and (is_new or filled)
        if known is None:
            known = _KnownOrder(matched)
        self._note_order(
            order.id,
            known,
            matched=max(matched, known.matched),
            ended=False,
            from_rest=told or known.from_rest,
        )
        if not told:
            return []
        kind = "PLACEMENT" if is_new else "UPDATE"
        return [attrs.evolve(order, type=kind, recovered=True)]

    def _release(self) -> list[Event]:
        held, self._held = self._held, []
        self._held_bytes = 0
        self._holding_until = None
        return self._fresh(held)

    # -- memory ---------------------------------------------------------------------------------

    def _fresh(self, events: Iterable[Event]) -> list[Event]:
        """Return the live events that tell something new, and remember them."""
        fresh: list[Event] = []
        for event in events:
            if isinstance(event, Trade):
                if self._is_fresh_trade(event):
                    fresh.append(event)
            elif not isinstance(event, Order) or self._is_fresh_order(event):
                fresh.append(event)
        return fresh

    def _is_fresh_trade(self, trade: Trade) -> bool:
        status = normalised_status(trade.status)
        known = self._trades.get(trade.id)
        if known is None:
            known = _KnownTrade(status, trade.last_update, trade.match_time)
        known.heard_on = self._epoch
        _put(self._trades, trade.id, known)
        if status in known.told:
            return False
        if known.from_rest and _compared(status, trade.last_update, known) < 0:
            return False
        self._learn(known, trade)
        known.told.add(status)
        known.from_rest = False
        return True

    def _learn(self, known: _KnownTrade, trade: Trade) -> None:
        known.status = normalised_status(trade.status)
        known.last_update = trade.last_update
        if known.match_time is None:
            known.match_time = trade.match_time

    def _is_fresh_order(self, order: Order) -> bool:
        known = self._open.get(order.id) or self._ended.get(order.id)
        matched = _matched(order)
        ends = not is_open(order)
        if known is None:
            known = _KnownOrder(matched)
        known.heard_on = self._epoch
        if known.from_rest and matched <= known.matched and (known.ended or not ends):
            return False
        self._note_order(order.id, known, matched=matched, ended=ends, from_rest=False)
        known.told = True
        return True

    def _note_order(
        self, order_id: str, known: _KnownOrder, *, matched: Decimal, ended: bool, from_rest: bool
    ) -> None:
        known.matched = matched
        known.ended = ended
        known.from_rest = from_rest
        known.told = known.told or from_rest
        # Two memories, so that many short-lived orders do not push out one that rests.
        place, other = (self._ended, self._open) if ended else (self._open, self._ended)
        other.pop(order_id, None)
        _put(place, order_id, known)


def _put(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MEMORY:
        memory.popitem(last=False)


def _earliest(time: int, other: int | None) -> int:
    return time if other is None else min(time, other)


def _matched(order: Order) -> Decimal:
    return order.size_matched or Decimal(0)


def _rests(order: Order) -> bool:
    """Return whether an order of REST, which has no ``type``, can still be filled."""
    status = normalised_status(order.status or "")
    return status in _RESTING and _matched(order) < order.original_size


def _type_of_end(order: Order) -> str:
    status = normalised_status(order.status or "")
    if status in _RESTING or status == "MATCHED":
        return "UPDATE"
    return "CANCELLATION"


def _follows(status: str, known: str | None) -> bool:
    """Return whether nothing need have happened between what was known and ``status``."""
    if known is None:
        return status in _BEGUN
    return status == known or status in _NEXT.get(known, (status,))


def _compared(status: str, last_update: int | None, known: _KnownTrade) -> int:
    """Return whether a status comes after what is known (1), before it (-1), or either (0)."""
    stage, known_stage = _stage(status), _stage(known.status)
    if stage != known_stage:
        return 1 if stage > known_stage else -1
    if stage == _stage("CONFIRMED"):
        return -1
    if stage == _stage("MINED") and last_update is not None and known.last_update is not None:
        # Only here the order may be either. One of the two may know no milliseconds.
        seconds, known_seconds = last_update // 1000, known.last_update // 1000
        if seconds != known_seconds:
            return 1 if seconds > known_seconds else -1
    if status not in _RANKS or known.status not in _RANKS:
        return 0
    rank, known_rank = _RANKS[status], _RANKS[known.status]
    return (rank > known_rank) - (rank < known_rank)


def _stage(status: str) -> int:
    return 0 if status in _BEGUN else 2 if status in _FINAL else 1
