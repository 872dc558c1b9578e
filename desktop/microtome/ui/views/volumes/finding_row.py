"""A finding of the health check as a row: how bad, in words, its slices as links, its remedies as buttons."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from microtome.ui.i18n import tr
from microtome.ui.icons import pixmap
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import button, column, label, row, set_property
from microtome.volumes.health.findings import Finding

_MOST = 6  # ranges that are links
_LINE = 240  # pixels of a line of buttons, beside the severity in a narrow panel


def severity_look(severity: str) -> tuple[str, str, str]:
    """Icon, colour and word of a severity."""
    theme = current()
    looks = {
        "bad": ("error", theme.bad, tr("bad")),
        "warning": ("warning", theme.warn, tr("warning")),
        "note": ("info", theme.muted, tr("note")),
    }
    return looks[severity]


class FindingRow(QFrame):
    """One finding; a click on it chooses it."""

    chosen = Signal()
    slice_wanted = Signal(int)
    remedy_wanted = Signal(object)  # a step

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding
        self.setProperty("role", "card")
        name, colour, word = severity_look(finding.severity)
        picture = QLabel()
        picture.setPixmap(pixmap(name, 18, colour))
        picture.setAlignment(Qt.AlignmentFlag.AlignTop)
        picture.setToolTip(word)
        badge = label(word, "badge")
        set_property(badge, "tone", {"bad": "bad", "warning": "warn", "note": ""}[finding.severity])
        words = label(said(finding.words), wrap=True, selectable=True)
        self.links = [self._link(a, b) for a, b in finding.slices[:_MOST]]
        self.remedies = [
            button(tr(r.label), partial(self.remedy_wanted.emit, r.step), kind="small", icon_name="use")
            for r in finding.remedies
        ]
        inner = column(words, gap=4)
        more = len(finding.slices) - len(self.links)
        if self.links:
            rest = label(tr("and {n} more", n=more), "faint") if more > 0 else label()
            inner.addLayout(row(label(tr("Slices"), "muted"), *self.links, rest, None, gap=GRID // 2))
        for line in _lines(self.remedies):
            inner.addLayout(row(*line, None, gap=GRID // 2))
        head = column(picture, None)
        body = row(head, inner, column(badge, None), margin=GRID, gap=GRID)
        body.setStretch(1, 1)
        self.setLayout(body)

    def _link(self, first: int, last: int) -> QWidget:
        made = button(str(first) if first == last else f"{first}–{last}", partial(self.slice_wanted.emit, first), kind="link")
        made.setToolTip(tr("Go to slice {n}", n=first))
        return made

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose it."""
        self.chosen.emit()
        super().mousePressEvent(event)


def _lines(buttons: list[QPushButton]) -> list[list[QPushButton]]:
    """Buttons in lines of a width that a narrow panel has."""
    lines: list[list[QPushButton]] = []
    for made in buttons:
        if lines and sum(b.sizeHint().width() for b in (*lines[-1], made)) <= _LINE:
            lines[-1].append(made)
        else:
            lines.append([made])
    return lines
