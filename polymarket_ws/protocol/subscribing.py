"""Wanted against sent: the difference becomes frames.

One set of wishes is the truth. What the server knows is derived from the frames that were
written on this connection, and a new connection starts from nothing, so after any reconnect
the two are equal, whatever was changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import Protocol

import attrs

__all__ = ["MAX_IDS_PER_FRAME", "Difference", "Spelling", "Subscribing"]

#: Ids in one frame: 200 token ids are 16 kB, which every hop on the way takes.
MAX_IDS_PER_FRAME = 200


class Spelling(Protocol):
    """How a dialect writes its wishes."""

    def first(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that opens a connection."""
        ...

    def subscribe(self, ids: list[str], *, features: bool) -> str:
        """Return the frame that adds ids to an open connection."""
        ...

    def unsubscribe(self, ids: list[str]) -> str:
        """Return the frame that takes ids from an open connection."""
        ...


@attrs.frozen
class Difference:
    """What is to be sent, and what it means.

    Attributes:
        frames: texts, in order; for one write, so that nothing comes in between.
        added: ids newly subscribed.
        again: ids subscribed anew to hear their opening state once more.
        removed: ids unsubscribed.
    """

    frames: list[str]
    added: list[str]
    again: list[str]
    removed: list[str]


class Subscribing:
    """What is wanted on one connection, and what was asked for on it.

    Attributes:
        wanted: every wanted id; replaced as a whole, so other threads may read it.
        sent: the ids that the server was asked for, in the order of the wishes.
        begun: whether the first frame was made.
    """

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self.wanted: dict[str, None] = {}
        self._features_wanted = False
        self._anything_wanted = False
        self._features_sent = False
        self._refresh: dict[str, None] = {}
        self.sent: dict[str, None] = {}
        self.begun = False

    def forget(self) -> None:
        """Note that the server knows nothing: the connection is gone, or new."""
        self.sent = {}
        self.begun = False
        self._features_sent = False
        self._refresh = {}

    def want(self, ids: Iterable[str], *, features: bool, anything: bool) -> None:
        """Set what is wanted from now on.

        Args:
            ids: every id.
            features: whether the server's custom features are needed.
            anything: whether anything is wanted at all; it may be without an id.
        """
        self.wanted = dict.fromkeys(ids)
        self._features_wanted = features
        self._anything_wanted = anything or bool(self.wanted)

    def refresh(self, ids: Iterable[str]) -> None:
        """Have the server tell the opening state of ids once more."""
        self._refresh.update(dict.fromkeys(ids))

    @property
    def settled(self) -> bool:
        """Whether the server was asked for exactly what is wanted."""
        if self._refresh:
            return False
        if not self.begun:
            return not self._anything_wanted
        return self.wanted.keys() == self.sent.keys() and (
            self._features_sent == self._features_wanted or not self._anything_wanted
        )

    @property
    def removed(self) -> tuple[str, ...]:
        """The ids that the server was asked for and that nobody wants any more."""
        return tuple(key for key in self.sent if key not in self.wanted)

    def frames(self, others: Collection[Container[str]] = ()) -> Difference:
        """Return what makes the server's set the wanted one.

        Args:
            others: ids that are to be left alone for now, because other connections have
                asked for them and not yet left them. It is not settled until they do.
        """
        added = [
            key
            for key in self.wanted
            if key not in self.sent and not any(key in other for other in others)
        ]
        removed = list(self.removed)
        again = [key for key in self._refresh if key in self.sent and key in self.wanted]
        # Where nothing is wanted at all the flag is nobody's concern.
        features = self._features_wanted if self._anything_wanted else self._features_sent
        frames: list[str] = []
        if self.begun:
            if features != self._features_sent and not (again or added):
                # The server applies the flag before it refuses an id as a duplicate, so
                # naming one active id again switches it in place. Where none is active it
                # is sent without an id, as in a first frame for new markets alone.
                frames.append(self._spelling.subscribe(list(self.sent)[:1], features=features))
            # Unsubscribing first: the server never has more ids on the way than it bears,
            # and it ignores an id that is active, but answers a new one with its opening
            # state.
            frames += self._unsubscribe(again + removed)
            frames += self._subscribe(again + added, features=features)
        elif added or (self._anything_wanted and not self.wanted):
            frames.append(self._spelling.first(added[:MAX_IDS_PER_FRAME], features=features))
            frames += self._subscribe(added[MAX_IDS_PER_FRAME:], features=features)
            self.begun = True
        else:
            # The server reads the first frame as the subscription: nothing is said before
            # there is something to ask for.
            features = self._features_sent
        known = {*self.sent, *added}
        self.sent = {key: None for key in self.wanted if key in known}
        self._features_sent = features
        self._refresh = {}
        return Difference(frames, added, again, removed)

    def _subscribe(self, ids: list[str], *, features: bool) -> list[str]:
        return [self._spelling.subscribe(chunk, features=features) for chunk in _chunks(ids)]

    def _unsubscribe(self, ids: list[str]) -> list[str]:
        return [self._spelling.unsubscribe(chunk) for chunk in _chunks(ids)]


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), MAX_IDS_PER_FRAME):
        yield ids[start : start + MAX_IDS_PER_FRAME]
