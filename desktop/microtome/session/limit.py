"""When a run must have ended: at a time of the clock, or so long after it began."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from microtome.errors import InputError

_UNITS = {"h": 3600.0, "時間": 3600.0, "min": 60.0, "m": 60.0, "分": 60.0, "d": 86400.0, "日": 86400.0}
_WORDS = {"hour": "h", "hours": "h", "minute": "min", "minutes": "min", "day": "d", "days": "d"}
_LONGEST = 366 * 86400.0
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T]+(\d{1,2}):(\d{2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+|時間|分|日)")
_HINT = "Write a time as 08:00, a date as 2030-01-31 08:00, or a span as 3 h or 90 min."


@dataclass(frozen=True, kw_only=True)
class TimeLimit:
    """`at`: seconds since the epoch, or `seconds` after the start; neither: no limit."""

    at: float | None = None
    seconds: float | None = None

    def __bool__(self) -> bool:
        return self.at is not None or self.seconds is not None

    @classmethod
    def of(cls, text: str, now: float | None = None) -> TimeLimit:
        """Read what a user types: "08:00" (the next one), "2030-01-31 08:00", "3 h", "2 h 30 min"; "" is no limit.

        Raises InputError for anything else, for a date that has passed, and for more than a year.
        """
        text, now = text.strip().lower().replace("：", ":"), time.time() if now is None else now
        if not text:
            return cls()
        if found := _DATE.fullmatch(text):
            limit = cls(at=_moment(*map(int, found.groups()), text=text))
        elif found := _CLOCK.fullmatch(text):
            limit = cls(at=_next(int(found[1]), int(found[2]), now, text))
        else:
            limit = cls(seconds=_span(text))
        left = limit.left(now)
        if left is None or not 0 < left <= _LONGEST:
            raise InputError(f"“{text}” has passed, or is more than a year away.", _HINT)
        return limit

    def left(self, now: float | None = None) -> float | None:
        """Seconds that a run which begins now would have; None: no limit."""
        if self.at is not None:
            return self.at - (time.time() if now is None else now)
        return self.seconds

    def to_json(self) -> dict[str, float]:
        """What an order "until" carries, and the queue keeps."""
        return {k: v for k, v in (("at", self.at), ("seconds", self.seconds)) if v is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TimeLimit:
        """Read what to_json wrote."""
        return cls(at=data.get("at"), seconds=data.get("seconds"))


def _moment(year: int, month: int, day: int, hour: int, minute: int, *, text: str) -> float:
    try:
        read = time.strptime(f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}", "%Y-%m-%d %H:%M")
        return time.mktime(read)
    except (ValueError, OverflowError):
        raise InputError(f"“{text}” is no date.", _HINT) from None


def _next(hour: int, minute: int, now: float, text: str) -> float:
    if hour > 23 or minute > 59:
        raise InputError(f"“{text}” is no time of the clock.", _HINT)
    day = time.localtime(now)
    for ahead in (0, 1):
        # mktime takes day 32 as the first of the next month, and knows when the clocks change.
        moment = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + ahead, hour, minute, 0, 0, 0, -1))
        if moment > now:
            break
    return moment


def _span(text: str) -> float:
    parts = _SPAN.findall(text)
    units = [_WORDS.get(unit, unit) for _, unit in parts]
    if not parts or _SPAN.sub("", text).strip() or any(unit not in _UNITS for unit in units):
        raise InputError(f"“{text}” is no time and no span.", _HINT)
    return sum(float(number) * _UNITS[unit] for (number, _), unit in zip(parts, units, strict=True))
