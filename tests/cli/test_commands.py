from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polymarket_ws import __version__
from tests.cli.shell import ROOT, run


def one_line(text: str) -> str:
    """Return the only line of what was said, without the name that it begins with."""
    (line,) = text.splitlines()
    assert line.startswith("polymarket-ws: ")
    return line.removeprefix("polymarket-ws: ")


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_help_names_the_commands(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  simulate  " in done.stdout
    assert "  stream  " in done.stdout


def test_command_starts_without_what_only_others_need() -> None:
    script = (
        "import sys\nfrom polymarket_ws.cli import main\nmain(sys.argv[1:])\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "credentials", "show", "-h"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "polymarket_ws.cli.credentials" in loaded
    assert not loaded & {"polymarket_ws.client", "polymarket_ws.cli.watch", "urllib3", "websocket"}


def test_version_is_that_of_the_package() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"polymarket-ws {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("strem",), "No such command 'strem'"),
        (("--colour",), "No such option"),
        (("stream", "--demo", "--limt", "3"), "--limit"),
        (("stream", "--demo", "--limit", "0"), "0 is not in the range"),
        (("stream", "--demo", "--limit", "many"), "'many' is not a valid integer"),
        (("simulate", "--port", "70000"), "70000 is not in the range"),
        (("simulate", "--markets", "0"), "0 is not in the range"),
    ],
)
def test_misuse_is_one_line_and_exits_with_2(arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    said = one_line(done.stderr)
    assert expected in said
    assert "-h shows what it takes" in said


def test_usage_error_of_the_library_exits_with_2() -> None:
    done = run("simulate", "--rate", "nan")
    assert done.returncode == 2
    assert "rate takes" in one_line(done.stderr)


def test_errors_show_no_python_calls() -> None:
    done = run("stream", "--demo", "two words")
    assert done.returncode == 2
    said = one_line(done.stderr)
    assert said.startswith("WHAT takes the address of a market's page, such as https://")
    assert "lookup" not in said


def test_output_can_be_cut_off_while_help_is_shown() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "polymarket_ws.cli", "stream", "-h"],
            cwd=ROOT,
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def hiding(package: str) -> list[str]:
    """Return the command in an interpreter that lacks ``package``."""
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from polymarket_ws.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", script]


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("click", ("stream", "--demo"), "cli"),
        ("websockets", ("stream", "--demo"), "simulator"),
        ("websockets", ("simulate",), "simulator"),
    ],
)
def test_missing_extra_is_named_with_its_pip_install(
    package: str, arguments: tuple[str, ...], extra: str
) -> None:
    done = subprocess.run(
        [*hiding(package), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr).endswith(f'pip install "polymarket-ws[{extra}]"')


def test_stream_from_elsewhere_needs_no_simulator() -> None:
    done = subprocess.run(
        [*hiding("websockets"), "stream", "--url", "ws://127.0.0.1:1", "a-slug"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "could not be looked up" in one_line(done.stderr)


def test_installed_command_is_this_one() -> None:
    script = Path(sys.executable).with_name("polymarket-ws")
    if not script.is_file():
        pytest.skip("the package is not installed here")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"polymarket-ws {__version__}\n"
