"""Python programs in processes of their own, which talk to their test line by line."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[2]

#: As strict as an interpreter can be. Forking with threads is what some programs are about;
#: Python 3.12 and later warn of it.
STRICT = ("-X", "dev", "-W", "error", "-W", "ignore:.*fork.*:DeprecationWarning")


class Program:
    """A running program.

    Attributes:
        process: its process.
        out: what it printed so far, but for the lines that were read.
        err: what it said on stderr, once it ended.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out = ""
        self.err = ""

    def line(self) -> str:
        """Wait for its next line; an empty text once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self, seconds: float = 30.0) -> int:
        """Wait for its end, and return its exit code."""
        self.out, self.err = self.process.communicate(timeout=scaled(seconds))
        return self.process.returncode


@contextlib.contextmanager
def running(
    code: str, *arguments: str, options: tuple[str, ...] = STRICT, **environment: str
) -> Iterator[Program]:
    """Run ``code``; what is left of it at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, *options, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()


def run(
    code: str, *arguments: str, options: tuple[str, ...] = STRICT, seconds: float = 30.0
) -> tuple[int, str, str]:
    """Run ``code`` to its end; return its exit code, and what it wrote on stdout and stderr."""
    with running(code, *arguments, options=options) as program:
        return program.end(seconds), program.out, program.err
