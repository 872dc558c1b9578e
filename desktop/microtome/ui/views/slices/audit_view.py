"""The shortcut audit: how well one cue alone tells the classes, beside what guessing would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.ui.i18n import tr
from microtome.ui.numbers import percent
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import clear, column, label, note

_ROW, _WORDS, _VALUE, _HEAD = 30, 128, 128, 20


def cue_words(cue: str) -> str:
    """What is looked at."""
    return {
        "mean": tr("Mean grey value"),
        "deviation": tr("Standard deviation"),
        "histogram": tr("Histogram"),
        "tint": tr("Tint"),
        "voxel size": tr("Voxel size"),
    }.get(cue, cue)


class CueBars(QWidget):
    """One bar a cue: accuracy with its interval, on a scale from 0 to 100 %, and a line where chance is."""

    def __init__(self, cues: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self._cues = list(cues)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Shortcut audit"))
        self.setAccessibleDescription("; ".join(f"{cue_words(c['cue'])} {percent(c['accuracy'], 0)}" for c in self._cues))

    def sizeHint(self) -> QSize:
        """A row each, and the words of the scale."""
        return QSize(300, _HEAD + _ROW * len(self._cues))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """All bars."""
        painter, theme = QPainter(self), current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = float(_WORDS), float(max(_WORDS + 40, self.width() - _VALUE))
        for i, cue in enumerate(self._cues):
            self._paint_cue(painter, cue, _HEAD + i * _ROW, left, right)
        if self._cues:
            at = left + (right - left) * float(self._cues[0]["chance"])
            painter.setPen(QPen(QColor(theme.text), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(at, _HEAD - 2), QPointF(at, self.height()))
            painter.setPen(QColor(theme.muted))
            words = tr("chance {share}", share=percent(float(self._cues[0]["chance"]), 0))
            painter.drawText(QRectF(at - 60, 0, 120, _HEAD - 2), Qt.AlignmentFlag.AlignCenter, words)
        painter.end()

    def _paint_cue(self, painter: QPainter, cue: dict[str, Any], top: float, left: float, right: float) -> None:
        theme = current()
        colour = QColor({"strong": theme.bad, "clear": theme.warn}.get(str(cue["strength"]), theme.good))
        middle = top + _ROW / 2
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(0, top, left - GRID, _ROW), Qt.AlignmentFlag.AlignVCenter, cue_words(str(cue["cue"])))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.sunken))
        painter.drawRoundedRect(QRectF(left, middle - 5, right - left, 10), 3, 3)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(left, middle - 5, (right - left) * float(cue["accuracy"]), 10), 3, 3)
        low, high = (left + (right - left) * float(v) for v in cue["interval"])
        painter.setPen(QPen(QColor(theme.text), 1.5))
        painter.drawLine(QPointF(low, middle), QPointF(high, middle))
        for x in (low, high):
            painter.drawLine(QPointF(x, middle - 4), QPointF(x, middle + 4))
        first, last = (f"{100 * float(v):.0f}" for v in cue["interval"])
        words = f"{percent(float(cue['accuracy']), 0)}  ({first} – {last})"
        painter.drawText(QRectF(right + GRID, top, _VALUE - GRID, _ROW), Qt.AlignmentFlag.AlignVCenter, words)


class AuditView(QWidget):
    """Bars, a sentence, and what to do."""

    def __init__(self) -> None:
        super().__init__()
        self._body = column(gap=GRID)
        self.setLayout(self._body)
        self.cues: tuple[dict[str, Any], ...] = ()

    def show_cues(self, cues: Sequence[dict[str, Any]], advice: Sequence[str]) -> None:
        """Show an audit, as plan.json holds it, with its advice."""
        clear(self._body)
        self.cues = tuple(cues)
        if not cues:
            self._body.addWidget(label(tr("With one class there is nothing to tell apart."), "muted", wrap=True))
            return
        self._body.addWidget(note(audit_words(cues), audit_tone(cues)))
        self._body.addWidget(CueBars(cues))
        n = cues[0]["n"]
        self._body.addWidget(
            label(
                tr("Accuracy on {n} validation images with 95 % interval, learned on the training images.", n=n),
                "muted",
                wrap=True,
            )
        )
        for sentence in advice:
            self._body.addWidget(note(sentence, "warn"))


def audit_words(cues: Sequence[dict[str, Any]]) -> str:
    """The verdict in a sentence."""
    worst = max(cues, key=lambda c: float(c["accuracy"]))
    what = {"cue": cue_words(str(worst["cue"])), "share": percent(float(worst["accuracy"]), 0)}
    if any(c["strength"] == "strong" for c in cues):
        return tr("A shortcut tells the classes: {cue} alone reaches {share}.", **what)
    if any(c["strength"] == "clear" for c in cues):
        return tr("A cue helps to tell the classes: {cue} alone reaches {share}.", **what)
    return tr("No shortcut was found: the best cue alone reaches {share}.", share=what["share"])


def audit_tone(cues: Sequence[dict[str, Any]]) -> str:
    """The note's tone of an audit."""
    strengths = {str(c["strength"]) for c in cues}
    return "bad" if "strong" in strengths else "warn" if "clear" in strengths else "good"
