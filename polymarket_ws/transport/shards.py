"""Many connections for one channel: which one carries what.

Not thread-safe by itself: everything but ``wake``, ``connections`` and ``on_the_wire`` requires
holding the client's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from polymarket_ws.delivery import Mailbox
from polymarket_ws.routing import Want
from polymarket_ws.subscriptions import EVERYWHERE, Kinds
from polymarket_ws.transport.connection import Connection

__all__ = ["Shards"]

_NOTHING: Kinds = frozenset()


class Shards:
    """The connections of one channel.

    Args:
        make: makes a connection that is not started yet.
        limit: assets on one connection; above about 500 the server sends no first books.
        make_trial: makes a connection whose failure is nobody's.
    """

    def __init__(
        self,
        make: Callable[[], Connection],
        limit: int,
        make_trial: Callable[[], Connection] | None = None,
    ) -> None:
        self._make = make
        self._make_trial = make_trial or make
        self._limit = limit
        self._carriers: dict[str, Connection] = {}
        self._takers: dict[str, dict[Mailbox, Kinds]] = {}
        self._loads: dict[Connection, int] = {}
        self._last_resort: Connection | None = None
        #: Connections that are being opened for keys, and who carries those until then.
        self._trials: dict[Connection, dict[str, Connection]] = {}

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Every connection that has not ended, in the order of their numbers."""
        return tuple(connection for connection in list(self._loads) if not connection.ended)

    def on_the_wire(self, but: int) -> list[Container[str]]:
        """Return what connections have asked the server for. Takes no lock.

        Args:
            but: the number of the one that is left out.
        """
        return [item.on_the_wire for item in self.connections if item.number != but]

    def wake(self) -> None:
        """Have every connection look around. Takes no lock."""
        for connection in self.connections:
            connection.wake()

    def want(self, mailbox: Mailbox, wishes: Mapping[str, Kinds]) -> None:
        """Pass a consumer's wishes to the connections that carry them.

        Args:
            mailbox: the consumer's.
            wishes: the classes wanted from now on for each key; none to leave it.

        Raises:
            OSError: a connection that is needed cannot be made; nothing has changed.
            RuntimeError: the same.
        """
        left = {key: kinds for key, kinds in wishes.items() if kinds}
        leaving = {key for key, kinds in wishes.items() if not kinds}
        # First of all, while everything can stay as it is.
        spare = self._make_enough(mailbox, left, leaving)
        # What is left and what is entered on one connection is told to it at once: it keeps a
        # consumer that replaces all that it holds.
        shares: dict[Connection, dict[str, Kinds]] = {}
        for key in leaving:
            if key in self._carriers:
                shares.setdefault(self._carriers[key], {})[key] = _NOTHING
                self._release(key, mailbox)
        while left or shares:
            for key, kinds in left.items():
                shares.setdefault(self._carrier(key, spare), {})[key] = kinds
            for connection, share in shares.items():
                if not connection.want(Want(mailbox, share)):
                    self._forget(connection)
                    continue
                # After the first wish, so that the thread never sees itself unwanted.
                connection.start()
                for key, kinds in share.items():
                    if kinds:
                        self._takers.setdefault(key, {})[mailbox] = kinds
                        del left[key]
            shares = {}

    def _make_enough(
        self, mailbox: Mailbox, wishes: Mapping[str, Kinds], leaving: set[str]
    ) -> list[Connection]:
        """Make the connections that wishes need beyond those that there are."""
        living = [item for item in self._loads if self._takes_more(item)]
        needed = sum(key != EVERYWHERE and not self._is_carried(key) for key in wishes)
        free = sum(self._limit - self._loads[item] for item in living)
        free += sum(self._is_last_taker(key, mailbox) for key in leaving)
        missing = max(0, needed - free)
        count = -(-missing // self._limit)
        if not living and not count and not all(map(self._is_carried, wishes)):
            count = 1
        made: list[Connection] = []
        try:
            for _ in range(count):
                made.append(self._make())  # noqa: PERF401  those made before one fails are let go
        except OSError:
            for connection in made:
                connection.discard()
            raise
        return made

    def _takes_more(self, connection: Connection) -> bool:
        return not connection.ended and connection not in self._trials

    def _is_carried(self, key: str) -> bool:
        carrier = self._carriers.get(key)
        return carrier is not None and not carrier.ended

    def _is_last_taker(self, key: str, mailbox: Mailbox) -> bool:
        carrier = self._carriers.get(key)
        if carrier is None or key == EVERYWHERE or not self._takes_more(carrier):
            return False
        return self._takers.get(key, {}).keys() <= {mailbox}

    def forget_consumer(self, mailbox: Mailbox) -> None:
        """Note that a consumer is gone; the connections see it by its closed mailbox."""
        for key in [key for key, takers in self._takers.items() if mailbox in takers]:
            self._release(key, mailbox)

    def ask_elsewhere(self, carrier: Connection, keys: Iterable[str]) -> list[str]:
        """Open a fresh connection for keys that were never answered, and for nothing else.

        They stay where they are until it is open: a key that has data but no book misses none of
        it in between.

        Returns:
            The keys for which no connection can be made.
        """
        underway = {key for moving in self._trials.values() for key in moving}
        left = [key for key in keys if self._carriers.get(key) is carrier and key not in underway]
        while left:
            share = left[: self._limit]
            try:
                fresh = self._make_trial()
            except (OSError, RuntimeError):
                break
            # Before it starts, so that a close() in another thread finds it.
            self._loads[fresh] = len(share)
            self._trials[fresh] = dict.fromkeys(share, carrier)
            try:
                fresh.start()
            except RuntimeError:
                del self._loads[fresh], self._trials[fresh]
                break
            left = left[self._limit :]
        return left

    def opened(self, fresh: Connection) -> None:
        """Move to a fresh connection what it was opened for.

        Those that stalled on the last one come along, without another word about them: so dead
        keys gather on one connection instead of opening one each.
        """
        moving = self._trials.pop(fresh, {})
        self._loads[fresh] = 0
        self._move(
            {key: item for key, item in moving.items() if self._carriers.get(key) is item}, fresh
        )
        last, self._last_resort = self._last_resort, fresh
        if last is None or last.ended or last is fresh:
            return
        room = self._limit - self._loads[fresh]
        stalled = [key for key in last.stalled if self._carriers.get(key) is last]
        self._move(dict.fromkeys(stalled[:room], last), fresh, told=True)

    def failed(self, fresh: Connection) -> None:
        """Have it told that what a connection was to be opened for stalled."""
        self._loads.pop(fresh, None)
        shares: dict[Connection, list[str]] = {}
        for key, carrier in self._trials.pop(fresh, {}).items():
            if self._carriers.get(key) is carrier:
                shares.setdefault(carrier, []).append(key)
        for carrier, share in shares.items():
            carrier.give_up(share)

    def _move(
        self, moving: Mapping[str, Connection], fresh: Connection, *, told: bool = False
    ) -> None:
        for mailbox, wishes in self._wishes_of(moving).items():
            fresh.want(Want(mailbox, wishes, last_chance=not told, told=told))
        for earlier in dict.fromkeys(moving.values()):
            share = [key for key, carrier in moving.items() if carrier is earlier]
            self._loads[fresh] += len(share)
            if earlier in self._loads:
                self._loads[earlier] -= len(share)
            self._carriers.update(dict.fromkeys(share, fresh))
            for mailbox in self._wishes_of(share):
                earlier.want(Want(mailbox, dict.fromkeys(share, _NOTHING)))

    def _wishes_of(self, keys: Iterable[str]) -> dict[Mailbox, dict[str, Kinds]]:
        wishes: dict[Mailbox, dict[str, Kinds]] = {}
        for key in keys:
            for mailbox, kinds in self._takers.get(key, {}).items():
                wishes.setdefault(mailbox, {})[key] = kinds
        return wishes

    def _carrier(self, key: str, spare: list[Connection]) -> Connection:
        carrier = self._carriers.get(key)
        if carrier is not None and not carrier.ended:
            return carrier
        if carrier is not None:
            self._forget(carrier)
        load = 0 if key == EVERYWHERE else 1
        for connection in self._loads:
            if self._takes_more(connection) and self._loads[connection] + load <= self._limit:
                carrier = connection
                break
        else:
            for connection in [connection for connection in self._loads if connection.ended]:
                self._forget(connection)
            carrier = spare.pop(0) if spare else self._make()
            self._loads[carrier] = 0
        self._carriers[key] = carrier
        self._loads[carrier] += load
        return carrier

    def _release(self, key: str, mailbox: Mailbox) -> None:
        takers = self._takers.get(key, {})
        takers.pop(mailbox, None)
        if takers:
            return
        self._takers.pop(key, None)
        carrier = self._carriers.pop(key, None)
        if carrier in self._loads and key != EVERYWHERE:
            self._loads[carrier] -= 1

    def _forget(self, connection: Connection) -> None:
        """Drop a connection that has ended, with everything that it carried."""
        self._loads.pop(connection, None)
        self._trials.pop(connection, None)
        if connection is self._last_resort:
            self._last_resort = None
        for key in [key for key, carrier in self._carriers.items() if carrier is connection]:
            del self._carriers[key]
            self._takers.pop(key, None)
