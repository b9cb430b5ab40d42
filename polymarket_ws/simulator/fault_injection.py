"""How faults get to where they act: upgrades, connections, now and later."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.agenda import Agenda
from polymarket_ws.simulator.client_session import ClientSession, Connection
from polymarket_ws.simulator.clients import Clients
from polymarket_ws.simulator.fault_plan import At, Channel, FaultPlan, Upgrade, check_lasting
from polymarket_ws.simulator.faults import Fault, HandshakeFault

__all__ = ["FaultInjection"]


class FaultInjection:
    """Does the faults of an exchange to its connections.

    Args:
        script: entries, or faults that are on every connection from its beginning.
        changed: the exchange's lock.
        clients: who is connected.
        agenda: does what is to be done later.

    Raises:
        UsageError: the script makes no sense.
    """

    def __init__(
        self,
        script: Iterable[At | Fault],
        changed: threading.Condition,
        clients: Clients,
        agenda: Agenda,
    ) -> None:
        self._plan = FaultPlan(script)
        self._changed = changed
        self._clients = clients
        self._agenda = agenda

    def upgrade(self, channel: Channel) -> Upgrade:
        """Count an upgrade, and return what is in store for it."""
        with self._changed:
            return self._plan.upgrade(channel)

    def entries(self, upgrade: Upgrade) -> tuple[At, ...]:
        """Return what is to happen on the connection that an upgrade has become."""
        with self._changed:
            return self._plan.entries(upgrade)

    def subscribed(self, session: ClientSession, entries: Iterable[At]) -> None:
        """Take notice of a first subscription, from which on the seconds count."""
        for entry in entries:
            if entry.seconds is not None:
                begin = functools.partial(session.impose, entry.fault, entry.lasting)
                self._agenda.add(entry.seconds, begin)

    def inject(
        self, fault: Fault | At, connection: Connection | int | None, lasting: float | None
    ) -> None:
        """Do a fault at once to whom it can be done, or to those to come."""
        if isinstance(fault, (At, HandshakeFault)):
            if connection is not None or (isinstance(fault, At) and lasting is not None):
                raise UsageError(f"{fault!r} is for upgrades to come: give it nothing else")
            self._script(fault if isinstance(fault, At) else At(fault), lasting)
            return
        check_lasting(fault, lasting)
        for session in self._clients.chosen(connection):
            session.impose(fault, lasting)
        with self._changed:
            self._changed.notify_all()

    def heal(self) -> None:
        """Take back everything that is in force or still to come."""
        self._agenda.clear()
        with self._changed:
            self._plan.clear()
            for session in self._clients.everyone():
                session.heal()
            self._changed.notify_all()

    def _script(self, entry: At, lasting: float | None) -> None:
        with self._changed:
            self._plan.add(entry)
        if lasting is not None:
            self._agenda.add(lasting, functools.partial(self._unscript, entry))

    def _unscript(self, entry: At) -> None:
        with self._changed:
            self._plan.remove(entry)
