"""What was: prices over all the time since the start, and how often something happened."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from statistics import median

__all__ = ["LagMeter", "PriceHistory", "RateMeter"]


class PriceHistory:
    """Prices at equal distances since the start, at a bounded number of points.

    When it is full every second point goes, so that the whole time stays in view however
    long that is.

    Args:
        interval: seconds between points, at first.
        limit: most points that are kept; even.
    """

    def __init__(self, interval: float = 0.5, limit: int = 2048) -> None:
        self._interval = interval
        self._limit = limit
        self._began: float | None = None
        self._points: list[Decimal | None] = []

    def add(self, price: Decimal | None, now: float) -> None:
        """Note the price of the moment.

        Args:
            price: ``None`` where it is not known.
            now: monotonic seconds.
        """
        if self._began is None:
            if price is None:
                return  # it begins with the first price
            self._began = now
        points = self._points
        while (index := self._index(now)) >= self._limit:
            del points[::2]
            self._interval *= 2
        # Nobody asked meanwhile (the process was stopped), so nobody knows.
        points.extend([None] * (index - len(points)))
        if index < len(points):
            points[-1] = price
        else:
            points.append(price)

    def _index(self, now: float) -> int:
        began = now if self._began is None else self._began
        # The tenth is for a caller whose clock ticks at the very same distance.
        return math.floor((now - began) / self._interval + 0.1)

    def columns(self, width: int) -> list[Decimal | None]:
        """Return the whole time in at most ``width`` points.

        Between half and all of the width is used once there is enough. Points are dropped
        by powers of two, so that a column stays where it is until all of them move up.
        """
        if width < 1:
            return []
        stride = 1
        while -(-len(self._points) // stride) > width:
            stride *= 2
        ends = range(stride - 1, len(self._points), stride)
        found = [self._points[index] for index in ends]
        if len(self._points) % stride:
            found.append(self._points[-1])
        return found


class RateMeter:
    """Occurrences a second over the last few readings."""

    def __init__(self) -> None:
        self.count = 0
        self.per_second = 0.0
        self._readings: deque[tuple[float, int]] = deque(maxlen=5)

    def read(self, now: float) -> None:
        """Work out ``per_second``; at the usual pace that is over two seconds."""
        self._readings.append((now, self.count))
        began, before = self._readings[0]
        if now > began:
            self.per_second = (self.count - before) / (now - began)


class LagMeter:
    """The median lag of what came since the last reading."""

    def __init__(self) -> None:
        self.milliseconds: float | None = None
        self._since: list[float] = []

    def add(self, milliseconds: float) -> None:
        """Note one lag."""
        self._since.append(milliseconds)

    def read(self) -> list[float]:
        """Work out ``milliseconds``, which stays when nothing came; return what came."""
        since, self._since = self._since, []
        if since:
            self.milliseconds = median(since)
        return since
