"""Coverage: which part of a volume the slices of each set read, as shares and layer by layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QSizePolicy, QSlider, QWidget

from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.latest import Superseded
from microtome.ui.numbers import percent, with_commas
from microtome.ui.slices_sources import Asked, Source
from microtome.ui.slices_space import CoverageRead, layer, read_coverage
from microtome.ui.theme import current
from microtome.ui.views.scale_bar import paint_scale_bar, paint_words
from microtome.ui.views.slices.gallery import set_colour, set_words
from microtome.ui.views.slices.source_view import SourceView
from microtome.ui.views.space.scene import hex_rgb
from microtome.ui.widgets import Choice, column, label, row

_PLANES = (("xy", 0), ("xz", 1), ("yz", 2))


class LayerPicture(QWidget):
    """A picture to scale with a scale bar, or words."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 120)
        self._image, self._extent, self._unit, self._words = QImage(), (1.0, 1.0), "voxel", ""

    def show_layer(
        self, picture: NDArray[np.uint8] | None, extent: tuple[float, float] = (1.0, 1.0), unit: str = "voxel"
    ) -> None:
        """Paint a picture (h, w, 3) of an extent (height, width) in `unit`."""
        self._extent, self._unit = extent, unit
        if picture is None:
            self._image = QImage()
        else:
            height, width = picture.shape[:2]
            self._image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()

    def show_words(self, words: str) -> None:
        """Say something over the picture."""
        self._words = words
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The picture as large as it fits."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(current().sunken))
        if not self._image.isNull():
            height, width = self._extent
            scale = min(self.width() / width, self.height() / height)
            area = QRectF(
                (self.width() - width * scale) / 2, (self.height() - height * scale) / 2, width * scale, height * scale
            )
            painter.drawImage(area, self._image)
            paint_scale_bar(painter, area, 1 / scale, self._unit)
        if self._words:
            paint_words(painter, QRectF(self.rect()).center(), self._words, self.width() - 32)
        painter.end()


class CoverageView(SourceView[CoverageRead]):
    """One layer of the volume, or all of them laid over each other; below it the shares."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.picture = LayerPicture()
        self.picture.setAccessibleName(tr("Coverage"))
        self.plane = Choice([(name, name) for name, _ in _PLANES], "xy")
        self.plane.setAccessibleName(tr("Plane"))
        self.plane.activated.connect(lambda _: self._turned())
        self.every = QCheckBox(tr("All layers"))
        self.every.setToolTip(tr("Lay all layers over each other: the stronger the colour, the more of them are read"))
        self.every.toggled.connect(lambda _: self._draw())
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(tr("Layer"))
        self.slider.valueChanged.connect(lambda _: self._draw())
        self._layers = 0
        self.where = label("", "muted")
        self.where.setMinimumWidth(64)
        self.shares = label("", selectable=True, wrap=True)
        self.shares.setTextFormat(Qt.TextFormat.RichText)
        self.words = label("", "muted", wrap=True)
        made = column(
            row(self.choice, self.plane, self.every, None),
            row(self.slider, self.where),
            self.picture,
            self.shares,
            self.words,
        )
        made.setContentsMargins(8, 8, 8, 8)
        made.setStretch(2, 1)
        self.setLayout(made)

    def read(self, asked: Asked, source: Source, superseded: Superseded) -> CoverageRead | None:
        """Count the voxels."""
        return read_coverage(asked, source, superseded)

    def show_found(self, found: CoverageRead | None) -> None:
        """Show the shares, and the layer in the middle where another volume came."""
        self.found = found
        self.words.setText("" if found is None else _words(found))
        self.words.setVisible(bool(self.words.text()))
        self.shares.setText("" if found is None else _shares(found))
        self._turned()

    def axis(self) -> int:
        """The axis across the layers."""
        return dict(_PLANES)[self.plane.value()]

    def _turned(self) -> None:
        if self.found is not None:
            layers = self.found.coverage.counts.shape[self.axis() + 1]
            if layers != self._layers:
                self._layers = layers
                self.slider.setRange(0, layers - 1)
                self.slider.setValue(layers // 2)
        self._draw()

    def _draw(self) -> None:
        found, every = self.found, self.every.isChecked()
        self.slider.setEnabled(not every)
        if found is None:
            self.picture.show_layer(None)
            self.where.setText("")
            return
        axis, at = self.axis(), self.slider.value()
        colours = {s: hex_rgb(set_colour(s)) for s in ("train", "validation", "evaluation")}
        picture = layer(found, axis, None if every else at, colours)
        rows, columns = (found.box[a] for a in range(3) if a != axis)
        self.picture.show_layer(picture, (rows, columns), found.unit)
        self.where.setText("" if every else f"{'zyx'[axis]} {at * found.coverage.cell + 1}")

    def show_busy(self, words: str) -> None:
        """Over the picture."""
        self.picture.show_words(words)


def _shares(found: CoverageRead) -> str:
    lines = []
    for name, (whole, block) in found.shares.items():
        mark = f'<span style="color:{set_colour(name)}">■</span>'
        words = tr(
            "{set}: {n} slices read {block} of their block, {whole} of the volume.",
            set=set_words(name),
            n=with_commas(found.counted[name]),
            block=percent(block),
            whole=percent(whole),
        )
        lines.append(f"{mark} {words}")
    return "<br>".join(lines)


def _words(found: CoverageRead) -> str:
    cell, shared = found.coverage.cell, found.coverage.shared()
    words = []
    if shared > 0 and cell == 1:
        words.append(tr("{share} of the voxels are read by two sets.", share=percent(shared, 2)))
    elif cell == 1:
        words.append(tr("No voxel is read by two sets."))
    else:
        words.append(
            tr("Counted in cells of {n} × {n} × {n} voxels: a cell counts as read where one of its voxels is.", n=cell)
        )
    if any(found.counted[s] < found.counts[s] for s in found.counts):
        words.append(tr("Only the first slices of each set are counted: all of them read more."))
    return " ".join(words)
