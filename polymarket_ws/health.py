"""Readings for probes and dashboards."""

from __future__ import annotations

import attrs

__all__ = ["ConnectionHealth", "Health"]


@attrs.frozen(kw_only=True)
class ConnectionHealth:
    """One connection, read at one moment.

    Attributes:
        number: the ``connection`` of its lifecycle events.
        channel: ``"market"``, …
        state: ``"connecting"``, ``"open"``, ``"backing off"`` or ``"closed"``.
        epoch: how many connections were made under this number.
        attempts: how many were tried.
        last_error: why the last attempt failed or the last connection ended.
        last_frame_at: Unix seconds of the last inbound frame. A socket that is open and
            dead shows here.
        asset_ids: how many assets the server was asked for.
        pending: assets whose first book has not come, those included that were not asked for
            yet and those that never answered.
        not_asked_for: events that came and that nobody wants, such as the other classes of
            an asset; they are passed over.
        unsent_bytes: what the peer has not taken yet; after 5 s without progress it counts
            as gone.
    """

    number: int
    channel: str
    state: str
    epoch: int
    attempts: int
    last_error: str | None
    last_frame_at: float | None
    asset_ids: int
    pending: tuple[str, ...]
    not_asked_for: int = 0
    unsent_bytes: int = 0


@attrs.frozen(kw_only=True)
class Health:
    """A whole client, read at one moment.

    Attributes:
        connected: whether there are connections and all of them are open.
        connections: each of them.
        closed: whether the client is closed.
        last_error: the last error of the youngest connection that had one.
        last_frame_at: Unix seconds of the latest inbound frame.
        pending: assets whose first book has not come.
        buffered: events that wait for consumers.
        dropped: events dropped because consumers were too slow.
    """

    connected: bool
    connections: tuple[ConnectionHealth, ...]
    closed: bool
    last_error: str | None
    last_frame_at: float | None
    pending: tuple[str, ...]
    buffered: int
    dropped: int
