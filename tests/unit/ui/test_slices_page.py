"""The slices page: gallery, cage, coverage, trust, sets, cutting; what they say against what the image set holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from microtome.events import ImageSetReady, RunStarted
from microtome.session import Change
from microtome.slices.blocks.split import SETS
from microtome.slices.imageset import ImageSet, build
from microtome.slices.shelf import Kept
from microtome.store.project import Project
from microtome.store.run import RunFolder
from microtome.ui.pages.slices import SlicesPage
from microtome.ui.projects import new_project
from microtome.ui.slices_sources import Asked, sources
from microtome.ui.slices_space import layer, read_cage, read_coverage, tile_scene
from microtome.ui.theme import current
from microtome.ui.views.slices.gallery import GalleryRow, LiveGallery, set_colour
from microtome.ui.views.slices.slice_card import exported
from microtome.ui.window import MainWindow
from microtome.volumes.read import describe

LONG = 90_000
COLOURS = {"train": "#0000ff", "validation": "#ffaa00", "evaluation": "#ff0055"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two small volumes of unlike texture."""
    made = []
    for name, step in (("fine", 1), ("coarse", 4)):
        small = np.random.default_rng(step).integers(0, 255, (48 // step,) * 3, dtype=np.uint8)
        made.append(tmp_path / f"{name}.tif")
        tifffile.imwrite(made[-1], small.repeat(step, 0).repeat(step, 1).repeat(step, 2), photometric="minisblack")
    return made


@pytest.fixture
def project(window: MainWindow, files: list[Path], tmp_path: Path) -> Project:
    """Two classes, one volume each, with small slices; the second is of anisotropic voxels."""
    new_project(window.desk, tmp_path / "project")
    session = window.desk.session
    for path, size in zip(files, ((4.0, 4.0, 4.0), (8.0, 4.0, 4.0)), strict=True):
        session.add_volume(describe(path, voxel_size=size, unit="nm"), path.stem)
    for name, value in {
        "unit": "nm",
        "field_of_view": 40.0,
        "pixels": 10,
        "train": 30,
        "validation": 12,
        "evaluation": 12,
        "guard": 1.0,
    }.items():
        session.set_value(f"slices.{name}", value)
    window.desk.announce(Change.VOLUMES | Change.RECIPE)
    return session.need_project()


@pytest.fixture
def page(window: MainWindow, project: Project, qtbot: QtBot) -> SlicesPage:
    window.desk.open_page("slices")
    made = window.tabs.current()
    assert isinstance(made, SlicesPage)
    rest(made, qtbot)
    return made


def rest(page: SlicesPage, qtbot: QtBot) -> None:
    """Until nothing is read any more."""
    qtbot.waitUntil(lambda: not page.waiting and page.desk.tasks.pending() == 0, timeout=LONG)


def change(page: SlicesPage, name: str, value: object) -> None:
    page.desk.announce(page.desk.session.set_value(f"slices.{name}", value))


def kept(page: SlicesPage) -> list[Kept]:
    assert page.face is not None
    return page.face.sets.kept


def cut_set(page: SlicesPage) -> ImageSet:
    """Cut without a window what the page would cut."""
    recipe = page.desk.session.recipe()
    return build(recipe.classes, recipe.slices, page.desk.session.need_project().imagesets)


# --- the gallery


def test_the_gallery_follows_a_change_and_shows_the_set_of_each_slice(page: SlicesPage, qtbot: QtBot) -> None:
    assert [row.name for row in page.gallery.rows] == ["fine", "coarse"]
    assert [row.strips for row in page.gallery.rows] == [(*SETS, *SETS, "train", "validation")] * 2
    before = [t.values.copy() for t in page.read.tiles[0]]
    change(page, "pixels", 8)
    rest(page, qtbot)
    assert page.gallery.rows[1].images[0].width() == 8
    change(page, "pixels", 10)
    rest(page, qtbot)
    for old, tile in zip(before, page.read.tiles[0], strict=True):
        np.testing.assert_array_equal(old, tile.values)
    QTest.mouseClick(page.face.more, Qt.MouseButton.LeftButton)  # type: ignore[union-attr]
    rest(page, qtbot)
    assert not np.array_equal(before[0], page.read.tiles[0][0].values)


def test_what_a_quick_gallery_shows_is_cut_anew_from_the_right_blocks(page: SlicesPage, qtbot: QtBot) -> None:
    change(page, "field_of_view", 52.0)
    qtbot.waitUntil(lambda: page.read_plan == page.plan(), timeout=LONG)
    assert not page.read.settled, "first from the blocks of the plan before"
    rest(page, qtbot)
    assert page.read.settled
    recipe = page.desk.session.recipe()
    made = build(recipe.classes, recipe.slices, page.desk.session.need_project().imagesets)
    blocks = made.volumes[0]["blocks"]
    for tile in page.read.tiles[0]:
        assert tile.block == (tuple(blocks[tile.set_name]["low"]), tuple(blocks[tile.set_name]["high"]))


def test_a_class_that_cannot_be_cut_says_why_and_the_others_are_shown(page: SlicesPage, qtbot: QtBot) -> None:
    change(page, "field_of_view", 190.0)
    rest(page, qtbot)
    assert "larger than" in page.gallery.rows[0].problem
    face = page.face
    assert face is not None
    assert not face.cut.go.isEnabled()
    assert "cannot be cut" in face.trust.state.text() or page.gallery.rows[1].images
    change(page, "field_of_view", 40.0)
    rest(page, qtbot)
    assert not any(row.problem for row in page.gallery.rows)
    assert face.cut.go.isEnabled()


def test_tiles_are_chosen_by_mouse_and_keys(qtbot: QtBot) -> None:
    from microtome.ui.views.picture import as_image

    gallery = LiveGallery()
    qtbot.addWidget(gallery)
    images = tuple(as_image(np.full((8, 8), v, np.uint8)) for v in range(6))
    gallery.resize(260, 400)
    gallery.show_rows(
        [GalleryRow("a", images=images, strips=(*SETS, *SETS)), GalleryRow("b", problem="no"), GalleryRow("c", images=images)]
    )
    gallery.show()
    chosen: list[tuple[int, int]] = []
    gallery.chosen.connect(lambda r, i: chosen.append((r, i)))
    QTest.mouseClick(gallery, Qt.MouseButton.LeftButton, pos=gallery.tile_area(2, 4).center().toPoint())
    QTest.mouseClick(gallery, Qt.MouseButton.LeftButton, pos=QPoint(250, 2))
    assert chosen == [(2, 4)]
    QTest.keyClick(gallery, Qt.Key.Key_Right)
    columns = gallery.columns(260)
    for _ in range(4):
        QTest.keyClick(gallery, Qt.Key.Key_Down)
    QTest.keyClick(gallery, Qt.Key.Key_Right)
    QTest.keyClick(gallery, Qt.Key.Key_Return)
    assert chosen[-1][0] == 2
    assert chosen[-1][1] % columns == 1 or columns == 1
    picture = gallery.grab().toImage()
    area = gallery.tile_area(0, 1)
    assert picture.pixelColor(int(area.center().x()), int(area.bottom() - 1)) == QColor(set_colour("validation"))


def test_a_slice_is_seen_large_with_its_place_and_saved_to_scale(page: SlicesPage, tmp_path: Path, qtbot: QtBot) -> None:
    page.gallery.chosen.emit(1, 2)
    card = page.card
    assert card is not None
    tile = card.tile
    assert tile is not None
    assert (tile.class_name, tile.set_name, tile.pixel, tile.unit) == ("coarse", "evaluation", 4.0, "nm")
    scene = tile_scene(tile, "#ff0000")
    shown = scene.rectangles[0]
    np.testing.assert_allclose([np.linalg.norm(shown.down), np.linalg.norm(shown.right)], [40.0, 40.0])
    np.testing.assert_allclose(np.dot(shown.down, shown.right), 0, atol=1e-6)
    np.testing.assert_allclose(shown.centre, (tile.centre + 0.5) * tile.voxel)
    QTest.keyClick(card, Qt.Key.Key_Space)
    assert card.tile is page.read.tiles[1][3]
    path = tmp_path / "slice.tif"
    card.save(path)
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), page.read.tiles[1][3].values)
    saved = describe(path)
    assert (saved.voxel_size or saved.pixel_size or ())[-2:] == pytest.approx((4.0, 4.0))
    assert exported(tile).words["set"] == "evaluation"
    card.save(tmp_path / "slice.png")
    assert (tmp_path / "slice.png").stat().st_size > 100


