"""Whether the server around us was asked to stop.

A response that never ends by itself would hold up a server that lets its requests finish.
Servers tell no application that they stop, but some keep a flag on the object whose method handles
SIGTERM: ``alive`` on gunicorn's workers, ``should_exit`` on uvicorn's server. Reading it changes
nothing: the handler stays theirs.
"""

from __future__ import annotations

import signal

__all__ = ["asked_to_stop"]


def asked_to_stop() -> bool | None:
    """Return whether the server stops; ``None`` where there is none that would tell."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    alive = getattr(server, "alive", None)
    if isinstance(alive, bool):
        return not alive
    should_exit = getattr(server, "should_exit", None)
    return should_exit if isinstance(should_exit, bool) else None
