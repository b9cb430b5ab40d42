"""The settings of a web application that concern us: ``POLYMARKET_…``, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.integrations.sse.broadcast import Limits
from polymarket_ws.market_info import MarketInfo

__all__ = ["Options"]

_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_.~-]+)*")


@attrs.frozen(kw_only=True)
class Options:
    """Every setting, valid.

    Attributes:
        url_prefix: below which everything is, such as ``/polymarket``.
        page: whether the page and its assets are served.
        markets: the only ones that are shown; ``None`` shows any.
        endpoints: where the exchange is.
        credentials: of the account, or where to look for them when they are needed.
        proxy: as for ``Client``.
        limits: what strangers may cost.
        keepalive: seconds of silence after which a comment is sent.
        response_seconds: after which a response ends and the browser comes back; ``None`` lets
            it go on for as long as the server can do something else meanwhile.
    """

    url_prefix: str = "/polymarket"
    page: bool = True
    markets: tuple[str | MarketInfo, ...] | None = None
    endpoints: Endpoints = Endpoints()
    credentials: Credentials | str | None = attrs.field(default=None, repr=False)
    proxy: str | None = attrs.field(default="env", repr=False)
    limits: Limits = attrs.field(factory=Limits)
    keepalive: float = 15.0
    response_seconds: float | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Options:
        """Return the options that an application's settings hold; see docs/howto/flask.md.

        Args:
            settings: such as ``app.config``. Other keys than ours are ignored.

        Raises:
            UsageError: a setting that cannot mean anything; the text shows the right one.
        """
        default = cls()
        return cls(
            url_prefix=_prefix(settings.get("POLYMARKET_URL_PREFIX", default.url_prefix)),
            page=bool(settings.get("POLYMARKET_PAGE", default.page)),
            markets=_markets(settings.get("POLYMARKET_MARKETS")),
            endpoints=_endpoints(settings.get("POLYMARKET_ENDPOINTS")),
            credentials=_credentials(settings.get("POLYMARKET_CREDENTIALS")),
            proxy=settings.get("POLYMARKET_PROXY", default.proxy),
            limits=Limits(
                markets=_count(settings, "POLYMARKET_MAX_MARKETS", default.limits.markets),
                browsers=_count(settings, "POLYMARKET_MAX_BROWSERS", default.limits.browsers),
                grace=_seconds(settings, "POLYMARKET_GRACE_SECONDS", default.limits.grace),
            ),
            keepalive=_seconds(settings, "POLYMARKET_KEEPALIVE_SECONDS", default.keepalive),
            response_seconds=(
                None
                if settings.get("POLYMARKET_RESPONSE_SECONDS") is None
                else _seconds(settings, "POLYMARKET_RESPONSE_SECONDS", 0.0)
            ),
        )

    def found_credentials(self) -> Credentials | None:
        """Return the credentials, looked for where the settings say.

        Raises:
            CredentialsNotFound: there are none.
        """
        where = self.credentials
        if where is None or isinstance(where, Credentials):
            return where
        kind, _, profile = where.partition(":")
        if kind == "env":
            return Credentials.from_env()
        return Credentials.from_keyring(profile or "default")


def _prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value.rstrip("/")):
        raise UsageError(f'POLYMARKET_URL_PREFIX takes a path such as "/polymarket", not {value!r}')
    return value.rstrip("/")


def _markets(value: object) -> tuple[str | MarketInfo, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = [word for word in value.replace(",", " ").split() if word]
    if isinstance(value, MarketInfo):
        value = [value]
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(
        isinstance(item, (str, MarketInfo)) for item in value
    ):
        raise UsageError(
            "POLYMARKET_MARKETS takes a list of slugs, addresses or ids, or what lookup() "
            f"returned, not {value!r}"
        )
    return tuple(value)


def _endpoints(value: object) -> Endpoints:
    if value is None:
        return Endpoints()
    if isinstance(value, str):
        return Endpoints.at(value)
    if not isinstance(value, Endpoints):
        raise UsageError(
            'POLYMARKET_ENDPOINTS takes Endpoints(…) or a URL such as "ws://127.0.0.1:8765", '
            f"not {value!r}"
        )
    return value


def _credentials(value: object) -> Credentials | str | None:
    if value is None or isinstance(value, Credentials):
        return value
    if isinstance(value, str) and re.fullmatch(r"env|keyring(:.+)?", value):
        return value
    # Whatever it is, it may be a secret.
    raise UsageError(
        'POLYMARKET_CREDENTIALS takes Credentials(…), "env", "keyring" or "keyring:<profile>"'
    )


def _count(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} takes a whole number above 0, not {value!r}")
    return value


def _seconds(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise UsageError(f"{name} takes seconds above 0, not {value!r}")
    return float(value)
