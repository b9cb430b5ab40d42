"""Whether the exchange accepts credentials: asked over REST, where it gives a plain answer.

urllib3 is imported on first use. Nothing here runs on a connection's thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from polymarket_ws.credentials import Credentials
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed

if TYPE_CHECKING:
    import ssl

    from polymarket_ws.request import Answer, RequestFailed

__all__ = ["LIKELY_CAUSES", "bare", "check_credentials"]

#: The keys of the account: cheap to ask for, without effect, and only for a right signature.
API_KEYS_PATH: Final = "/auth/api-keys"

#: Where a refusal comes from, as a rule.
LIKELY_CAUSES: Final = (
    "Likely causes: a key, secret and passphrase that do not belong together; a key that "
    "another wallet than the address made, or that was deleted; a Builder key, which is no key "
    "of an account"
)


def check_credentials(
    credentials: Credentials,
    *,
    endpoints: Endpoints = Endpoints(),
    timeout: float = 10.0,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Ask the exchange whether it knows these credentials; returning means that it does.

    The user channel itself answers wrong ones with silence or by hanging up.
    ``GET /auth/api-keys`` needs the same three and gives a plain answer.

    Args:
        credentials: with an address.
        endpoints: whose ``clob`` is asked.
        timeout: seconds for all of it, connecting and retries included.
        proxy: ``None`` for none, ``"env"`` for that of the environment, or its URL.
        ssl_context: for a private certificate authority.

    Raises:
        AuthenticationFailed: the exchange refuses them.
        ConnectionFailed: the exchange could not be asked, or its answer says neither.
        UsageError: the credentials have no address.
    """
    url = f"{endpoints.clob.rstrip('/')}{API_KEYS_PATH}"
    headers = credentials.l2_headers("GET", API_KEYS_PATH)
    answer = _asked(url, headers, timeout, proxy, ssl_context)
    if isinstance(answer, Exception):
        why = credentials.redact(str(answer))
        raise ConnectionFailed(f"the credentials could not be checked: {why}") from bare(answer)
    said = credentials.redact(_server_words(answer))
    if answer.status in (401, 403):
        raise AuthenticationFailed(
            f"{url} refuses these credentials ({said}). They come from {credentials.source}. "
            f"{LIKELY_CAUSES}; for 403 also a network that the exchange blocks"
        )
    if answer.status != 200 or not _lists_keys(answer.body):
        raise ConnectionFailed(
            f"the credentials could not be checked: {url} answered {said}, which says neither "
            "that they are right nor that they are wrong"
        )


def _asked(
    url: str,
    headers: Mapping[str, str],
    timeout: float,
    proxy: str | None,
    ssl_context: ssl.SSLContext | None,
) -> Answer | RequestFailed:
    from polymarket_ws.request import RequestFailed, Requests

    with Requests(timeout=timeout, proxy=proxy, ssl_context=ssl_context) as requests:
        try:
            return requests.request("GET", url, headers=headers)
        except RequestFailed as failure:
            return failure


def bare(failure: RequestFailed) -> BaseException:
    """Return the original error without the frames that sent the headers.

    There they are bytes, which every traceback with local variables would show.
    """
    links: list[BaseException | None] = [failure]
    seen: set[int] = set()
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        link.__traceback__ = None
        links += (link.__cause__, link.__context__)
    return failure.__cause__ or failure


def _lists_keys(body: bytes) -> bool:
    # A gateway or a captive portal answers 200, too.
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and isinstance(fields.get("apiKeys"), list)


def _server_words(answer: Answer) -> str:
    words = f"{answer.status} {answer.reason}".strip()
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        return words  # the page of a gateway says nothing that its status does not
    error = fields.get("error") if isinstance(fields, dict) else None
    return f"{words}: {_one_line(error)}" if isinstance(error, str) and error else words


def _one_line(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:200]
