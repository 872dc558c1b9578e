"""The colour of a trial by its value: from faint (worst) to the accent (best), and the order in which to draw."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QColor

from microtome.ui.theme import Theme, mixed


def by_value(theme: Theme, value: float | None, low: float, high: float) -> QColor:
    """Grey where there is no value, else a shade from the background curve's grey to the accent."""
    if value is None:
        return QColor(theme.line)
    share = (value - low) / (high - low) if high > low else 1.0
    return mixed(theme.grey_curve, theme.accent, min(1.0, max(0.0, share)) ** 1.5)


def bounds(values: Sequence[float | None]) -> tuple[float, float]:
    """(low, high) of the colour scale: the worst quarter shares one colour, or one failed trial would eat the scale."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return 0.0, 1.0
    return known[len(known) // 4], known[-1]
