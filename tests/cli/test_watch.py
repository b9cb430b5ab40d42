from __future__ import annotations

import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polymarket_ws.simulator import Refuse
from polymarket_ws.simulator.exchange import Exchange
from tests.cli.shell import lines_once_live
from tests.cli.watching.emulator import Emulator

if sys.platform != "win32":
    import fcntl
    import pty
    import select
    import termios

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-X", "dev", "-W", "error", "-m", "polymarket_ws.cli", "watch"]

#: Makes its standard input its terminal, and then is what follows.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

needs_pty = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")


def environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    kept |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        kept.pop(name, None)
    return kept | extra


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=100.0, markets=3) as exchange:
        yield exchange


def slugs(exchange: Exchange) -> list[str]:
    return [market.slug for market in exchange.markets]


class Screen:
    """The command on a terminal."""

    def __init__(self, arguments: list[str], width: int, height: int, **extra: str) -> None:
        self.emulator = Emulator(width, height)
        self.raw = b""
        self._ours, self.theirs = pty.openpty()
        self.resize(width, height)
        self.modes = termios.tcgetattr(self.theirs)

        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *COMMAND, *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=subprocess.PIPE,
            env=environment(**extra),
            start_new_session=True,
        )

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:
            return False
        self.raw += data
        with contextlib.suppress(UnicodeDecodeError):
            self.emulator.feed(self._pending(data))
        return bool(data)

    _undecoded = b""

    def _pending(self, data: bytes) -> str:
        data = self._undecoded + data
        for cut in range(4):
            try:
                text = data[: len(data) - cut].decode()
            except UnicodeDecodeError:
                continue
            self._undecoded = data[len(data) - cut :]
            return text
        raise AssertionError(data)

    def wait_for(self, seen: Callable[[Emulator], object], seconds: float) -> None:
        """Wait until all of it is seen at once: a frame may come in pieces, with half a line."""
        until = time.monotonic() + seconds
        while not seen(self.emulator):
            assert time.monotonic() < until, self.emulator.before + self.emulator.text
            if not self.read(0.1) and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.errors()}")

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def ended(self, seconds: float) -> int:
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, "it did not end"
            self.read(0.05)
        while self.read(0.0):
            continue
        return self.process.returncode

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def hang_up(self) -> None:
        os.close(self._ours)
        self._ours = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        for fd in (self._ours, self.theirs):
            if fd >= 0:
                os.close(fd)

    def assert_restored(self) -> None:
        emulator = self.emulator
        assert not emulator.alternate
        assert emulator.cursor_shown
        assert emulator.wraps
        assert termios.tcgetattr(self.theirs) == self.modes
        assert "Traceback" not in emulator.before


Opened = Callable[..., Screen]


@pytest.fixture
def opened() -> Iterator[Opened]:
    screens: list[Screen] = []

    def open_screen(*arguments: str, width: int = 80, height: int = 24, **extra: str) -> Screen:
        screens.append(Screen(list(arguments), width, height, **extra))
        return screens[-1]

    yield open_screen
    for screen in screens:
        screen.close()


def is_live(screen: Emulator) -> bool:
    return "● live" in screen.text and "BUY" in screen.text and "█" in screen.text


@needs_pty
def test_screen_shows_markets_and_q_quits(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, *slugs(exchange))
    address = exchange.url.removeprefix("ws://")
    texts = (exchange.markets[0].question[:20], "1 of 3", address, "q quit")
    screen.wait_for(
        lambda shown: is_live(shown) and all(text in shown.text for text in texts), seconds(20)
    )
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    screen.assert_restored()
    assert screen.errors() == ""


@needs_pty
def test_arrows_choose_the_market(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, *slugs(exchange))
    screen.wait_for(is_live, seconds(20))
    screen.press("\x1b[B")
    screen.wait_for(lambda shown: "2 of 3" in shown.text, seconds(5))
    screen.press("kk")
    screen.wait_for(lambda shown: "3 of 3" in shown.text, seconds(5))