# --- planes and voxels


def asked_of(page: SlicesPage) -> Asked:
    return page.asked()


def test_the_cage_holds_the_planes_that_are_cut(page: SlicesPage) -> None:
    made, asked = cut_set(page), asked_of(page)
    for label in range(len(asked.classes)):
        source = sources(asked, label)[0]
        cage = read_cage(asked, source, COLOURS)
        voxel = np.asarray(made.volumes[label]["voxel_size"])
        np.testing.assert_allclose(cage.box, voxel * made.volumes[label]["shape"])
        for k, name in enumerate(SETS):
            mine = (made.labels == label) & (made.sets == k)
            centres = np.array([p.centre for p in cage.planes[name]])
            np.testing.assert_allclose(centres, (made.poses.centres[mine] + 0.5) * voxel, atol=1e-3)
            edges = np.array([[p.down, p.right] for p in cage.planes[name]])
            np.testing.assert_allclose(edges, made.poses.axes[mine] * 40.0, atol=1e-3)
        assert cage.counts == {"train": 30, "validation": 12, "evaluation": 12}
        few = cage.scene(frozenset({"train", "evaluation"}), most=5, blocks=True)
        assert len(few.rectangles) == 2 * 5 + 2 * 6
        assert {p.colour for p in few.rectangles} == {"#0000ff", "#ff0055"}
        corners = np.array([np.add(p.corner, p.down) for p in cage.blocks["train"]])
        assert corners.min() >= 0
        assert (corners <= np.asarray(cage.box) + 1e-9).all()


