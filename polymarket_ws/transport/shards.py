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


class Shards:
    """The connections of one channel.

    Args:
        make: makes a connection that is not started yet.
        limit: assets on one connection; above about 500 the server sends no first books.
    """

    def __init__(self, make: Callable[[], Connection], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._carriers: dict[str, Connection] = {}
        self._takers: dict[str, dict[Mailbox, Kinds]] = {}
        self._loads: dict[Connection, int] = {}
        self._last_resort: Connection | None = None

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
        """
        # First, so that whoever replaces what it holds stays on its connections.
        self._leave(mailbox, {key for key, kinds in wishes.items() if not kinds})
        left = {key: kinds for key, kinds in wishes.items() if kinds}
        while left:
            shares: dict[Connection, dict[str, Kinds]] = {}
            for key, kinds in left.items():
                shares.setdefault(self._carrier(key), {})[key] = kinds
            for connection, share in shares.items():
                if not connection.want(Want(mailbox, share)):
                    self._forget(connection)
                    continue
                # After the first wish, so that the thread never sees itself unwanted.
                connection.start()
                for key, kinds in share.items():
                    self._takers.setdefault(key, {})[mailbox] = kinds
                    del left[key]

    def forget_consumer(self, mailbox: Mailbox) -> None:
        """Note that a consumer is gone; the connections see it by its closed mailbox."""
        for key in [key for key, takers in self._takers.items() if mailbox in takers]:
            self._release(key, mailbox)

    def ask_elsewhere(self, carrier: Connection, keys: Iterable[str]) -> bool:
        """Move keys that were never answered to a fresh connection, and nothing else.

        Those that were in vain on the last fresh connection come along: they get another
        chance, and dead keys gather on one connection instead of opening one each.

        Returns:
            False if no connection can be made; everything is as before.
        """
        moving = {key: carrier for key in keys if self._carriers.get(key) is carrier}
        last = self._last_resort
        if moving and last is not None and last is not carrier and not last.ended:
            moving.update({k: last for k in last.stalled if self._carriers.get(k) is last})
        left = list(moving)
        while left:
            share, left = left[: self._limit], left[self._limit :]
            if not self._move({key: moving[key] for key in share}):
                return False
        return True

    def _move(self, moving: Mapping[str, Connection]) -> bool:
        fresh = self._make()
        # Before it starts, so that a close() in another thread finds it.
        self._loads[fresh] = len(moving)
        for mailbox, wishes in self._wishes_of(moving).items():
            fresh.want(Want(mailbox, wishes, last_chance=True))
        try:
            fresh.start()
        except RuntimeError:
            # No thread can be had. It took nothing that the others do not still have.
            del self._loads[fresh]
            return False
        self._last_resort = fresh
        for earlier in dict.fromkeys(moving.values()):
            share = [key for key, carrier in moving.items() if carrier is earlier]
            self._loads[earlier] -= len(share)
            self._carriers.update(dict.fromkeys(share, fresh))
            for mailbox in self._wishes_of(share):
                earlier.want(Want(mailbox, dict.fromkeys(share, frozenset())))
        return True

    def _wishes_of(self, keys: Iterable[str]) -> dict[Mailbox, dict[str, Kinds]]:
        wishes: dict[Mailbox, dict[str, Kinds]] = {}
        for key in keys:
            for mailbox, kinds in self._takers.get(key, {}).items():
                wishes.setdefault(mailbox, {})[key] = kinds
        return wishes

    def _carrier(self, key: str) -> Connection:
        carrier = self._carriers.get(key)
        if carrier is not None and not carrier.ended:
            return carrier
        if carrier is not None:
            self._forget(carrier)
        load = 0 if key == EVERYWHERE else 1
        for connection in self._loads:
            if not connection.ended and self._loads[connection] + load <= self._limit:
                carrier = connection
                break
        else:
            for connection in [connection for connection in self._loads if connection.ended]:
                self._forget(connection)
            carrier = self._make()
            self._loads[carrier] = 0
        self._carriers[key] = carrier
        self._loads[carrier] += load
        return carrier

    def _leave(self, mailbox: Mailbox, keys: set[str]) -> None:
        shares: dict[Connection, dict[str, Kinds]] = {}
        for key in keys:
            if key in self._carriers:
                shares.setdefault(self._carriers[key], {})[key] = frozenset()
                self._release(key, mailbox)
        for connection, share in shares.items():
            connection.want(Want(mailbox, share))

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
        if connection is self._last_resort:
            self._last_resort = None
        for key in [key for key, carrier in self._carriers.items() if carrier is connection]:
            del self._carriers[key]
            self._takers.pop(key, None)
