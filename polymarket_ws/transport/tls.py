"""TLS on a non-blocking socket, many records at a time.

``ssl.SSLSocket`` reads the five bytes of each record's head and then its body from the
socket: two system calls a message where messages come one by one. Here one read takes what
there is, and the records are opened in memory.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

__all__ = ["TlsSocket"]

#: No record has more in it.
_RECORD_BYTES = 16 * 1024


class TlsSocket(socket.socket):
    """A socket whose bytes are encrypted on the way; always non-blocking.

    Args:
        sock: the connected socket; this one takes its place.
        context: what is trusted, and which versions are spoken.
        host: whom the certificate must name.

    Raises:
        ValueError: ``host`` is none that a certificate can name.
        ssl.SSLError: the context cannot be used.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        # First, while a failure still leaves the socket to the caller.
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._unsent = b""
        self._sealed = 0
        self._error: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake.

        Raises:
            ssl.SSLWantReadError: the socket must be read first.
            ssl.SSLWantWriteError: the socket must be written first.
            ssl.SSLError: it failed.
        """
        while not self._shake():
            self._fill(_RECORD_BYTES)

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            # The alert that tells the peer, if the socket takes it.
            with contextlib.suppress(OSError):
                self._flush()
            raise
        self._flush()
        return True

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return everything in the next ``size`` bytes of the network; ``b""`` at the end.

        It may be more than ``size`` by the begin of a record that was read before: nothing
        that is decrypted stays here, where no selector sees it. An end or an error that
        comes behind data is told by the next call.

        Raises:
            ssl.SSLWantReadError: nothing is there yet.
            ssl.SSLError: what is there is no TLS, or not from whom it should be.
        """
        pieces: list[bytes] = []
        read, append = self._tls.read, pieces.append
        while True:
            try:
                if self._error is not None:
                    raise self._error
                while piece := read(_RECORD_BYTES):
                    append(piece)
                break
            except ssl.SSLWantReadError:
                if pieces:
                    break
                self._fill(size, flags)
            except ssl.SSLEOFError:
                # A peer that hangs up without a word of TLS. What it said is whole or not
                # by the rules of the frames inside.
                break
            except ssl.SSLError as error:
                self._error = error
                if pieces:
                    break
                raise
        if self._outgoing.pending:
            # Answers of TLS itself, such as a new key; if need be they leave with the next send.
            with contextlib.suppress(ssl.SSLWantWriteError):
                self._flush()
        return b"".join(pieces)

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """Send ``data``, or the first record of it; return how much that was.

        Raises:
            ssl.SSLWantWriteError: the socket takes no more. The same bytes must be sent again.
        """
        if not self._sealed:
            self._sealed = self._tls.write(memoryview(data)[:_RECORD_BYTES])
        self._flush(flags)
        size, self._sealed = self._sealed, 0
        return size

    def _fill(self, size: int, flags: int = 0) -> None:
        try:
            data = super().recv(size, flags)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, flags: int = 0) -> None:
        self._unsent += self._outgoing.read()
        try:
            while self._unsent:
                self._unsent = self._unsent[super().send(self._unsent, flags) :]
        except BlockingIOError:
            raise ssl.SSLWantWriteError from None
