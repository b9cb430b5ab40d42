"""Ports that nobody listens on, and that nobody beside this test is given meanwhile."""

from __future__ import annotations

import contextlib
import random
import socket

# Below those that Linux (32768), macOS and Windows (49152) give to whoever asks for any: a port
# of theirs that was closed again may be another test's a moment later, or a client's own end.
_LOWEST, _ABOVE_ALL = 20_000, 32_000

# Not the shared source, which a plugin may seed: several processes would draw the same.
_draw = random.SystemRandom()


def unused_port() -> int:
    """Return a port where nothing listens."""
    while True:
        port = _draw.randrange(_LOWEST, _ABOVE_ALL)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
