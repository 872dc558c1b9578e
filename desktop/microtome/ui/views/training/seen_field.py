"""How much of a slice one unit of the network sees: the receptive field as a square over a real slice, in nanometres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.training.layers import LayerTable
from microtome.ui.channels import channels_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.seen_slice import SeenAsked, SeenSlice, read_seen
from microtome.ui.sentences import said
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.scale_bar import paint_scale_bar
from microtome.ui.widgets import column, label

_QUIET_MS = 200
_EDGE = 200  # pixels of the picture on the screen
_SMALL = 3.0  # particle diameters: a network that sees less tells no arrangement


class FieldPicture(QWidget):
    """The slice with the square over it, and a scale bar."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(_EDGE, _EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("What the network sees at once"))
        self.image = QImage()
        self.share: float | None = None  # of the slice's edge that is seen at once
        self._field = (0.0, "")

    def show_slice(self, image: NDArray[np.float32], field: tuple[float, str]) -> None:
        """Show another slice (h, w), in colour (3, h, w); `field`: its edge and the unit."""
        levels = levels_of(image.reshape(-1, image.shape[-1]), 0.5, 99.5)
        self.image, self._field = as_image(grey_levels(image, levels)), field
        self.update()

    def show_share(self, share: float | None) -> None:
        """Show how much of the edge is seen at once; None: not known."""
        self.share = share
        self.update()

    def square(self) -> QRectF:
        """The square on the widget, inside the slice."""
        edge = self.width() * min(1.0, self.share or 0.0)
        left, top = (self.width() - edge) / 2, (self.height() - edge) / 2
        return QRectF(left, top, edge, edge)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The slice is dimmed where a unit in its middle sees nothing."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        whole = QRectF(self.rect())
        if self.image.isNull():
            painter.fillRect(whole, QColor(current().sunken))
            return
        painter.drawImage(whole, self.image)
        if self.share is not None:
            inner = self.square()
            painter.fillRect(whole, QColor(0, 0, 0, 120))
            part = inner.width() / whole.width()
            across, down = self.image.width(), self.image.height()
            source = QRectF(across * (1 - part) / 2, down * (1 - part) / 2, across * part, down * part)
            painter.drawImage(inner, self.image, source)
            painter.setPen(QPen(QColor(current().accent), 2))
            painter.drawRect(inner.adjusted(1, 1, -1, -1))
        paint_scale_bar(painter, whole, self._field[0] / self.width(), self._field[1])


class SeenField(QWidget):
    """The picture, and what it means in words. Nothing is cut while it is not seen."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.picture = FieldPicture()
        self.words = label("", wrap=True)
        self.remark = label("", "warn", wrap=True)
        self.remark.hide()
        self._seen: SeenSlice | None = None
        self._facts: LayerTable | None = None
        self._wanted = ""  # what was asked for last
        self._problem = ""
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._request)
        self.setLayout(column(self.picture, self.words, self.remark, gap=GRID))

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds, once the typing pauses."""
        if change & (Change.PROJECT | Change.VOLUMES | Change.RECIPE):
            self._quiet.start()
            self._say()

    def show_facts(self, facts: LayerTable | None) -> None:
        """Show another network; None while it is being counted."""
        self._facts = facts
        self._say()

    def showEvent(self, event: QShowEvent) -> None:
        """Seen for the first time, or again."""
        super().showEvent(event)
        self._quiet.start()

    def _asked(self) -> SeenAsked | None:
        """What to cut: of the first volume that belongs to a class; of an image where there are images alone."""
        session = self.desk.session
        project = session.project
        members = [] if project is None else sorted((v for v in project.volumes if v.class_name), key=lambda v: v.images)
        if project is None or not members:
            return None
        return SeenAsked(
            project=project,
            entry=members[0],
            plan=SlicePlan(**{name: session.value(f"slices.{name}") for name in session.specs("slices")}),
            micrographs=Micrographs(**{name: session.value(f"micrographs.{name}") for name in session.specs("micrographs")}),
            channels=channels_of(session),
        )

    def _request(self) -> None:
        asked = self._asked()
        if asked is None or not self.isVisible() or asked.key == self._wanted:
            return
        self._wanted = asked.key
        self.desk.tasks.request(self, "slice", lambda: read_seen(asked), self._landed, failed=self._failed)

    def _landed(self, seen: SeenSlice) -> None:
        self._seen, self._problem = seen, ""
        self.picture.show_slice(seen.image, seen.field)
        self._say()

    def _failed(self, error: MicrotomeError) -> None:
        self._seen, self._problem = None, said(error)
        self.picture.image = QImage()
        self._say()

    def _say(self) -> None:
        asked, facts, seen = self._asked(), self._facts, self._seen
        if asked is None:
            return
        self.picture.setVisible(not self._problem)
        share, words, remark = None, tr("counting the layers…"), self._problem
        if facts is not None:
            # Enlarged slices are seen through more pixels, so that a unit sees less of them.
            pixels = int(self.desk.session.value("transfer.image_size")) or asked.plan.pixels
            share = facts.receptive_field / pixels
            newest = seen.field if seen is not None and self._wanted == asked.key else None
            diameter = seen.diameter if seen is not None else None
            words, small = reach_words(facts.receptive_field, pixels, asked.field or newest, diameter)
            remark = remark or small
        self.picture.show_share(share)
        self.words.setText(words)
        self.remark.setText(remark)
        self.remark.setVisible(bool(remark))


def reach_words(reach: int, pixels: int, field: tuple[float, str] | None, diameter: float | None) -> tuple[str, str]:
    """What a unit with a receptive field of `reach` of so many pixels sees, in words, and what is to be warned of.

    `field`: the image's edge and its unit, None where it is not known; `diameter` of the particles in that unit.
    """
    if field is None:
        if reach >= pixels:
            return tr("Every unit before the head may see the whole image."), ""
        return tr("Sees {n} of {total} pixels at once.", n=reach, total=pixels), ""
    edge, unit = field
    seen = reach / pixels * edge
    if reach >= pixels:
        words = tr("Every unit before the head may see the whole slice: {field}.", field=_length(edge, unit))
    else:
        words = tr("Sees {reach} of {field} at once.", reach=_length(seen, unit), field=_length(edge, unit))
    if not diameter:
        return words, ""
    words += " " + tr("Particle diameter: {size}.", size=_length(diameter, unit))
    few = tr("That is less than {n} particles across: it sees particles, not how they lie.", n=int(_SMALL))
    return words, few if min(seen, edge) < _SMALL * diameter else ""


def _length(value: float, unit: str) -> str:
    return length(float(f"{value:.3g}"), unit)
