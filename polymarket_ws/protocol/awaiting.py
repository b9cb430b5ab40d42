"""First snapshots that do not come: asked for again, then elsewhere, then told as stalled.

Unknown and settled tokens never answer, and now and then the server forgets one that should.
Asking again on the same connection helps about half of those, so a fresh one is tried before
anybody is told. What moves there keeps its last chance: nothing goes round in circles.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

__all__ = ["Awaiting", "Late"]


@attrs.frozen
class Late:
    """What to do about ids whose snapshot is late.

    Attributes:
        again: ask once more on this connection.
        elsewhere: ask on a fresh connection.
        stalled: nothing is left to do but to tell.
    """

    again: list[str]
    elsewhere: list[str]
    stalled: list[str]


class Awaiting:
    """The snapshots that one connection waits for.

    Args:
        limit: seconds until one is late; ``None`` waits for ever.
        moves: whether there is an elsewhere.

    Attributes:
        since: the ids that are waited for, with the time they were asked at, oldest first.
        stalled: the ids that were given up and have not come since.
    """

    def __init__(self, limit: float | None, *, moves: bool) -> None:
        self._limit = limit
        self._moves = moves
        self._asked_again: set[str] = set()
        self._last_chances: set[str] = set()
        self._told: set[str] = set()
        self._came: set[str] = set()
        self.since: dict[str, float] = {}
        self.stalled: dict[str, None] = {}

    def asked(self, ids: Iterable[str], now: float) -> None:
        """Note that ids were asked for."""
        for key in ids:
            self._came.discard(key)
            if key in self._told:
                self.stalled[key] = None
                continue
            # Re-inserted, so that the oldest stays the first.
            self.since.pop(key, None)
            self.since[key] = now

    def asked_anew(self, ids: Iterable[str]) -> None:
        """Note that ids are asked for because somebody came or came back: all begins again."""
        for key in ids:
            self._asked_again.discard(key)
            self._told.discard(key)
            self.stalled.pop(key, None)

    def grant_last_chance(self, ids: Iterable[str]) -> None:
        """Note that ids were asked for elsewhere before."""
        self._last_chances.update(ids)

    def was_told(self, ids: Iterable[str]) -> None:
        """Note that ids stalled elsewhere and were told as that: they are not watched again."""
        self._told.update(ids)

    def keep(self, ids: Iterable[str]) -> None:
        """Forget what is known of ids that are not among those that are wanted."""
        wanted = set(ids)
        self._last_chances &= wanted
        self._told &= wanted

    def came(self, key: str) -> None:
        """Note a snapshot."""
        self.since.pop(key, None)
        self.stalled.pop(key, None)
        self._last_chances.discard(key)
        self._told.discard(key)
        self._came.add(key)

    def left(self, ids: Iterable[str]) -> None:
        """Note that nobody wants ids any more."""
        for key in ids:
            self.since.pop(key, None)
            self.stalled.pop(key, None)
            self._asked_again.discard(key)
            self._last_chances.discard(key)
            self._told.discard(key)
            self._came.discard(key)

    def stop(self) -> None:
        """Note that nobody wants snapshots."""
        self.since.clear()
        self.stalled.clear()

    def forget(self) -> None:
        """Note that the connection is gone, or new. Last chances are not given twice."""
        self.since.clear()
        self.stalled.clear()
        self._asked_again.clear()
        self._came.clear()

    def lacks(self, key: str) -> bool:
        """Return whether no snapshot of ``key`` has come since it was asked for last."""
        return key not in self._came

    @property
    def deadline(self) -> float | None:
        """When the next one is late."""
        if self._limit is None or not self.since:
            return None
        return next(iter(self.since.values())) + self._limit

    def late(self, now: float) -> Late | None:
        """Take out what is late by now; ``None`` if nothing is."""
        limit = self._limit
        if limit is None:
            return None
        late = Late([], [], [])
        for key, asked_at in self.since.items():
            # The same sum as in ``deadline``: a difference may round the other way.
            if now < asked_at + limit:
                break
            if key in self._last_chances or (key in self._asked_again and not self._moves):
                late.stalled.append(key)
            elif key in self._asked_again:
                late.elsewhere.append(key)
            else:
                late.again.append(key)
        if not (late.again or late.elsewhere or late.stalled):
            return None
        for key in (*late.again, *late.elsewhere, *late.stalled):
            del self.since[key]
        self._asked_again.update(late.again)
        self.stalled.update(dict.fromkeys(late.stalled))
        return late
