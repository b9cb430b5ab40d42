"""Whether the server around us was asked to stop.

A response that never ends by itself would hold up a server that lets its requests finish.
Servers tell no application that they stop, but gunicorn's workers keep a flag, ``alive``, on the
object whose method handles SIGTERM. Reading it changes nothing: the handler stays theirs.
"""

from __future__ import annotations

import signal

__all__ = ["asked_to_stop"]


def asked_to_stop() -> bool | None:
    """Return whether the server stops; ``None`` where there is none that would tell."""
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    alive = getattr(worker, "alive", None)
    return not alive if isinstance(alive, bool) else None