@needs_pty
def test_demo_needs_nothing(opened: Opened, seconds: Callable[[float], float]) -> None:
    screen = opened("--demo")

    def shows_all(shown: Emulator) -> bool:
        # All eight, with their book and trades, on the smallest usual terminal.
        named = sum(line[3:8] == "Will " for line in shown.lines[2:10])
        return is_live(shown) and "1 of 8" in shown.text and named == 8

    screen.wait_for(shows_all, seconds(20))
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    screen.assert_restored()
    assert screen.errors() == ""


@needs_pty
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_signal_restores_the_terminal(
    exchange: Exchange,
    opened: Opened,
    seconds: Callable[[float], float],
    number: signal.Signals,
    code: int,
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    screen.process.send_signal(number)
    assert screen.ended(seconds(10)) == code
    screen.assert_restored()
    assert screen.errors() == ""


@needs_pty
def test_ctrl_c_is_still_a_signal(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    screen.press("\x03")
    assert screen.ended(seconds(10)) == 130
    screen.assert_restored()


@needs_pty
def test_suspended_it_gives_the_terminal_back_and_goes_on_later(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    screen.process.send_signal(signal.SIGTSTP)
    screen.wait_for(lambda shown: not shown.alternate, seconds(10))
    _, status = os.waitpid(screen.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    while screen.read(0.05):
        continue
    screen.assert_restored()
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_for(lambda shown: shown.alternate and is_live(shown), seconds(10))
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    screen.assert_restored()


@needs_pty
def test_terminal_that_is_hung_up_ends_it(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    screen.hang_up()
    screen.process.wait(seconds(10))
    assert "Traceback" not in screen.errors()


@needs_pty
def test_screen_follows_the_size_of_the_terminal(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, *slugs(exchange))
    screen.wait_for(is_live, seconds(20))
    for width, height in ((120, 40), (44, 12), (80, 24)):
        screen.emulator.resize(width, height)
        before = screen.emulator.cleared
        screen.resize(width, height)

        def redrawn(shown: Emulator, before: int = before) -> bool:
            # The last line is where it belongs, and the first is as wide as it should be.
            ends = "● live" in shown.lines[0] and "connected" in shown.lines[-1]
            return shown.cleared > before and ends

        screen.wait_for(redrawn, seconds(5))


@needs_pty
def test_gap_is_shown_and_warnings_stay_off_the_screen(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    exchange.drop("reset")

    def shows_the_gap(shown: Emulator) -> bool:
        told = re.search(r"reconnected \d+ s ago, [\d.]+ s missed", shown.lines[-1])
        on_the_tape = "connection lost" in shown.text
        return bool(told) and on_the_tape and "1 gap" in shown.lines[0]

    screen.wait_for(shows_the_gap, seconds(20))
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    assert screen.errors() == ""


@needs_pty
def test_exchange_that_is_gone_is_shown_as_such(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(is_live, seconds(20))
    exchange.close("reset")
    screen.wait_for(
        lambda shown: (
            "○ lost" in shown.lines[0]
            and "stale" in shown.text
            and "connection lost" in shown.lines[-1]
        ),
        seconds(20),
    )


@needs_pty
def test_colours_are_left_out_on_request(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0], NO_COLOR="1")
    screen.wait_for(is_live, seconds(20))
    assert screen.emulator.colours <= {"", "0", "1", "2"}


@needs_pty
def test_colours_are_of_the_terminal_and_never_of_the_background(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, slugs(exchange)[0])
    screen.wait_for(lambda shown: is_live(shown) and {"31", "32"} <= shown.colours, seconds(20))
    assert screen.emulator.colours <= {"", "0", "1", "2", "31", "32", "36"}


@needs_pty
def test_error_on_a_terminal_is_one_line_and_no_screen(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--url", exchange.url, "no-such-market")
    assert screen.ended(seconds(20)) == 1
    assert b"\x1b[?1049h" not in screen.raw
    assert len(screen.errors().strip().splitlines()) == 1


def run(*arguments: str, seconds: float, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**extra),
        timeout=seconds,
        check=False,
    )


@contextlib.contextmanager
def piped(*arguments: str, **extra: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(**extra),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_pipe_gets_a_plain_line_a_second(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    began = time.monotonic()
    with piped("--url", exchange.url, *slugs(exchange), FORCE_COLOR="1") as process:
        assert process.stdout is not None
        lines = lines_once_live(process, 3)
        # It is a mean over two seconds. One in which either side was held up has less, and the
        # one after that more.
        while not 20 < float(lines[-1].split()[2].replace(",", "")) < 300:
            assert len(lines) < 20, lines
            lines.append(process.stdout.readline())
        # No less lies between two of them. More does on a loaded machine.
        assert time.monotonic() - began > len(lines) - 1
        if os.name == "nt":
            return
        process.send_signal(signal.SIGINT)
        assert process.wait(seconds(10)) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    for line in lines:
        assert "\x1b" not in line
        assert re.match(r"\d\d:\d\d:\d\d  live  [\d,.]+ msg/s  lag .*  nothing missed \| ", line)
        assert line.count(" | ") == 3
        assert exchange.markets[0].question[:20] in line


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_demo_in_a_pipe_is_lines_until_interrupted(seconds: Callable[[float], float]) -> None:
    with piped("--demo") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(seconds(10)) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert line.count(" | ") == 8


@pytest.mark.skipif(os.name == "nt", reason="Windows has no head")
def test_closed_pipe_ends_quietly(exchange: Exchange, seconds: Callable[[float], float]) -> None:
    with piped("--url", exchange.url, slugs(exchange)[0]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(seconds(10)) == 0
        assert process.stderr.read() == ""
        process.stdout = None


@pytest.mark.skipif(os.name == "nt", reason="POSIX shells only")
def test_closed_standard_output_is_one_line(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    script = f'exec "$@" {exchange.url} {slugs(exchange)[0]} >&-'
    ended = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *COMMAND, "--url"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        timeout=seconds(20),
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines() == ["polymarket-ws: standard output is closed"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "nothing to watch"),
        (["--demo", "--url", "ws://127.0.0.1:1"], 2, "exclude each other"),
        (["x", "--url", "127.0.0.1:1"], 2, "wanted is ws://host:port"),
        (["not a market!", "--demo"], 2, "slug"),
        (["no-such-market", "--demo"], 1, "no-such-market"),
        (["some-market", "--url", "ws://127.0.0.1:1"], 1, "could not be looked up"),
        pytest.param(["123", "--url", "ws://127.0.0.1:1"], 1, "127.0.0.1", marks=pytest.mark.slow),
    ],
)
def test_mistake_is_one_line(
    arguments: list[str], code: int, words: str, seconds: Callable[[float], float]
) -> None:
    ended = run(*arguments, seconds=seconds(60))
    assert ended.stdout == "" or arguments[0] == "123"
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert words in ended.stderr
    assert ended.returncode == code


def test_token_is_shown_with_its_market(
    exchange: Exchange, seconds: Callable[[float], float]
) -> None:
    token = exchange.markets[1].asset_ids[1]
    with piped("--url", exchange.url, token, slugs(exchange)[1]) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    assert line.count(" | ") == 1
    assert exchange.markets[1].question[:20] in line


def test_terminal_that_cannot_move_its_cursor_gets_lines(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    if os.name == "nt":
        pytest.skip("there are no pseudo-terminals on Windows")
    screen = opened("--url", exchange.url, slugs(exchange)[0], TERM="dumb")
    screen.wait_for(lambda shown: shown.before.count("msg/s") >= 2, seconds(20))
    assert b"\x1b" not in screen.raw


# -- the user's own orders ---------------------------------------------------------------


@needs_pty
def test_demo_of_the_user_shows_orders_come_fill_and_go(
    opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--user", "--demo")
    screen.wait_for(lambda shown: "● live" in shown.text and "placed" in shown.text, seconds(20))
    screen.wait_for(lambda shown: "placed ▸ filled" in shown.text, seconds(30))
    screen.wait_for(lambda shown: "CONFIRMED" in shown.text, seconds(30))
    screen.wait_for(lambda shown: re.search(r"▸ cancelled|▸ killed", shown.text), seconds(60))

    def is_whole(shown: Emulator) -> bool:
        counts = re.search(r"\d+ open +\d+ filled +\d+ cancelled", shown.lines[0])
        ends = shown.lines[1].startswith("─ Orders ─") and shown.lines[-1].startswith(" connected")
        return bool(counts) and ends and "█" in shown.text

    screen.wait_for(is_whole, seconds(10))
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    screen.assert_restored()
    assert screen.errors() == ""


@needs_pty
def test_gap_of_the_user_is_recovered_and_marked(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    token = exchange.markets[0].asset_ids[0]
    credentials = exchange.account.credentials
    key = credentials.reveal()
    names = (("KEY", "apiKey"), ("SECRET", "secret"), ("PASSPHRASE", "passphrase"))
    environment = {f"POLYMARKET_API_{name}": key[field].encode().decode() for name, field in names}
    environment["POLYMARKET_ADDRESS"] = str(credentials.address)
    screen = opened("--user", slugs(exchange)[0], "--url", exchange.url, **environment)
    screen.wait_for(lambda shown: "● live" in shown.text, seconds(20))
    assert exchange.wait_for(
        lambda: any(connection.subscribed for connection in exchange.connections), seconds(20)
    )
    exchange.account.place(token, "BUY", "0.01", 50)  # far from everybody
    screen.wait_for(lambda shown: "placed" in shown.text, seconds(20))
    # Nobody is there when it happens, however quick the client is.
    exchange.inject(Refuse(503))
    exchange.drop("reset")
    exchange.account.cancel_all()
    exchange.heal()
    texts = ("placed ▸ cancelled*", exchange.markets[0].question[:10])
    screen.wait_for(
        lambda shown: "1 gap" in shown.lines[0] and all(text in shown.text for text in texts),
        seconds(20),
    )
    screen.press("q")
    assert screen.ended(seconds(10)) == 0
    screen.assert_restored()


@needs_pty
def test_credentials_that_are_refused_restore_the_terminal_and_are_one_line(
    exchange: Exchange, opened: Opened, seconds: Callable[[float], float]
) -> None:
    environment = {
        "POLYMARKET_API_KEY": "4f9c1d2e-5b7a-4c3d-9e8f-0123456789ab",
        "POLYMARKET_API_SECRET": "d3Jvbmc=",
        "POLYMARKET_API_PASSPHRASE": "wrong",
        "POLYMARKET_ADDRESS": str(exchange.account.credentials.address),
    }
    screen = opened("--user", "--url", exchange.url, **environment)
    assert screen.ended(seconds(20)) == 1
    screen.assert_restored()
    (line,) = screen.errors().strip().splitlines()
    assert "Likely causes" in line


@needs_pty
def test_signal_restores_the_terminal_of_the_user(
    opened: Opened, seconds: Callable[[float], float]
) -> None:
    screen = opened("--user", "--demo")
    screen.wait_for(lambda shown: "● live" in shown.text, seconds(20))
    screen.process.send_signal(signal.SIGINT)
    assert screen.ended(seconds(10)) == 130
    screen.assert_restored()
    assert screen.errors() == ""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_demo_of_the_user_in_a_pipe_is_lines_until_interrupted(
    seconds: Callable[[float], float],
) -> None:
    with piped("--user", "--demo") as process:
        assert process.stdout is not None
        lines = lines_once_live(process, 2)
        # It trades now and then.
        while " | order " not in lines[-1]:
            assert len(lines) < 30, lines
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(seconds(10)) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d  live  \d+ open  \d+ filled  \d+ cancelled  lag ", line)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--user", "--demo", "--profile", "bot"], 2, "exclude each other"),
        (["--demo", "--profile", "bot"], 2, "--profile is for --user"),
        (["--user", "--demo", "no-such-market"], 1, "no-such-market"),
        (["--user"], 1, "polymarket-ws credentials set"),
    ],
)
def test_mistake_about_the_user_is_one_line(
    arguments: list[str], code: int, words: str, seconds: Callable[[float], float]
) -> None:
    names = [name for name in os.environ if name.startswith(("POLYMARKET_", "CLOB_"))]
    unset = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", **dict.fromkeys(names, "")}
    ended = run(*arguments, seconds=seconds(60), **unset)
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert words in ended.stderr
    assert ended.returncode == code
