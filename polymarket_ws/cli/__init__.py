"""The command ``polymarket-ws``: one module a command.

Needs the extra ``cli``. Nothing here imports click, so that the command can say so itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code of the process.

    Args:
        arguments: what follows the name of the command; those of this process by default.

    Returns:
        0 when all went well, also when the reader of the output had enough; 1 for what went
        wrong on the way; 2 for a call that cannot mean anything; 130 after Ctrl-C.
    """
    try:
        from polymarket_ws.cli.commands import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.stderr.write(
            'polymarket-ws: the command line needs click: pip install "polymarket-ws[cli]"\n'
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return run(sys.argv[1:] if arguments is None else arguments)
