"""The look: palette, style sheet and fonts from resources/theme, light or dark, and the colours that plots take."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from microtome.paths import resources
from microtome.ui.style import style_sheet

GRID = 8
"""Pixels: every margin and gap is a multiple, or its half."""

MODES = ("system", "light", "dark")
_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_FAMILIES = (
    *("Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Yu Gothic UI", "Hiragino Sans", "Noto Sans CJK JP"),
    *("Meiryo", "DejaVu Sans", "sans-serif"),
)


@dataclass(frozen=True)
class Theme:
    """Named colours (#rrggbb)."""

    name: str
    window: str  # behind everything
    surface: str  # of cards, tables, plots
    raised: str
    sunken: str
    text: str
    muted: str  # second-rank text
    faint: str  # third-rank text, disabled
    line: str  # borders
    grid: str  # of plots
    accent: str
    accent_soft: str
    accent_text: str  # on accent
    good: str
    good_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    classes: tuple[str, ...]  # colour-blind-safe, in the order of the classes
    sets: tuple[str, str, str]  # training, validation, evaluation; colour-blind-safe
    grey_curve: str  # curves in the background

    def class_colour(self, index: int) -> str:
        """The colour of the class `index`."""
        return self.classes[index % len(self.classes)]

    def class_style(self, index: int) -> Qt.PenStyle:
        """The line style of the class `index`: neighbours differ even without colour, and after a round of colours all do."""
        return _STYLES[(index + index // len(self.classes)) % len(_STYLES)]

    def state_colour(self, word: str) -> str:
        """The colour of a run's or trial's state word."""
        return {
            "done": self.good,
            "running": self.accent,
            "starting": self.accent,
            "reused": self.good,
            "pausing": self.warn,
            "paused": self.warn,
            "stopping": self.warn,
            "stopped": self.warn,
            "interrupted": self.warn,
            "pruned": self.faint,
            "cancelled": self.faint,
            "dropped": self.faint,
            "aborted": self.bad,
            "failed": self.bad,
            "crashed": self.bad,
            "lost": self.bad,
        }.get(word, self.muted)


@lru_cache(maxsize=4)
def load(name: str) -> Theme:
    """Read a theme file."""
    data = json.loads((resources() / "theme" / f"{name}.json").read_text(encoding="utf-8"))
    values = {f.name: data[f.name] for f in fields(Theme)}
    return Theme(**{**values, "classes": tuple(values["classes"]), "sets": tuple(values["sets"])})


class _Current:
    """The theme in use; one a process, since palette and style sheet are one an application."""

    theme: Theme | None = None


def current() -> Theme:
    """The theme in use."""
    return _Current.theme or load("light")


def resolve(mode: str) -> str:
    """`light` or `dark` for a mode; `system` asks the desktop."""
    if mode in ("light", "dark"):
        return mode
    hints = QApplication.styleHints()
    return "dark" if hints.colorScheme() == Qt.ColorScheme.Dark else "light"


def mixed(first: str, second: str, share: float) -> QColor:
    """A colour between two: 0 the first, 1 the second."""
    a, b = QColor(first), QColor(second)
    parts = [round(x + (y - x) * share) for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)]  # type: ignore[index]
    return QColor(*parts)


def app_font() -> QFont:
    """The interface font: the desktop's best sans serif, with Japanese, and figures of one width."""
    font = QFont()
    font.setFamilies(list(_FAMILIES))
    font.setPixelSize(13)
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setStyleHint(QFont.StyleHint.SansSerif)
    return font


def palette(theme: Theme) -> QPalette:
    """Qt's palette of a theme."""
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.raised,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.faint,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.bad,
        role.Light: theme.raised,
        role.Midlight: theme.line,
        role.Mid: theme.line,
        role.Dark: theme.faint,
        role.Shadow: theme.sunken,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.accent_text,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
    }
    made = QPalette()
    for key, value in colours.items():
        made.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, key, QColor(theme.faint))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.line))
    return made


def apply(app: QApplication, mode: str) -> Theme:
    """Dress the application; pages that are open are built anew by the window."""
    theme = load(resolve(mode))
    _Current.theme = theme
    # Named by hand: the style sheet then wraps Fusion on every desktop.
    app.setStyle("Fusion")
    app.setPalette(palette(theme))
    app.setFont(app_font())
    app.setStyleSheet(style_sheet(theme))
    return theme
