"""The user's account over REST: what the user channel does not replay.

urllib3 is imported on first use. Nothing here runs on a connection's thread.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import attrs

from polymarket_ws.authentication import bare
from polymarket_ws.conversion import reason, structure
from polymarket_ws.credentials import Credentials
from polymarket_ws.errors import AuthenticationFailed, ConnectionFailed, UsageError
from polymarket_ws.events.user import Order, Trade
from polymarket_ws.protocol.recovering import (
    CLOCKS_APART_MILLISECONDS,
    Account,
    Question,
    normalised_status,
)
from polymarket_ws.spelling import parse_json

if TYPE_CHECKING:
    from polymarket_ws.request import Answer, RequestFailed, Requests

__all__ = ["ask_account"]

E = TypeVar("E", Order, Trade)

#: The cursor behind the last page.
_END_CURSOR: Final = "LTE="

#: A clock that is further ahead is no reason to read an account's whole history: rather is such
#: a date wrong. What is signed by it is refused by then.
_MOST_AHEAD: Final = 3_600_000

#: A bound for a server that never ends its pages: 100,000 trades and more.
_MOST_PAGES: Final = 1_000


def ask_account(
    question: Question,
    credentials: Credentials,
    *,
    clob: str,
    timeout: float = 10.0,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Account:
    """Ask for the trades since a time and the orders that are open, or were.

    ``GET /data/trades``, ``/data/orders`` and ``/data/order/{id}``, paged by
    ``next_cursor``, as the official SDK (0.14.0) does. Orders are read before trades: a
    fill between the two then shows as a trade, never as an order that nobody explains.

    Orders that are not open any more are looked up one by one, for half of ``timeout`` and
    at least one: what was missed must not wait for hundreds of them. Where that was not
    enough the answer is not complete.

    Args:
        question: what to ask.
        credentials: with an address.
        clob: base URL of the CLOB.
        timeout: seconds for each request; a long history has many pages.
        proxy: ``None`` for none, ``"env"`` for that of the environment, or its URL.
        ssl_context: for a private certificate authority.

    Returns:
        The account, with statuses as the stream spells them.

    Raises:
        AuthenticationFailed: the exchange refuses the credentials.
        ConnectionFailed: no usable answer came in time.
        UsageError: the credentials have no address, or the proxy cannot be used.
    """
    from polymarket_ws.request import Requests

    with Requests(timeout=timeout, proxy=proxy, ssl_context=ssl_context) as requests:
        service = _Service(requests, credentials, clob.rstrip("/"))
        answer = _asked(service, question, timeout / 2)
    if isinstance(answer, Exception):
        # The server may have repeated what it was sent.
        answer.args = (credentials.redact(str(answer)),)
        # Here, and not where it went wrong: what those frames hold names the API key.
        raise answer
    return answer


def _asked(service: _Service, question: Question, seconds: float) -> Account | ConnectionFailed:
    try:
        return service.account(question, seconds)
    except ConnectionFailed as failure:
        failure.__traceback__ = None
        failure.__context__ = None
        return failure


class _Service:
    """Signed requests to one CLOB.

    Attributes:
        ahead: milliseconds by which our clock is at most ahead of the CLOB's, 0 if hardly.
    """

    def __init__(self, requests: Requests, credentials: Credentials, clob: str) -> None:
        self._requests = requests
        self._credentials = credentials
        self._clob = clob
        self.ahead = 0

    def account(self, question: Question, lookup_seconds: float) -> Account:
        """Return the answer to ``question``."""
        open_orders = [_normalised(order) for order in self._listed(Order, "/data/orders")]
        still_open = {order.id for order in open_orders}
        ended: list[Order] = []
        missing: list[str] = []
        left = [order_id for order_id in question.order_ids if order_id not in still_open]
        # What remains is looked up from the end: the order that was heard of last first.
        limit = time.monotonic() + lookup_seconds
        while left:
            order_id = left.pop()
            order = self._order(order_id)
            if order is None:
                missing.append(order_id)
            else:
                ended.append(_normalised(order))
            if time.monotonic() >= limit:
                break
        # Asked for by our clock and dated by theirs, a trade of the gap could be too old. Seconds
        # on the wire, and nobody knows whether that one is included.
        after = str(max(0, (question.after - self.ahead) // 1000 - 1))
        trades = {trade.id: trade for trade in self._listed(Trade, "/data/trades", after=after)}
        for trade_id in question.trade_ids:
            trades.update(
                (trade.id, trade)
                for trade in self._listed(Trade, "/data/trades", id=trade_id)
                if trade.id == trade_id
            )
        oldest_first = sorted(
            trades.values(), key=lambda trade: (trade.match_time or 0, trade.last_update or 0)
        )
        return Account(
            trades=tuple(_normalised(trade) for trade in oldest_first),
            open_orders=tuple(open_orders),
            ended_orders=tuple(ended),
            missing_orders=tuple(missing),
            is_complete=not left,
            ahead=self.ahead,
        )

    def _listed(self, cls: type[E], path: str, **fields: str) -> Iterator[E]:
        """Yield every item of a paged list."""
        seen: set[str] = set()
        cursor = ""
        while len(seen) < _MOST_PAGES:
            seen.add(cursor)
            query = {**fields, "next_cursor": cursor} if cursor else fields
            page = self._get(path, query)
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(page, dict) or not isinstance(items, list):
                raise ConnectionFailed(f"{self._clob}{path} did not answer with a list")
            for item in items:
                yield self._read(cls, path, item)
            following = page.get("next_cursor")
            cursor = following if isinstance(following, str) else ""
            if cursor in ("", _END_CURSOR):
                return
            if cursor in seen:
                raise ConnectionFailed(f"the pages of {self._clob}{path} go round in circles")
        raise ConnectionFailed(f"{self._clob}{path} has more than {_MOST_PAGES} pages")

    def _order(self, order_id: str) -> Order | None:
        """Return one order in whatever state it is, or ``None`` if it is not known any more."""
        # An id comes from the stream: it must not become another path.
        path = f"/data/order/{quote(order_id, safe='')}"
        fields = self._get(path, {}, missing=True)
        return None if fields is None else self._read(Order, path, fields)

    def _read(self, cls: type[E], path: str, fields: object) -> E:
        if not isinstance(fields, dict):
            raise ConnectionFailed(f"{self._clob}{path} did not answer with objects")
        try:
            return structure(cls, fields)
        except UsageError as error:
            raise ConnectionFailed(f"{self._clob}{path}: {reason(error)}") from None

    def _get(self, path: str, fields: dict[str, str], *, missing: bool = False) -> object:
        url = f"{self._clob}{path}"
        answer = self._sent(url, path, fields)
        if isinstance(answer, Exception):
            raise ConnectionFailed(f"{url}: {answer}") from bare(answer)
        if answer.status in (401, 403):
            raise AuthenticationFailed(f"{url} refuses these credentials ({answer.status})")
        if answer.status == 404 and missing:
            return None
        if answer.status != 200:
            raise ConnectionFailed(f"{url} answered {answer.status} {answer.reason}".rstrip())
        try:
            return parse_json(answer.body.decode())
        except (ValueError, RecursionError) as error:
            raise ConnectionFailed(f"{url} did not answer with JSON: {reason(error)}") from None

    def _sent(self, url: str, path: str, fields: dict[str, str]) -> Answer | RequestFailed:
        from polymarket_ws.request import RequestFailed

        self._requests.restart()
        headers = self._credentials.l2_headers("GET", path)
        try:
            answer = self._requests.request(
                "GET", url, fields=tuple(fields.items()), headers=headers
            )
        except RequestFailed as failure:
            # Raised outside: else it would keep the frames that held the headers.
            return failure
        self.ahead = max(self.ahead, _ahead(answer.headers.get("Date", "")))
        return answer


def _ahead(date: str) -> int:
    """Return by how many milliseconds our clock is ahead of an answer's ``Date``, 0 if hardly.

    Only that loses something: where it is behind, more is asked for than is needed.
    """
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, OverflowError):
        return 0
    if moment.tzinfo is None:
        return 0
    ahead = int((time.time() - moment.timestamp()) * 1000)
    return ahead if CLOCKS_APART_MILLISECONDS < ahead < _MOST_AHEAD else 0


def _normalised(item: E) -> E:
    """Return an order or trade with its status spelled as in the stream, received now."""
    status = None if item.status is None else normalised_status(item.status)
    return attrs.evolve(item, status=status, received_at=time.time())
