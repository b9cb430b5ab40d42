"""Where the exchange is: production by default, anything else on request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from polymarket_ws.errors import UsageError

__all__ = ["Endpoints"]


def _url(*schemes: str) -> Callable[[object, attrs.Attribute[str], str], None]:
    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except (AttributeError, TypeError, ValueError):
            usable = False
        if not usable:
            wanted = " or ".join(f"{scheme}://host[:port]/…" for scheme in schemes)
            raise UsageError(f"Endpoints({attribute.name}=…) takes {wanted}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class Endpoints:
    """Full URLs of the streams and of the REST services beside them.

    The defaults are production. ``Endpoints.at(url)`` points all of them at one simulated
    exchange.
    """

    market: str = attrs.field(
        default="wss://ws-subscriptions-clob.polymarket.com/ws/market",
        validator=_url("wss", "ws"),
    )
    user: str = attrs.field(
        default="wss://ws-subscriptions-clob.polymarket.com/ws/user",
        validator=_url("wss", "ws"),
    )
    gamma: str = attrs.field(
        default="https://gamma-api.polymarket.com",
        validator=_url("https", "http"),
    )
    clob: str = attrs.field(
        default="https://clob.polymarket.com",
        validator=_url("https", "http"),
    )

    @classmethod
    def at(cls, url: str) -> Endpoints:
        """Return endpoints that all lie on one exchange, such as ``ws://127.0.0.1:8765``.

        Streams are under ``/ws/…`` and REST is plain HTTP on the same port (HTTPS for
        ``wss://``).
        """
        parts = None
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            parts = urlsplit(url)
        if parts is None or parts.scheme not in ("ws", "wss") or not parts.netloc:
            raise UsageError(f"Endpoints.at takes ws://host:port or wss://host:port, not {url!r}")
        stream = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        rest = ("https" if parts.scheme == "wss" else "http") + stream[len(parts.scheme) :]
        return cls(market=f"{stream}/ws/market", user=f"{stream}/ws/user", gamma=rest, clob=rest)

    @property
    def rest_belongs_to_user(self) -> bool:
        """Whether ``clob`` is the REST side of ``user``.

        Where only ``user`` was pointed elsewhere, REST is off: no key goes to production
        from a test.
        """
        defaults = attrs.fields(Endpoints)
        return self.user == defaults.user.default or self.clob != defaults.clob.default
