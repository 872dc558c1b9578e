"""Headerless voxels: shape, type, byte order and header to enter or to take from a guess, with a slice to look at before."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QPushButton, QSlider, QWidget

from microtome.errors import InputError, MicrotomeError
from microtome.questions import Choice as Answer
from microtome.ui.candidates import Asked
from microtome.ui.desk import Desk
from microtome.ui.editors import UnitEdit
from microtome.ui.i18n import tr
from microtome.ui.numbers import shape as shape_words
from microtome.ui.numbers import with_commas
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import Contrast, Picture, levels_of
from microtome.ui.widgets import Choice, button, column, holding, label, row, set_property
from microtome.volumes.formats.raw import raw_preview

_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")
_PREVIEW = 210
_CHIPS = 6
_LARGEST = 2**27  # voxels of a slice; a wrong guess may make one of the whole file


class Preview(QWidget):
    """A slice, fitted; or the sentence that says why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.picture: Picture | None = None
        self.words = ""
        self.setFixedSize(QSize(_PREVIEW, _PREVIEW))
        self.setAccessibleName(tr("Preview"))

    def show_picture(self, picture: Picture | None, words: str = "") -> None:
        """Paint a slice, or say something instead."""
        self.picture, self.words = picture, words
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The slice with square voxels, or the words."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(current().sunken))
        if self.picture is not None:
            height, width = self.picture.extent
            scale = min(self.width() / width, self.height() / height)
            area = QRectF(0, 0, max(1.0, width * scale), max(1.0, height * scale))
            area.moveCenter(QRectF(self.rect()).center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 1)
            painter.drawImage(area, self.picture.image)
        else:
            painter.setPen(QColor(current().muted))
            inside = self.rect().adjusted(GRID, GRID, -GRID, -GRID)
            painter.drawText(inside, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.words)
        painter.end()


