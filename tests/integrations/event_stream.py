"""A strict reader of Server-Sent Events, and a browser's tab that has one open.

The parser follows the HTML standard, section 9.2.6, step by step, and fails on what the standard
lets a parser pass over: a field that nobody knows, an id with a NUL, a retry that is no number.
"""

from __future__ import annotations

import codecs
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import attrs

from tests.conftest import scaled


@attrs.frozen
class Message:
    """What a page's listener is given."""

    type: str
    data: str
    last_event_id: str

    @property
    def json(self) -> dict[str, Any]:
        whole = json.loads(self.data)
        assert isinstance(whole, dict)
        assert whole["event"] == self.type
        assert whole["v"] == 1
        return whole

    @property
    def body(self) -> dict[str, Any]:
        body = self.json["data"]
        assert isinstance(body, dict)
        return body

    @property
    def kind(self) -> str:
        """The name, and the type of an update or error."""
        name = self.type.removeprefix("polymarket-")
        return f"{name}/{self.body['type']}" if "type" in self.body else name


class Parser:
    """Bytes in, as they come; messages out."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._text = ""
        self._begun = False
        self._data: list[str] = []
        self._type = ""
        self.last_event_id = ""
        self.retry: int | None = None
        self.comments = 0

    def feed(self, chunk: bytes) -> list[Message]:
        self._text += self._decode(chunk)
        if not self._begun and self._text:
            self._begun = True
            self._text = self._text.removeprefix("\ufeff")
        messages = []
        while True:
            line, end, rest = self._next_line()
            if not end:
                return messages
            self._text = rest
            message = self._line(line)
            if message is not None:
                messages.append(message)

    def _next_line(self) -> tuple[str, str, str]:
        ends = [at for at in (self._text.find("\n"), self._text.find("\r")) if at >= 0]
        if not ends:
            return "", "", self._text
        at = min(ends)
        if self._text[at] == "\r":
            if at + 1 == len(self._text):
                return "", "", self._text  # a line feed may follow
            if self._text[at + 1] == "\n":
                return self._text[:at], "\r\n", self._text[at + 2 :]
        return self._text[:at], self._text[at], self._text[at + 1 :]

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            assert "\0" not in value
            self.last_event_id = value
        elif name == "retry":
            assert value.isascii()
            assert value.isdigit()
            self.retry = int(value)
        else:
            raise AssertionError(f"the standard knows no field {name!r}")
        return None

    def _dispatch(self) -> Message | None:
        data, self._data = self._data, []
        kind, self._type = self._type, ""
        if not data:
            assert not kind, "an event without data is never dispatched"
            return None
        return Message(kind or "message", "\n".join(data), self.last_event_id)


class Tab:
    """One browser that listens. A context manager: leaving it hangs up."""

    def __init__(
        self,
        url: str,
        *markets: str,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=scaled(20)
        )
        fields = [("market", market) for market in markets] + list(query.items())
        path = f"{parts.path}?{urlencode(fields)}" if fields else parts.path
        self._connection.request("GET", path, headers=dict(headers or {}))
        self.response = self._connection.getresponse()
        self.parser = Parser()
        self.messages: list[Message] = []
        self._ready: list[Message] = []

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self.response.close()

    def read(self) -> bytes:
        """Return what comes next; empty at the end."""
        chunk = self.response.read1(65536)
        new = self.parser.feed(chunk)
        self.messages += new
        self._ready += new
        return chunk

    def __iter__(self) -> Iterator[Message]:
        while True:
            while self._ready:
                yield self._ready.pop(0)
            if not self.read():
                return

    def until(self, found: Callable[[Message], object]) -> Message:
        """Return the next message that is looked for; those before it are in ``messages``."""
        deadline = time.monotonic() + scaled(20)
        for message in self:
            if found(message):
                return message
            assert time.monotonic() < deadline, [each.kind for each in self.messages]
        raise AssertionError(f"it ended after {[each.kind for each in self.messages]}")

    def next(self, kind: str) -> Message:
        """Return the next message of a kind, such as ``market-update/trade``."""
        return self.until(lambda message: message.kind == kind)

    def rest(self) -> list[Message]:
        """Return everything until the response ends."""
        return list(self)
