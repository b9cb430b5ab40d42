"""What a connection is opened for that nobody wants anything of yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from polymarket_ws.transport.connection import Connection

__all__ = ["Trial"]


@attrs.frozen
class Trial:
    """What a fresh connection is opened for.

    Attributes:
        seconds: how long it may take.
        opened: called in the connection's thread once it is open.
        failed: called in the connection's thread when it will never be.
    """

    seconds: float
    opened: Callable[[Connection], None]
    failed: Callable[[Connection], None]
