"""The command and its subcommands, and how every end of one looks from the shell."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence

import click

from polymarket_ws._version import __version__
from polymarket_ws.cli.notices import say
from polymarket_ws.cli.output import ReaderGone, silence
from polymarket_ws.errors import PolymarketWSError, UsageError

__all__ = ["run"]

NAME = "polymarket-ws"

#: Each is the function of its name in the module of its name.
COMMANDS = ("credentials", "serve", "simulate", "stream", "watch")

_OK = 0
_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130

# The library's errors show calls; in a shell only what is inside of them can be typed.
_LOOKUP_OF = re.compile(r'lookup\("([^"]*)"\)')
_LOOKUP = re.compile(r"lookup\(\)")


class _Commands(click.Group):
    """Imports a command when it is asked for: each needs other parts of the package.

    ``credentials`` starts in a third of the time that all of them take.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names of all, imported or not."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Return one of them, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"polymarket_ws.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    NAME,
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(
    __version__, "-V", "--version", prog_name=NAME, message="%(prog)s %(version)s"
)
@click.pass_context
def polymarket_ws(context: click.Context) -> None:
    """Polymarket's live streams, and an exchange to try them on."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors become one line on stderr."""
    try:
        # Not click's own main(): it says more than a line about an error, answers a reader
        # that has gone with 1 and Ctrl-C with "Aborted!".
        with polymarket_ws.make_context(NAME, list(arguments)) as context:
            polymarket_ws.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else NAME
        say(f"{_one_line(error.format_message())} ({command} -h shows what it takes)")
        return _MISUSED
    except click.ClickException as error:
        say(_one_line(error.format_message()))
        silence(sys.stdout)
        return error.exit_code
    except PolymarketWSError as error:
        say(_LOOKUP.sub("WHAT", _LOOKUP_OF.sub(r"\1", str(error))))
        return _MISUSED if isinstance(error, UsageError) else _FAILED
    except (BrokenPipeError, ReaderGone):
        silence(sys.stdout)
        return _OK
    except KeyboardInterrupt:
        # What is still buffered could wait for ever on a reader that does not read.
        silence(sys.stdout)
        return _INTERRUPTED
    return _OK


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
