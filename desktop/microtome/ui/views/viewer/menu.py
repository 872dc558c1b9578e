"""What can be copied and saved of a viewer: its picture, the slice in the file's numbers, the oblique slice to scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QPoint
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.icons import icon
from microtome.ui.viewing import PLANES, ObliqueRead, ObliqueRequest, SliceRead, SliceRequest, read_oblique, read_slice
from microtome.ui.views.pose import NAMED
from microtome.ui.views.viewer.slice_export import Exported, back_to, save_png, save_tiff, screenshot
from microtome.ui.views.viewer.slice_view import PictureView

Request = SliceRequest | ObliqueRequest


class ViewerMenu(QObject):
    """The menu of one view. `request()` names the slice that is shown, or None while there is none."""

    def __init__(self, desk: Desk, view: PictureView, request: Callable[[], Request | None]) -> None:
        super().__init__(view)
        self.desk, self.view, self.request = desk, view, request

    def menu(self, parent: QWidget) -> QMenu:
        """The menu, made anew each time it opens."""
        made = QMenu(parent)
        made.addAction(icon("copy"), tr("Copy picture")).triggered.connect(self.copy_picture)
        made.addAction(tr("Save picture as PNG…")).triggered.connect(self._ask_png)
        made.addSeparator()
        oblique = isinstance(self.request(), ObliqueRequest)
        words = tr("Save slice as TIFF (as in the file)…") if oblique else tr("Save slice as TIFF…")
        made.addAction(words).triggered.connect(lambda: self._ask_tiff(as_float=False))
        if oblique:
            made.addAction(tr("Save slice as TIFF (32-bit float)…")).triggered.connect(lambda: self._ask_tiff(as_float=True))
        for action in made.actions():
            action.setEnabled(self.view.picture is not None)
        return made

    def open(self, where: QPoint) -> None:
        """Show the menu at a point of the screen."""
        self.menu(self.view).popup(where)

    def copy_picture(self) -> None:
        """Put what is seen, with its scale bar, on the clipboard."""
        image = self.desk.perform(lambda: screenshot(self.view))
        if isinstance(image, QImage):
            QGuiApplication.clipboard().setImage(image)
            self.desk.say(tr("The picture is on the clipboard."), level="good")

    def _ask_png(self) -> None:
        path = self._ask(".png", "PNG")
        if path is not None:
            self.save_picture(path)

    def save_picture(self, path: Path) -> None:
        """Save what is seen as PNG."""

        def work() -> bool:
            save_png(screenshot(self.view), path)
            return True

        if self.desk.perform(work):
            self.desk.say(tr("Saved {path}", path=path), level="good")

    def _ask_tiff(self, *, as_float: bool) -> None:
        path = self._ask(".tif", "TIFF")
        if path is not None:
            self.save_slice(path, as_float=as_float)

    def _ask(self, suffix: str, kind: str) -> Path | None:
        request = self.request()
        if request is None:
            return None
        name = f"{Path(request.entry.name).stem}-{_place_words(request)}{suffix}"
        chosen, _ = QFileDialog.getSaveFileName(self.view, tr("Save as"), name, f"{kind} (*{suffix})")
        if not chosen:
            return None
        return Path(chosen) if Path(chosen).suffix else Path(chosen + suffix)

    def save_slice(self, path: Path, *, as_float: bool = False) -> None:
        """Read the slice once more, as a whole, and save it in the background."""
        request = self.request()
        if request is None:
            return

        def work() -> Path:
            save_tiff(export_of(request, as_float=as_float), path)
            return path

        self.desk.tasks.request(self, "save", work, lambda p: self.desk.say(tr("Saved {path}", path=p), level="good"))


def _place_words(request: Request) -> str:
    if isinstance(request, ObliqueRequest):
        return "oblique"
    return f"{request.plane}-{(request.index or 0) + 1}"


def export_of(request: Request, *, as_float: bool = False) -> Exported:
    """Read a slice as it is saved: whole, with its pose in words (in a background thread)."""
    if isinstance(request, ObliqueRequest):
        read = read_oblique(replace(request, coarse=False, whole=True))
        return _oblique(read, request.entry.name, as_float=as_float)
    found = read_slice(replace(request, fine=True, have=None, display=None))
    assert found is not None, "nothing supersedes a slice that is saved"
    return _plane(found, request)


def _plane(read: SliceRead, request: SliceRequest) -> Exported:
    axis, facts = PLANES.index(request.plane), read.facts
    words = {"source": request.entry.name, "plane": request.plane, "index": str(read.index)}
    if not request.entry.images:
        centre = [(n - 1) / 2 * s for n, s in zip(facts.shape, facts.sizes, strict=True)]
        centre[axis] = read.index * facts.sizes[axis]
        words |= _pose_words(centre, NAMED[request.plane].normal.tolist(), facts.length_unit)
    return Exported(read.picture.voxels, read.picture.pixel, facts.length_unit, words)


def _oblique(read: ObliqueRead, name: str, *, as_float: bool) -> Exported:
    facts, pose = read.facts, read.pose
    middle = [(n - 1) / 2 * s for n, s in zip(facts.shape, facts.sizes, strict=True)]
    words = {"source": name, "plane": "oblique"}
    words |= _pose_words([m + c for m, c in zip(middle, read.centre, strict=True)], pose.normal.tolist(), facts.length_unit)
    words["down (z, y, x)"] = _numbers(pose.axes[0].tolist())
    words["right (z, y, x)"] = _numbers(pose.axes[1].tolist())
    voxels = read.picture.voxels if as_float else back_to(read.picture.voxels, facts.dtype)
    return Exported(voxels, (read.pixel, read.pixel), facts.length_unit, words)


def _pose_words(centre: list[float], normal: list[float], unit: str) -> dict[str, str]:
    """The centre counts from the middle of the first voxel."""
    return {f"centre (z, y, x) / {unit}": _numbers(centre), "normal (z, y, x)": _numbers(normal)}


def _numbers(values: list[float]) -> str:
    return " ".join(f"{v + 0.0:.9g}" for v in values)
