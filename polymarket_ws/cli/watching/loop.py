"""From a stream to a screen, or to lines of text: read, fold, show, and again.

What is folded and how it looks is for the caller to say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import attrs
from rich.text import Text

from polymarket_ws.cli.notices import Notices
from polymarket_ws.cli.output import Lines
from polymarket_ws.cli.watching.canvas import Frame
from polymarket_ws.cli.watching.connections import Tone
from polymarket_ws.cli.watching.terminal import Terminal
from polymarket_ws.events.event import Event

__all__ = [
    "Readable",
    "View",
    "Warnings",
    "Watched",
    "apply_waiting",
    "show",
]

#: Eight frames a second: more cannot be read, and each costs processor time.
_FRAME_SECONDS = 0.125

_LINE_SECONDS = 1.0

#: The first line comes sooner: whoever waits for it wants to see that something runs.
_FIRST_LINE_SECONDS = 0.5

#: A frame is late rather than never, whatever comes in.
_READING_SECONDS = 0.1


class Readable(Protocol):
    """What events are read from, such as ``stream.all()``."""

    def get(self, timeout: float | None = None) -> Event:
        """Return the next one, or raise ``TimeoutError``."""
        ...


class Watched(Protocol):
    """A state that a stream is folded into."""

    over: bool

    def apply(self, event: Event, now: float, wall: float) -> None:
        """Fold one event."""
        ...

    def tick(self, now: float) -> bool:
        """Do what time brings; return whether that may be seen."""
        ...

    def tell(self, text: str, now: float, tone: Tone = "plain") -> None:
        """Have the status line say something for a while."""
        ...

    def select(self, step: int) -> None:
        """Go up or down by that much."""
        ...


S = TypeVar("S", bound=Watched)


@attrs.frozen
class View(Generic[S]):
    """How a state looks.

    Attributes:
        compose: makes the lines of a frame.
        line: makes the line of text for that time on the clock.
        keys: what the last line of the screen says of the keyboard, if there is one.
    """

    compose: Callable[[S, Frame], Sequence[Text]]
    line: Callable[[S, float], str]
    keys: str


def show(
    stack: ExitStack,
    state: S,
    subscribed: Callable[[], Readable],
    view: View[S],
    *,
    on_screen: bool,
) -> None:
    """Watch until the end.

    Args:
        stack: what it closes later is closed in the right order.
        state: what is shown.
        subscribed: begins the stream; what it puts on the stack is closed after the terminal
            is back, because closing may take a while.
        view: how it looks.
        on_screen: whether there is a terminal for it; else it is lines of text.
    """
    if on_screen:
        warnings = stack.enter_context(Warnings())
        events = subscribed()
        terminal = stack.enter_context(Terminal())
        _draw(state, events, terminal, warnings, view)
        return
    lines = Lines()
    notices = stack.enter_context(Notices(held=True))
    _print(state, subscribed(), lines, notices, view)


def _draw(
    state: S, events: Readable, terminal: Terminal, warnings: Warnings, view: View[S]
) -> None:
    """Show a state on a terminal until ``q`` is pressed.

    Args:
        state: what is shown.
        events: are folded into it.
        terminal: shows it, and has the keys.
        warnings: go to the status line.
        view: how it looks.
    """
    keys = view.keys if terminal.has_keys else ""
    due = time.monotonic()
    shown_for: tuple[int, int] | None = None
    changed = True
    while True:
        for key in terminal.wait(max(0.0, due - time.monotonic())):
            if key == "quit":
                return
            state.select(1 if key == "next" else -1)
            changed = True
        now = time.monotonic()
        if now < due:
            continue
        changed |= bool(apply_waiting(state, events, now))
        changed |= state.tick(now)
        for text in warnings.taken():
            state.tell(text, now, "bad")
            changed = True
        size = terminal.size
        if changed or size != shown_for:
            width, height = size
            frame = Frame(width=width, height=height, now=now, keys=keys)
            terminal.paint(view.compose(state, frame), size)
            changed, shown_for = False, size
        # From now and not from when it was due: a slow terminal gets fewer frames.
        due = time.monotonic() + _FRAME_SECONDS


def _print(state: S, events: Readable, lines: Lines, notices: Notices, view: View[S]) -> None:
    """Print a line a second until all is over, which may be never.

    Args:
        state: what is told.
        events: are folded into it.
        lines: where to.
        notices: are let through once there is a connection.
        view: how it looks.
    """
    never = threading.Event()
    began = time.monotonic()
    due = began + _FIRST_LINE_SECONDS
    state.tick(began)  # what the first rate is measured from
    while not state.over:
        never.wait(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        due = max(due, now) + _LINE_SECONDS
        if apply_waiting(state, events, now):
            notices.let_through()
        state.tick(now)
        lines.write(view.line(state, time.time()))


def apply_waiting(state: Watched, events: Readable, now: float) -> int:
    """Apply what came since the last time, and return how many events that were."""
    # Not one by one as they come: waking up for each costs more than applying it.
    wall = time.time()
    count = 0
    while True:
        try:
            event = events.get(0)
        except TimeoutError:
            return count
        state.apply(event, now, wall)
        count += 1
        if not count % 256 and time.monotonic() - now > _READING_SECONDS:
            return count


class Warnings(logging.Handler):
    """Keeps the library's warnings for the status line, while a ``with`` block lasts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # Appended to by the threads of the client, emptied by the screen.
        self._texts: deque[str] = deque(maxlen=100)
        self._logger = logging.getLogger("polymarket_ws")
        self._propagated = self._logger.propagate

    def __enter__(self) -> Warnings:
        self._propagated = self._logger.propagate
        # Whatever the root logger writes to, it would be written across the screen.
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's text."""
        self._texts.append(record.getMessage())

    def taken(self) -> list[str]:
        """Return what was kept, and keep it no longer."""
        texts = []
        while self._texts:
            texts.append(self._texts.popleft())
        return texts
