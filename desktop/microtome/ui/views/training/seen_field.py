"""How much of a slice one unit of the network sees: the receptive field as a square over a real slice, in nanometres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.slices.plan import SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.training.layers import LayerTable
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.opened import identity, opened
from microtome.ui.theme import GRID, current
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.scale_bar import paint_scale_bar
from microtome.ui.widgets import column, label

_QUIET_MS = 200
_EDGE = 200  # pixels of the picture on the screen
_SMALL = 3.0  # particle diameters: a network that sees less tells no arrangement


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One slice and what is known of the structure in it."""

    key: str
    image: NDArray[np.float32]  # (h, w)
    diameter: float | None = None  # of the particles, mean, in the slice's unit; None: not known


def read_slice(project: Project, entry: VolumeEntry, plan: SlicePlan, key: str) -> Seen:
    """Cut one slice of a volume as the plan would (in a background thread). Raises what cutting raises."""
    from microtome.slices.source import preview

    volume = opened(project, entry)
    image = preview(volume, plan, n=1, seed=plan.seed).images[0]
    structure = volume.structure
    diameter = None
    if structure is not None and structure.unit == plan.unit and len(structure.radii):
        diameter = 2 * float(structure.radii.mean())
    return Seen(key=key, image=image, diameter=diameter)


class FieldPicture(QWidget):
    """The slice with the square over it, and a scale bar."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(_EDGE, _EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("What the network sees at once"))
        self.image = QImage()
        self.share: float | None = None  # of the slice's edge that is seen at once
        self._plan = SlicePlan()

    def show_slice(self, image: NDArray[np.float32], plan: SlicePlan) -> None:
        """Show another slice."""
        self.image, self._plan = as_image(grey_levels(image, levels_of(image, 0.5, 99.5))), plan
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
        paint_scale_bar(painter, whole, self._plan.field_of_view / self.width(), self._plan.unit)


class SeenField(QWidget):
    """The picture, and what it means in words. Nothing is cut while it is not seen."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.picture = FieldPicture()
        self.words = label("", wrap=True)
        self.remark = label("", "warn", wrap=True)
        self.remark.hide()
        self._seen: Seen | None = None
        self._facts: LayerTable | None = None
        self._wanted = ""
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

    def _plan(self) -> SlicePlan:
        session = self.desk.session
        return SlicePlan(**{name: session.value(f"slices.{name}") for name in session.specs("slices")})

    def _request(self) -> None:
        project = self.desk.session.project
        if project is None or not self.isVisible():
            return
        entry = next((v for v in project.volumes if v.class_name and not v.images), None)
        if entry is None:
            return
        plan = self._plan()
        key = repr((identity(project, entry), plan))
        if key != self._wanted:
            self._wanted = key
            work = lambda: read_slice(project, entry, plan, key)  # noqa: E731
            self.desk.tasks.request(self, "slice", work, self._landed, failed=self._failed)

    def _landed(self, seen: Seen) -> None:
        self._seen = seen
        self.picture.show_slice(seen.image, self._plan())
        self._say()

    def _failed(self, _error: MicrotomeError) -> None:
        self._seen = None  # why is said on the slices page, in the class's row
        self.picture.image = QImage()
        self.picture.update()
        self._say()

    def _say(self) -> None:
        if self.desk.session.project is None:
            return
        plan, facts = self._plan(), self._facts
        if facts is None:
            self.picture.show_share(None)
            self.words.setText(tr("counting the layers…"))
            self.remark.hide()
            return
        # Enlarged slices are seen through more pixels, so that a unit sees less of them.
        pixels = int(self.desk.session.value("transfer.image_size")) or plan.pixels
        share = facts.receptive_field / pixels
        reach, field = share * plan.field_of_view, length(plan.field_of_view, plan.unit)
        self.picture.show_share(share)
        if share >= 1:
            words = tr("Every unit before the head may see the whole slice: {field}.", field=field)
        else:
            words = tr("Sees {reach} of {field} at once.", reach=length(float(f"{reach:.3g}"), plan.unit), field=field)
        diameter = self._seen.diameter if self._seen is not None else None
        if diameter:
            shown = length(float(f"{diameter:.3g}"), plan.unit)
            words += " " + tr("Particle diameter: {size}.", size=shown)
        self.words.setText(words)
        small = bool(diameter) and diameter is not None and min(reach, plan.field_of_view) < _SMALL * diameter
        self.remark.setText(tr("That is less than {n} particles across: it sees particles, not how they lie.", n=int(_SMALL)))
        self.remark.setVisible(small)
