"""A page as a user serves it: ``polymarket-ws serve`` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from typing import Any

from polymarket_ws.simulator import Exchange
from tests.ports import unused_port


class Site:
    """A web server for an exchange, that can be killed and comes back on the same port."""

    def __init__(self, exchange: Exchange, markets: Sequence[str], *, user: bool = False) -> None:
        self.exchange = exchange
        #: Its own also while it is down: it comes back there.
        self.port = unused_port()
        self.address = ""
        self._arguments = [*markets, *(["--user"] if user else [])]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        key, secret, passphrase = self.secrets
        environment = {
            **os.environ,
            "POLYMARKET_API_KEY": key,
            "POLYMARKET_API_SECRET": secret,
            "POLYMARKET_API_PASSPHRASE": passphrase,
            "POLYMARKET_ADDRESS": str(self.exchange.account.credentials.address),
        }
        command = [sys.executable, "-m", "polymarket_ws.cli", "serve", "--port", str(self.port)]
        command += ["--url", self.exchange.url, *self._arguments]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address, "the server ended before it served"

    @property
    def secrets(self) -> tuple[str, str, str]:
        """The account's key, secret and passphrase: what must be on no page."""
        shown = self.exchange.account.credentials.reveal()
        key, secret, passphrase = (
            str(shown[name].encode().decode()) for name in ("apiKey", "secret", "passphrase")
        )
        return key, secret, passphrase

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Let it hold its connections and answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health") as answer:
            return dict(json.load(answer))

    def book(self, asset_id: str) -> dict[str, Any]:
        """What the exchange itself says over REST."""
        host = self.exchange.url.removeprefix("ws://")
        with urllib.request.urlopen(f"http://{host}/book?token_id={asset_id}") as answer:
            return dict(json.load(answer))
