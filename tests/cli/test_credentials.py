from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from tests.cli.shell import COMMAND, ROOT
from tests.conftest import scaled
from tests.loopback import HTTPExchange, Reply
from tests.test_authentication import ADDRESS, API_KEY, PASSPHRASE, SECRET, exchange

SERVICE_ENTRY = {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}
ENVIRONMENT = {
    "POLYMARKET_API_KEY": API_KEY,
    "POLYMARKET_API_SECRET": SECRET,
    "POLYMARKET_API_PASSPHRASE": PASSPHRASE,
    "POLYMARKET_ADDRESS": ADDRESS,
}


@attrs.frozen
class Shell:
    """A shell whose keyring is a file."""

    keyring: Path

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("POLYMARKET_", "CLOB_"))
        }
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "tests.keyrings.Filed",
            "TESTS_KEYRING_FILE": str(self.keyring),
            **extra,
        }

    def __call__(
        self, *arguments: str, stdin: str | bytes = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``polymarket-ws credentials`` and see that it shows no secret."""
        done = subprocess.run(
            [*COMMAND, "credentials", *arguments],
            cwd=ROOT,
            env=self.environment(environment),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=scaled(60),
            check=False,
        )
        output, errors = done.stdout.decode(), done.stderr.decode()
        assert hides(output + errors)
        assert len(errors.splitlines()) <= 1
        assert "Traceback" not in errors
        return subprocess.CompletedProcess(done.args, done.returncode, output, errors)

    @property
    def entries(self) -> dict[str, dict[str, str]]:
        """The profiles in the keyring."""
        if not self.keyring.exists():
            return {}
        rows = json.loads(self.keyring.read_text(encoding="utf-8"))
        assert all(service == "polymarket-ws" for service, _, _ in rows)
        return {name: json.loads(entry) for _, name, entry in rows}


def hides(text: str) -> bool:
    return not any(value[5:17] in text for value in (API_KEY, SECRET, PASSPHRASE))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "keyring.json")


@pytest.fixture
def stocked(shell: Shell) -> Shell:
    """A shell with the key in the profile ``default``."""
    row = ["polymarket-ws", "default", json.dumps({**SERVICE_ENTRY, "address": ADDRESS})]
    shell.keyring.write_text(json.dumps([row]), encoding="utf-8")
    return shell


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one line of an error."""
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("polymarket-ws: ")
    return line


def answered(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of an answer."""
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    return line


def test_help_says_what_there_is(shell: Shell) -> None:
    for arguments in ((), ("-h",)):
        done = shell(*arguments)
        assert done.returncode == 0
        for name in ("set", "show", "check", "delete", "POLYMARKET_API_SECRET"):
            assert name in done.stdout


# set


@pytest.mark.parametrize(
    "stdin",
    [
        json.dumps(SERVICE_ENTRY),
        json.dumps(SERVICE_ENTRY, indent=2) + "\n",
        "\ufeff" + json.dumps(SERVICE_ENTRY),
        json.dumps(
            {"api_key": API_KEY, "api_secret": SECRET, "api_passphrase": PASSPHRASE, "more": 1}
        ),
        f"{API_KEY}\n{SECRET}\n{PASSPHRASE}\n",
        f"{API_KEY}\r\n{SECRET}\r\n\r\n{PASSPHRASE}",
    ],
)
def test_key_is_stored_from_stdin(shell: Shell, stdin: str) -> None:
    line = answered(shell("set", stdin=stdin))
    assert line == 'stored API key 4f9c…, without an address as profile "default" of the keyring'
    assert shell.entries == {"default": SERVICE_ENTRY}


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("--address", ADDRESS), json.dumps(SERVICE_ENTRY)),
        ((), json.dumps({**SERVICE_ENTRY, "address": ADDRESS})),
        ((), f"{API_KEY}\n{SECRET}\n{PASSPHRASE}\n{ADDRESS}\n"),
    ],
)
def test_address_is_stored_with_the_key(
    shell: Shell, arguments: tuple[str, ...], stdin: str
) -> None:
    assert f"address {ADDRESS}" in answered(shell("set", *arguments, stdin=stdin))
    assert shell.entries == {"default": {**SERVICE_ENTRY, "address": ADDRESS}}


def test_profiles_stand_beside_each_other(stocked: Shell) -> None:
    answered(stocked("set", "--profile", "bot", stdin=json.dumps(SERVICE_ENTRY)))
    assert set(stocked.entries) == {"default", "bot"}


@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        ("", "stdin has 0 lines; wanted on stdin is"),
        (f"{API_KEY}\n{SECRET}\n", "stdin has 2 lines"),
        (f"{API_KEY} {SECRET} {PASSPHRASE}\n", "stdin has 1 lines"),
        ("{" + SECRET, "stdin is neither JSON nor lines of text"),
        (SECRET.encode("utf-16"), "stdin is neither JSON nor lines of text"),
        (json.dumps({"apiKey": API_KEY, "secret": SECRET}), "passphrase is missing"),
        (json.dumps({**SERVICE_ENTRY, "secret": 7}), "secret is no text"),
        (json.dumps({**SERVICE_ENTRY, "secret": f"{SECRET},"}), "secret is not base64url"),
        (json.dumps({**SERVICE_ENTRY, "address": SECRET}), "address takes 0x and 40 hex digits"),
        (f"{SECRET}\n{API_KEY} x\n{PASSPHRASE}\n", "secret has white space"),
    ],
)
def test_wrong_stdin_is_one_line_and_stores_nothing(
    shell: Shell, stdin: str | bytes, expected: str
) -> None:
    assert expected in said(shell("set", stdin=stdin), 2)
    assert shell.entries == {}


@pytest.mark.parametrize(
    "arguments",
    [("set", API_KEY), ("set", "--secret", SECRET), ("set", f"--passphrase={PASSPHRASE}")],
)
def test_secrets_are_no_arguments(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*COMMAND, "credentials", *arguments],
        cwd=ROOT,
        env=shell.environment({}),
        input=json.dumps(SERVICE_ENTRY),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    assert shell.entries == {}


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("keyring.backends.null.Keyring", "did not keep them"),
        ("keyring.backends.fail.Keyring", "this machine has none"),
        ("tests.keyrings.Refusing", "it is locked"),
        ("no.such.Keyring", "ModuleNotFoundError"),
    ],
)
def test_keyring_that_does_not_store_is_told(shell: Shell, backend: str, expected: str) -> None:
    done = shell("set", stdin=json.dumps(SERVICE_ENTRY), PYTHON_KEYRING_BACKEND=backend)
    assert expected in said(done, 1)
    assert "On a server set POLYMARKET_API_KEY" in done.stderr


def test_keyring_that_hangs_is_given_up_after_five_seconds(shell: Shell) -> None:
    began = time.monotonic()
    done = shell("show", "--profile", "bot", PYTHON_KEYRING_BACKEND="tests.keyrings.Hanging")
    assert "did not answer within 5 s" in said(done, 1)
    assert 5 <= time.monotonic() - began < scaled(20)


# At a terminal.


class Terminal:
    """The far end of a pseudo-terminal on which a command runs."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.seen = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + scaled(30)
        while text not in self.seen:
            assert self._read(deadline), f"no {text!r} in {self.seen!r}"

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def end(self) -> int:
        deadline = time.monotonic() + scaled(30)
        while self._read(deadline):
            pass
        return self.process.wait(scaled(30))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select(
            [self._descriptor], [], [], max(0.0, deadline - time.monotonic())
        )
        try:
            read = os.read(self._descriptor, 65536) if ready else b""
        except OSError:  # how Linux says that the other side is closed
            read = b""
        self.seen += read.decode()
        return bool(read)


@contextlib.contextmanager
def terminal(shell: Shell, *arguments: str) -> Iterator[Terminal]:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals")
    ours, theirs = pty.openpty()
    try:
        # A session of its own and this its terminal, as a login has it.
        starter = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", starter, *COMMAND, "credentials", *arguments],
            cwd=ROOT,
            env=shell.environment({}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        with process:
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
    finally:
        os.close(ours)


def test_prompts_do_not_show_what_is_typed(shell: Shell) -> None:
    with terminal(shell, "set") as typed:
        for prompt, answer in (
            ("API key (not shown): ", API_KEY),
            ("Secret (not shown): ", SECRET),
            ("Passphrase (not shown): ", PASSPHRASE),
            ("0x…, or nothing): ", ADDRESS),
        ):
            typed.wait_for(prompt)
            typed.type(f"{answer}\n")
        assert typed.end() == 0
        assert 'as profile "default" of the keyring' in typed.seen
        assert hides(typed.seen)
    assert shell.entries == {"default": {**SERVICE_ENTRY, "address": ADDRESS}}


def test_address_is_not_asked_for_when_it_is_given(shell: Shell) -> None:
    with terminal(shell, "set", "--address", ADDRESS) as typed:
        for prompt, answer in (
            ("API key (not shown): ", API_KEY),
            ("Secret (not shown): ", SECRET),
            ("Passphrase (not shown): ", PASSPHRASE),
        ):
            typed.wait_for(prompt)
            typed.type(f"{answer}\n")
        assert typed.end() == 0
    assert shell.entries["default"]["address"] == ADDRESS


@pytest.mark.parametrize(("keys", "code"), [("\x03", 130), ("\x04", 1)])
def test_ctrl_c_and_ctrl_d_at_a_prompt_store_nothing(shell: Shell, keys: str, code: int) -> None:
    with terminal(shell, "set") as typed:
        typed.wait_for("API key (not shown): ")
        typed.type(keys)
        assert typed.end() == code
        assert "Traceback" not in typed.seen
    assert shell.entries == {}


@pytest.mark.parametrize(
    ("answer", "code", "left"), [("y\n", 0, False), ("n\n", 1, True), ("\x03", 130, True)]
)
def test_delete_asks_first(stocked: Shell, answer: str, code: int, left: bool) -> None:
    with terminal(stocked, "delete") as typed:
        typed.wait_for('Remove the profile "default" from the keyring? [y/N]: ')
        typed.type(answer)
        assert typed.end() == code
        assert "Traceback" not in typed.seen
    assert bool(stocked.entries) is left


# show


def test_show_says_which_key_and_from_where(stocked: Shell) -> None:
    expected = f"API key 4f9c…, address {ADDRESS}, from "
    assert answered(stocked("show")) == f'{expected}the keyring, profile "default"'
    assert answered(stocked("show", **ENVIRONMENT)) == (
        f"{expected}the environment (POLYMARKET_API_KEY, POLYMARKET_API_SECRET, "
        "POLYMARKET_API_PASSPHRASE)"
    )


def test_named_profile_is_that_of_the_keyring(stocked: Shell) -> None:
    done = stocked("show", "--profile", "default", **ENVIRONMENT)
    assert answered(done).endswith('from the keyring, profile "default"')
    assert 'profile "bot"' in said(stocked("show", "--profile", "bot", **ENVIRONMENT), 1)


def test_no_credentials_is_one_line(shell: Shell) -> None:
    for command in ("show", "check"):
        line = said(shell(command), 1)
        assert "there are no credentials. The environment has none of" in line


def test_part_of_the_environment_names_what_is_missing(stocked: Shell) -> None:
    done = stocked("show", POLYMARKET_API_KEY=API_KEY)
    assert "POLYMARKET_API_SECRET and POLYMARKET_API_PASSPHRASE are missing" in said(done, 1)


# check


@pytest.fixture
def clob() -> Iterator[str]:
    with HTTPExchange(exchange) as server:
        yield server.url.replace("http", "ws")


def test_check_of_a_right_key_says_ok(stocked: Shell, clob: str) -> None:
    line = answered(stocked("check", "--url", clob))
    assert line.startswith("OK: http://127.0.0.1:")
    assert f"API key 4f9c…, address {ADDRESS}, from the keyring" in line


def test_check_of_a_wrong_key_says_why_and_exits_with_1(stocked: Shell, clob: str) -> None:
    environment = {**ENVIRONMENT, "POLYMARKET_API_PASSPHRASE": PASSPHRASE[::-1]}
    line = said(stocked("check", "--url", clob, **environment), 1)
    assert "refuses these credentials (401 Unauthorized" in line
    assert "They come from the environment (POLYMARKET_API_KEY" in line
    assert "Builder key" in line


def test_check_that_could_not_ask_exits_with_3(stocked: Shell) -> None:
    with HTTPExchange(lambda _: Reply(500)) as server:
        url = server.url.replace("http", "ws")
        assert "says neither" in said(stocked("check", "--url", url), 3)
    assert "could not be checked" in said(stocked("check", "--url", url, "--timeout", "1"), 3)


def test_check_without_an_address_says_how_to_give_it(shell: Shell, clob: str) -> None:
    environment = {**ENVIRONMENT, "POLYMARKET_ADDRESS": ""}
    line = said(shell("check", "--url", clob, **environment), 2)
    assert "has no address" in line
    assert "--address" in line


def test_check_of_a_url_that_is_none_is_misuse(stocked: Shell) -> None:
    assert "wanted is ws://host:port" in said(stocked("check", "--url", "clob"), 2)


# delete


def test_deleted_profile_is_gone(stocked: Shell) -> None:
    line = answered(stocked("delete", "--yes"))
    assert line == 'removed the profile "default" from the keyring'
    assert stocked.entries == {}
    assert "no such entry" in said(stocked("delete", "--yes"), 1)


def test_delete_does_not_ask_a_pipe(stocked: Shell) -> None:
    assert "say --yes" in said(stocked("delete", stdin="y\n"), 2)
    assert set(stocked.entries) == {"default"}
