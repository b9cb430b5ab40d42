"""Which faults an exchange does to whom: its script, and what was injected since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_arguments import number, one_of, whole
from polymarket_ws.simulator.faults import Fault, HandshakeFault, LastingFault

__all__ = ["At", "FaultPlan", "Upgrade", "check_lasting"]

Channel = Literal["market", "user"]


@attrs.frozen
class At:
    """One entry of a script of faults: what, on which connection, and when.

    Connections are told by the number of their upgrade: the first upgrade to a stream is 1, and
    so on for as long as the exchange exists. Each upgrade has one, also one that a fault keeps
    from becoming a connection; only those that are turned away because there are too many at
    once (``upgrades_per_second``) have none. ``Connection.number`` is the same number. Where
    ``channel`` is given, those of that channel are counted on their own.

    Attributes:
        fault: what.
        connection: the number of the only one; None: of more than one.
        every: without ``connection``, each nth one.
        channel: ``market`` or ``user``; None: both.
        messages: it begins after so many messages to it: text frames of markets, the account,
            a recording and a script, but no ``PONG``. All opening books of a subscription are
            one. 0: as soon as it is connected.
        seconds: it begins so many seconds after its first subscription; None: ``messages`` says
            when.
        lasting: seconds after which it is healed; None: for ever.
    """

    fault: Fault = attrs.field()
    connection: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(whole(1))
    )
    every: int = attrs.field(default=1, kw_only=True, validator=whole(1))
    channel: Literal["market", "user"] | None = attrs.field(
        default=None,
        kw_only=True,
        validator=attrs.validators.optional(one_of("market", "user")),
    )
    messages: int = attrs.field(default=0, kw_only=True, validator=whole(0))
    seconds: float | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(number(0, 1e6))
    )
    lasting: float | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(number(0, 1e6))
    )

    def __attrs_post_init__(self) -> None:
        check_lasting(self.fault, self.lasting)
        if self.messages and self.seconds is not None:
            raise UsageError("a fault begins after messages= or after seconds=, not both")
        if self.connection is not None and self.every != 1:
            raise UsageError("a fault is on connection= or on every=, not both")
        late = self.messages or self.seconds is not None or self.lasting is not None
        if isinstance(self.fault, HandshakeFault) and late:
            name = type(self.fault).__name__
            raise UsageError(
                f"{name} is done to an upgrade: leave messages=, seconds=, lasting= out"
            )

    @property
    def at_once(self) -> bool:
        """Whether it is there from the beginning of a connection."""
        return self.messages == 0 and self.seconds is None

    def concerns(self, number: int) -> bool:
        """Return whether it is on the connection with that number."""
        if self.connection is not None:
            return number == self.connection
        return number % self.every == 0


def check_lasting(fault: object, lasting: float | None) -> None:
    """Check that something is a fault, and can be healed after a time if it is to be.

    Raises:
        UsageError: it is none, or it cannot.
    """
    if not isinstance(fault, Fault):
        raise UsageError(f"wanted is a fault, such as Mute(), not {fault!r}")
    if lasting is not None and not isinstance(fault, (LastingFault, HandshakeFault)):
        raise UsageError(f"{type(fault).__name__} does not last: leave lasting= out")


@attrs.frozen
class Upgrade:
    """One upgrade to a stream, and what is in store for it.

    Attributes:
        number: 1 for the first one of this exchange, and so on.
        fault: what is done instead of accepting it as usual; None: nothing.
        entries: what is to happen once it is a connection.
        healings: how often everything was taken back before.
    """

    number: int
    fault: HandshakeFault | None = None
    entries: tuple[At, ...] = ()
    healings: int = 0


class FaultPlan:
    """The faults that are to come.

    Not thread-safe: everything is called with the exchange's lock held.

    Args:
        script: entries, or faults that are on every connection from its beginning.

    Raises:
        UsageError: there is something else among them.
    """

    def __init__(self, script: Iterable[At | Fault] = ()) -> None:
        if isinstance(script, (str, bytes, Fault, At)):
            raise UsageError(f"faults= takes a list of faults, such as [Mute()], not {script!r}")
        self._script = [entry if isinstance(entry, At) else At(entry) for entry in script]
        self._numbers = {"market": 0, "user": 0}
        self._healings = 0

    def add(self, entry: At) -> None:
        """Add an entry."""
        self._script.append(entry)

    def remove(self, entry: At) -> None:
        """Take that very entry back, if it is still there."""
        self._script = [other for other in self._script if other is not entry]

    def clear(self) -> None:
        """Take back everything, what is in store for upgrades under way included."""
        self._script.clear()
        self._healings += 1

    def entries(self, upgrade: Upgrade) -> tuple[At, ...]:
        """Return what is still to happen on the connection that an upgrade has become."""
        return upgrade.entries if upgrade.healings == self._healings else ()

    def upgrade(self, channel: Channel) -> Upgrade:
        """Count an upgrade, and return what is in store for it.

        Of several faults of handshakes the first one counts.
        """
        self._numbers[channel] += 1
        number = sum(self._numbers.values())
        entries = [entry for entry in self._script if self._concerns(entry, channel, number)]
        faults = (entry.fault for entry in entries)
        return Upgrade(
            number,
            next((fault for fault in faults if isinstance(fault, HandshakeFault)), None),
            tuple(entry for entry in entries if not isinstance(entry.fault, HandshakeFault)),
            self._healings,
        )

    def _concerns(self, entry: At, channel: Channel, number: int) -> bool:
        if entry.channel is None:
            return entry.concerns(number)
        return entry.channel == channel and entry.concerns(self._numbers[channel])
