"""The terminal while a screen is shown on it, and its way back to what it was.

The alternate screen is used, so what was on the terminal is there again afterwards. A frame is
compared with the one before, line by line, and what differs leaves in a single write: nothing
is ever blank in between, so nothing flickers, and a frame in which nothing changed costs
nothing.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.text import Text

from polymarket_ws.cli.output import ReaderGone

__all__ = ["Keyboard", "Terminal", "is_interactive"]

#: Off while the screen is shown: where terminal and library disagree on how wide a character
#: is, a line is then cut at the edge and does not push the others down.
_WRAP_OFF = Segment("\x1b[?7l")
_WRAP_ON = Segment("\x1b[?7h")

_KEYS = {
    "q": "quit",
    "Q": "quit",
    "\x04": "quit",  # Ctrl-D
    "j": "next",
    "k": "previous",
    "\t": "next",
    "\x1b[A": "previous",
    "\x1b[B": "next",
    "\x1b[Z": "previous",  # Shift-Tab
    "\x1bOA": "previous",
    "\x1bOB": "next",
    "\xe0H": "previous",  # the arrows of a Windows console
    "\xe0P": "next",
}

#: For terminals that cannot write more than their old code page.
_ASCII = str.maketrans(
    {
        **dict.fromkeys("▁▂▃", "."),
        **dict.fromkeys("▄▅▆", ":"),
        **dict.fromkeys("▇█▉▊▋", "#"),
        **dict.fromkeys("▌▍▎▏▐", "|"),
        "─": "-",
        "│": "|",
        "┬": "+",
        "┼": "+",
        "▲": "+",
        "▼": "-",
        "▸": ">",
        "●": "*",
        "○": "o",
        "…": "~",
        "\N{EN DASH}": "-",
        "\N{MINUS SIGN}": "-",
        "·": "-",
        "¢": "c",
        "↑": "^",
        "↓": "v",
    }
)


def is_interactive() -> bool:
    """Return whether standard output is a terminal that a screen can be drawn on."""
    # Not the console's own idea of it: FORCE_COLOR makes that true for a file, too.
    return sys.stdout is not None and sys.stdout.isatty() and not Console().is_dumb_terminal


class Keyboard:
    """Single keys of a terminal, as words: ``quit``, ``next``, ``previous``.

    Without a terminal at standard input there are no keys, and :attr:`works` says so.
    """

    def __init__(self) -> None:
        self.works = False
        self._fd = -1
        self._before: list[Any] | None = None
        self._never = threading.Event()

    def open(self) -> None:
        """Have keys come one by one, and not show up on the screen."""
        if sys.stdin is None or not sys.stdin.isatty():
            return
        if sys.platform == "win32":
            self.works = True
            return
        import termios
        import tty

        fd = sys.stdin.fileno()
        try:
            self._before = termios.tcgetattr(fd)
            # Not raw: Ctrl-C and Ctrl-Z go on being signals.
            tty.setcbreak(fd, termios.TCSANOW)
        except termios.error:
            return  # a terminal that was hung up, or is none that has modes
        self._fd = fd
        self.works = True

    def close(self) -> None:
        """Put the modes of the terminal back."""
        self.works = False
        before, self._before = self._before, None
        if before is None or sys.platform == "win32":
            return
        import termios

        # At once and not after the output is out, which a stopped terminal never is. A
        # terminal that is gone has no modes.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, before)

    def wait(self, seconds: float) -> list[str]:
        """Wait for keys, at most so long, and return what they mean.

        Raises:
            ReaderGone: the terminal was hung up.
        """
        if not self.works:
            self._never.wait(seconds)
            return []
        if sys.platform == "win32":
            return self._wait_windows(seconds)
        if not select.select([self._fd], [], [], seconds)[0]:
            return []
        try:
            typed = os.read(self._fd, 1024)
        except OSError as error:
            raise ReaderGone from error
        if not typed:
            raise ReaderGone
        return list(_meanings(typed.decode("latin-1")))

    if sys.platform == "win32":

        def _wait_windows(self, seconds: float) -> list[str]:
            import msvcrt

            self._never.wait(seconds)
            typed = ""
            while msvcrt.kbhit():
                typed += msvcrt.getwch()
            return list(_meanings(typed))


def _meanings(typed: str) -> Iterator[str]:
    position = 0
    while position < len(typed):
        for length in (3, 2, 1):
            meaning = _KEYS.get(typed[position : position + length])
            if meaning is not None:
                yield meaning
                break
        else:
            # Of an unknown sequence nothing may be taken for a key.
            length = len(typed) - position if typed[position] == "\x1b" else 1
        position += length


class _Patch:
    """What has to be written to make one frame of another; rich renders it."""

    def __init__(self, changes: Sequence[tuple[int, Text]], width: int, *, clear: bool) -> None:
        self._changes = changes
        self._width = width
        self._clear = clear

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._clear:
            yield Control.clear().segment
        for row, line in self._changes:
            yield Control.move_to(0, row).segment
            yield from line.render(console)
            if line.cell_len < self._width:
                # Only there: with the last cell written, terminals erase that one.
                yield Control((ControlType.ERASE_IN_LINE, 0)).segment


class Terminal:
    """A screen of lines, while a ``with`` block lasts.

    Whatever ends the block (also SIGTERM, which becomes ``SystemExit(143)``), the terminal is
    as it was. Suspended with Ctrl-Z it gives the terminal back, too.

    Args:
        console: what is drawn on; by default standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._keyboard = Keyboard()
        self._shown: list[Text] | None = None
        self._size = (0, 0)
        self._suspend = False
        self._signals: list[tuple[int, Any]] = []

    def __enter__(self) -> Terminal:
        # First of all: from here on a SIGTERM takes the way through __exit__.
        self._catch("SIGTERM", self._end)
        self._catch("SIGTSTP", self._stop)
        try:
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._give_back()
        finally:
            for number, before in self._signals:
                signal.signal(number, before)  # noqa: TID251 - back to what it was
            self._signals = []

    def _catch(self, name: str, handler: Callable[[int, FrameType | None], None]) -> None:
        number = getattr(signal, name, None)  # Windows has no SIGTSTP
        if number is None or threading.current_thread() is not threading.main_thread():
            return
        # This is the application, and it has a terminal to put in order first.
        before = signal.signal(number, handler)  # noqa: TID251
        self._signals.append((number, signal.SIG_DFL if before is None else before))

    def _end(self, number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _stop(self, _number: int, _: FrameType | None) -> None:
        # Not here: a line may be half written.
        self._suspend = True

    def _take(self) -> None:
        self._keyboard.open()
        console = self._console
        console.set_alt_screen(True)
        console.show_cursor(False)
        if not console.legacy_windows:
            self._write(_WRAP_OFF)
        self._shown = None

    def _give_back(self) -> None:
        console = self._console
        try:
            # A terminal that is gone needs nothing.
            with contextlib.suppress(OSError):
                if not console.legacy_windows:
                    self._write(_WRAP_ON)
                # Resized meanwhile, some terminals leave lines of it behind (tmux 3.3).
                console.control(Control.clear(), Control.home())
                console.show_cursor(True)
                console.set_alt_screen(False)
        finally:
            self._keyboard.close()

    def _write(self, *segments: Segment) -> None:
        self._console.print(_Segments(segments), end="", crop=False, soft_wrap=True)

    @property
    def has_keys(self) -> bool:
        """Whether there is a keyboard."""
        return self._keyboard.works

    @property
    def size(self) -> tuple[int, int]:
        """Cells and lines, as they are at the moment: terminals are resized."""
        width, height = self._console.size
        return max(1, width), max(1, height)

    def paint(self, lines: Sequence[Text], size: tuple[int, int]) -> int:
        """Show a frame and return how many lines had to be written for it.

        Args:
            lines: the top one first; none wider than the screen.
            size: what they were made for.

        Raises:
            ReaderGone: the terminal was hung up.
        """
        if self._console.options.ascii_only:
            lines = [self._narrowed(line) for line in lines]
        before = self._shown if self._size == size else None
        changes = [
            (row, line)
            for row, line in enumerate(lines)
            if before is None or row >= len(before) or before[row] != line
        ]
        if not changes:
            return 0
        patch = _Patch(changes, size[0], clear=before is None)
        try:
            self._console.print(patch, end="", crop=False, soft_wrap=True)
        except OSError as error:
            raise ReaderGone from error
        self._shown, self._size = list(lines), size
        return len(changes)

    def wait(self, seconds: float) -> list[str]:
        """Wait for keys, at most so long; a suspension happens in here.

        Raises:
            ReaderGone: the terminal was hung up.
        """
        if self._suspend and sys.platform != "win32":
            self._suspend = False
            self._give_back()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._take()
        return self._keyboard.wait(seconds)

    def _narrowed(self, line: Text) -> Text:
        encoding = self._console.encoding
        plain = line.plain.translate(_ASCII).encode(encoding, "replace").decode(encoding)
        narrowed = line.copy()
        narrowed.plain = plain
        return narrowed


class _Segments:
    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._segments
