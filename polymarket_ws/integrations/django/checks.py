"""System checks: what ``manage.py check`` says of a project's use of us.

Only what can be told from inside the process that checks. Which server will run the project
cannot.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - so Django calls it
from django.core.exceptions import ImproperlyConfigured
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from polymarket_ws.credentials import Credentials
from polymarket_ws.errors import PolymarketWSError
from polymarket_ws.integrations.django.apps import installed
from polymarket_ws.integrations.django.settings import SETTING, DjangoOptions

__all__ = ["CHECKS"]

#: Threads of a client that is in use; those of a simulated exchange are no harm.
_PREFIX: Final = "polymarket-ws-"
_SIMULATED: Final = "polymarket-ws-simulator"

Check = Callable[..., Sequence[CheckMessage]]


def check_settings(**_: Any) -> Sequence[CheckMessage]:
    """Report a setting that cannot mean anything."""
    try:
        installed().options  # noqa: B018 - reading is checking
    except ImproperlyConfigured as error:
        return [Error(str(error), id="polymarket_ws.E001")]
    return []


def check_credentials(**_: Any) -> Sequence[CheckMessage]:
    """Report credentials that the environment should have and has not."""
    options = _options()
    if options is None:
        return []
    found: list[CheckMessage] = []
    if options.shared.credentials == "env":
        found += _looked_for(options)
    if options.allow_user is not None and options.shared.credentials is None:
        text = f'{SETTING}["ALLOW_USER"] lets sessions see an account, and there is none.'
        hint = f'Say where the API key is: {SETTING}["CREDENTIALS"] = "env" or "keyring".'
        found.append(Warning(text, hint=hint, id="polymarket_ws.W002"))
    return found


def check_keyring(**_: Any) -> Sequence[CheckMessage]:
    """Report credentials that the keyring should have and has not.

    With ``--deploy`` only: a locked keyring may open a window and wait.
    """
    options = _options()
    where = None if options is None else options.shared.credentials
    if options is None or not isinstance(where, str) or where == "env":
        return []
    return _looked_for(options)


def check_nothing_is_open(**_: Any) -> Sequence[CheckMessage]:
    """Report a client that was put to use while the project was loaded."""
    names = {
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(_PREFIX) and not thread.name.startswith(_SIMULATED)
    }
    if not names:
        return []
    shown = ", ".join(sorted(names))
    found: list[CheckMessage] = [
        Warning(
            f"A client is in use already, while the project is only being loaded ({shown}).",
            hint="Subscribe in `manage.py polymarket_stream`, or when the first request comes: "
            "every process that loads the project opens a socket of its own now, and with "
            "`gunicorn --preload` it is the master, whose workers cannot use it.",
            id="polymarket_ws.W003",
        )
    ]
    if os.environ.get(DJANGO_AUTORELOAD_ENV) == "true":
        found.append(
            Warning(
                "The reloader of runserver has loaded the project twice, and has two clients.",
                hint="Nothing that models, URLs or ready() import may subscribe.",
                id="polymarket_ws.W004",
            )
        )
    return found


#: Each check, and how it is registered.
CHECKS: Final[Sequence[tuple[Check, Mapping[str, Any]]]] = (
    (check_settings, {}),
    (check_credentials, {}),
    (check_nothing_is_open, {}),
    (check_keyring, {"deploy": True}),
)


def _options() -> DjangoOptions | None:
    try:
        return installed().options
    except ImproperlyConfigured:
        # That is another check's to tell.
        return None


def _looked_for(options: DjangoOptions) -> Sequence[CheckMessage]:
    where = options.shared.credentials
    if where is None or isinstance(where, Credentials):
        return []
    try:
        options.shared.found_credentials()
    except PolymarketWSError as error:
        text = f'{SETTING}["CREDENTIALS"] is {where!r}: {error}'
        hint = "Without them the account cannot be followed, and nothing is shown to browsers."
        return [Warning(text, hint=hint, id="polymarket_ws.W001")]
    return []
