"""Augmentations on the training page: chosen, set, ordered, searched, and seen before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QToolButton
from pytestqt.qtbot import QtBot

from microtome.registry import registry
from microtome.session import Change
from microtome.slices.plan import SlicePlan
from microtome.training.spec import TrainingSpec, augmentation_list
from microtome.ui.pages.optimise import OptimisePage
from microtome.ui.pages.training import TrainingSetupPage
from microtome.ui.projects import new_project
from microtome.ui.views.training.augment_chooser import AugmentChooser
from microtome.ui.views.training.augment_preview import PreviewRequest, read_preview
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

Idle = Callable[[MainWindow], None]
LONG = 60_000


@pytest.fixture
def chooser(window: MainWindow, tmp_path: Path) -> AugmentChooser:
    """That of the training page of a project with two classes, one brighter than the other."""
    new_project(window.desk, tmp_path / "project")
    session = window.desk.session
    for name, level in (("A", 60), ("B", 160)):
        path = tmp_path / f"{name}.tif"
        noise = np.random.default_rng(level).integers(-40, 40, (40, 40, 40))
        tifffile.imwrite(path, (level + noise).astype(np.uint8), photometric="minisblack")
        session.add_volume(describe(path), name)
    session.set_value("slices.field_of_view", 12.0)
    session.set_value("slices.pixels", 12)
    window.desk.announce(Change.ALL)
    window.desk.open_page("train")
    page = window.findChild(TrainingSetupPage)
    assert isinstance(page, TrainingSetupPage) and page.face is not None
    return page.face.augmentations


def request(chooser: AugmentChooser, *names: str, seed: int = 0) -> PreviewRequest:
    session = chooser.desk.session
    project = session.need_project()
    groups = tuple((c, tuple(v for v in project.volumes if v.class_name == c)) for c in session.classes())
    training = TrainingSpec(symmetries=False, augmentations=augmentation_list(names))
    return PreviewRequest(project, groups, SlicePlan(field_of_view=12, pixels=12), training, seed, None)


def pixels(image: QImage) -> bytes:
    return bytes(image.constBits())


def tool(chooser: AugmentChooser, tip: str, place: int = 0) -> QToolButton:
    return [b for b in chooser.findChildren(QToolButton) if b.toolTip() == tip and not b.isHidden()][place]


def test_none_is_chosen_and_nothing_is_cut_at_first(chooser: AugmentChooser) -> None:
    assert chooser.names == ()
    assert chooser.preview.isHidden()
    offered = {action.text() for action in chooser.menu().actions() if not action.isSeparator()}
    known = {p.label for p in registry().of_kind("augmentation") if p.name != "symmetries"}
    assert offered == known


def test_one_is_added_set_and_removed(chooser: AugmentChooser, qtbot: QtBot) -> None:
    session = chooser.desk.session
    action = next(a for a in chooser.menu().actions() if a.text() == "Shot noise")
    action.trigger()
    assert session.augmentations() == [{"name": "shot-noise"}]
    assert "Shot noise" not in [a.text() for a in chooser.menu().actions()]
    row = chooser.forms["shot-noise"].rows["shot-noise.dose"]
    row.editor.edited.emit(20.0)
    assert session.augmentations() == [{"name": "shot-noise", "dose": 20.0}]
    row.editor.edited.emit(0.1)
    assert list(chooser.problems()) == ["shot-noise.dose"]
    assert "Dose is 0.1 counts; it must be at least 0.5" in row.problem.text()
    row.editor.edited.emit(30.0)
    assert chooser.problems() == {}
    tool(chooser, "Remove this augmentation").click()
    assert session.augmentations() == []
    assert chooser.forms == {}


def test_a_wrong_setting_keeps_the_training_from_starting(chooser: AugmentChooser, window: MainWindow) -> None:
    page = window.findChild(TrainingSetupPage)
    assert isinstance(page, TrainingSetupPage) and page.face is not None
    chooser.choose(("blur",))
    chooser.forms["blur"].rows["blur.sigma"].editor.edited.emit(-1.0)
    assert not page.face.start_button.isEnabled()
    chooser.forms["blur"].rows["blur.sigma"].editor.edited.emit(2.0)
    assert page.face.start_button.isEnabled()


def test_their_order_is_changed_and_settings_go_along(chooser: AugmentChooser) -> None:
    session = chooser.desk.session
    chooser.choose(("blur", "gamma", "cutout"))
    session.set_value("augmentation.gamma.factor", 2.0)
    tool(chooser, "Earlier", 2).click()
    assert session.augmentations() == [{"name": "blur"}, {"name": "cutout"}, {"name": "gamma", "factor": 2.0}]
    assert [tool(chooser, "Earlier", i).isEnabled() for i in range(3)] == [False, True, True]
    assert [tool(chooser, "Later", i).isEnabled() for i in range(3)] == [True, True, False]


def test_a_setting_is_ticked_for_a_search_and_seen_there(chooser: AugmentChooser, window: MainWindow) -> None:
    chooser.choose(("shot-noise",))
    tick = chooser.forms["shot-noise"].rows["shot-noise.dose"].tick
    assert tick is not None
    tick.click()
    window.desk.open_page("optimise")
    page = window.findChild(OptimisePage)
    assert isinstance(page, OptimisePage)
    assert list(page.rows) == ["augmentation.shot-noise.dose"]
    menu = page.menu(page.start_button)
    assert "Shot noise: Spread" in [a.text() for section in menu.findChildren(QMenu) for a in section.actions()]
    chooser.choose(())
    assert list(page.rows) == []


def test_slices_are_seen_before_and_after(chooser: AugmentChooser, window: MainWindow, qtbot: QtBot) -> None:
    """Of every class, the same ones under the same seed, other ones by the button, the slices themselves staying."""
    preview = chooser.preview
    chooser.choose(("gaussian-noise",))
    qtbot.waitUntil(lambda: len(preview.gallery.rows) == 4, timeout=LONG)
    rows = preview.gallery.rows
    assert [(r.name, r.caption) for r in rows] == [("A", "as cut"), ("A", "augmented"), ("B", "as cut"), ("B", "augmented")]
    first = [[pixels(i) for i in r.images] for r in rows]
    assert all(a != b for a, b in zip(first[0], first[1], strict=True))
    preview.draw_again()
    qtbot.waitUntil(lambda: preview.state.text() == "random numbers 1", timeout=LONG)
    second = [[pixels(i) for i in r.images] for r in preview.gallery.rows]
    assert (second[0], second[2]) == (first[0], first[2])
    assert second[1] != first[1]
    preview.grab()


def test_the_seed_determines_what_is_seen(chooser: AugmentChooser) -> None:
    one, same, other = (read_preview(request(chooser, "shot-noise", "rotation", seed=s)) for s in (3, 3, 4))
    looks = [[pixels(i) for r in read.rows for i in r.images] for read in (one, same, other)]
    assert looks[0] == looks[1] != looks[2]


def test_no_augmentation_shows_slices_as_they_are(chooser: AugmentChooser) -> None:
    rows = read_preview(request(chooser)).rows
    assert [pixels(i) for i in rows[0].images] == [pixels(i) for i in rows[1].images]


def test_mixing_is_said_and_comes_from_all_classes(chooser: AugmentChooser) -> None:
    rows = read_preview(request(chooser, "cutmix")).rows
    assert rows[1].caption == "augmented; the labels are mixed as well"


def test_a_class_that_cannot_be_cut_says_why(chooser: AugmentChooser) -> None:
    session = chooser.desk.session
    Path(session.need_project().volumes[0].path).unlink(missing_ok=True)
    (session.need_project().path.parent / "A.tif").unlink(missing_ok=True)
    rows = read_preview(request(chooser, "blur")).rows
    assert [bool(r.problem) for r in rows] == [True, False, False]
    assert "A.tif" in rows[0].problem


def test_a_trial_of_a_search_brings_its_augmentations_back(chooser: AugmentChooser) -> None:
    chooser.choose(("blur", "gamma"))
    chooser.desk.perform(lambda: chooser.desk.session.adopt({"augmentation.gamma.factor": 2.0, "training.epochs": 3}))
    assert chooser.desk.session.augmentations() == [{"name": "blur"}, {"name": "gamma", "factor": 2.0}]
