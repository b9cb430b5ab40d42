"""The addresses of production, answered on this machine: for programs that run as printed.

A program is started with two things changed around it, and nothing in it: names below
``polymarket.com`` resolve to this machine, as ``/etc/hosts`` could say, and its certificate
authority is trusted, as an administrator could arrange (``SSL_CERT_FILE``). Behind that a
real TLS server passes the bytes on to a simulated exchange.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import trustme

from polymarket_ws.simulator import Exchange
from tests.conftest import scaled

ROOT = Path(__file__).resolve().parents[1]

_RUN_AS_IN_PRODUCTION = """
import os, runpy, socket, sys

resolve = socket.getaddrinfo

def resolve_here(host, port, *args, **kwargs):
    if str(host).endswith(".polymarket.com"):
        host, port = "127.0.0.1", int(os.environ["PRODUCTION_PORT"])
    return resolve(host, port, *args, **kwargs)

socket.getaddrinfo = resolve_here
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = True

    def __init__(self, target: tuple[str, int], context: ssl.SSLContext) -> None:
        self.target = target
        self.context = context
        super().__init__(("127.0.0.1", 0), _Relayed)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: programs are interrupted, and then hang up as they please."""


class _Relayed(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with (
            self.server.context.wrap_socket(self.request, server_side=True) as outside,
            socket.create_connection(self.server.target) as inside,
        ):
            # Out is another thread than in; TLS of OpenSSL takes one of each.
            back = threading.Thread(target=_pump, args=(inside, outside), daemon=True)
            back.start()
            _pump(outside, inside)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@attrs.frozen
class Production:
    """Starts programs that take this machine for production."""

    port: int
    authority: Path

    @contextlib.contextmanager
    def running(self, program: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run a program; end it the hard way if it is still there afterwards."""
        environment = {
            **os.environ,
            "PRODUCTION_PORT": str(self.port),
            "SSL_CERT_FILE": str(self.authority),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-X", "dev", "-c", _RUN_AS_IN_PRODUCTION]
        with subprocess.Popen(
            [*command, str(program), *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            alarm = threading.Timer(scaled(60), process.kill)
            alarm.start()
            try:
                yield process
            finally:
                alarm.cancel()
                process.kill()


@contextlib.contextmanager
def as_production(exchange: Exchange, folder: Path) -> Iterator[Production]:
    """Answer production's addresses with ``exchange`` while the block lasts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.polymarket.com").configure_cert(context)
    certificate = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    address = urlsplit(exchange.url)
    assert address.hostname is not None
    assert address.port is not None
    with _Relay((address.hostname, address.port), context) as relay:
        accepting = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
        accepting.start()
        try:
            yield Production(relay.server_address[1], certificate)
        finally:
            relay.shutdown()
            accepting.join()


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, and return what was still said."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=scaled(10))
