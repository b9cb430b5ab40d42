"""Bodies that go on: one for a thread of WSGI, one for the event loop of ASGI.

Neither keeps a database connection while it goes on: who the session belongs to was asked
before, and a browser listens for hours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import DatabaseError, connections

from polymarket_ws.integrations.sse.responses import EventBody

__all__ = ["AsyncEvents", "ThreadEvents"]


class ThreadEvents:
    """Events for a WSGI server, whose thread waits for each.

    Args:
        body: what is told.
    """

    def __init__(self, body: EventBody) -> None:
        self._body = body
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            _let_go_of_databases()
        return next(self._body)

    def close(self) -> None:
        """Let the browser go. Idempotent."""
        self._body.close()


class AsyncEvents:
    """Events for an ASGI server. No thread waits: any number of browsers cost one loop.

    Args:
        body: what is told.
    """

    def __init__(self, body: EventBody) -> None:
        self._body = body
        self._bell: _LoopBell | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        body = self._body
        if body.over:
            raise StopAsyncIteration
        try:
            if self._bell is None:
                # In the thread that the view ran in: connections belong to their thread.
                await sync_to_async(_let_go_of_databases, thread_sensitive=True)()
                _let_go_of_thread()
                self._bell = _LoopBell()
                return body.begin(self._bell.ring)
            body.resume()
            while True:
                await self._bell.wait(body.patience())
                text = body.look()
                if text is not None:
                    return text
        except asyncio.CancelledError:
            # The browser has left.
            self.close()
            raise

    def close(self) -> None:
        """Let the browser go. Idempotent."""
        self._body.close()

    def __del__(self) -> None:
        # Cancelled while the server was sending, maybe: nobody closes what it was iterating.
        # In its turn on the loop, since the collector runs in any thread and inside of any call.
        if self._bell is not None and not self._body.over:
            self._bell.call(self._body.close)


class _LoopBell:
    """Rung by any thread, heard by one task. Requires a running loop when it is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self.call(self._rung.set)

    def call(self, function: Callable[[], object]) -> None:
        """Have the loop call a function."""
        # A loop that is closed has nobody left who listens.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    async def wait(self, timeout: float) -> None:
        """Wait until it is rung, or for ``timeout`` seconds."""
        # Not wait_for: before Python 3.12 it may swallow a cancellation that comes together
        # with the ring, and the task of a browser that has left would go on.
        timer = self._loop.call_later(timeout, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            timer.cancel()
        self._rung.clear()


def _let_go_of_databases() -> None:
    for connection in connections.all(initialized_only=True):
        # In a test of the project's everything happens in one transaction.
        if connection.connection is None or connection.in_atomic_block:
            continue
        # Greenlets of a project that was loaded before gevent came (--preload) share what was
        # made by then; it belongs to another thread, and is no harm.
        with contextlib.suppress(DatabaseError):
            connection.close()


def _let_go_of_thread() -> None:
    """End the thread that Django keeps for the synchronous code of this request.

    Middleware, the view and receivers of Django's own signals ran in it; it would idle for as
    long as the browser listens. What needs one afterwards is given a new one.
    """
    # asgiref documents no way to say so. Where it keeps its threads differently some day, they
    # idle, and a test tells.
    contexts = getattr(SyncToAsync, "thread_sensitive_context", None)
    executors = getattr(SyncToAsync, "context_to_thread_executor", None)
    context = None if contexts is None else contexts.get(None)
    # One that was given by somebody else is not ours to end.
    if context is not None and executors is not None and not getattr(context, "_executor", None):
        # Its thread ends with it, since nobody else holds it.
        executors.pop(context, None)
