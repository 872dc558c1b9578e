"""How long a run will still take, as a range."""

from __future__ import annotations

from collections import deque

_KEPT = 240
_LEAST_SECONDS = 2.0


class Eta:
    """Estimates from (time, fraction done): the speed over all of it and over its recent part bound the answer."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def update(self, now: float, fraction: float) -> None:
        """Note that `fraction` (0 … 1) was done at `now` (s); going back means a new start."""
        if self._points and fraction < self._points[-1][1]:
            self._points.clear()
        if not self._points or now - self._points[-1][0] >= 0.25:
            self._points.append((now, fraction))

    def range(self) -> tuple[float, float] | None:
        """Seconds to go, (low, high), or None before there is a speed."""
        if len(self._points) < 3:
            return None
        now, done = self._points[-1]
        speeds = []
        for start in (self._points[0], self._points[len(self._points) * 2 // 3 - 1]):
            seconds, gained = now - start[0], done - start[1]
            if seconds >= _LEAST_SECONDS and gained > 0:
                speeds.append(gained / seconds)
        if not speeds:
            return None
        rest = 1.0 - done
        # A tenth on both sides: even a steady run varies by that much from epoch to epoch.
        return (0.9 * rest / max(speeds), 1.1 * rest / min(speeds))
