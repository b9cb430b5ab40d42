from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.cli.shell import ROOT


def python(
    code: str, stdout: int | BinaryIO = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    script = f"from polymarket_ws.cli.output import *\nimport sys\n{code}"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


def test_lines_are_utf8_whatever_the_locale_says() -> None:
    code = "sys.stdout.reconfigure(encoding='ascii')\nLines().write('Naxos → 日本')"
    assert python(code).stdout == "Naxos → 日本\n".encode()


def test_line_is_out_when_it_is_written() -> None:
    code = "Lines().write('first')\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", f"from polymarket_ws.cli.output import *\nimport sys\n{code}"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
        assert process.poll() is None
        process.communicate()


READER_LEAVES = """
import os
read, write = os.pipe()
os.dup2(write, 1)
os.close(write)
os.close(read)
try:
    Lines().write("nobody reads this")
except ReaderGone:
    silence(sys.stdout)
    sys.stderr.write("gone")
"""


def test_reader_that_has_gone_is_told_apart_and_the_exit_is_quiet() -> None:
    done = python(READER_LEAVES)
    assert (done.returncode, done.stderr) == (0, b"gone")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk_is_an_error_that_says_so() -> None:
    code = (
        "import click\n"
        "try:\n    Lines().write('too much')\n"
        "except click.ClickException as error:\n"
        "    sys.stderr.write(error.message)\n    silence(sys.stdout)"
    )
    with Path("/dev/full").open("wb") as full:
        done = python(code, stdout=full)
    assert done.stderr == b"cannot write to standard output: No space left on device"
    assert done.returncode == 0


def test_no_standard_output_is_an_error_that_says_so() -> None:
    code = (
        "import click\nsys.stdout = None\nsilence(sys.stdout)\n"
        "try:\n    Lines()\n"
        "except click.ClickException as error:\n    sys.stderr.write(error.message)"
    )
    assert python(code).stderr == b"standard output is closed"
