"""Many connections for one channel: which one carries what.

Not thread-safe by itself: everything but ``wake`` and ``connections`` requires holding the
client's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
        self._takers: dict[str, set[Mailbox]] = {}
        self._loads: dict[Connection, int] = {}

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Every connection that has not ended, in the order of their numbers."""
        return tuple(connection for connection in list(self._loads) if not connection.ended)

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
                for key in share:
                    self._takers.setdefault(key, set()).add(mailbox)
                    del left[key]
        self._leave(mailbox, {key for key, kinds in wishes.items() if not kinds})

    def forget_consumer(self, mailbox: Mailbox) -> None:
        """Note that a consumer is gone; the connections see it by its closed mailbox."""
        for key in [key for key, takers in self._takers.items() if mailbox in takers]:
            self._release(key, mailbox)

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
        takers = self._takers.get(key, set())
        takers.discard(mailbox)
        if takers:
            return
        self._takers.pop(key, None)
        carrier = self._carriers.pop(key, None)
        if carrier in self._loads and key != EVERYWHERE:
            self._loads[carrier] -= 1

    def _forget(self, connection: Connection) -> None:
        """Drop a connection that has ended, with everything that it carried."""
        self._loads.pop(connection, None)
        for key in [key for key, carrier in self._carriers.items() if carrier is connection]:
            del self._carriers[key]
            self._takers.pop(key, None)
