"""Cut a server's bytes into WebSocket messages, and format the frames a client sends.

Pure: bytes in, messages and control frames out, strict to RFC 6455. There is no socket,
thread or clock in here, so every rule can be tested with nothing but bytes.

websocket-client formats what is sent and is not used for what is received: its receive path
costs three socket reads a frame, and with its default check of UTF-8 about 100 µs for 300 bytes.
"""

from __future__ import annotations

import codecs
from typing import Final

from websocket import ABNF

from polymarket_ws.errors import ProtocolViolation, UsageError

__all__ = [
    "BINARY",
    "CLOSE",
    "MAX_MESSAGE_SIZE",
    "PING",
    "PONG",
    "TEXT",
    "Arrival",
    "FrameParser",
    "close_frame",
    "parse_close",
    "ping_frame",
    "pong_frame",
    "text_frame",
]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

# The first answer to a subscription is one array with the book of every token, so it grows with
# their number and with the depth of the books: two deep books made 17 kB, and 1 MiB (the default
# of the websockets package) is too small for a few hundred tokens. 32 MiB is what the Go scraper
# of the same feed allows, and still bounds what a broken server can make a client hold.
MAX_MESSAGE_SIZE: Final = 32 * 1024 * 1024

# RFC 6455 §5.5: what a control frame can carry at most.
MAX_CONTROL_PAYLOAD: Final = 125

PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
INVALID_TEXT: Final = 1007
MESSAGE_TOO_BIG: Final = 1009

# First byte of a frame that is a whole text message: the final bit and the opcode.
_WHOLE_TEXT: Final = 0x80 | TEXT

#: What came: a text, or the opcode and the payload of anything else. Of a few hundred texts in
#: one read, a tuple each would be half of what the garbage collector counts.
Arrival = bytes | tuple[int, bytes]

_new_decoder = codecs.getincrementaldecoder("utf-8")


