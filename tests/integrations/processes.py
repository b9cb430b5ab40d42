"""Servers and commands as real processes, which a test starts, asks and ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.conftest import scaled
from tests.integrations.event_stream import Tab

ROOT = Path(__file__).resolve().parents[2]


@attrs.define
class Running:
    """A process, and what it has written on both streams."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, pattern: str) -> re.Match[str]:
        """Return where the output matches, as soon as it does."""
        deadline = time.monotonic() + scaled(20)
        while True:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.text)
            if found:
                return found
            assert not ended, self.text
            assert time.monotonic() < deadline, self.text
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=scaled(20))
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return response.status, named, response.read()
        finally:
            connection.close()

    def tab(self, path: str, *markets: str, **options: Any) -> Tab:
        return Tab(self.url + path, *markets, **options)

    def health(self, path: str) -> dict[str, Any]:
        health = json.loads(self.get(path)[2])
        assert isinstance(health, dict)
        return health

    def until_healthy(self, path: str, **wanted: object) -> dict[str, Any]:
        deadline = time.monotonic() + scaled(20)
        while True:
            health = self.health(path)
            if all(health.get(key) == value for key, value in wanted.items()):
                return health
            assert time.monotonic() < deadline, health
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)

    def stop(self, number: int = signal.SIGTERM, *, within: float = 5.0) -> int:
        """Send a signal; return the exit code. Fails if that takes too long."""
        began = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(scaled(within))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on after {within} s:\n{self.text}") from None
        assert time.monotonic() - began < scaled(within)
        return code


@contextlib.contextmanager
def running(
    arguments: Sequence[str], *, log: Path, cwd: Path, environment: Mapping[str, str]
) -> Iterator[Running]:
    """Run ``python …`` while the block lasts, with everything that it starts."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "PYTHONUTF8": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        process.poll()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
