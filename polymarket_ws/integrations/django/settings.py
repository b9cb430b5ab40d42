"""``POLYMARKET_WS`` of a project's settings, checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from polymarket_ws.errors import UsageError
from polymarket_ws.integrations.options import Options

__all__ = ["SETTING", "DjangoOptions", "read_settings"]

SETTING: Final = "POLYMARKET_WS"

#: As in Flask's configuration, without ``POLYMARKET_``. What is below which address is said in
#: the project's URLs.
_SHARED: Final = frozenset(
    {
        "CREDENTIALS",
        "ENDPOINTS",
        "GRACE_SECONDS",
        "KEEPALIVE_SECONDS",
        "MARKETS",
        "MAX_BROWSERS",
        "MAX_MARKETS",
        "PAGE",
        "PROXY",
        "RESPONSE_SECONDS",
    }
)
_KNOWN: Final = _SHARED | {"ALLOW_USER", "LOCK"}

_NAME: Final = re.compile(r"POLYMARKET_([A-Z_]+)")


@attrs.frozen(kw_only=True)
class DjangoOptions:
    """Every setting, valid.

    Attributes:
        shared: what each web framework's integration needs.
        allow_user: decides whether a request's session may see orders and fills; ``None``
            lets nobody.
        lock: the file that keeps ``polymarket_stream`` from running twice; ``None`` for the
            default.
    """

    shared: Options
    allow_user: Callable[[HttpRequest], object] | None = None
    lock: Path | None = None

    def may_see_user(self, request: HttpRequest) -> bool:
        """Ask the project whether this session may see orders and fills.

        Raises:
            ImproperlyConfigured: the project's function is asynchronous.
        """
        if self.allow_user is None:
            return False
        answer = self.allow_user(request)
        if inspect.isawaitable(answer):
            # Each coroutine is true: taken as an answer it would let everybody in.
            if inspect.iscoroutine(answer):
                answer.close()
            raise ImproperlyConfigured(f'{SETTING}["ALLOW_USER"] takes a function without async')
        return bool(answer)


def read_settings() -> DjangoOptions:
    """Return what the project's settings say.

    Raises:
        ImproperlyConfigured: something that cannot mean anything; the text shows the right
            one.
    """
    held = getattr(settings, SETTING, None)
    if held is None:
        held = {}
    if not isinstance(held, Mapping):
        raise ImproperlyConfigured(
            f'{SETTING} takes a dictionary such as {{"MARKETS": ["<slug>"]}}'
        )
    unknown = [str(key) for key in held if key not in _KNOWN]
    if unknown:
        raise ImproperlyConfigured(
            f"{SETTING} has no {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(sorted(_KNOWN))}"
        )
    try:
        shared = Options.of({f"POLYMARKET_{key}": held[key] for key in _SHARED if key in held})
    except UsageError as error:
        text = _NAME.sub(rf'{SETTING}["\1"]', str(error))
        raise ImproperlyConfigured(text) from error
    return DjangoOptions(
        shared=shared, allow_user=_function(held.get("ALLOW_USER")), lock=_path(held.get("LOCK"))
    )


def _function(value: Any) -> Callable[[HttpRequest], object] | None:
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            raise ImproperlyConfigured(f'{SETTING}["ALLOW_USER"]: {error}') from error
    if value is not None and not callable(value):
        raise ImproperlyConfigured(
            f'{SETTING}["ALLOW_USER"] takes a function of the request, or its dotted path, '
            f"not {value!r}"
        )
    if inspect.iscoroutinefunction(value):
        raise ImproperlyConfigured(f'{SETTING}["ALLOW_USER"] takes a function without async')
    return value  # type: ignore[no-any-return]


def _path(value: object) -> Path | None:
    if value is None or isinstance(value, Path):
        return value
    if isinstance(value, str) and value:
        return Path(value)
    raise ImproperlyConfigured(f'{SETTING}["LOCK"] takes the path of a file, not {value!r}')
