"""The rare events, on a schedule: a new market, a tick change and a settlement each period.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

__all__ = ["Scene", "Showcase"]

Scene = Literal["list", "repeat", "rally", "settle", "resolve"]

# In parts of a period. An announcement is repeated (146 times in 45 s for one live market); a
# settled market is resolved a while after its book is emptied (two minutes, live).
_SCENES: tuple[tuple[float, Scene], ...] = (
    (0.15, "list"),
    (0.18, "repeat"),
    (0.25, "repeat"),
    (0.40, "rally"),
    (0.70, "settle"),
    (0.80, "resolve"),
)


class Showcase:
    """Tells which scene is due.

    Args:
        period: seconds for all scenes; then they begin anew, for ever.
    """

    def __init__(self, period: float) -> None:
        self._period_ms = period * 1000
        self._begun: int | None = None
        self._shown = 0

    def due(self, now_ms: int) -> Iterator[Scene]:
        """Yield the scenes since the last call; the first call begins the first period.

        Of a longer absence only the last period is caught up on.
        """
        if self._begun is None:
            self._begun = now_ms
        position = (now_ms - self._begun) / self._period_ms
        count = len(_SCENES)
        self._shown = max(self._shown, (int(position) - 1) * count)
        while True:
            period, index = divmod(self._shown, count)
            moment, scene = _SCENES[index]
            if period + moment > position:
                return
            self._shown += 1
            yield scene
