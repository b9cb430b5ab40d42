"""What runs behind a ``Client``.

Connection threads refer to the engine and never to the client, so that a client nobody
holds any more can be collected while they run.

Locks, in the order in which they may be taken: ``Engine.lock`` (wishes, feeds) > the
connection's ``_ending`` > a mailbox's. All are ``RLock``s, because a signal handler may run
in the thread that holds one, and ``close()`` takes none of the first two. Who waits for a
change of state takes no lock at all: each has a bell of its own, and bells may be rung from
a signal handler or a finalizer.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Mapping

import attrs

from polymarket_ws.bell import Bell
from polymarket_ws.budget import Budget
from polymarket_ws.credentials import Credentials
from polymarket_ws.delivery import SLICE_SECONDS, Delivery, Mailbox, Unread
from polymarket_ws.errors import (
    ClientClosed,
    ClientForked,
    ConnectionFailed,
    CredentialsNotFound,
    UsageError,
)
from polymarket_ws.events.event import Event
from polymarket_ws.events.user import UserEvent
from polymarket_ws.health import Health
from polymarket_ws.observers import Interest
from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.recovering import Account, Question, Recovering
from polymarket_ws.protocol.session import Session
from polymarket_ws.protocol.user import UserDialect
from polymarket_ws.recovery import Recovery
from polymarket_ws.routing import Router
from polymarket_ws.settings import Settings
from polymarket_ws.subscriptions import Kinds
from polymarket_ws.transport.connection import Connection, ConnectionState
from polymarket_ws.transport.deadline import Deadline, acquire_unless
from polymarket_ws.transport.opening import Opener
from polymarket_ws.transport.shards import Shards
from polymarket_ws.transport.spacing import Spacing
from polymarket_ws.transport.trial import Trial

__all__ = ["Engine"]

#: What no overflow may cost: the user's own orders and fills.
_UNDROPPABLE = (UserEvent,)

#: All markets of one account fit on one connection.
_ALL_ON_ONE = 1_000_000

#: How long a connection's thread waits for a user's thread that changes wishes, before it reads on.
_LOCK_SECONDS = 0.02

#: How long a fresh connection may take where first books are not watched.
_TRIAL_SECONDS = 30.0


class Engine:
    """The connections of one client, and what they share.

    Attributes:
        lock: held while wishes change.
        asked: changes of consumers' wishes that are not passed on yet: for each channel and
            key the classes wanted from now on.
        error: what ended a connection or the client.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lock = threading.RLock()
        # A dictionary: adding and taking out are one step each, whoever else does so.
        self._bells: dict[Bell, None] = {}
        self._opener = Opener(
            ssl_context=settings.ssl_context,
            proxy=settings.proxy,
            user_agent=settings.user_agent,
        )
        self.budget = Budget(settings.delivery)
        self.observed = Mailbox(settings.delivery, undroppable=_UNDROPPABLE)
        self.interest = Interest()
        self._connections = 0
        self._shards = {
            "market": Shards(
                self._make_market_connection,
                settings.assets_per_connection,
                self._make_market_trial,
            ),
            "user": Shards(self._make_user_connection, _ALL_ON_ONE),
        }
        self._spacings = {channel: Spacing(random.random) for channel in self._shards}
        self._since: dict[Mailbox, Shards] = {}
        self._mailboxes: list[Mailbox] = []
        self._gone: deque[Mailbox] = deque()
        self._dropped_by_the_gone = 0
        self.asked: deque[tuple[Mailbox, Mapping[str, Mapping[str, Kinds]]]] = deque()
        self._obeying = False
        self._leaving: tuple[Connection, ...] = ()
        self._pid: int | None = None
        self._wanted: set[type[Event]] = set()
        self.closed = False
        self.error: BaseException | None = None
        _engines.add(self)

    # -- what the facade asks -------------------------------------------------------------------

    def check_usable(self) -> None:
        """Raise if nothing can be subscribed any more."""
        self.check_fork()
        if self.closed:
            raise ClientClosed("this client is closed; closing is final, make a new Client")

    def check_fork(self) -> None:
        """Raise in a forked child whose parent was using this client."""
        if self.forked:
            raise ClientForked(
                "this client was in use when the process forked; its threads stayed in the "
                "parent. Make a new Client in the child (gunicorn: in post_worker_init; "
                "Celery: in worker_process_init)"
            )

    @property
    def forked(self) -> bool:
        """Whether this is the copy, in a child, of an engine that was in use."""
        return self._pid is not None and self._pid != os.getpid()

    @property
    def in_use(self) -> bool:
        """Whether anything was ever subscribed."""
        return self._pid is not None

    def open_mailbox(self, delivery: Delivery) -> Mailbox:
        """Return a new mailbox that counts towards the client's sum."""
        mailbox = Mailbox(delivery, self.budget, undroppable=_UNDROPPABLE)
        with self.lock:
            self._mailboxes.append(mailbox)
        return mailbox

    def open_wish(self) -> Mailbox:
        """Return the mailbox of a consumer that reads nothing."""
        mailbox = Unread(self._settings.delivery)
        with self.lock:
            self._mailboxes.append(mailbox)
        return mailbox

    def open_since(self, mailbox: Mailbox, since: int) -> None:
        """Give a consumer a user connection of its own, which begins in the past.

        Of its own, because the others have had that past already, or do not want it.
        """
        if not self._settings.recovers:
            raise UsageError(
                "since needs REST: credentials with the wallet's address, and endpoints whose "
                "clob belongs to user"
            )

        def make() -> Connection:
            return self._make_user_connection(since=since)

        self._since[mailbox] = Shards(make, _ALL_ON_ONE)

    def check_channel(self, channel: str) -> None:
        """Raise if the client lacks what a channel needs.

        Raises:
            CredentialsNotFound: it has no credentials and the channel is the user's.
        """
        if channel == "user" and self._settings.credentials is None:
            raise CredentialsNotFound(
                "User() needs credentials, and nothing is looked up by itself: write "
                "Client(Credentials.from_env()), Client(Credentials.from_keyring()), or "
                "Client(Credentials(api_key, secret, passphrase, address))"
            )

    def wanted(self) -> frozenset[type[Event]]:
        """Return every class of events that was ever asked for."""
        return frozenset(self._wanted)

    def obey(self) -> None:
        """Pass what was asked on to the connections. Requires holding ``lock``.

        A signal handler may ask while this very thread is doing so: then it only leaves its
        wish, which is passed on in its turn.
        """
        while self.asked:
            # No call from the look at what was asked to this mark, nor from the last one
            # to the next look: nothing can be left behind in between.
            if self._obeying:
                return
            self._obeying = True
            try:
                try:
                    mailbox, changes = self.asked.popleft()
                except IndexError:
                    # A signal handler passed it on between the look and the mark, where
                    # Python 3.10 may still be interrupted.
                    continue
                self._want(mailbox, changes)
            finally:
                self._obeying = False
        if self.closed:
            # close() may have come in between, in a signal handler of this very thread.
            self._request_close()

    def _want(self, mailbox: Mailbox, changes: Mapping[str, Mapping[str, Kinds]]) -> None:
        self._pid = os.getpid()
        self._forget_the_gone()
        for channel, wishes in changes.items():
            self._wanted.update(*wishes.values())
            shards = self._since.get(mailbox) if channel == "user" else None
            try:
                (shards or self._shards[channel]).want(mailbox, wishes)
            except (OSError, RuntimeError) as error:
                raise ConnectionFailed(
                    f"no connection can be made, so nothing was changed: {error}. Has this process "
                    "too many open files or threads?"
                ) from error

    def leave(self, mailbox: Mailbox) -> None:
        """Note that a consumer is gone. From a finalizer too: takes no lock."""
        mailbox.abandon()
        self._gone.append(mailbox)
        for shards in self._all_shards():
            shards.wake()

    def _forget_the_gone(self) -> None:
        while self._gone:
            mailbox = self._gone.popleft()
            mailbox.close()
            for shards in self._all_shards():
                shards.forget_consumer(mailbox)
            own = self._since.get(mailbox)
            if own is not None:
                self._leaving = (
                    *(item for item in self._leaving if not item.ended),
                    *own.connections,
                )
                del self._since[mailbox]
            if mailbox in self._mailboxes:
                self._mailboxes.remove(mailbox)
                # What is counted must not run backwards.
                self._dropped_by_the_gone += mailbox.reading().dropped

    # -- connections ------------------------------------------------------------------------------

    def _make_market_trial(self) -> Connection:
        # As long as each of the other tries to get a first book.
        seconds = self._settings.liveness.first_book or _TRIAL_SECONDS
        return self._make_market_connection(
            Trial(seconds, opened=self._trial_opened, failed=self._trial_failed)
        )

    def _make_market_connection(self, trial: Trial | None = None) -> Connection:
        number = self._next_number()
        return self._connection(
            number,
            self._settings.endpoints.market,
            Session(
                MarketDialect(),
                self._settings.liveness,
                connection=number,
                others=lambda: self._shards["market"].on_the_wire(but=number),
                moves=True,
            ),
            spacing=self._spacings["market"],
            observes=self.interest.observes,
            trial=trial,
        )

    def _ask_elsewhere(self, connection: Connection, ids: list[str]) -> list[str] | None:
        """Have a fresh connection opened for ids. In the thread of ``connection``."""
        if not self.lock.acquire(timeout=_LOCK_SECONDS):
            return None
        try:
            if self.closed:
                return []
            return self._shards[connection.channel].ask_elsewhere(connection, ids)
        finally:
            self.lock.release()
            self._close_what_came_late()

    def _trial_opened(self, connection: Connection) -> None:
        self._settle_trial(connection, self._shards[connection.channel].opened)

    def _trial_failed(self, connection: Connection) -> None:
        self._settle_trial(connection, self._shards[connection.channel].failed)

    def _settle_trial(self, connection: Connection, settle: Callable[[Connection], None]) -> None:
        # Nothing is read here yet, so this thread may wait.
        if acquire_unless(self.lock, lambda: self.closed):
            try:
                settle(connection)
            finally:
                self.lock.release()
                self._close_what_came_late()

    def _close_what_came_late(self) -> None:
        if self.closed:
            # close() may have come in between, and not seen the latest connection.
            self._request_close()

    def _make_user_connection(self, since: int | None = None) -> Connection:
        settings = self._settings
        credentials = settings.credentials
        if credentials is None:
            raise CredentialsNotFound("the user channel needs credentials")
        number = self._next_number()
        spacing = self._spacings["user"]
        session = Session(
            UserDialect(credentials),
            # There is no first book, and a quiet account is no broken connection.
            attrs.evolve(settings.liveness, first_book=None, data=None),
            connection=number,
            recovers=settings.recovers,
        )

        def observes(kind: type[Event]) -> bool:
            # Observers are told each event once: by the first connection that has them all.
            return self.interest.observes(kind) and not any(
                item.number < number and item.has_everything
                for item in self.connections()
                if item.channel == "user"
            )

        if not settings.recovers:
            return self._connection(
                number, settings.endpoints.user, session, spacing=spacing, observes=observes
            )
        recovering = Recovering(
            timeout=settings.recovery_timeout,
            most_held=settings.delivery.max_events,
            most_bytes=settings.delivery.max_bytes,
            since=since,
        )
        rest = _Rest(settings, credentials)
        return self._connection(
            number,
            settings.endpoints.user,
            session,
            spacing=spacing,
            observes=observes,
            check=rest.check,
            recovery=Recovery(recovering, rest.ask, connection=number),
        )

    def _next_number(self) -> int:
        self._connections += 1
        return self._connections

    def _connection(
        self,
        number: int,
        url: str,
        session: Session,
        *,
        spacing: Spacing,
        observes: Callable[[type[Event]], bool],
        check: Callable[[], None] | None = None,
        recovery: Recovery | None = None,
        trial: Trial | None = None,
    ) -> Connection:
        settings = self._settings
        self.budget.expect(connections=number)
        shards = self._shards[session.channel]
        router = Router(
            self.observed,
            observes,
            channel=session.channel,
            connection=number,
            names_markets=session.channel == "user",
            awaits_books=settings.liveness.first_book is not None,
        )
        return Connection(
            number,
            url,
            session=session,
            router=router,
            opener=self._opener,
            backoff=settings.backoff,
            spacing=spacing,
            connect_timeout=settings.connect_timeout,
            changed=self._notify,
            failed=self.fail,
            ask_elsewhere=self._ask_elsewhere,
            is_reached=lambda: any(item.has_been_open for item in shards.connections),
            check=check,
            recovery=recovery,
            trial=trial,
        )

    def _notify(self) -> None:
        """Have everybody who waits look again. From any thread, signal handler or finalizer."""
        for bell in tuple(self._bells):
            bell.ring()

    def fail(self, error: BaseException) -> None:
        """Note what ended a connection or the client; ``run()`` raises it."""
        if self.error is None:
            self.error = error
        self._notify()

    def connections(self) -> tuple[Connection, ...]:
        """Return the connections that have not ended."""
        # Those of a consumer that is gone end by themselves a moment later. Read after
        # the shards: what moves from there to here meanwhile is then in both, not in neither.
        carried = [item for shards in self._all_shards() for item in shards.connections]
        leaving = [item for item in self._leaving if not item.ended]
        return tuple(dict.fromkeys((*leaving, *carried)))

    def _all_shards(self) -> tuple[Shards, ...]:
        return (*self._shards.values(), *tuple(self._since.values()))

    def wait_until(self, reached: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until ``reached`` is true after a change of state; False at the deadline."""
        bell = Bell()
        try:
            self._bells[bell] = None
            while not reached():
                # The wait may have been left in the child, with the fork in a signal handler.
                self.check_fork()
                remaining = deadline.remaining()
                if remaining == 0.0:
                    return False
                bell.wait(SLICE_SECONDS if remaining is None else min(remaining, SLICE_SECONDS))
            return True
        finally:
            self._bells.pop(bell, None)

    def all_open(self) -> bool:
        """Whether there are connections and every one of them is open."""
        connections = self.connections()
        return bool(connections) and all(
            connection.state is ConnectionState.OPEN
            for connection in connections
            if not connection.on_trial
        )

    def health(self) -> Health:
        """Return a reading of everything."""
        readings = tuple(connection.health() for connection in self.connections())
        frames = [item.last_frame_at for item in readings if item.last_frame_at is not None]
        errors = [item.last_error for item in readings if item.last_error is not None]
        mailboxes = [item.reading() for item in (*self._mailboxes, self.observed)]
        failed = str(self.error) if self.error is not None else None
        return Health(
            connected=self.all_open(),
            connections=readings,
            closed=self.closed,
            last_error=errors[-1] if errors else failed,
            last_frame_at=max(frames, default=None),
            pending=tuple(asset_id for item in readings for asset_id in item.pending),
            buffered=sum(mailbox.waiting for mailbox in mailboxes),
            dropped=sum(mailbox.dropped for mailbox in mailboxes) + self._dropped_by_the_gone,
        )

    def stop(self, error: BaseException) -> None:
        """End everything because of ``error``; ``run()`` raises it."""
        self.fail(error)
        self.begin_close()

    # -- the end -------------------------------------------------------------------------------

    def begin_close(self) -> None:
        """End everything without waiting for it."""
        self.closed = True
        self._request_close()
        for mailbox in [*self._mailboxes, self.observed]:
            mailbox.close()
        self._notify()

    def _request_close(self) -> None:
        for connection in self.connections():
            connection.request_close()

    def join(self, connections: tuple[Connection, ...], deadline: Deadline) -> bool:
        """Wait for the threads of ``connections`` to end; False if one has not."""
        ends = [connection.join(deadline.remaining()) for connection in connections]
        return all(ends)

    def abandon(self) -> None:
        """End everything because nobody holds the client. For a finalizer: takes no lock."""
        if self.closed or not self.in_use or self._pid != os.getpid():
            return
        self.closed = True
        self._request_close()
        for mailbox in [*self._mailboxes, self.observed]:
            mailbox.abandon()
        warnings.warn(
            "a polymarket_ws.Client was not closed; write `with Client() as client:` or call "
            "client.close()",
            ResourceWarning,
            stacklevel=2,
        )

    def after_fork_in_child(self) -> None:
        """Make the child's copy say so, and close its copies of the descriptors."""
        # Who held the lock stayed in the parent, and that also if nothing was subscribed yet.
        self.lock = threading.RLock()
        self._obeying = False
        if not self.in_use:
            self.observed.after_fork_in_child(None)
            return
        self._notify()
        self._bells = {}
        forked = ClientForked("this client was in use when the process forked; make a new one")
        for mailbox in [*self._mailboxes, self.observed]:
            mailbox.after_fork_in_child(forked)
        for connection in self.connections():
            connection.after_fork_in_child()


class _Rest:
    """The account over REST, with what the client was made with."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._settings = settings
        self._credentials = credentials

    def check(self) -> None:
        from polymarket_ws.authentication import check_credentials

        check_credentials(
            self._credentials,
            endpoints=self._settings.endpoints,
            proxy=self._settings.proxy,
            ssl_context=self._settings.ssl_context,
        )

    def ask(self, question: Question) -> Account:
        from polymarket_ws.account import ask_account

        return ask_account(
            question,
            self._credentials,
            clob=self._settings.endpoints.clob,
            proxy=self._settings.proxy,
            ssl_context=self._settings.ssl_context,
        )


#: For the fork hook alone, which cannot be unregistered and so cannot hold an engine.
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
