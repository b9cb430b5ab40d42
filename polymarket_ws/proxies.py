"""Which proxy, if any, a connection goes through: one answer for streams and for REST."""

from __future__ import annotations

import urllib.request
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from polymarket_ws.errors import UsageError

__all__ = ["is_loopback", "proxy_for"]

# The environment knows http_proxy and https_proxy only; a stream begins as a request of the
# same kind.
_ENVIRONMENT_NAME: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def proxy_for(url: str, proxy: str | None) -> str | None:
    """Return the URL of the proxy for a connection to ``url``, or ``None`` for none.

    Args:
        url: where the connection goes (``http``, ``https``, ``ws`` or ``wss``).
        proxy: ``None`` for no proxy, ``"env"`` for what ``http_proxy``, ``https_proxy``,
            ``all_proxy`` and ``no_proxy`` say, or ``http://[user:password@]host:port``.

    Loopback is never proxied: a proxy elsewhere would look for the port on itself.

    Raises:
        UsageError: ``proxy`` is none of these.
    """
    if proxy is not None and proxy != "env":
        _check(proxy, "proxy")
    target = urlsplit(url)
    if proxy is None or is_loopback(target.hostname or ""):
        return None
    if proxy != "env":
        return proxy
    found = urllib.request.getproxies_environment()
    host = target.netloc.rpartition("@")[2]
    # As old as its neighbour, but not in the stubs of the standard library.
    if urllib.request.proxy_bypass_environment(host, found):  # type: ignore[attr-defined]
        return None
    chosen = found.get(_ENVIRONMENT_NAME[target.scheme]) or found.get("all")
    if not chosen:
        return None
    if "://" not in chosen:  # curl and the standard library read host:port as http, too
        chosen = f"http://{chosen}"
    _check(chosen, "the proxy of the environment")
    return chosen


def _check(proxy: object, what: str) -> None:
    # The value stays out of the text: it may hold a password.
    wanted = f'{what} must be None, "env" or "http://[user:password@]host:port"'
    if not isinstance(proxy, str):
        raise UsageError(f"{wanted}, not {type(proxy).__name__}")
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{wanted}; SOCKS is not supported")
