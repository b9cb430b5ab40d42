"""The signature of a request with an L2 API key: HMAC-SHA256, in base64url both ways."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from polymarket_ws.errors import UsageError

__all__ = ["is_l2_secret", "l2_signature"]

# The standard alphabet, too: the exchange's own clients decode either.
_BASE64: Final = re.compile(r"[A-Za-z0-9_+/-]+={0,2}")


def is_l2_secret(secret: str) -> bool:
    """Return whether ``secret`` is base64url, with its padding or without."""
    digits = len(secret.rstrip("="))
    # One digit more than a multiple of four is six bits, which are no byte.
    return _BASE64.fullmatch(secret) is not None and digits % 4 != 1


def l2_signature(
    secret: str, *, timestamp: int, method: str, path: str, body: str | bytes | None = None
) -> str:
    """Sign one request as the CLOB checks it.

    Args:
        secret: of the API key, base64url with its padding or without.
        timestamp: Unix seconds, the same as in ``POLY_TIMESTAMP``.
        method: such as ``"GET"``, in capitals.
        path: such as ``"/auth/api-keys"``. A query is not signed, and left out if it is there.
        body: as it is sent.

    Returns:
        The value of ``POLY_SIGNATURE``: base64url with padding.

    Raises:
        UsageError: the path is none, or the secret is not base64url. The text does not
            contain the secret.
    """
    if not path.startswith("/"):
        raise UsageError(f'a path starts with "/", such as "/auth/api-keys"; {path!r} does not')
    if not is_l2_secret(secret):
        raise UsageError("the secret is not base64url")
    message = f"{timestamp}{method}{path.partition('?')[0]}".encode()
    if body is not None:
        message += body.encode() if isinstance(body, str) else body
    # The key has no name, so that no traceback with local variables can show it.
    digest = hmac.new(_decoded(secret), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _decoded(secret: str) -> bytes:
    bare = secret.rstrip("=")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
