"""The server's process and the clients', and what they say."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import attrs

__all__ = ["ClientFailed", "Site", "measure", "run_python", "served"]

#: The slowest client takes a tenth of that for the longest run on a quiet machine.
_PATIENCE = 600.0


class ClientFailed(Exception):
    """A client's process ended with an error, or not in time."""


@attrs.frozen
class Site:
    """A server, and what a client's environment needs to trust it."""

    url: str
    environment: Mapping[str, str]


@contextlib.contextmanager
def served(*, tls: bool = False) -> Iterator[Site]:
    """Run a server; with ``tls`` under a certificate made for the occasion."""
    with TemporaryDirectory() as folder:
        arguments: list[str] = []
        environment: dict[str, str] = {}
        if tls:
            arguments, environment = _certificate(Path(folder))
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                port = int(process.stdout.readline())
                scheme = "wss://localhost" if tls else "ws://127.0.0.1"
                yield Site(f"{scheme}:{port}", environment)
            finally:
                process.stdin.close()


def _certificate(folder: Path) -> tuple[list[str], dict[str, str]]:
    import trustme

    authority = trustme.CA()
    server = folder / "server.pem"
    trusted = folder / "authority.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(server))
    authority.cert_pem.write_to_path(str(trusted))
    # The second is websocket-client's.
    names = ("SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE")
    return [str(server)], dict.fromkeys(names, str(trusted))


def measure(
    site: Site, client: str, path: str, *options: str, environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run a client to the end of the traffic, and return what it measured.

    Raises:
        ClientFailed: it did not get there.
    """
    return run_python(
        "-m", "benchmarks.client", client, site.url + path, *options,
        environment={**site.environment, **(environment or {})},
    )  # fmt: skip


def run_python(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run Python; return the JSON that it printed, and when it was ``started_at``.

    Raises:
        ClientFailed: it ended with an error or not in time.
    """
    started_at = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClientFailed(f"{arguments[:3]} did not end within {_PATIENCE:g} s") from None
    if done.returncode:
        raise ClientFailed(f"{arguments[:3]} failed:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    return cast("dict[str, float]", {**result, "started_at": started_at})
