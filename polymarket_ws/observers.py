"""Callbacks on their own thread, in order.

The thread owns a mailbox and only looks at its ``Observers`` through a weak reference while
it waits: a client whose callbacks refer to it can still be collected.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal

import attrs

from polymarket_ws.daemons import start_daemon
from polymarket_ws.delivery import Mailbox
from polymarket_ws.errors import PolymarketWSError, UsageError
from polymarket_ws.events.event import Event
from polymarket_ws.events.lifecycle import CallbackFailed
from polymarket_ws.transport.deadline import Deadline

__all__ = ["Interest", "Observers", "OnError"]

logger = logging.getLogger("polymarket_ws.observers")

OnError = Literal["log", "detach", "stop"]
Callback = Callable[[Any], object]


class Interest:
    """Which classes anybody observes; shared with the connections, without the callbacks."""

    def __init__(self) -> None:
        # The classes and what was found out about others with them, always replaced
        # together: a thread that just asks keeps to the pair that it began with.
        self._state: tuple[tuple[type[Event], ...], dict[type[Event], bool]] = ((), {})

    def set(self, classes: tuple[type[Event], ...]) -> None:
        """Replace the classes."""
        self._state = (classes, {})

    def observes(self, kind: type[Event]) -> bool:
        """Return whether an observer of ``kind`` or one of its bases is registered."""
        classes, known = self._state
        found = known.get(kind)
        if found is None:
            found = known[kind] = issubclass(kind, classes)
        return found


@attrs.frozen
class _Observer:
    event_type: type[Event]
    callback: Callback

    @property
    def name(self) -> str:
        return _name(self.callback)


def _name(callback: Callback) -> str:
    module = getattr(callback, "__module__", None) or "?"
    return f"{module}.{getattr(callback, '__qualname__', None) or repr(callback)}"


def _same(one: Callback, other: Callback) -> bool:
    """Whether registering ``one`` replaces ``other``, as when a notebook cell runs again.

    Lambdas and the methods of different objects share their names and are told apart.
    """
    if one == other:
        return True
    if getattr(one, "__self__", None) is not getattr(other, "__self__", None):
        return False
    qualified = getattr(one, "__qualname__", None)
    return (
        qualified is not None and not qualified.endswith("<lambda>") and _name(one) == _name(other)
    )


class Observers:
    """The callbacks of one client.

    Args:
        mailbox: where the connections put what is observed.
        interest: tells them what is observed.
        on_error: what happens when a callback raises.
        stop: called in the callbacks' thread with what ends the client.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        interest: Interest,
        *,
        on_error: OnError,
        stop: Callable[[BaseException], None],
    ) -> None:
        if on_error not in ("log", "detach", "stop"):
            raise UsageError(f'on_error takes "log", "detach" or "stop", not {on_error!r}')
        self._mailbox = mailbox
        self._on_error = on_error
        self.stop = stop
        self._lock = threading.RLock()
        self._observers: tuple[_Observer, ...] = ()
        self._thread: threading.Thread | None = None
        self._interest = interest
        self.running: str | None = None
        _every.add(self)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, event_type: type[Event], callback: Callback) -> None:
        """Register ``callback`` for events of ``event_type`` and its subclasses."""
        if not (isinstance(event_type, type) and issubclass(event_type, Event)):
            raise UsageError(
                f"client.on takes an event class first, such as client.on(Book), not {event_type!r}"
            )
        if not callable(callback):
            raise UsageError(f"client.on takes a function, not {callback!r}")
        with self._lock:
            kept = tuple(
                observer
                for observer in self._observers
                if not (observer.event_type is event_type and _same(callback, observer.callback))
            )
            self._set((*kept, _Observer(event_type, callback)))

    def remove(self, callback: Callback) -> bool:
        """Forget every registration of ``callback``; False if there was none."""
        with self._lock:
            kept = tuple(item for item in self._observers if item.callback != callback)
            found = len(kept) != len(self._observers)
            self._set(kept)
            return found

    def _set(self, observers: tuple[_Observer, ...]) -> None:
        self._observers = observers
        self._interest.set(tuple(dict.fromkeys(item.event_type for item in observers)))

    def event_types(self) -> tuple[type[Event], ...]:
        """Return the classes that are observed."""
        return tuple(dict.fromkeys(item.event_type for item in self._observers))

    def start(self) -> None:
        """Start the thread if there is anything to call and it does not run yet."""
        with self._lock:
            if self._thread is not None or not self._observers or self._mailbox.closed:
                return
            thread = threading.Thread(
                target=_dispatch,
                args=(weakref.ref(self), self._mailbox),
                name="polymarket-ws-observers",
                daemon=True,
            )
            # Kept before it runs: a signal handler, or another greenlet of gevent, may come
            # here while start() waits for it, and two threads would share the row.
            self._thread = thread
            try:
                start_daemon(thread)
            except BaseException:
                # Where no thread can be had, a later call tries again. One that got a thread
                # after all sees that it is not the one that is kept.
                if thread.ident is None:
                    self._thread = None
                raise

    def after_fork_in_child(self) -> None:
        """Replace the lock, which may be held for ever, in the copy of a forked child."""
        self._lock = threading.RLock()

    def dispatches(self, thread: threading.Thread) -> bool:
        """Whether ``thread`` is the one that calls the callbacks."""
        return self._thread is thread

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end; False, with the callback's name logged, if it did not."""
        thread = self._thread
        # No ident: not running yet; a signal handler may ask in the middle of start().
        if thread is None or thread is threading.current_thread() or thread.ident is None:
            return True
        thread.join(timeout)
        if not thread.is_alive():
            return True
        running = self.running
        if running is None:
            logger.warning("close() did not wait any longer for the thread of the observers")
        else:
            logger.warning("close() did not wait any longer for the callback %s", running)
        return False

    def call(self, event: Event) -> None:
        """Hand one event to everybody who observes its class."""
        for observer in self._observers:
            if not isinstance(event, observer.event_type) or self._mailbox.closed:
                continue
            self.running = observer.name
            try:
                observer.callback(event)
            except BaseException as error:  # noqa: BLE001 SystemExit would end this thread only
                self._failed(observer, event, error)
            finally:
                self.running = None

    def _failed(self, observer: _Observer, event: Event, error: BaseException) -> None:
        logger.error("the callback %s raised on %s", observer.name, event, exc_info=error)
        if self._on_error == "detach":
            with self._lock:
                self._set(tuple(item for item in self._observers if item is not observer))
        elif self._on_error == "stop":
            self.stop(error)
            return
        # One that fails on being told of a failure would be told of that for ever.
        if not isinstance(event, CallbackFailed):
            words = f"{type(error).__name__}: {error}"
            self.call(CallbackFailed(callback=observer.name, error=words))


def _dispatch(reference: weakref.ref[Observers], mailbox: Mailbox) -> None:
    """Run until the mailbox ends or its ``Observers`` are collected."""
    observers = reference()
    if observers is None or not observers.dispatches(threading.current_thread()):
        return
    del observers
    while True:
        try:
            hand = mailbox.refill(Deadline(None))
        except PolymarketWSError as error:
            observers = reference()
            if observers is not None:
                observers.stop(error)
            return
        if hand is None:
            return
        while hand.left() and not mailbox.closed:
            event = hand.events[hand.position]
            hand.position += 1
            observers = reference()
            if observers is None:
                return
            observers.call(event)
            del observers, event
        # Held here it would outlive the wait for the next.
        del hand


#: For the fork hook alone, which cannot be unregistered and so cannot hold one of them.
_every: weakref.WeakSet[Observers] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for observers in list(_every):
        observers.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
