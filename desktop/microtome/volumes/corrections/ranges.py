"""Ranges of slices as people write them: 12-15, 40."""

from __future__ import annotations

import re
from collections.abc import Iterable

from microtome.errors import InputError

_MOST = 1_000_000


def parse_ranges(text: str) -> list[int]:
    """The slices that a text names, sorted, each once: "12-15, 40" → 12, 13, 14, 15, 40. InputError for other words."""
    found: set[int] = set()
    for part in re.split(r"[,;、\s]+", re.sub(r"\s*[-–—…]+\s*|\s+to\s+", "-", text.strip())):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None and part:
            raise InputError(f"“{part}” names no slices.", "Write them like 12-15, 40; the first slice is 0.")
        if match is not None:
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last - first >= _MOST:
                raise InputError(f"“{part}” is no range of slices.", "Write the smaller number first, like 12-15.")
            found.update(range(first, last + 1))
    return sorted(found)


def join_ranges(slices: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Slices as (first, last) ranges."""
    joined: list[tuple[int, int]] = []
    for z in sorted(set(slices)):
        if joined and joined[-1][1] == z - 1:
            joined[-1] = (joined[-1][0], z)
        else:
            joined.append((z, z))
    return tuple(joined)


def write_ranges(ranges: Iterable[tuple[int, int]], *, most: int | None = None) -> str:
    """(first, last) ranges as text; beyond `most` ranges only how many more there are is said."""
    words = [str(a) if a == b else f"{a}-{b}" for a, b in ranges]
    if most is not None and len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return ", ".join(words)
