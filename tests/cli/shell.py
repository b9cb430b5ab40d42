"""The command as a shell runs it: a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[2]

#: With every warning an error: an unclosed socket or file would be seen on stderr.
COMMAND = (sys.executable, "-X", "dev", "-W", "error", "-m", "polymarket_ws.cli")


def run(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=scaled(60),
        check=False,
    )


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run it while the block lasts."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        # A line that never comes must not hold the test for ever.
        alarm = threading.Timer(scaled(60), process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def lines_once_live(process: subprocess.Popen[str], count: int) -> list[str]:
    """Return so many lines of ``watch``, from the first that does not tell of the connecting.

    The very first is there after half a second, connected or not.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    while line[8:].split()[:1] == ["connecting"]:
        line = process.stdout.readline()
    return [line, *(process.stdout.readline() for _ in range(count - 1))]