class FrameParser:
    """Cut the byte stream of one connection into messages and control frames.

    One instance belongs to one connection, and starts after the HTTP upgrade. No extension is
    ever negotiated, so a reserved bit is always a violation.

    Args:
        max_message_size: the largest message to accept, in bytes, all its fragments together.

    Attributes:
        violation: how the server broke the protocol; None as long as it did not. Set once.
            Its ``code`` is the close code that tells the server.
    """

    __slots__ = (
        "_buffer",
        "_decoder",
        "_ended",
        "_final",
        "_limit",
        "_missing",
        "_opcode",
        "_remainder",
        "_size",
        "_validated",
        "violation",
    )

    def __init__(self, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.violation: ProtocolViolation | None = None
        self._limit = max_message_size
        # After a violation or a close frame the rest of the stream means nothing.
        self._ended = False
        # An incomplete header, or an incomplete control frame: at most 126 bytes.
        self._remainder = b""
        # The message that is being received. An opcode of 0 says that there is none.
        self._opcode = 0
        # A bytearray and not a list of pieces: appending is linear in both, but a message sent
        # in two-byte pieces would take 25 times its size in a list, past every limit.
        self._buffer = bytearray()
        # Bytes announced so far: those of all its frames up to the current one.
        self._size = 0
        # The frame of it that is being received: payload bytes to come, and the final bit.
        self._missing = 0
        self._final = False
        # UTF-8 is checked piece by piece; bytes of the message that were given to the decoder.
        self._decoder = _new_decoder()
        self._validated = 0

    def feed(  # noqa: C901, PLR0912 one loop, written out because it is the hot path
        self, data: bytes
    ) -> list[Arrival]:
        """Take what was read from the socket and return what it completes.

        Nothing is raised for what the server does wrong: everything complete before the
        violation is returned, and the violation is kept in :attr:`violation`. After it, and
        after a close frame, everything is ignored.

        Args:
            data: the next bytes of the stream, cut anywhere.

        Returns:
            In the order of arrival: a whole text message as it is, which is valid UTF-8 and
            may be empty; anything else as ``(opcode, payload)``: ``BINARY`` with a whole
            message, ``CLOSE``, ``PING`` and ``PONG``. The payload of a close frame is one that
            :func:`parse_close` accepts.
        """
        messages: list[Arrival] = []
        if self._ended:
            return messages
        if self._remainder:
            data = self._remainder + data
            self._remainder = b""
        append = messages.append
        limit = self._limit
        size = len(data)
        position = 0
        try:
            if self._missing:
                position = self._receive_payload(data, position, messages)
            while position < size and not self._ended:
                if not self._opcode:
                    # Nearly everything that a server sends is a whole text message below
                    # 64 kiB. This loop takes only what is beyond doubt and leaves the rest,
                    # violations included, to _receive_frame: a few hundred frames may be in
                    # one read, and a method call for each would double their cost.
                    while position + 4 <= size and data[position] == _WHOLE_TEXT:
                        length = data[position + 1]
                        if length == 126:
                            start = position + 4
                            length = data[position + 2] << 8 | data[position + 3]
                            if length < 126:
                                break
                        elif length < 126:
                            start = position + 2
                        else:
                            break
                        stop = start + length
                        if stop > size or length > limit:
                            break
                        payload = data[start:stop]
                        if not payload.isascii():
                            try:
                                payload.decode()
                            except UnicodeDecodeError as error:
                                raise _invalid_text(error, 0) from None
                        append(payload)
                        position = stop
                    if position == size:
                        break
                position = self._receive_frame(data, position, messages)
        except ProtocolViolation as violation:
            # It lives as long as the parser, and its traceback would keep the whole read alive.
            violation.__traceback__ = violation.__cause__ = violation.__context__ = None
            self.violation = violation
            self._ended = True
            self._buffer = bytearray()
        return messages

    def _receive_frame(  # noqa: C901, PLR0912 one rule of RFC 6455 a branch
        self, data: bytes, position: int, messages: list[Arrival]
    ) -> int:
        """Take the frame that starts at ``position``, or what there is of it.

        Every rule is checked as soon as its bytes are there, in the order of the bytes: how the
        stream is cut into reads then makes no difference to what comes out.

        Returns:
            The position after what was taken.

        Raises:
            ProtocolViolation: The frame breaks the protocol.
        """
        size = len(data)
        if size - position < 2:
            self._remainder = data[position:]
            return size
        head = data[position]
        length = data[position + 1]
        opcode = head & 0x0F
        if head & 0x70:
            raise ProtocolViolation(
                PROTOCOL_ERROR,
                f"a frame has reserved bits set (first byte 0x{head:02x}), "
                "but no extension was agreed on",
            )
        if BINARY < opcode < CLOSE or opcode > PONG:
            raise ProtocolViolation(PROTOCOL_ERROR, f"a frame has the reserved opcode {opcode:#x}")
        if length & 0x80:
            raise ProtocolViolation(PROTOCOL_ERROR, "a frame is masked, which only a client may do")
        if opcode >= CLOSE:
            return self._receive_control_frame(data, position, messages)

        if opcode == CONTINUATION:
            if not self._opcode:
                raise ProtocolViolation(
                    PROTOCOL_ERROR, "a continuation frame came where no message was begun"
                )
        elif self._opcode:
            raise ProtocolViolation(
                PROTOCOL_ERROR, "a new message began before the fragmented one ended"
            )
        start = position + 2
        if length >= 126:
            shortest = 126 if length == 126 else 0x10000
            start += 2 if length == 126 else 8
            if start > size:
                self._remainder = data[position:]
                return size
            length = int.from_bytes(data[position + 2 : start], "big")
            if length >> 63:
                raise ProtocolViolation(
                    PROTOCOL_ERROR, "the highest bit of a 64-bit frame length is set"
                )
            # RFC 6455 §5.2 demands the shortest form. Chromium refuses any other too, so a
            # server that browsers can talk to does not send one.
            if length < shortest:
                raise ProtocolViolation(
                    PROTOCOL_ERROR, f"a frame length of {length} is not in its shortest form"
                )
        total = self._size + length
        # On the announced length, before any of it is buffered.
        if total > self._limit:
            at_least = "" if head & 0x80 else "at least "
            raise ProtocolViolation(
                MESSAGE_TOO_BIG,
                f"a message of {at_least}{total} bytes is larger than "
                f"the limit of {self._limit} bytes",
            )
        if opcode:
            self._opcode = opcode
        self._size = total
        self._final = head >= 0x80
        self._missing = length
        return self._receive_payload(data, start, messages)

    def _receive_control_frame(self, data: bytes, position: int, messages: list[Arrival]) -> int:
        """Take a whole control frame, or keep what there is of it for the next read."""
        head = data[position]
        length = data[position + 1]
        if head < 0x80:
            raise ProtocolViolation(PROTOCOL_ERROR, "a control frame is fragmented")
        if length > MAX_CONTROL_PAYLOAD:
            raise ProtocolViolation(
                PROTOCOL_ERROR,
                f"a control frame has more than the {MAX_CONTROL_PAYLOAD} bytes it may have",
            )
        stop = position + 2 + length
        if stop > len(data):
            self._remainder = data[position:]
            return len(data)
        opcode = head & 0x0F
        payload = data[position + 2 : stop]
        if opcode == CLOSE:
            parse_close(payload)
            self._ended = True
            self._buffer = bytearray()
        messages.append((opcode, payload))
        return stop

    def _receive_payload(self, data: bytes, start: int, messages: list[Arrival]) -> int:
        """Take what there is of the current data frame's payload; end the message with it."""
        piece = data[start : start + self._missing]
        stop = start + len(piece)
        self._missing -= len(piece)
        complete = self._final and not self._missing
        if self._opcode == TEXT:
            self._validate(piece, complete)
        if not complete:
            self._buffer += piece
        else:
            if self._buffer:
                self._buffer += piece
                piece = bytes(self._buffer)
                self._buffer = bytearray()
            messages.append(piece if self._opcode == TEXT else (self._opcode, piece))
            self._opcode = 0
            self._size = 0
        return stop

    def _validate(self, piece: bytes, complete: bool) -> None:  # noqa: FBT001 called on the hot path
        """Check the next piece of a text message, which may be cut inside a character.

        Raises:
            ProtocolViolation: The message is not UTF-8, whatever may follow.
        """
        begun, _ = self._decoder.getstate()
        if begun or not piece.isascii():
            try:
                self._decoder.decode(piece, complete)
            except UnicodeDecodeError as error:
                raise _invalid_text(error, self._validated - len(begun)) from None
            begun, _ = self._decoder.getstate()
            if begun[:1] == b"\xed" and begun[1:] >= b"\xa0":
                # Half a surrogate, and whatever follows is no UTF-8. The decoder waits for its
                # third byte all the same, for callers that let surrogates pass.
                half = UnicodeDecodeError("utf-8", begun, 0, 1, "invalid continuation byte")
                raise _invalid_text(half, self._validated + len(piece) - len(begun))
        self._validated = 0 if complete else self._validated + len(piece)


def _invalid_text(error: UnicodeDecodeError, offset: int) -> ProtocolViolation:
    return ProtocolViolation(
        INVALID_TEXT,
        f"a text message is not valid UTF-8 at byte {offset + error.start}: {error.reason}",
    )


def parse_close(payload: bytes) -> tuple[int, str]:
    """Return the code and the reason of a close frame.

    Args:
        payload: the frame's payload.

    Returns:
        ``(code, reason)``; ``(1005, "")`` for an empty payload, as RFC 6455 §7.1.5 names it.

    Raises:
        ProtocolViolation: The payload is a single byte, the code is none that may be sent
            (1002), or the reason is not valid UTF-8 (1007).
    """
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise ProtocolViolation(PROTOCOL_ERROR, "a close frame has half a close code")
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise ProtocolViolation(
            PROTOCOL_ERROR, f"a close frame has the code {code}, which may not be sent"
        )
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolViolation(
            INVALID_TEXT,
            f"the reason of a close frame with code {code} is not valid UTF-8 "
            f"at byte {error.start}: {error.reason}",
        ) from error


def _may_be_sent(code: int) -> bool:
    """Tell whether a close code may be on the wire.

    RFC 6455 §7.4 and IANA's registry: 1004 has no meaning, 1005, 1006 and 1015 are only names
    for what an endpoint saw, 1016 to 2999 are not assigned.
    """
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def text_frame(text: str | bytes) -> bytes:
    """Return a masked text frame, ready to be written.

    Args:
        text: the message; bytes must be UTF-8 already.
    """
    return _client_frame(text.encode() if isinstance(text, str) else text, TEXT)


def ping_frame(payload: bytes = b"") -> bytes:
    """Return a masked ping.

    Raises:
        UsageError: The payload has more than 125 bytes.
    """
    return _client_frame(_control_payload(payload), PING)


def pong_frame(payload: bytes = b"") -> bytes:
    """Return a masked pong; the answer to a ping carries the ping's payload.

    Raises:
        UsageError: The payload has more than 125 bytes.
    """
    return _client_frame(_control_payload(payload), PONG)


def close_frame(code: int = 1000, reason: str = "") -> bytes:
    """Return a masked close frame.

    Args:
        code: the close code. 1005 makes a frame without code and reason, so that the code that
            :func:`parse_close` returned can always be echoed.
        reason: why, for people; cut after the last character that fits into 123 bytes.

    Raises:
        UsageError: The code may not be sent.
    """
    if code == NO_STATUS:
        return _client_frame(b"", CLOSE)
    if not _may_be_sent(code):
        raise UsageError(
            f"close code {code} may not be sent; use 1000 to 1003, 1007 to 1014 or 3000 to 4999"
        )
    # "replace" because a reason may quote what somebody else sent: closing must not fail on it.
    text = reason.encode("utf-8", "replace")[: MAX_CONTROL_PAYLOAD - 2].decode("utf-8", "ignore")
    return _client_frame(code.to_bytes(2, "big") + text.encode(), CLOSE)


def _control_payload(payload: bytes) -> bytes:
    if len(payload) > MAX_CONTROL_PAYLOAD:
        raise UsageError(
            f"a control frame carries at most {MAX_CONTROL_PAYLOAD} bytes, not {len(payload)}"
        )
    return payload


def _client_frame(payload: bytes, opcode: int) -> bytes:
    return ABNF.create_frame(payload, opcode).format()
