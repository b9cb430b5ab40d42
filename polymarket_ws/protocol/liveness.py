"""When silence means that something is broken."""

from __future__ import annotations

import math

import attrs

from polymarket_ws.errors import UsageError

__all__ = ["Liveness"]


def _positive_or_none(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if value is None:
        return
    # Not infinity either: no selector can wait for it.
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    if not (math.isfinite(number) and number > 0):
        raise UsageError(
            f"Liveness({attribute.name}=…) takes seconds above 0, or None to switch it off, "
            f"not {value!r}"
        )


@attrs.frozen(kw_only=True)
class Liveness:
    """Three limits in seconds; ``None`` switches one off.

    Attributes:
        socket: no inbound frame of any kind, ``PONG`` included, for so long: a new
            connection. 30 s by default: a ``PONG`` may queue behind data for 11 s. A large
            message that is on its way counts with each 16 KiB that come. The client asks for
            a sign of life every 10 s, or three times within a shorter limit.
        first_book: a subscribed token's first book must come within this time, or it is
            asked for again; then, alone, on a fresh connection; and it is told as
            ``SubscriptionStalled`` when that too is in vain. Each try has this time.
        data: no data on a topic that never sleeps. Off for markets, where quiet is normal.
    """

    socket: float | None = attrs.field(default=30.0, validator=_positive_or_none)
    first_book: float | None = attrs.field(default=30.0, validator=_positive_or_none)
    data: float | None = attrs.field(default=None, validator=_positive_or_none)
