"""Numbers as a scientist reads them: lengths, bytes, times, ranges."""

from __future__ import annotations

import math

from microtome.ui.i18n import tr


def number(value: float, digits: int = 6) -> str:
    """The shortest text that reads back to `digits` significant digits."""
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < 10**digits):
        return str(int(value))
    return f"{value:.{digits}g}"


def with_commas(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")


def size_of(count: float) -> str:
    """Bytes in the largest fitting unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def length(value: float, unit: str = "nm") -> str:
    """A length; nanometres become µm or mm where that reads better."""
    if unit == "nm" and value >= 1e6:
        return f"{number(value / 1e6, 4)} mm"
    if unit == "nm" and value >= 1e4:
        return f"{number(value / 1e3, 4)} µm"
    if unit == "voxel":
        return tr("1 voxel") if value == 1 else tr("{n} voxels", n=number(value, 4))
    return f"{number(value, 4)} {unit_word(unit)}"


def unit_word(unit: str) -> str:
    """A unit as it is printed."""
    return {"um": "µm", "voxel": tr("voxels")}.get(unit, unit)


def span(seconds: float) -> str:
    """A duration in its two leading units."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return tr("{n} s", n=f"{seconds:.1f}")
    if seconds < 60:
        return tr("{n} s", n=f"{seconds:.0f}")
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("{n} min", n=minutes)
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return tr("{h} h {m} min", h=hours, m=rest)
    return tr("{n} days", n=f"{hours / 24:.1f}")


def between(low: float, high: float) -> str:
    """A range of durations; one figure where both print the same."""
    first, last = span(low), span(high)
    return first if first == last else f"{first} – {last}"


def percent(value: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * value:.{digits}f} %"


def shape(sizes: tuple[int, ...] | None) -> str:
    """A shape, or what is known of it."""
    return " × ".join(str(n) for n in sizes) if sizes else "?"
