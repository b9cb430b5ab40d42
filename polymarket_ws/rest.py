"""What a stream does not say, asked over REST: which market is meant, and a book at once.

urllib3 is imported on first use. Nothing here runs on a connection's thread: these calls
block their caller, for ``timeout`` seconds at most.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import attrs

from polymarket_ws.conversion import structure
from polymarket_ws.endpoints import Endpoints
from polymarket_ws.errors import LookupFailed, UsageError
from polymarket_ws.events.market import Book
from polymarket_ws.market_info import MarketInfo
from polymarket_ws.spelling import parse_json

if TYPE_CHECKING:
    import ssl

    from polymarket_ws.request import Answer, Requests

__all__ = ["fetch_book", "lookup"]

_USAGE: Final = (
    "lookup() takes the address of a market's page, such as lookup(\"https://polymarket.com/"
    'event/…"), its slug, its condition id (0x and 64 hex digits) or a token id (decimal digits)'
)

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
_CONDITION_ID: Final = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)
_HEX: Final = re.compile(r"0x[0-9a-f]*", re.IGNORECASE)
_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?", re.IGNORECASE)
_TOKEN_ID_LIMIT: Final = 2**256  # an ERC-1155 id
_LISTED: Final = 10


def lookup(
    what: str,
    *,
    endpoints: Endpoints = Endpoints(),
    timeout: float = 10.0,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> MarketInfo:
    """Find one market, open or closed, through Gamma.

    Args:
        what: the address of its page on polymarket.com, a slug, a condition id or one of its
            token ids. An event's address or slug will do where one market of it is open.
        endpoints: whose ``gamma`` is asked.
        timeout: seconds for all of it, connecting and retries included.
        proxy: ``None`` for none, ``"env"`` for that of the environment, or its URL.
        ssl_context: for a private certificate authority.

    Raises:
        LookupFailed: there is no such market, the event has several (they are listed), or
            no usable answer came in time. The original error is its ``__cause__``.
        UsageError: ``what`` is none of these.
    """
    wanted = _parse(what)
    gamma = _checked(endpoints).gamma.rstrip("/")
    with _Service(what, timeout, proxy, ssl_context) as service:
        return _find(wanted, service, gamma)


def fetch_book(
    asset_id: str,
    *,
    endpoints: Endpoints = Endpoints(),
    timeout: float = 10.0,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Book:
    """Ask the CLOB for the order book of one token as it is now.

    Unlike the book of a stream, it has ``min_order_size``, ``neg_risk`` and ``tick_size``.

    Args:
        asset_id: the token.
        endpoints: whose ``clob`` is asked.
        timeout: seconds for all of it, connecting and retries included.
        proxy: ``None`` for none, ``"env"`` for that of the environment, or its URL.
        ssl_context: for a private certificate authority.

    Raises:
        LookupFailed: there is no book (settled, or never heard of), or no usable answer
            came in time. The original error is its ``__cause__``.
        UsageError: ``asset_id`` is no token id.
    """
    if not isinstance(asset_id, str) or not _is_token_id(asset_id):
        raise UsageError(
            f"fetch_book() takes one token id, a string of up to 78 digits, not {_shown(asset_id)}"
        )
    url = f"{_checked(endpoints).clob.rstrip('/')}/book"
    with _Service(asset_id, timeout, proxy, ssl_context) as service:
        answer = service.get(url, [("token_id", asset_id)])
        if answer.status != 200:
            raise service.refused(url, answer)
        received_at = time.time()
        fields = service.read(url, answer)
        if not isinstance(fields, dict):
            raise service.misshapen(url, f"a book was expected, not {_kind(fields)}")
        try:
            book = structure(Book, fields)
        except UsageError as error:
            raise service.misshapen(url, str(error)) from error
        if book.asset_id != asset_id:
            raise service.misshapen(url, "it is the book of another token")
    return attrs.evolve(book, received_at=received_at)


@attrs.frozen
class _Wanted:
    """What ``lookup`` was given, once understood.

    Attributes:
        value: the slug or id.
        name: what to call it in a sentence.
        markets: the query field of ``/markets`` that finds it.
        event: whether ``/events`` may know it: ``"first"``, ``"last"`` or never.
    """

    value: str
    name: str
    markets: str
    event: str = ""


def _parse(what: object) -> _Wanted:
    if not isinstance(what, str):
        raise UsageError(f"{_USAGE}, each as a string, not {_shown(what)}")
    word = what.strip()
    if not word:
        raise UsageError(f"{_USAGE}, not an empty string")
    if "/" in word or word.lower() in ("polymarket.com", "www.polymarket.com"):
        return _parse_url(word)
    if _CONDITION_ID.fullmatch(word):
        return _Wanted(word.lower(), "condition id", "condition_ids")
    if _HEX.fullmatch(word):
        digits = len(word) - 2
        raise UsageError(f"a condition id is 0x and 64 hex digits; {_shown(word)} has {digits}")
    if word.isascii() and word.isdigit():
        if not _is_token_id(word):
            raise UsageError(f"a token id is below 2**256 (78 digits); {_shown(word)} is not")
        return _Wanted(word, "token id", "clob_token_ids")
    if _SLUG.fullmatch(word):
        return _Wanted(word, "slug", "slug", event="last")
    raise UsageError(f"{_USAGE}, not {_shown(what)}")


def _parse_url(word: str) -> _Wanted:
    usage = UsageError(
        f"{_shown(word)} is not the address of a market: wanted is https://polymarket.com/event/"
        "<event>, https://polymarket.com/event/<event>/<market> or "
        "https://polymarket.com/market/<market>"
    )
    try:
        parts = urlsplit(word if "://" in word else f"https://{word.lstrip('/')}")
        host = parts.hostname or ""
    except ValueError:
        raise usage from None
    if parts.scheme.lower() not in ("http", "https") or not f".{host}".endswith(".polymarket.com"):
        raise usage
    path = [unquote(part) for part in parts.path.split("/") if part]
    # polymarket.com/es/event/…: the same page in another language.
    if len(path) > 1 and _LOCALE.fullmatch(path[0]) and path[1] in ("event", "market"):
        del path[0]
    if not all(_SLUG.fullmatch(part) for part in path):
        raise usage
    match path:
        case ["event", event]:
            return _Wanted(event, "slug", "slug", event="first")
        case ["event", _, market] | ["market", market]:
            return _Wanted(market, "slug", "slug")
        case _:
            raise usage


def _checked(endpoints: object) -> Endpoints:
    if not isinstance(endpoints, Endpoints):
        raise UsageError(
            'endpoints takes Endpoints(…), such as Endpoints.at("ws://127.0.0.1:8765"), '
            f"not {_shown(endpoints)}"
        )
    return endpoints


def _is_token_id(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 78 and int(word) < _TOKEN_ID_LIMIT


def _find(wanted: _Wanted, service: _Service, gamma: str) -> MarketInfo:
    found = None
    if wanted.event == "first":
        found = _market_of_event(wanted, service, gamma)
    if found is None:
        found = _market(wanted, service, gamma)
    if found is None and wanted.event == "last":
        found = _market_of_event(wanted, service, gamma)
    if found is not None:
        return found
    kind = "market or event" if wanted.event else "market"
    raise service.failed(
        f"Polymarket has no {kind} with this {wanted.name}. Copy the address of its page, "
        'lookup("https://polymarket.com/event/…"), or check the spelling',
        final=True,
    )


def _market(wanted: _Wanted, service: _Service, gamma: str) -> MarketInfo | None:
    url = f"{gamma}/markets"
    for row in _rows(service, url, (wanted.markets, wanted.value)):
        info = _market_info(row, service, url)
        # A service that does not know the query field answers with any markets it has.
        if _is_wanted(info, wanted):
            return info
    return None


def _is_wanted(info: MarketInfo, wanted: _Wanted) -> bool:
    if wanted.markets == "condition_ids":
        return info.condition_id.lower() == wanted.value
    if wanted.markets == "clob_token_ids":
        return wanted.value in info.asset_ids
    return info.slug.lower() == wanted.value.lower()


def _market_of_event(wanted: _Wanted, service: _Service, gamma: str) -> MarketInfo | None:
    url = f"{gamma}/events"
    for row in _rows(service, url, ("slug", wanted.value)):
        if str(row.get("slug")).lower() == wanted.value.lower():
            break
    else:
        return None
    nested = row.get("markets")
    if not isinstance(nested, list) or not all(isinstance(market, dict) for market in nested):
        raise service.misshapen(url, "the event has no list of markets")
    markets = [_market_info(market, service, url) for market in nested]
    still_open = [market for market in markets if market.active and not market.closed]
    candidates = still_open or markets
    if not candidates:
        raise service.failed("this event has no markets yet", final=True)
    if len(candidates) == 1:
        return candidates[0]
    state = "open" if still_open else "closed"
    lines = [
        f'  lookup("{market.slug or market.condition_id}")  {_one_line(market.question)}'
        for market in candidates[:_LISTED]
    ]
    if len(candidates) > _LISTED:
        lines.append(f"  and {len(candidates) - _LISTED} more")
    raise service.failed(
        f"this event has {len(candidates)} {state} markets. Choose one:\n" + "\n".join(lines),
        final=True,
    )


def _rows(service: _Service, url: str, field: tuple[str, str]) -> Iterable[dict[str, Any]]:
    # Without `closed` only open ones are listed, with it only closed ones.
    for fields in ([field], [field, ("closed", "true")]):
        answer = service.get(url, fields)
        if answer.status == 404 and url.endswith("/events"):
            return  # a simulated exchange may know markets only
        if answer.status != 200:
            raise service.refused(url, answer)
        rows = service.read(url, answer)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise service.misshapen(url, f"a list of objects was expected, not {_kind(rows)}")
        yield from rows


def _market_info(row: dict[str, Any], service: _Service, url: str) -> MarketInfo:
    try:
        info = MarketInfo(
            question=_text(row, "question"),
            condition_id=_text(row, "conditionId").lower(),
            slug=_text(row, "slug", default=""),
            outcomes=_texts(row, "outcomes"),
            asset_ids=_texts(row, "clobTokenIds"),
            tick_size=_decimal(row, "orderPriceMinTickSize"),
            min_order_size=_decimal(row, "orderMinSize"),
            neg_risk=_flag(row, "negRisk", default=False),
            active=_flag(row, "active", default=True),
            closed=_flag(row, "closed", default=False),
            end_date=_text(row, "endDate", default="") or None,
        )
    except ValueError as error:
        raise service.misshapen(url, str(error)) from error
    if info.outcomes and info.asset_ids and len(info.outcomes) != len(info.asset_ids):
        raise service.misshapen(
            url,
            f"{info.slug or info.condition_id} has {len(info.outcomes)} outcomes but "
            f"{len(info.asset_ids)} tokens",
        )
    return info


def _text(row: dict[str, Any], key: str, default: str | None = None) -> str:
    value = row.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def _texts(row: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of strings that Gamma usually encodes as a string of JSON once more."""
    value = row.get(key)
    if isinstance(value, str) and value:
        try:
            value = parse_json(value)
        except (ValueError, RecursionError):
            raise ValueError(f"{key} is no list of texts") from None
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} is no list of texts")
    return tuple(value)


