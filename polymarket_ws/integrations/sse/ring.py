"""What was told lately, for browsers that are slow or come back. Pure."""

from __future__ import annotations

from collections import deque

import attrs

__all__ = ["Frame", "Ring"]


@attrs.frozen
class Frame:
    """One event as every browser gets it.

    Attributes:
        number: its place among all events of this process, from 1.
        body: the wire text without the id line.
        text: the wire text with it.
    """

    number: int
    body: bytes
    text: bytes


class Ring:
    """The newest frames, in order, within limits.

    Args:
        most_frames: how many are kept.
        most_bytes: how many bytes of them are kept; the newest frame always is.
        since: the number after which nothing is missing at first.
    """

    __slots__ = ("_bytes", "_frames", "_most_bytes", "_most_frames", "evicted", "lost_through")

    def __init__(self, *, most_frames: int, most_bytes: int, since: int) -> None:
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        #: How many frames had to go.
        self.evicted = 0
        #: The number up to which something may be missing.
        self.lost_through = since

    def put(self, frame: Frame) -> None:
        """Add the newest frame."""
        self._frames.append(frame)
        self._bytes += len(frame.text)
        while len(self._frames) > self._most_frames or (
            self._bytes > self._most_bytes and len(self._frames) > 1
        ):
            oldest = self._frames.popleft()
            self._bytes -= len(oldest.text)
            self.evicted += 1
            self.lost_through = oldest.number

    @property
    def total(self) -> int:
        """How many frames were ever put in."""
        return self.evicted + len(self._frames)

    @property
    def newest(self) -> int:
        """The number of the newest frame; 0 when there is none."""
        return self._frames[-1].number if self._frames else 0

    def since(self, number: int) -> list[Frame]:
        """Return the frames after ``number`` that are still there, oldest first."""
        found: list[Frame] = []
        # From the new end: who reads on is usually a few frames behind.
        for frame in reversed(self._frames):
            if frame.number <= number:
                break
            found.append(frame)
        found.reverse()
        return found
