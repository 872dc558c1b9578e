"""Small parts that every page is put together from: labels, buttons, cards, notes, empty states."""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from microtome.ui.icons import icon, pixmap
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current

_FACT_WIDTH = 92


def label(text: str = "", role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label. role: title | heading | section | muted | faint | number | problem | warn | good | badge."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    if role == "badge":
        made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    made.setWordWrap(wrap)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def breakable(text: str) -> str:
    """A path or a file's name that may be broken behind its separators: a label that wraps cannot break a long word.

    A number stays whole.
    """
    return re.sub(r"([/\\_\-]|(?<!\d)\.|\.(?!\d))(?=\w)", "\\1\u200b", text)


def set_property(widget: QWidget, name: str, value: str) -> None:
    """Change a property that the style sheet looks at."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def hide_unless(widget: QWidget, needed: bool) -> None:
    """Hide a part that is not needed. What is shown before it lies in another widget would be a window for a moment."""
    if not needed or widget.parentWidget() is not None:
        widget.setVisible(needed)


def button(text: str, act: Callable[[], object] | None = None, *, kind: str = "", icon_name: str = "") -> QPushButton:
    """A push button. kind: primary | danger | link | small."""
    made = QPushButton(text)
    if kind:
        made.setProperty("kind", kind)
    if icon_name:
        theme = current()
        colour = {"primary": theme.accent_text, "danger": theme.bad, "link": theme.accent}.get(kind, "")
        made.setIcon(icon(icon_name, colour))
        made.setIconSize(QSize(16, 16))
    if act is not None:
        made.clicked.connect(lambda: act())
    if kind == "link":
        made.setCursor(Qt.CursorShape.PointingHandCursor)
    return made


def tool(icon_name: str, tip: str, act: Callable[[], object] | None = None) -> QToolButton:
    """A small icon button; the tip is also what a screen reader says."""
    made = QToolButton()
    made.setIcon(icon(icon_name))
    made.setIconSize(QSize(16, 16))
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if act is not None:
        made.clicked.connect(lambda: act())
    return made


def box(
    direction: type[QBoxLayout] = QVBoxLayout, *parts: QWidget | QLayout | int | None, margin: int = 0, gap: int = GRID
) -> QBoxLayout:
    """A layout of parts in a row or column; an int is a gap in pixels, None a stretch."""
    made: QBoxLayout = direction()  # type: ignore[call-arg]
    made.setContentsMargins(margin, margin, margin, margin)
    made.setSpacing(gap)
    for part in parts:
        if part is None:
            made.addStretch(1)
        elif isinstance(part, int):
            made.addSpacing(part)
        elif isinstance(part, QWidget):
            made.addWidget(part)
        else:
            made.addLayout(part)
    return made


def column(*parts: QWidget | QLayout | int | None, margin: int = 0, gap: int = GRID) -> QBoxLayout:
    """Parts below each other."""
    return box(QVBoxLayout, *parts, margin=margin, gap=gap)


def row(*parts: QWidget | QLayout | int | None, margin: int = 0, gap: int = GRID) -> QBoxLayout:
    """Parts beside each other."""
    return box(QHBoxLayout, *parts, margin=margin, gap=gap)


def framed(layout: QLayout, role: str = "card", tone: str = "") -> QFrame:
    """A frame around a layout. role: card | panel | strip | note (tone: good | info | bad)."""
    made = QFrame()
    made.setProperty("role", role)
    if tone:
        made.setProperty("tone", tone)
    made.setLayout(layout)
    return made


def card(*parts: QWidget | QLayout | int | None, heading: str = "", gap: int = GRID) -> QFrame:
    """A white card of parts below each other, with a heading where one is given."""
    inner = column(*([label(heading, "heading")] if heading else []), *parts, margin=2 * GRID, gap=gap)
    return framed(inner)


def note(text: str, tone: str = "warn") -> QFrame:
    """A tinted sentence, in the language in use. tone: warn | good | info | bad."""
    theme = current()
    name, colour = {
        "warn": ("warning", theme.warn),
        "good": ("good", theme.good),
        "info": ("info", theme.accent),
        "bad": ("error", theme.bad),
    }[tone]
    picture = QLabel()
    picture.setPixmap(pixmap(name, 16, colour))
    picture.setAlignment(Qt.AlignmentFlag.AlignTop)
    words = label(said(text), wrap=True, selectable=True)
    words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return framed(row(picture, words, margin=GRID), "note", tone)


def scrolling(content: QWidget) -> QScrollArea:
    """A vertical scroll area without a frame."""
    content.setObjectName("content")
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


def holding(layout: QLayout) -> QWidget:
    """A plain widget around a layout."""
    made = QWidget()
    made.setLayout(layout)
    return made


def clear(layout: QLayout) -> None:
    """Remove and delete all that a layout holds."""
    while (item := layout.takeAt(0)) is not None:
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif inner is not None:
            clear(inner)


def empty_stack(stack: QStackedWidget) -> None:
    """Remove and delete every face of a stack."""
    while (face := stack.widget(0)) is not None:
        stack.removeWidget(face)
        face.deleteLater()


def facts(pairs: list[tuple[str, str]]) -> QWidget:
    """A grid of names and values."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(GRID)
    grid.setVerticalSpacing(GRID // 2)
    grid.setColumnStretch(1, 1)
    for i, (name, value) in enumerate(pairs):
        words = label(name, "muted", wrap=True)
        words.setFixedWidth(_FACT_WIDTH)
        grid.addWidget(words, i, 0, Qt.AlignmentFlag.AlignTop)
        # A zero-width space after each separator lets a long path wrap.
        text = breakable(value) if len(value) > 24 else value
        grid.addWidget(label(text, wrap=True, selectable=True), i, 1)
    return holding(grid)


class EmptyState(QWidget):
    """What an empty panel shows: a drawing, what would fill it, and the button that does."""

    def __init__(
        self, icon_name: str, text: str, hint: str = "", buttons: tuple[tuple[str, Callable[[], object]], ...] = ()
    ) -> None:
        super().__init__()
        picture = QLabel()
        picture.setPixmap(pixmap(icon_name, 48, current().faint))
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        head, words = label(text, "heading", wrap=True), label(hint, "muted", wrap=True)
        for part in (head, words):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hide_unless(words, bool(hint))
        made = [button(t, act, kind="primary" if i == 0 else "") for i, (t, act) in enumerate(buttons)]
        inner = column(picture, head, words, gap=GRID)
        inner.addSpacing(GRID)
        inner.addLayout(row(None, *made, None))
        # Words that wrap get the height they need only in a holder of a known width.
        middle = holding(inner)
        middle.setFixedWidth(380)
        self.setLayout(column(None, row(None, middle, None), None, margin=2 * GRID))


class Choice(QComboBox):
    """A drop-down of (value, words) that the wheel changes only while it has the focus."""

    def __init__(self, items: list[tuple[str, str]], value: str = "") -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        for key, words in items:
            self.addItem(words, key)
        self.choose(value)

    def choose(self, value: str) -> None:
        """Show the item of a value."""
        index = self.findData(value)
        if index >= 0 and index != self.currentIndex():
            self.setCurrentIndex(index)

    def value(self) -> str:
        """The value of the item that is shown."""
        return str(self.currentData())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A page that is scrolled must not change a setting on the way."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
