"""``polymarket-ws credentials``: an API key in the operating system's encrypted store."""

from __future__ import annotations

import getpass
import json
import sys
import warnings
from typing import Final

import click

from polymarket_ws.api_key import HiddenText
from polymarket_ws.authentication import check_credentials
from polymarket_ws.cli.exchange import url_option
from polymarket_ws.cli.output import Lines
from polymarket_ws.credentials import KEYRING_SECONDS, Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, UsageError

__all__ = ["credentials", "found_credentials", "profile_option"]

#: At a terminal somebody may have to type the keyring's own password first.
_SECONDS_AT_A_TERMINAL: Final = 30.0

# As the exchange's answer has it, and as its own clients call the fields.
_NAMES: Final = {
    "api_key": ("apiKey", "api_key", "key"),
    "secret": ("secret", "api_secret", "apiSecret"),
    "passphrase": ("passphrase", "api_passphrase", "apiPassphrase"),
    "address": ("address",),
}

_WANTED: Final = (
    'wanted on stdin is {"apiKey":"…","secret":"…","passphrase":"…","address":"0x…"}, or these '
    "values on lines of their own; the address may be left out"
)

# What a terminal hands over in one line, and far more than a key has.
_LIMIT: Final = 16 * 1024


class _Unanswered(click.ClickException):
    """The exchange said neither yes nor no."""

    exit_code = 3  # beside the codes that every command has


@click.group(invoke_without_command=True)
@click.pass_context
def credentials(context: click.Context) -> None:
    """Keep the API key of an account in the system's keyring.

    A server without a keyring uses the environment instead: POLYMARKET_API_KEY,
    POLYMARKET_API_SECRET, POLYMARKET_API_PASSPHRASE and POLYMARKET_ADDRESS.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_stored = click.option(
    "--profile", default="default", show_default=True, metavar="NAME", help="Which of several."
)
#: Gives a command the parameter ``profile``: ``None`` where the option was left out.
profile_option = click.option(
    "--profile",
    metavar="NAME",
    help="This one of the keyring. By default the environment, then the keyring's `default`.",
)


@credentials.command("set")
@_stored
@click.option("--address", metavar="0x…", help="Of the wallet that made the key.")
def store(profile: str, address: str | None) -> None:
    """Store a key, in place of what the profile held.

    Asks for its parts without showing them. From a pipe it reads one JSON object with
    "apiKey", "secret", "passphrase" and perhaps "address", as the exchange gives it, or these
    values on lines of their own. They are never arguments: those stand in the history of the
    shell and in the list of processes.

    The address is that of the wallet that made the key. Without it the key cannot be checked.
    """
    # At a terminal that is not there (None), nothing can be typed.
    key = _typed(address) if _at_a_terminal() else _piped(address)
    key.save_to_keyring(profile, timeout=_patience())
    Lines().write(f'stored {_described(key)} as profile "{profile.strip()}" of the keyring')


@credentials.command()
@profile_option
def show(profile: str | None) -> None:
    """Say which key would be used, and from where. Secrets are not shown."""
    key = found_credentials(profile)
    Lines().write(f"{_described(key)}, from {key.source}")


@credentials.command()
@profile_option
@url_option
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="Seconds for the exchange's answer.",
)
def check(profile: str | None, endpoints: Endpoints | None, timeout: float) -> None:
    """Ask the exchange whether it accepts the key.

    Exits with 0 when it does, 1 when it refuses the key or there is none, 3 when it could
    not be asked.
    """
    where = endpoints or Endpoints()
    key = found_credentials(profile)
    if key.address is None:
        raise click.UsageError(
            f"the key from {key.source} has no address, without which it cannot be checked: set "
            "POLYMARKET_ADDRESS, or store it again with --address"
        )
    try:
        check_credentials(key, endpoints=where, timeout=timeout, proxy="env")
    except AuthenticationFailed:
        raise
    except ConnectionFailed as error:
        raise _Unanswered(str(error)) from error
    Lines().write(f"OK: {where.clob} accepts {_described(key)}, from {key.source}")


@credentials.command()
@_stored
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
def delete(profile: str, yes: bool) -> None:
    """Remove a profile from the keyring. The exchange goes on accepting the key."""
    if not yes:
        if not _at_a_terminal():
            raise click.UsageError("nobody can be asked whether that is meant; say --yes")
        answer = _visible(f'Remove the profile "{profile.strip()}" from the keyring? [y/N]: ')
        if answer.lower() not in ("y", "yes"):
            raise click.ClickException("nothing was removed")
    Credentials.delete_from_keyring(profile, timeout=_patience())
    Lines().write(f'removed the profile "{profile.strip()}" from the keyring')


def found_credentials(profile: str | None) -> Credentials:
    """Return a profile of the keyring; for ``None`` the environment, then the default one.

    Raises:
        CredentialsNotFound: there are none, or they could not be had.
    """
    if profile is None:
        return Credentials.find(timeout=_patience())
    return Credentials.from_keyring(profile, timeout=_patience())


def _described(key: Credentials) -> str:
    address = f"address {key.address}" if key.address is not None else "without an address"
    return f"API key {key.masked_api_key}, {address}"


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _patience() -> float:
    return _SECONDS_AT_A_TERMINAL if _at_a_terminal() else KEYRING_SECONDS


def _typed(address: str | None) -> Credentials:
    api_key, secret, passphrase = (
        _hidden(f"{name} (not shown): ") for name in ("API key", "Secret", "Passphrase")
    )
    if address is None:
        address = _visible("Address of the wallet that made the key (0x…, or nothing): ") or None
    return Credentials(api_key, secret, passphrase, address)


def _visible(prompt: str) -> str:
    # Not click's prompts: they answer Ctrl-C and the end of input with the same error.
    click.echo(prompt, nl=False, err=True)
    return sys.stdin.readline().strip()


def _hidden(prompt: str) -> str:
    with warnings.catch_warnings():
        # It says so and goes on, with the secret on the screen.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return HiddenText(getpass.getpass(prompt))
        except getpass.GetPassWarning as error:
            raise click.ClickException(
                "this terminal cannot hide what is typed; pass the key on stdin"
            ) from error
        except EOFError as error:
            raise click.ClickException("nothing was stored") from error


def _piped(address: str | None) -> Credentials:
    values = _read_values()
    if isinstance(values, str):
        raise UsageError(values)
    if address is not None:
        values["address"] = address
    return Credentials(**values)


def _read_values() -> dict[str, str] | str:
    """Return what stdin holds, hidden, or what is wrong with it. Errors would quote it."""
    if sys.stdin is None:
        return _WANTED
    try:
        # PowerShell begins what it pipes with a byte order mark.
        text = sys.stdin.buffer.read(_LIMIT).decode("utf-8-sig").strip()
        fields = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return f"stdin is neither JSON nor lines of text; {_WANTED}"
    if fields is None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not 3 <= len(lines) <= 4:
            return f"stdin has {len(lines)} lines; {_WANTED}"
        fields = dict(zip(_NAMES, lines, strict=False))
    values: dict[str, str] = {}
    for name, spellings in _NAMES.items():
        value = next((fields[spelling] for spelling in spellings if fields.get(spelling)), None)
        if value is None and name != "address":
            return f"{spellings[0]} is missing; {_WANTED}"
        if value is not None and not isinstance(value, str):
            return f"{spellings[0]} is no text; {_WANTED}"
        if value is not None:
            values[name] = HiddenText(value)
    return values
