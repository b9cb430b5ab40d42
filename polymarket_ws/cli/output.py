"""Lines on standard output, for programs and people that read on."""

from __future__ import annotations

import errno
import os
import sys
from typing import TextIO

import click

__all__ = ["Lines", "ReaderGone", "silence"]

# Windows has no EPIPE for a pipe whose reader is gone.
_GONE = frozenset((errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,))


class ReaderGone(Exception):
    """Whoever read the output has gone, as ``head`` does when it has enough."""


class Lines:
    """Standard output, in UTF-8 whatever the locale says: that is what JSON is written in.

    Raises:
        click.ClickException: there is no standard output.
    """

    def __init__(self) -> None:
        # None where the process was started with it closed.
        if sys.stdout is None:
            raise click.ClickException("standard output is closed")
        self._file = sys.stdout.buffer

    def write(self, line: str) -> None:
        """Write one line, and have it out at once: a pipe may be watched live.

        Raises:
            ReaderGone: nobody reads any more.
            click.ClickException: the line cannot be written, for instance to a full disk.
        """
        try:
            self._file.write(f"{line}\n".encode())
            self._file.flush()
        except OSError as error:
            if error.errno in _GONE:
                raise ReaderGone from error
            raise click.ClickException(
                f"cannot write to standard output: {error.strerror or error}"
            ) from error


def silence(stream: TextIO | None) -> None:
    """Let what is still buffered go nowhere, so that the exit can neither fail nor wait."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
