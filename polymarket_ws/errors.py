"""Everything that this package raises, in one tree.

::

    Exception
    └── PolymarketWSError
        ├── UsageError (ValueError)      the call cannot mean anything; the text shows the right one
        ├── ClientClosed                 the client is closed, and closed is final
        │   └── StreamClosed             only this stream or feed is closed
        ├── ClientForked                 a client that was in use crossed a fork
        ├── ConnectionFailed             no connection in time, or the server refused for good
        │   └── AuthenticationFailed     the server does not accept the credentials
        ├── CredentialsNotFound          no credentials in any of the places that were asked
        ├── SubscriptionError            the server refused a subscription
        ├── StreamGap                    ``on_gap="raise"``: something was missed here
        ├── SlowConsumer                 ``Delivery`` is full and nothing in it may be dropped
        ├── StaleBook                    an order book is not known to be true at the moment
        ├── LookupFailed                 a market could not be looked up
        └── ProtocolViolation            the peer broke RFC 6455; told as ``DecodeFailure``

A timeout of the caller's own (``get(timeout=…)``) is the built-in :class:`TimeoutError`.
Exceptions of other libraries are only ever the ``__cause__`` of one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polymarket_ws.events.lifecycle import Lifecycle

__all__ = [
    "AuthenticationFailed",
    "ClientClosed",
    "ClientForked",
    "ConnectionFailed",
    "CredentialsNotFound",
    "LookupFailed",
    "PolymarketWSError",
    "ProtocolViolation",
    "SlowConsumer",
    "StaleBook",
    "StreamClosed",
    "StreamGap",
    "SubscriptionError",
    "UsageError",
]


class PolymarketWSError(Exception):
    """Base of every error of this package."""


class UsageError(PolymarketWSError, ValueError):
    """The call cannot mean anything. The text says what to write instead."""


class ClientClosed(PolymarketWSError):
    """The client was closed. Closing is final: make a new ``Client``."""


class StreamClosed(ClientClosed):
    """This stream or feed was closed; its client may still be open."""


class ClientForked(PolymarketWSError):
    """A client that was in use is touched in a forked child.

    Threads do not survive a fork, so the child would wait for ever. Make a new
    ``Client`` in the child (gunicorn: ``post_worker_init``; Celery: ``worker_process_init``).
    """


class ConnectionFailed(PolymarketWSError):
    """There is no connection, and retrying was not asked for or cannot help."""


class AuthenticationFailed(ConnectionFailed):
    """The server does not accept the credentials. Never retried."""


class CredentialsNotFound(PolymarketWSError):
    """None of the places that were asked holds credentials."""


class SubscriptionError(PolymarketWSError):
    """The server refused a subscription."""


class StreamGap(PolymarketWSError):
    """Something was missed at this point of a stream opened with ``on_gap="raise"``.

    Attributes:
        event: the ``Disconnected`` or ``Dropped`` that stands where the hole is.
    """

    def __init__(self, event: Lifecycle) -> None:
        super().__init__(f"the stream has a gap here: {event}")
        self.event = event

    def __reduce__(self) -> tuple[type[StreamGap], tuple[Lifecycle]]:
        return StreamGap, (self.event,)


class SlowConsumer(PolymarketWSError):
    """The consumer is too slow for ``Delivery`` and nothing may be dropped."""


class StaleBook(PolymarketWSError):
    """An order book was read that is not known to be true at the moment."""


class LookupFailed(PolymarketWSError):
    """A market could not be looked up.

    Attributes:
        final: whether that is the answer: there is none, or there are several. Where it is not,
            no usable answer came, and the same may be found a moment later.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class ProtocolViolation(PolymarketWSError):
    """The peer broke RFC 6455.

    Attributes:
        code: the close code that says so to the peer (1002, 1007 or 1009).
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[ProtocolViolation], tuple[int, str]]:
        return ProtocolViolation, (self.code, str(self))
