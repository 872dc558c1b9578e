"""The verdict on a network: accuracy on the locked evaluation set with n and interval, class by class, beside the baselines."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QWidget

from microtome.events import Evaluated, images_of
from microtome.intervals import wilson
from microtome.results.words import chance, percent, ranked_baselines, standing, with_unit
from microtome.ui.i18n import tr
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import clear, column, holding, label, note, row

_ROW = 22


class IntervalBar(QWidget):
    """A share with its interval on a scale of 0 … 100 %, and the share of guessing as a tick."""

    def __init__(self, value: float, low: float, high: float, colour: str, guess: float = 0.0) -> None:
        super().__init__()
        self._value, self._low, self._high, self._colour, self._guess = value, low, high, colour, guess
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_ROW)
        self.setMinimumWidth(64)
        self.setAccessibleName(f"{percent(value)} ({percent(low)} – {percent(high)})")
        if guess:
            self.setToolTip(tr("The tick is the accuracy of guessing, {share}", share=percent(guess)))

    def sizeHint(self) -> QSize:
        """One row."""
        return QSize(160, _ROW)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Scale, interval, value."""
        theme, painter = current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, middle = self.width() - 8, self.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.sunken))
        painter.drawRoundedRect(QRectF(4, middle - 3, width, 6), 3, 3)
        if self._guess:
            painter.setPen(QPen(QColor(theme.faint), 1.5))
            x = 4 + width * self._guess
            painter.drawLine(int(x), int(middle - 6), int(x), int(middle + 6))
        painter.setPen(Qt.PenStyle.NoPen)
        soft = QColor(self._colour)
        soft.setAlpha(110)
        painter.setBrush(soft)
        span = max(2.0, width * (self._high - self._low))
        painter.drawRoundedRect(QRectF(4 + width * self._low, middle - 3, span, 6), 3, 3)
        painter.setBrush(QColor(self._colour))
        painter.drawEllipse(QRectF(4 + width * self._value - 4.5, middle - 4.5, 9, 9))
        painter.end()


class Verdict(QFrame):
    """Filled by `show_result`; hidden until there is one. brief: how the sets were separated is said elsewhere on the page."""

    def __init__(self, *, brief: bool = False) -> None:
        super().__init__()
        self._brief = brief
        self.setProperty("role", "card")
        self.setProperty("tone", "accent")
        self._body = column(margin=GRID + 4, gap=6)
        self.setLayout(self._body)
        self._shown: Evaluated | None = None
        self.hide()

    def show_result(self, found: Evaluated | None) -> None:
        """Show what the evaluation set said."""
        if found is self._shown:
            return
        self._shown = found
        clear(self._body)
        self.setVisible(found is not None)
        if found is None:
            return
        if found.r2 is not None:
            self._show_values(found)
            return
        n = images_of(found.per_class)
        big = label(percent(found.accuracy), "number", selectable=True)
        low, high = found.interval
        words = tr("95 % interval {low} – {high}, n = {n}", low=percent(low), high=percent(high), n=n)
        head = label(tr("Accuracy on the evaluation set"), "section")
        left = column(head, big, label(words, "muted", selectable=True), None, gap=GRID // 2)
        whole = row(left, 2 * GRID, self._classes(found), gap=GRID)
        whole.setStretch(2, 1)
        self._body.addLayout(whole)
        baselines = label(_baselines(found), "muted", wrap=True, selectable=True)
        baselines.setToolTip("\n".join(f"{tr(name)}: {said(words)}" for name, words in found.baseline_details.items()))
        self._body.addWidget(baselines)
        if (standing_note := _standing(found)) is not None:
            self._body.addWidget(standing_note)
        self._show_trust(found)

    def _show_values(self, found: Evaluated) -> None:
        """Of a network that tells a number."""
        low, high = found.interval
        head = label(tr("R² on the evaluation set"), "section")
        big = label(f"{found.accuracy:.3f}", "number", selectable=True)
        # Dots, since either end may be negative.
        between = tr("95 % interval {low} … {high}, n = {n}", low=f"{low:.3f}", high=f"{high:.3f}", n=found.n)
        errors = tr(
            "Typical error (RMSE) {rmse}, mean error {mae}; {volumes} volumes",
            rmse=with_unit(found.rmse, found.unit),
            mae=with_unit(found.mae, found.unit),
            volumes=len(found.points),
        )
        for made in (head, big, label(between, "muted", selectable=True), label(errors, "muted", selectable=True)):
            self._body.addWidget(made)
        ranked = [f"R² {value:.3f} {tr(name)}" for name, value, _ in ranked_baselines(found)]
        self._body.addWidget(label(tr("On the same images: {list}", list=" · ".join(ranked)), "muted", selectable=True))
        if (standing_note := _standing(found)) is not None:
            self._body.addWidget(standing_note)
        self._show_trust(found)

    def _show_trust(self, found: Evaluated) -> None:
        """How far the interval may be trusted, and how the sets were separated."""
        for words in (found.caution, "" if self._brief else found.independence):
            if words:
                self._body.addWidget(label(said(words), "muted", wrap=True, selectable=True))

    @staticmethod
    def _classes(found: Evaluated) -> QWidget:
        theme, grid = current(), QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(1, 1)
        guess = chance(len(found.per_class))
        for i, (name, (correct, total)) in enumerate(found.per_class.items()):
            low, high = wilson(correct, total)
            value = correct / total if total else 0.0
            who = label(name)
            who.setMaximumWidth(180)
            who.setToolTip(name)
            grid.addWidget(who, i, 0)
            grid.addWidget(IntervalBar(value, low, high, theme.class_colour(i), guess), i, 1)
            share = label(percent(value), selectable=True)
            counts = label(f"{correct} / {total}", "muted", selectable=True)
            between = label(f"{percent(low)} – {percent(high)}", "faint", selectable=True)
            between.setToolTip(tr("95 % interval (Wilson)"))
            for place, words in enumerate((share, counts, between), start=2):
                words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                grid.addWidget(words, i, place)
        grid.setRowStretch(len(found.per_class), 1)
        return holding(grid)


def _baselines(found: Evaluated) -> str:
    """What simpler methods reach on the same images, in one line."""
    parts = []
    for name, accuracy, between in ranked_baselines(found):
        spread = f" ({percent(between[0])} – {percent(between[1])})" if between else ""
        parts.append(f"{percent(accuracy)}{spread} {tr(name)}")
    if not parts:
        parts.append(f"{percent(chance(len(found.per_class)))} {tr('guessing')}")
    if found.baseline_images:
        return tr("On {n} of the same images: {list}", n=found.baseline_images, list=" · ".join(parts))
    return tr("On the same images: {list}", list=" · ".join(parts))


def _standing(found: Evaluated) -> QWidget | None:
    """Whether the network is better than what needs no network."""
    there = standing(found)
    names = tr(" and ").join(tr(name) for name in there.names)
    match there.word:
        case "beats":
            words = tr("Better than {names} on the same images, by more than chance.", names=names)
            return label(words, wrap=True, selectable=True)
        case "level":
            words = tr("Not shown to be better than {names}: a network must win against all baselines.", names=names)
            return note(words, "warn")
        case "behind":
            words = tr("{names} did better on the same images: a network must win against all baselines.", names=names)
            return note(words, "warn")
        case _:
            return None
