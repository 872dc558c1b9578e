"""Slices before and after the augmentations that are chosen: what the network will see, drawn anew by a button."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.slices.plan import SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.training.spec import TrainingSpec, augmentation_list
from microtome.ui.channels import channels_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.opened import identity, member, opened
from microtome.ui.sentences import said
from microtome.ui.theme import GRID
from microtome.ui.views.picture import as_image, grey_levels, levels_of
from microtome.ui.views.slices.gallery import Gallery, GalleryRow
from microtome.ui.widgets import button, column, label, row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from microtome.volumes.volume import Volume

_QUIET_MS = 200
_TILES = 5
_CLASSES = 6  # that are shown: more would be scrolled past


@dataclass(frozen=True)
class Cut:
    """Slices as they are cut, by class; `key` is what they depend on."""

    key: str
    classes: tuple[str, ...]
    images: tuple[NDArray[np.float32], ...]  # a class's (n, h, w); none of one that cannot be cut
    problems: dict[str, str] = field(default_factory=dict)  # class → why it cannot be cut


@dataclass(frozen=True)
class PreviewRequest:
    """What is to be seen: classes with their volumes, the plan, the augmentations, and the seed of their random numbers."""

    project: Project
    classes: tuple[tuple[str, tuple[VolumeEntry, ...]], ...]
    plan: SlicePlan
    training: TrainingSpec
    seed: int
    cut: Cut | None  # of the request before: the slices stay where only an augmentation was changed
    channels: int = 1  # 3: in colour

    @property
    def key(self) -> str:
        """What the slices depend on, before they are augmented."""
        volumes = [(name, [identity(self.project, entry) for entry in entries]) for name, entries in self.classes]
        return repr((volumes, self.plan, self.channels))


@dataclass(frozen=True)
class PreviewRead:
    """The rows to show, two a class, and the slices that they were made of."""

    rows: tuple[GalleryRow, ...]
    cut: Cut


def read_preview(request: PreviewRequest) -> PreviewRead:
    """Cut and augment (in a background thread); a class that cannot be cut says why in its row."""
    cut = request.cut if request.cut is not None and request.cut.key == request.key else _cut(request)
    augmented, mixed = _augmented(cut, request.training, request.seed)
    rows: list[GalleryRow] = []
    place = 0
    for index, (name, images) in enumerate(zip(cut.classes, cut.images, strict=True)):
        if name in cut.problems:
            rows.append(GalleryRow(name=name, problem=cut.problems[name], colour=index))
            continue
        # Both under the contrast of what was cut: brighter is to look brighter.
        levels = levels_of(images.reshape(-1, images.shape[-1]), 0.5, 99.5)
        before = tuple(as_image(grey_levels(image, levels)) for image in images)
        shown = augmented[place : place + len(images)]
        after = tuple(as_image(grey_levels(image, levels)) for image in shown)
        place += len(images)
        words = tr("augmented; the labels are mixed as well") if mixed else tr("augmented")
        rows.append(GalleryRow(name=name, caption=tr("as cut"), images=before, colour=index))
        rows.append(GalleryRow(name=name, caption=words, images=after, colour=index))
    return PreviewRead(tuple(rows), cut)


def _cut(request: PreviewRequest) -> Cut:
    from microtome.slices.source import preview

    images: list[NDArray[np.float32]] = []
    problems: dict[str, str] = {}
    shape = (*([request.channels] if request.channels > 1 else []), request.plan.pixels, request.plan.pixels)
    for name, entries in request.classes:
        try:
            volume = _first(request, entries[0])
            images.append(preview(volume, request.plan, n=_TILES, seed=request.plan.seed).images)
        except MicrotomeError as error:
            problems[name] = said(error)
            images.append(np.empty((0, *shape), dtype=np.float32))
    return Cut(request.key, tuple(name for name, _ in request.classes), tuple(images), problems)


def _first(request: PreviewRequest, entry: VolumeEntry) -> Volume:
    """An entry's volume, or its first image, with its colours where the slices will have them."""
    if not entry.images or request.channels == 1:
        return opened(request.project, entry)
    return replace(member(request.project, entry), colour=True).open()


def _augmented(cut: Cut, training: TrainingSpec, seed: int) -> tuple[NDArray[np.float32], bool]:
    """All slices (n, h, w) of all classes as one batch of a training, and whether their labels are mixed."""
    from microtome.training.augment import augmented

    images = np.concatenate(cut.images)
    if len(images) == 0:
        return images, False
    labels = np.repeat(np.arange(len(cut.images)), [len(part) for part in cut.images])
    return augmented(images, labels, training, seed=seed)


class AugmentPreview(QWidget):
    """Two rows of pictures a class, for as long as augmentations are chosen; nothing is cut while it is not seen."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.seed = 0
        self.gallery = Gallery()
        self.state = label("", "muted")
        self.other = button(tr("Other random numbers"), self.draw_again, kind="small", icon_name="refresh")
        self.other.setToolTip(tr("The same slices, augmented in another way"))
        self._cut: Cut | None = None
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._request)
        head = row(label(tr("Before and after"), "section"), self.state, None, self.other, gap=GRID)
        self.setLayout(column(head, self.gallery, None, gap=GRID))

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds, once the typing pauses."""
        if change & (Change.PROJECT | Change.VOLUMES):
            self._cut = None
        if change & (Change.PROJECT | Change.VOLUMES | Change.RECIPE):
            self._quiet.start()

    def draw_again(self) -> None:
        """The same slices under other random numbers."""
        self.seed += 1
        self._request()

    def showEvent(self, event: QShowEvent) -> None:
        """Seen for the first time, or again."""
        super().showEvent(event)
        self._quiet.start()

    def _request(self) -> None:
        session = self.desk.session
        if session.project is None or not session.augmentations() or not self.isVisible():
            return
        names = session.classes()[:_CLASSES]
        groups = tuple((n, tuple(v for v in session.project.volumes if v.class_name == n)) for n in names)
        plan = SlicePlan(**{name: session.value(f"slices.{name}") for name in session.specs("slices")})
        training = TrainingSpec(
            symmetries=session.value("training.symmetries"), augmentations=augmentation_list(session.augmentations())
        )
        request = PreviewRequest(session.project, groups, plan, training, self.seed, self._cut, channels_of(session))
        self.state.setText(tr("cutting…"))
        self.desk.tasks.request(self, "augmented", lambda: read_preview(request), self._landed, failed=self._failed)

    def _landed(self, read: PreviewRead) -> None:
        self._cut = read.cut
        self.state.setText(tr("random numbers {seed}", seed=self.seed))
        self.gallery.show_rows(list(read.rows))

    def _failed(self, error: MicrotomeError) -> None:
        self.state.setText("")
        self.desk.report(error)