def test_coverage_names_the_shares_and_colours_the_layers(page: SlicesPage) -> None:
    asked = asked_of(page)
    source = sources(asked, 0)[0]
    found = read_coverage(asked, source, lambda: False)
    assert found is not None
    assert found.coverage.cell == 1
    assert found.coverage.shared() == 0
    for name in SETS:
        whole, block = found.shares[name]
        assert 0 < whole < block <= 1
    rgb = {"train": (0, 0, 255), "validation": (255, 170, 0), "evaluation": (255, 0, 0)}
    for axis in range(3):
        picture = layer(found, axis, None, rgb)
        shape = [n for a, n in enumerate(found.coverage.counts.shape[1:]) if a != axis]
        assert picture.shape == (*shape, 3)
    one = layer(found, 0, 12, rgb)
    read = found.coverage.counts[0, 12] > 0
    assert read.any()
    assert (one[read][:, 2] > one[read][:, 0]).all(), "blue where training slices read"
    nothing = ~(found.coverage.counts[:, 12] > 0).any(axis=0)
    assert (np.ptp(one[nothing].astype(int), axis=1) == 0).all(), "grey where nothing is read"
    assert read_coverage(asked, source, lambda: True) is None


def test_views_read_only_while_they_are_seen(page: SlicesPage, qtbot: QtBot) -> None:
    face = page.face
    assert face is not None
    assert face.cage.found is None
    assert face.coverage.found is None
    face.tabs.setCurrentWidget(face.cage)
    qtbot.waitUntil(lambda: face.cage.found is not None, timeout=LONG)
    scene = face.cage.canvas.scene
    assert scene is not None
    assert len(scene.rectangles) == 54 + 18
    face.cage.buttons["train"].setChecked(False)
    assert face.cage.canvas.scene is not None
    assert len(face.cage.canvas.scene.rectangles) == 24 + 12
    face.cage.choice.setCurrentIndex(1)
    face.cage.choice.activated.emit(1)
    qtbot.waitUntil(lambda: face.cage.found is not None and face.cage.found.source.label == 1, timeout=LONG)
    face.tabs.setCurrentWidget(face.coverage)
    qtbot.waitUntil(lambda: face.coverage.found is not None, timeout=LONG)
    assert "No voxel is read by two sets" in face.coverage.words.text()
    assert face.coverage.shares.text().count("■") == 3
    face.coverage.every.setChecked(True)
    assert not face.coverage.slider.isEnabled()


# --- what it would be


def test_the_outlook_knows_the_set_before_it_is_cut(page: SlicesPage, qtbot: QtBot) -> None:
    look = page.look
    assert look is not None
    made = cut_set(page)
    assert look.hash == made.hash
    assert look.seconds is not None and look.seconds > 0
    assert [name for name, _ in look.separation] == ["fine", "coarse"]
    change(page, "seed", 5)
    rest(page, qtbot)
    assert page.look is not None
    assert page.look.hash != made.hash
    assert page.face is not None
    assert page.face.cut.go.text() == "Cut now"
    change(page, "seed", 0)
    rest(page, qtbot)
    assert page.face.cut.go.text() == "Cut already"
    assert page.trusted is not None
    assert not page.trusted.previewed
    assert page.trusted.leak == made.leak
    assert page.face.trust.meter.verdict == made.leak["verdict"]


@pytest.fixture
def micrographs(window: MainWindow, tmp_path: Path) -> Project:
    """Two classes of six images each, of unlike widths, with bright data bars at the bottom."""
    new_project(window.desk, tmp_path / "images")
    session = window.desk.session
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(6):
            image = rng.integers(0, 200, (80, 72 + i), dtype=np.uint8)
            image[64:] = 255
            tifffile.imwrite(tmp_path / name / f"{i}.tif", image)
        session.add_volume(describe(tmp_path / name), name)
    assert all(v.images for v in session.need_project().volumes), "images of unlike sizes are no stack"
    for key, value in {"field_of_view": 16.0, "pixels": 16, "train": 8, "validation": 4, "evaluation": 4}.items():
        session.set_value(f"slices.{key}", value)
    session.set_value("slices.normalisation", "none")
    session.set_value("micrographs.data_bar", 16)
    window.desk.announce(Change.VOLUMES | Change.RECIPE)
    return session.need_project()