class RawEditor(QWidget):
    """The fields, the guesses as chips, what the file's length says of them, and a live slice."""

    fits = Signal(bool)  # whether the file is long enough for what is entered

    def __init__(self, desk: Desk, asked: Asked) -> None:
        super().__init__()
        self._desk, self.asked = desk, asked
        self.edges = [UnitEdit(axis) for axis in "zyx"]
        self.header = UnitEdit(tr("bytes"), "0")
        self.dtype = Choice([(t, t) for t in _DTYPES], "uint8")
        self.order = Choice([("little", tr("little endian")), ("big", tr("big endian"))], "little")
        self.length = label("", "muted", wrap=True)
        self.detail = label("", "muted", wrap=True)
        self.chips: list[QPushButton] = []
        self.preview = Preview()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Slice"))
        self.slider.valueChanged.connect(lambda _: self._look())
        self.place = label("", "muted")
        self._shape: tuple[int, ...] | None = None
        self._name_fields()
        right = column(self.preview, row(self.slider, self.place), None, gap=GRID // 2)
        both = row(holding(self._fields()), holding(right), gap=2 * GRID)
        both.setStretch(0, 1)
        self.setLayout(both)
        choices = asked.question.choices
        self.take(choices[0] if choices else Answer(options={}, label=""))

    def _name_fields(self) -> None:
        for axis, line in zip("zyx", self.edges, strict=True):
            line.setAccessibleName(tr("Voxels along {axis}", axis=axis))
            line.textChanged.connect(lambda _: self._entered())
        self.header.setAccessibleName(tr("Header"))
        self.header.textChanged.connect(lambda _: self._entered())
        self.dtype.setAccessibleName(tr("Type"))
        self.order.setAccessibleName(tr("Byte order"))
        for choice in (self.dtype, self.order):
            choice.currentIndexChanged.connect(lambda _: self._entered())

    def _fields(self) -> Any:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID // 2)
        grid.addWidget(label(tr("Voxels (z, y, x)"), "muted"), 0, 0)
        grid.addLayout(row(*self.edges, gap=GRID // 2), 0, 1)
        grid.addWidget(label(tr("Type"), "muted"), 1, 0)
        grid.addLayout(row(self.dtype, self.order, None, gap=GRID // 2), 1, 1)
        grid.addWidget(label(tr("Header"), "muted"), 2, 0)
        grid.addLayout(row(self.header, None), 2, 1)
        self.header.setFixedWidth(120)
        grid.setColumnStretch(1, 1)
        parts: list[Any] = [holding(grid), self.length]
        choices = self.asked.question.choices[:_CHIPS]
        if choices:
            parts += [label(tr("Guesses, the likeliest first"), "muted"), self._chips(choices), self.detail]
        return column(*parts, None, gap=GRID // 2)

    def _chips(self, choices: tuple[Answer, ...]) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID // 2)
        for i, choice in enumerate(choices):
            made = button(said(choice.label), partial(self.take, choice), kind="small")
            made.setCheckable(True)
            made.setToolTip(said(choice.detail))
            self.chips.append(made)
            grid.addWidget(made, i // 2, i % 2)
        return holding(grid)

    def take(self, choice: Answer) -> None:
        """Show a guess in the fields."""
        options = choice.options
        shape = options.get("shape", ("", "", ""))
        for part in (*self.edges, self.header, self.dtype, self.order):
            part.blockSignals(True)
        for line, n in zip(self.edges, shape, strict=True):
            line.setText(str(n))
        self.header.setText(str(options.get("offset", 0)))
        self.dtype.choose(str(options.get("dtype", "uint8")))
        self.order.choose(str(options.get("byte_order") or "little"))
        for part in (*self.edges, self.header, self.dtype, self.order):
            part.blockSignals(False)
        self._shape = None
        self._entered()

    # --- what is entered

    def entered(self) -> dict[str, Any] | None:
        """The reader's options; None while a number is missing or senseless."""
        texts = [line.text().strip() for line in (*self.edges, self.header)]
        if not all(t.isascii() and t.isdigit() and len(t) <= 12 for t in texts):
            return None
        z, y, x, offset = (int(t) for t in texts)
        if min(z, y, x) < 1:
            return None
        kind = self.dtype.value()
        order = {} if np.dtype(kind).itemsize == 1 else {"byte_order": self.order.value()}
        return {"shape": [z, y, x], "dtype": kind, **order, "offset": offset}

    def needed(self) -> int | None:
        """Bytes that what is entered takes, with the header."""
        options = self.entered()
        if options is None:
            return None
        voxels: int = math.prod(options["shape"])
        return voxels * int(np.dtype(options["dtype"]).itemsize) + int(options["offset"])

    def fitting(self) -> bool:
        """Whether the file holds that many."""
        needed = self.needed()
        return needed is not None and needed <= self.asked.file_bytes

    def choice(self) -> Answer:
        """The answer that the fields make."""
        options = self.entered() or {}
        return Answer(options=options, label=f"{shape_words(tuple(options.get('shape', ())))} {options.get('dtype', '')}")

    def _entered(self) -> None:
        options = self.entered()
        self.order.setEnabled(np.dtype(self.dtype.value()).itemsize > 1)
        for line in (*self.edges, self.header):
            text = line.text().strip()
            good = text.isascii() and text.isdigit() and (line is self.header or int(text) > 0)
            set_property(line, "wrong", "false" if good else "missing" if not text else "true")
        matching = next((c for c in self.asked.question.choices if options is not None and _same(c.options, options)), None)
        for chip, guess in zip(self.chips, self.asked.question.choices, strict=False):
            chip.setChecked(guess is matching)
        self.detail.setText(said(matching.detail) if matching is not None else "")
        self._show_size(options)
        self.fits.emit(self.fitting())
        depth = options["shape"][0] if options is not None else 1
        shape = tuple(options["shape"]) if options is not None else None
        if shape != self._shape:
            self._shape = shape
            self.slider.blockSignals(True)
            self.slider.setRange(0, min(depth, 2**30) - 1)
            self.slider.setValue(depth // 2)
            self.slider.blockSignals(False)
        self._look()

    def _show_size(self, options: dict[str, Any] | None) -> None:
        needed, have = self.needed(), self.asked.file_bytes
        if options is None or needed is None:
            self.length.setText(tr("The file has {n} bytes.", n=with_commas(have)))
            set_property(self.length, "role", "muted")
            return
        what = f"{shape_words(tuple(options['shape']))} {options['dtype']}"
        if options["offset"]:
            what = tr("{what} behind {n} bytes", what=what, n=with_commas(options["offset"]))
        end = tr("fits") if needed == have else ""
        if needed < have:
            end = tr("{n} bytes would be left unread", n=with_commas(have - needed))
        if needed > have:
            end = tr("{n} bytes are missing", n=with_commas(needed - have))
        self.length.setText(
            tr(
                "{what} needs {needed} bytes; the file has {have}: {end}.",
                what=what,
                needed=with_commas(needed),
                have=with_commas(have),
                end=end,
            )
        )
        set_property(self.length, "role", "good" if needed == have else "warn" if needed < have else "problem")

    # --- the slice

    def _look(self) -> None:
        options = self.entered()
        if options is None:
            self._desk.tasks.cancel(self, "preview")
            self.preview.show_picture(None, tr("Enter the shape to see a slice."))
            return
        z = min(self.slider.value(), options["shape"][0] - 1)
        self.place.setText(f"z {z + 1} / {options['shape'][0]}")
        path = Path(self.asked.path)

        def read() -> Picture:
            order = str(options.get("byte_order", ""))
            if math.prod(options["shape"][1:]) > _LARGEST:
                raise InputError(tr("A slice of this shape is too large for a preview."))
            voxels = raw_preview(path, tuple(options["shape"]), options["dtype"], order, options["offset"], z)
            step = max(1, -(-max(voxels.shape) // (4 * _PREVIEW)))
            voxels = np.ascontiguousarray(voxels[::step, ::step])
            return Picture.of(voxels, Contrast(*levels_of(voxels)))

        self._desk.tasks.request(self, "preview", read, self.preview.show_picture, failed=self._no_preview)

    def _no_preview(self, error: MicrotomeError) -> None:
        self.preview.show_picture(None, said(error.message))


def _same(guess: dict[str, Any], options: dict[str, Any]) -> bool:
    """Whether a guess means what is entered; what it leaves open is the default."""
    filled = {"byte_order": "", "offset": 0, **guess}
    entered = {"byte_order": "", "offset": 0, **options}
    if np.dtype(str(options["dtype"])).itemsize == 1:
        filled["byte_order"] = entered["byte_order"] = ""
    return {**filled, "shape": list(filled.get("shape", ()))} == entered
