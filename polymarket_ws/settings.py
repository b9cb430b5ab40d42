"""What a ``Client`` is made with, checked where it is given."""

from __future__ import annotations

import ssl
from typing import TypeVar

import attrs

from polymarket_ws.credentials import Credentials
from polymarket_ws.delivery import Delivery
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import UsageError
from polymarket_ws.protocol.liveness import Liveness
from polymarket_ws.proxies import proxy_for
from polymarket_ws.transport.backoff import Backoff
from polymarket_ws.transport.deadline import Deadline

__all__ = ["Settings", "buffering", "limit"]

T = TypeVar("T")

#: Above this the live server accepts the subscription and sends no first books.
MOST_ASSETS_PER_CONNECTION = 500


def _given(name: str, value: object, kind: type[T]) -> T:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise UsageError(f"{name} takes {kind.__name__}(…), not {value!r}")
    return value


def buffering(delivery: Delivery | None) -> Delivery:
    """Return ``delivery``, or the default; refuse what would hold up a live socket."""
    delivery = _given("delivery", delivery, Delivery)
    if delivery.overflow == "block":
        raise UsageError(
            'overflow="block" is for replay only: a socket that is not read on is cut off by '
            'the server; use "drop_oldest" or "fail"'
        )
    return delivery


def limit(name: str, timeout: float | None) -> Deadline:
    """Return the deadline for an argument ``name`` in seconds; ``None`` has no limit.

    Raises:
        UsageError: not a number of seconds, or a negative one.
    """
    if timeout is None:
        return Deadline(None)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise UsageError(f"{name} takes seconds from 0 up, or None, not {timeout!r}")
    return Deadline(timeout)


@attrs.frozen(kw_only=True)
class Settings:
    """Every argument of a ``Client``, valid."""

    credentials: Credentials | None
    endpoints: Endpoints
    delivery: Delivery
    backoff: Backoff
    liveness: Liveness
    assets_per_connection: int
    connect_timeout: float | None
    proxy: str | None
    ssl_context: ssl.SSLContext | None
    user_agent: str
    recovery_timeout: float

    @classmethod
    def checked(
        cls,
        *,
        credentials: Credentials | None,
        endpoints: Endpoints | None,
        delivery: Delivery | None,
        backoff: Backoff | None,
        liveness: Liveness | None,
        assets_per_connection: int,
        connect_timeout: float | None,
        proxy: str | None,
        ssl_context: ssl.SSLContext | None,
        user_agent: str,
        recovery_timeout: float,
    ) -> Settings:
        """Return the settings.

        Raises:
            UsageError: an argument that cannot mean anything; the text shows the right one.
        """
        settings = cls(
            credentials=_credentials(credentials),
            endpoints=_given("endpoints", endpoints, Endpoints),
            delivery=buffering(delivery),
            backoff=_given("backoff", backoff, Backoff),
            liveness=_given("liveness", liveness, Liveness),
            assets_per_connection=_shard_size(assets_per_connection),
            connect_timeout=_connect_timeout(connect_timeout),
            proxy=proxy,
            ssl_context=_context(ssl_context),
            user_agent=_header(user_agent),
            recovery_timeout=_recovery_timeout(recovery_timeout),
        )
        proxy_for(settings.endpoints.market, proxy)
        return settings

    @property
    def recovers(self) -> bool:
        """Whether the account can be asked over REST."""
        return (
            self.credentials is not None
            and self.credentials.address is not None
            and self.endpoints.rest_belongs_to_user
        )


def _credentials(value: object) -> Credentials | None:
    if value is not None and not isinstance(value, Credentials):
        raise UsageError(
            "credentials takes Credentials(…), such as Credentials.from_env(), not "
            f"a {type(value).__name__}"
        )
    return value


def _recovery_timeout(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise UsageError(f"recovery_timeout takes seconds above 0, not {value!r}")
    return float(value)


def _shard_size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"assets_per_connection takes a whole number above 0, not {value!r}")
    if value > MOST_ASSETS_PER_CONNECTION:
        raise UsageError(
            f"assets_per_connection takes at most {MOST_ASSETS_PER_CONNECTION}, not {value}: "
            "above that the server sends no first books. More assets mean more connections"
        )
    return value


def _connect_timeout(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise UsageError(
            f"connect_timeout takes seconds above 0, or None to retry for ever, not {value!r}"
        )
    return float(value)


def _context(value: object) -> ssl.SSLContext | None:
    if value is not None and not isinstance(value, ssl.SSLContext):
        raise UsageError(
            f"ssl_context takes an ssl.SSLContext, such as "
            f"ssl.create_default_context(cafile=…), not {value!r}"
        )
    return value


def _header(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise UsageError(f"user_agent takes printable ASCII text, not {value!r}")
    return value
