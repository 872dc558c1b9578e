"""Making and opening projects from the window: what is open is kept first, then everything is announced."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from microtome.paths import default_projects_dir
from microtome.session import Change
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr

#: The sample: three dispersions that differ in nothing but how the particles lie.
SAMPLE = ("m-sbr", "n-sbr", "rnd")
SAMPLE_VOXEL_NM = 4.0


def open_project(desk: Desk, path: Path) -> bool:
    """Open an existing project; False (and a toast) where it is none."""
    desk.leaving.emit()
    return desk.perform(lambda: desk.session.open_project(path)) is not None


def new_project(desk: Desk, path: Path) -> bool:
    """Make a project; False (and a toast) where the folder cannot be written."""
    desk.leaving.emit()
    return desk.perform(lambda: desk.session.new_project(path)) is not None


def free_folder(name: str) -> Path:
    """A folder for a new project that does not exist yet."""
    for number in range(1, 1000):
        path = default_projects_dir() / (name if number == 1 else f"{name} {number}")
        if not path.exists():
            return path
    return default_projects_dir() / f"{name} {time.time():.0f}"


def dated_folder() -> Path:
    """Where a project is made when something is dropped and none is open."""
    return free_folder(time.strftime("%Y-%m-%d"))


def ask_new(desk: Desk, parent: QWidget) -> None:
    """Ask for a folder and make a project there."""
    default_projects_dir().mkdir(parents=True, exist_ok=True)
    path, _ = QFileDialog.getSaveFileName(parent, tr("New project: choose a folder name"), str(dated_folder()))
    if path:
        new_project(desk, Path(path))


def ask_open(desk: Desk, parent: QWidget) -> None:
    """Ask for a project folder and open it."""
    path = QFileDialog.getExistingDirectory(parent, tr("Open a project folder"), str(default_projects_dir()))
    if path:
        open_project(desk, Path(path))


def open_sample(desk: Desk, path: Path | None = None) -> bool:
    """Make a project of the simulated structures, one a class; nothing is downloaded."""
    project = desk.session.project
    if (project is None or project.volumes) and not new_project(desk, path or free_folder(tr("Sample"))):
        return False
    if desk.session.classes():
        return True

    def add() -> Change:
        for seed, kind in enumerate(SAMPLE, start=1):
            # One voxel size for all: the pixel size must not tell the classes apart.
            desk.session.add_simulated(kind, seed=seed, class_name=kind, parameters={"voxel_size": SAMPLE_VOXEL_NM})
        return Change.VOLUMES

    return desk.perform(add) is not None