@pytest.mark.parametrize("fit", ["cut", "tile", "resize"])
def test_micrographs_are_shown_as_the_set_will_hold_them(
    window: MainWindow, micrographs: Project, fit: str, qtbot: QtBot
) -> None:
    desk = window.desk
    desk.session.set_value("micrographs.fit", fit)
    if fit == "resize":
        desk.session.set_value("micrographs.shares", "60/20/20")
    desk.open_page("slices")
    page = window.tabs.current()
    assert isinstance(page, SlicesPage)
    rest(page, qtbot)
    face = page.face
    assert face is not None
    assert face.images.isVisible()
    assert [row.problem for row in page.gallery.rows] == ["", ""]
    values = np.stack([t.values for tiles in page.read.tiles for t in tiles])
    assert values.max() < 200, "the data bar is left out"
    assert len({t.source.name for t in page.read.tiles[0]}) > 3
    recipe = desk.session.recipe()
    made = build(recipe.classes, recipe.slices, micrographs.imagesets)
    assert page.look is not None
    assert (page.look.hash, page.look.images) == (made.hash, len(made))
    assert page.look.arranged == (fit != "cut")
    if fit != "cut":
        assert page.trusted is not None
        assert page.trusted.leak is None
        assert "when the images are cut" in face.trust.state.text()
        every = {image.tobytes() for image in made.images}
        if fit == "tile":
            assert all(t.values.tobytes() in every for t in page.read.tiles[0]), "tiles of the set itself"


def test_a_planted_shortcut_is_said_before_training(page: SlicesPage, qtbot: QtBot) -> None:
    change(page, "normalisation", "none")
    session = page.desk.session
    entry = session.need_project().volumes[1]
    bright = Path(entry.path).with_name("bright.tif")
    tifffile.imwrite(bright, np.clip(tifffile.imread(entry.path).astype(float) / 2 + 120, 0, 255).astype(np.uint8))
    page.desk.announce(session.change_volume(entry.id, path=str(bright)))
    rest(page, qtbot)
    assert page.trusted is not None
    strengths = {c["cue"]: c["strength"] for c in page.trusted.shortcuts}
    assert strengths["mean"] == "strong"
    assert page.face is not None
    assert page.face.trust.audit.cues == page.trusted.shortcuts
    from PySide6.QtWidgets import QLabel

    words = " ".join(w.text() for w in page.face.makes.findChildren(QLabel))
    assert "A shortcut tells the classes" in words


# --- sets


def test_sets_are_listed_with_their_runs_and_deleted(page: SlicesPage, qtbot: QtBot) -> None:
    made = cut_set(page)
    run = RunFolder.create(page.desk.session.need_project().runs_dir, name="train", info={"kind": "train"}, recipe_toml="")
    with run.writer() as journal:
        journal.append(RunStarted(run=run.name, kind="train", classes=("fine", "coarse"), trials=1, epochs=1, pid=1))
        journal.append(ImageSetReady(hash=made.hash, counts=made.counts(), pixel_size=4.0, unit="nm"))
    page.desk.announce(Change.RUNS)
    rest(page, qtbot)
    face = page.face
    assert face is not None
    qtbot.waitUntil(lambda: [k.hash for k in kept(page)] == [made.hash], timeout=LONG)
    qtbot.waitUntil(lambda: face.sets.used_by(kept(page)[0]) == [run.name], timeout=LONG)
    face.sets.delete(kept(page)[0])
    qtbot.waitUntil(lambda: kept(page) == [], timeout=LONG)
    assert not made.path.exists()


@pytest.mark.parametrize("name", ["tiff", "npz"])
def test_a_set_is_exported_in_the_background(page: SlicesPage, tmp_path: Path, name: str, qtbot: QtBot) -> None:
    made = cut_set(page)
    page.desk.announce(Change.RUNS)
    qtbot.waitUntil(lambda: bool(kept(page)), timeout=LONG)
    face = page.face
    assert face is not None
    face.sets.export(kept(page)[0], tmp_path / "out", name)
    qtbot.waitUntil(lambda: any("exported" in m.text for m in page.desk.messages), timeout=LONG)
    if name == "npz":
        with np.load(tmp_path / "out" / "images.npz") as data:
            np.testing.assert_array_equal(data["images"], made.images)
    else:
        assert len(list((tmp_path / "out").rglob("*.tif"))) == len(made)


def test_set_colours_are_those_of_the_theme() -> None:
    assert [set_colour(s) for s in SETS] == list(current().sets)


def test_reading_a_page_needs_no_project(window: MainWindow, idle: Callable[[MainWindow], None]) -> None:
    window.desk.open_page("slices")
    idle(window)
    page = window.tabs.current()
    assert isinstance(page, SlicesPage)
    assert page.face is None
    assert not page.waiting
