"""What is said on stderr beside the output, a line each."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

import click

from polymarket_ws.cli.output import silence

__all__ = ["Notices", "say"]


def say(text: str) -> None:
    """Say something on stderr."""
    try:
        click.echo(f"polymarket-ws: {text}", err=True)
    except OSError:
        # Without anybody to tell, the work goes on; what is left in the buffer would fail
        # once more at the exit, and change its code.
        silence(sys.stderr)


class Notices(logging.Handler):
    """The library's warnings on stderr, while a ``with`` block lasts.

    Args:
        held: keep them back until :meth:`let_through`. Before the first connection each
            failed attempt is a warning, and the error that ends the command says the same.
    """

    def __init__(self, *, held: bool = False) -> None:
        super().__init__(logging.WARNING)
        self._held: list[str] | None = [] if held else None
        self._logger = logging.getLogger("polymarket_ws")

    def __enter__(self) -> Notices:
        self._logger.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self)
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record, or keep it. Called with the handler's lock held."""
        line = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line += f": {type(error).__name__}: {error}"
        if self._held is None:
            say(line)
        else:
            self._held.append(line)

    def let_through(self) -> None:
        """Say what was kept back, and everything from now on at once."""
        if self._held is None:
            return
        self.acquire()
        try:
            held, self._held = self._held, None
            for line in held:
                say(line)
        finally:
            self.release()
