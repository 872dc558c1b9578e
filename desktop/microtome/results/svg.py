"""Line charts as SVG text, coloured by CSS variables so that they follow the page's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_HEIGHT = 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 38.0
DASHES = ("", "6 4", "2 3", "8 3 2 3")
"""By class, as in the window: neighbours differ even without colour."""


@dataclass(frozen=True)
class Series:
    """One line: (x, y) points, None where there is no value; `colour` is any CSS colour."""

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: str = "var(--accent)"
    dash: str = ""
    dots: bool = False


@dataclass(frozen=True)
class Frame:
    """From data to the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point of the drawing."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + across * (self.width - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers (steps of 1, 2 or 5 times a power of ten) from low to high, at most about `most`."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _bounds(values: list[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    pad = 0.04 * (high - low) or abs(high) * 0.5 or 0.5
    return low - pad, high + pad


def chart(series: Sequence[Series], *, x: str, y: str, mark: tuple[float, str] | None = None, width: float = 320.0) -> str:
    """An SVG element, `width` by 250 units; x and y are the axes' words, `mark` a vertical line with its word.

    x counts something, so only whole numbers are written there. Empty series give an empty text.
    """
    known = [(a, b) for s in series for a, b in s.points if b is not None and math.isfinite(b)]
    if not known:
        return ""
    frame = Frame(_bounds([a for a, _ in known]), _bounds([b for _, b in known]), width)
    parts = [
        f'<svg viewBox="0 0 {width:g} {_HEIGHT:g}" role="img" aria-label="{escape(y)}">',
        *_axes(frame, x, y),
        *(part for s in series for part in _line(s, frame)),
    ]
    if mark is not None:
        across, _ = frame.at(mark[0], frame.y[0])
        end = _HEIGHT - _BOTTOM
        parts.append(f'<line class="mark" x1="{across:.1f}" x2="{across:.1f}" y1="{_TOP}" y2="{end}"/>')
        parts.append(f'<text class="mark-text" x="{across - 4:.1f}" y="{_TOP + 9}" text-anchor="end">{escape(mark[1])}</text>')
    return "".join([*parts, "</svg>"])


def _axes(frame: Frame, x: str, y: str) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, frame.width - _RIGHT
    parts = []
    for tick in ticks(*frame.y):
        _, up = frame.at(frame.x[0], tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{up:.1f}" y2="{up:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(*frame.x, most=max(4, int(frame.width / 55))):
        if tick != int(tick):
            continue
        across, _ = frame.at(tick, frame.y[0])
        parts.append(f'<line class="axis" x1="{across:.1f}" x2="{across:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{across:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(x)}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(y)}</text>')
    return parts


def _line(series: Series, frame: Frame) -> list[str]:
    pieces: list[list[str]] = [[]]
    dots = []
    for a, b in series.points:
        if b is None or not math.isfinite(b):
            pieces.append([])
            continue
        across, up = frame.at(a, b)
        pieces[-1].append(f"{across:.1f},{up:.1f}")
        dots.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="2.5" style="fill:{series.colour}"/>')
    if series.dots:
        return dots
    dash = f";stroke-dasharray:{series.dash}" if series.dash else ""
    lines = [
        f'<polyline class="line" style="stroke:{series.colour}{dash}" points="{" ".join(p)}"/>' for p in pieces if len(p) > 1
    ]
    # A single point makes no line, and must be seen all the same.
    return lines or dots


def legend(series: Sequence[Series]) -> str:
    """The names of the lines beside samples of them."""
    items = []
    for s in series:
        dash = f";stroke-dasharray:{s.dash}" if s.dash else ""
        sample = f'<line x1="0" x2="22" y1="4" y2="4" style="stroke:{s.colour};stroke-width:2{dash}"/>'
        if s.dots:
            sample = f'<circle cx="11" cy="4" r="3" style="fill:{s.colour}"/>'
        items.append(f'<span><svg viewBox="0 0 22 8">{sample}</svg>{escape(s.name)}</span>')
    return f'<div class="legend">{"".join(items)}</div>'
