"""Editors of one value: a line with its unit inside, a choice, a tick; and of one axis of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QLabel, QLineEdit, QWidget

from microtome.errors import InputError
from microtome.fields import FieldSpec
from microtome.session import Axis
from microtome.ui.i18n import tr
from microtome.ui.numbers import number, unit_word
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.widgets import Choice, label, row, set_property

_TYPING_MS = 350


class UnitEdit(QLineEdit):
    """A line with its unit inside; `settled` comes when the typing pauses or ends."""

    settled = Signal()

    def __init__(self, unit: str = "", text: str = "") -> None:
        super().__init__(text)
        # A dropped file belongs to the window, not into this line.
        self.setAcceptDrops(False)
        self._unit = QLabel(unit, self)
        self._unit.setProperty("role", "faint")
        self._unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_TYPING_MS)
        self._pause.timeout.connect(self.settled)
        self.textEdited.connect(lambda _: self._pause.start())
        self.editingFinished.connect(self._finish)
        self.set_unit(unit)

    def set_unit(self, unit: str) -> None:
        """Show another unit."""
        self._unit.setText(unit)
        self._unit.adjustSize()
        self.setTextMargins(0, 0, self._unit.width() + 6 if unit else 0, 0)
        self._place()

    def show_text(self, text: str) -> None:
        """Show a value from outside, unless the user is typing one."""
        if self.text() != text and not (self.hasFocus() and self.isModified()):
            self.setText(text)
            self.setCursorPosition(0)

    def _finish(self) -> None:
        if self._pause.isActive() or self.isModified():
            self._pause.stop()
            self.setModified(False)
            self.settled.emit()

    def _place(self) -> None:
        self._unit.move(self.width() - self._unit.width() - GRID, (self.height() - self._unit.height()) // 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the unit at the right."""
        super().resizeEvent(event)
        self._place()


def parse_number(text: str, kind: str) -> Any:
    """A typed number in its kind; InputError with a sentence where it is none."""
    try:
        value = float(text)
    except ValueError:
        raise InputError(tr("“{text}” is not a number.", text=text)) from None
    return int(value) if kind == "int" and math.isfinite(value) and value == int(value) else value


class ValueEditor(QWidget):
    """The editor that fits a field; `edited` carries the value, or a list where a comma list was typed."""

    edited = Signal(object)
    wrong = Signal(str)  # a sentence; "" when mended

    def __init__(self, spec: FieldSpec, choices: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.spec = spec
        self._line: UnitEdit | None = None
        self._choice: Choice | None = None
        self._tick: QCheckBox | None = None
        inner: QWidget
        if spec.kind == "bool":
            inner = self._tick = QCheckBox()
            self._tick.toggled.connect(lambda on: self.edited.emit(on))
        elif spec.kind == "choice" or choices:
            items = list(choices) or [(c, tr(c)) for c in spec.choices]
            inner = self._choice = Choice(items)
            self._choice.activated.connect(lambda _: self.edited.emit(self._choice and self._choice.value()))
        else:
            inner = self._line = UnitEdit(tr(unit_word(spec.unit)) if spec.unit else "")
            self._line.settled.connect(self._settled)
        inner.setAccessibleName(tr(spec.title))
        self.setFocusProxy(inner)
        self.setLayout(row(inner))

    def show_value(self, value: Any) -> None:
        """Show a value without saying that it was edited."""
        if self._tick is not None:
            self._tick.blockSignals(True)
            self._tick.setChecked(bool(value))
            self._tick.blockSignals(False)
        elif self._choice is not None:
            self._choice.choose(str(value))
        elif self._line is not None:
            text = number(value) if isinstance(value, int | float) else str(value)
            self._line.show_text(text)
            if self._line.text() == text:
                self.mark("")

    def mark(self, sentence: str) -> None:
        """Colour the line where its value is wrong."""
        if self._line is not None:
            set_property(self._line, "wrong", "true" if sentence else "false")

    def _settled(self) -> None:
        assert self._line is not None
        text = self._line.text().strip()
        try:
            if self.spec.kind == "text":
                self.edited.emit(text)
            elif "," in text:
                parts = [part.strip() for part in text.split(",") if part.strip()]
                self.edited.emit([self.spec.check(parse_number(part, self.spec.kind)) for part in parts])
            else:
                self.edited.emit(self.spec.check(parse_number(text, self.spec.kind)))
        except InputError as error:
            self.wrong.emit(sentence_of(error, self.spec))


def sentence_of(error: InputError, spec: FieldSpec) -> str:
    """The error's words with the field's title in place of its name."""
    return said(error).replace(spec.name, tr(spec.title), 1)


class AxisEditor(QWidget):
    """The range, or the choices, that a search tries for one setting; `edited` carries the new axis."""

    edited = Signal(object)
    wrong = Signal(str)

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__()
        self.spec = spec
        unit = tr(unit_word(spec.unit)) if spec.unit else ""
        self._low, self._high, self._list = UnitEdit(), UnitEdit(unit), UnitEdit(unit)
        for line, words in ((self._low, tr("lowest")), (self._high, tr("highest")), (self._list, tr("choices"))):
            line.setAccessibleName(f"{tr(spec.title)}: {words}")
            line.setToolTip(words)
            line.settled.connect(self._settled)
        self._log = QCheckBox(tr("log"))
        self._log.setToolTip(tr("Try ratios evenly, not differences"))
        self._log.toggled.connect(lambda _: self._settled())
        self._to = label("…", "muted")
        self._choices = False
        self.setLayout(row(self._low, self._to, self._high, self._log, self._list, gap=GRID // 2))

    def show_axis(self, axis: Axis) -> None:
        """Show an axis: a range, or a list of choices."""
        self._choices = isinstance(axis, list)
        for part in (self._low, self._to, self._high, self._log):
            part.setVisible(not self._choices)
        self._list.setVisible(self._choices)
        if isinstance(axis, list):
            self._list.show_text(", ".join(_words(v) for v in axis))
            return
        self._low.show_text(number(axis["low"]))
        self._high.show_text(number(axis["high"]))
        self._log.setVisible(self.spec.kind == "float")
        self._log.blockSignals(True)
        self._log.setChecked(bool(axis.get("log", False)))
        self._log.blockSignals(False)

    def _settled(self) -> None:
        try:
            self.edited.emit(self._read_choices() if self._choices else self._read_range())
        except InputError as error:
            self.wrong.emit(sentence_of(error, self.spec))

    def _read_choices(self) -> list[Any]:
        parts = [part.strip() for part in self._list.text().split(",") if part.strip()]
        if self.spec.kind == "bool":
            return [part.lower() in ("true", tr("yes")) for part in parts]
        if self.spec.kind in ("choice", "text"):
            return [self.spec.check(part) for part in parts]
        return [self.spec.check(parse_number(part, self.spec.kind)) for part in parts]

    def _read_range(self) -> dict[str, Any]:
        low, high = (self.spec.check(parse_number(line.text().strip(), self.spec.kind)) for line in (self._low, self._high))
        if low > high:
            raise InputError(tr("The lowest value is above the highest: exchange the two."))
        axis: dict[str, Any] = {"low": low, "high": high}
        if self.spec.kind == "float":
            axis["log"] = self._log.isChecked()
            if low <= 0 and axis["log"]:
                raise InputError(tr("A logarithmic range must begin above 0."))
            if low == int(low) and high == int(high):
                axis["type"] = "float"
        return axis


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, int | float) else str(value)
