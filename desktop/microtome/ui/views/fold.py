"""A card that is folded until it is wanted: its heading, what it says in a line, and its content below."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QFrame, QSizePolicy, QToolButton, QWidget

from microtome.ui.icons import icon
from microtome.ui.theme import GRID
from microtome.ui.widgets import column, label, row

WIDEST = 560
"""Pixels: a form alone in a card is no wider, or its numbers would be lost in their lines."""
_LABEL_WIDTH = 132  # as in forms


class Fold(QFrame):
    """Heading and summary in one line; a click on the heading unfolds the content."""

    def __init__(self, heading: str, content: QWidget) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.content = content
        self.head = QToolButton()
        self.head.setText(heading)
        self.head.setProperty("kind", "section")
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.summary = label("", "muted")
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        top = row(self.head, self.summary, gap=2 * GRID)
        top.setStretch(1, 1)
        body = column(top, content, gap=GRID)
        body.setContentsMargins(GRID, GRID, 2 * GRID, GRID)
        self.setLayout(body)
        self._open = False
        self.head.clicked.connect(lambda: self.unfold(not self._open))
        self.unfold(False)

    def say(self, words: str) -> None:
        """What stands beside the heading."""
        self.summary.setText(words)
        self.summary.setToolTip(words)

    @property
    def open(self) -> bool:
        """Whether the content is seen."""
        return self._open

    def unfold(self, on: bool = True) -> None:
        """Show the content, or hide it."""
        self._open = on
        self.content.setVisible(on)
        self.head.setIcon(icon("chevron-down" if on else "chevron-right"))


def spaced(words: str, editor: QWidget) -> QBoxLayout:
    """An editor behind its words, as the rows of a form are laid out."""
    made = label(words, wrap=True)
    made.setFixedWidth(_LABEL_WIDTH)
    made.setBuddy(editor)
    line = row(made, editor, gap=GRID // 2)
    line.setStretch(1, 1)
    return line
