from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.text import Text

from polymarket_ws.cli.output import ReaderGone
from polymarket_ws.cli.watching.terminal import Keyboard, Terminal, _meanings
from tests.cli.watching.emulator import Emulator

SIZE = (30, 4)


class Output(io.StringIO):
    """A file that a test reads as a terminal shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.emulator = Emulator(*SIZE)

    def shown(self) -> Emulator:
        self.emulator.feed(self.getvalue())
        self.seek(0)
        self.truncate()
        return self.emulator


@pytest.fixture
def output() -> Output:
    return Output()


def console(output: io.StringIO, **options: object) -> Console:
    width, height = SIZE
    environment = {"TERM": "xterm", **{key: str(value) for key, value in options.items()}}
    return Console(
        file=output, force_terminal=True, width=width, height=height, _environ=environment
    )


@pytest.fixture
def terminal(output: Output) -> Iterator[Terminal]:
    with Terminal(console(output)) as terminal:
        yield terminal


def lines(*texts: str) -> list[Text]:
    return [Text(text) for text in texts]


def test_block_takes_the_alternate_screen_and_gives_it_back(output: Output) -> None:
    with Terminal(console(output)):
        screen = output.shown()
        assert (screen.alternate, screen.cursor_shown, screen.wraps) == (True, False, False)
    screen = output.shown()
    assert (screen.alternate, screen.cursor_shown, screen.wraps) == (False, True, True)


def test_exception_gives_the_screen_back(output: Output) -> None:
    with pytest.raises(RuntimeError), Terminal(console(output)):
        raise RuntimeError
    screen = output.shown()
    assert (screen.alternate, screen.cursor_shown, screen.wraps) == (False, True, True)


def test_frame_is_shown(output: Output, terminal: Terminal) -> None:
    frame = lines("one", "x" * 30, "", "大谷" * 7 + "ab")
    assert terminal.paint(frame, SIZE) == 4
    assert output.shown().lines == [line.plain for line in frame]


def test_only_lines_that_changed_are_written(output: Output, terminal: Terminal) -> None:
    terminal.paint(lines("one", "two, which is longer", "three", "four"), SIZE)
    output.shown()
    assert terminal.paint(lines("one", "two", "three", "four"), SIZE) == 1
    written = output.getvalue()
    assert "two" in written
    assert "one" not in written
    assert "three" not in written
    assert output.shown().lines == ["one", "two", "three", "four"]


def test_same_frame_writes_nothing(output: Output, terminal: Terminal) -> None:
    terminal.paint(lines("one", "two", "three", "four"), SIZE)
    output.shown()
    assert terminal.paint(lines("one", "two", "three", "four"), SIZE) == 0
    assert output.getvalue() == ""


def test_change_of_style_alone_is_written(output: Output, terminal: Terminal) -> None:
    terminal.paint([Text("price")], SIZE)
    assert terminal.paint([Text("").append("price", "green")], SIZE) == 1


def test_whole_frame_is_one_write(terminal: Terminal, output: Output) -> None:
    writes: list[str] = []
    output.write = writes.append  # type: ignore[assignment]
    terminal.paint(lines("one", "two", "three", "four"), SIZE)
    assert len(writes) == 1


def test_new_size_clears_and_writes_everything(output: Output, terminal: Terminal) -> None:
    terminal.paint(lines("one", "two", "three", "four"), SIZE)
    before = output.shown().cleared
    output.emulator.resize(20, 3)
    assert terminal.paint(lines("one", "two", "three"), (20, 3)) == 3
    screen = output.shown()
    assert screen.cleared == before + 1
    assert screen.lines == ["one", "two", "three"]


def test_colours_are_left_out_on_request(output: Output) -> None:
    with Terminal(console(output, NO_COLOR=1)) as terminal:
        terminal.paint([Text("").append("price", "bold green")], SIZE)
    assert output.shown().colours <= {"0", "1", ""}


def test_old_code_page_gets_signs_that_it_has() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    width, height = SIZE
    drawn = Console(
        file=file, force_terminal=True, width=width, height=height, _environ={"TERM": "xterm"}
    )
    with Terminal(drawn) as terminal:
        terminal.paint([Text("").append("▲ 52¢ ██▌ 大", "green")], SIZE)
    file.flush()
    assert b"+ 52c ##| ?" in raw.getvalue()


def test_terminal_that_is_gone_ends_quietly() -> None:
    class Gone(io.StringIO):
        gone = False

        def flush(self) -> None:
            if self.gone:
                raise OSError(errno.EIO, "gone")

    file = Gone()
    with Terminal(console(file)) as terminal:
        file.gone = True
        with pytest.raises(ReaderGone):
            terminal.paint(lines("one"), SIZE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_termination_takes_the_way_out(output: Output) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, Terminal(console(output)):
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 143
    assert not output.shown().alternate
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("typed", "meanings"),
    [
        ("q", ["quit"]),
        ("Q", ["quit"]),
        ("\x04", ["quit"]),
        ("jk\t", ["next", "previous", "next"]),
        ("\x1b[A\x1b[B\x1bOA\x1bOB", ["previous", "next", "previous", "next"]),
        ("\x1b[200~q", []),  # nothing of what is pasted is a key
        ("xyz", []),
        ("x\x1b[Bq", ["next", "quit"]),
        ("\x1b", []),
    ],
)
def test_keys_have_meanings(typed: str, meanings: list[str]) -> None:
    assert list(_meanings(typed)) == meanings


def test_keyboard_without_a_terminal_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (io.StringIO("q"), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        keyboard = Keyboard()
        keyboard.open()
        assert not keyboard.works
        assert keyboard.wait(0) == []
        keyboard.close()


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_keyboard_takes_single_keys_and_restores_the_modes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import termios

    ours, theirs = os.openpty()
    try:
        with open(theirs, closefd=False) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            before = termios.tcgetattr(theirs)
            keyboard = Keyboard()
            keyboard.open()
            assert keyboard.works
            assert termios.tcgetattr(theirs) != before
            os.write(ours, b"j")
            assert keyboard.wait(5.0) == ["next"]
            assert keyboard.wait(0.0) == []
            keyboard.close()
            assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)
