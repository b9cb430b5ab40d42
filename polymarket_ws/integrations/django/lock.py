"""One instance at a time: a lock on a file, which the operating system lets go of.

It is never stale: however the process ends, its lock ends with it. The file stays, since one
that is removed could be locked by two at once, each under its own name of the same. It keeps
apart the processes of one machine that see one file; on several machines, or in containers with
folders of their own, whatever starts them has to see to it that there is one.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from polymarket_ws.errors import PolymarketWSError

__all__ = ["AlreadyRunning", "SingleInstance", "default_path"]

#: Windows keeps others from reading what is locked: not where the number of the process is.
_LOCKED_BYTE: Final = 1024


class AlreadyRunning(PolymarketWSError):
    """Another process holds the lock."""


class SingleInstance:
    """Holds a file locked, from :meth:`acquire` to :meth:`release`.

    Args:
        path: of the file; it is made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunning: somebody else has it.
            OSError: the file cannot be made or locked.
        """
        # No symbolic link: in a folder that all may write to, it could lead anywhere. Not
        # inherited by programs that receivers start: they would hold the lock on.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if not _lock(descriptor):
                pid = os.pread(descriptor, 20, 0) if hasattr(os, "pread") else b""
                who = f" (process {int(pid)})" if pid.strip().isdigit() else ""
                raise AlreadyRunning(f"it runs already{who}: {self.path} is locked")
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, b"%d\n" % os.getpid())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # A process that was forked meanwhile has the descriptor, too: closing ours is not
            # enough.
            _unlock(descriptor)
            os.close(descriptor)


def default_path(project: str) -> Path:
    """Return where the lock of a project is: in the folder for temporary files, one a user.

    Args:
        project: what tells it from other projects of this machine.
    """
    user = str(os.getuid()) if sys.platform != "win32" else os.environ.get("USERNAME", "")
    name = hashlib.sha256(f"{user}\0{project}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"polymarket-ws-{name}.lock"


def _unlock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    else:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