def _decimal(row: dict[str, Any], key: str) -> Decimal | None:
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        number = None if isinstance(value, bool) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"{key} is no number")
    return number


def _flag(row: dict[str, Any], key: str, *, default: bool) -> bool:
    value = row.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false")
    return value


class _Service:
    """The requests of one call, and the one kind of error that it ends with."""

    def __init__(
        self, what: str, timeout: float, proxy: str | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        from polymarket_ws.request import Requests

        self._what = what
        self._requests: Requests = Requests(timeout=timeout, proxy=proxy, ssl_context=ssl_context)

    def __enter__(self) -> _Service:
        return self

    def __exit__(self, *raised: object) -> None:
        self._requests.close()

    def get(self, url: str, fields: Sequence[tuple[str, str]]) -> Answer:
        from polymarket_ws.request import RequestFailed

        try:
            return self._requests.request("GET", url, fields=fields)
        except RequestFailed as failure:
            raise self.failed(str(failure)) from (failure.__cause__ or failure)

    def read(self, url: str, answer: Answer) -> Any:
        try:
            return parse_json(answer.body.decode())
        except (ValueError, RecursionError) as error:
            raise self.misshapen(url, "it is not JSON") from error

    def failed(self, why: str, *, final: bool = False) -> LookupFailed:
        text = f"{_shown(self._what)} could not be looked up: {why}"
        return LookupFailed(text, final=final)

    def misshapen(self, url: str, why: str) -> LookupFailed:
        return self.failed(f"the answer of {url} makes no sense: {why}")

    def refused(self, url: str, answer: Answer) -> LookupFailed:
        words = " ".join(part for part in (str(answer.status), answer.reason) if part)
        said = _server_words(answer.body)
        advice = ""
        if answer.status == 429:
            wait = answer.headers.get("Retry-After", "").strip()
            advice = f"ask again in {wait} s" if wait.isdigit() else "ask again later"
        return self.failed("; ".join(filter(None, (f"{url} answered {words}", said, advice))))


def _server_words(body: bytes) -> str:
    try:
        fields = parse_json(body.decode())
    except (ValueError, RecursionError):
        return ""  # an HTML page of a gateway says nothing that its status does not
    for key in ("error", "message"):
        words = fields.get(key) if isinstance(fields, dict) else None
        if isinstance(words, str) and words:
            return _one_line(words)
    return ""


def _one_line(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:200]


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return type(value).__name__
    words = repr(value)
    return words if len(words) <= 120 else f"{words[:100]}… ({len(value)} characters)"


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), "a number"
    )
