"""One connected browser: what it wants, how far it has read, and a bell to wake it.

There is no queue: a browser is a place in what all of them share. However slow it is, it costs
no more than that, and when it reads on it gets the newest books, and the trades that are still
there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polymarket_ws.bell import Bell
from polymarket_ws.integrations.sse.board import Board
from polymarket_ws.integrations.sse.ring import Ring

__all__ = ["Browser"]


class Browser:
    """One response that goes on.

    Args:
        boards: the markets that it shows.
        user: whether it is told of the user's orders and fills.
        cursor: the number of the frame up to which it has read.
        ring: is called to wake whoever reads, from any thread and under the broadcast's lock;
            without it, :meth:`wait` is what is woken.
    """

    def __init__(
        self,
        boards: Sequence[Board],
        *,
        user: bool,
        cursor: int,
        ring: Callable[[], None] | None = None,
    ) -> None:
        self.boards = tuple(boards)
        self.user = user
        self.cursor = cursor
        self.assets = frozenset(
            asset_id for board in self.boards for asset_id in board.info.asset_ids
        )
        #: What of each ring it was given or told to have missed, as ``Ring.total`` counts.
        self.read: dict[Ring, int] = {}
        #: What is said at the end of the response; set once, by whoever ends it.
        self.farewell: bytes | None = None
        self._bell = Bell()
        self._ring = self._bell.ring if ring is None else ring
        self._rung = False

    def wake(self) -> None:
        """Have the response look for something new. From any thread."""
        # A bell that was rung needs no second time; at worst two threads ring it at once.
        if not self._rung:
            self._rung = True
            self._ring()

    def wait(self, timeout: float) -> bool:
        """Wait until woken; False after ``timeout`` seconds."""
        if not self._bell.wait(timeout):
            return False
        self.heard()
        return True

    def heard(self) -> None:
        """Have the next :meth:`wake` ring again; before the reader looks, so that none is lost."""
        self._rung = False

    def missed(self, ring: Ring) -> int:
        """Return how many frames of a ring went before this browser read them.

        To be asked once with each reading of the ring: it counts from the last time.
        """
        missed = ring.evicted - self.read.get(ring, ring.evicted)
        self.read[ring] = ring.total
        return max(0, missed)
