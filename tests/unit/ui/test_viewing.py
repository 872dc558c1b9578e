"""What the viewer reads: planes and oblique slices of volumes of any shape, coarse and fine, and their grey values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtGui import QColor

from microtome.errors import FileError, InputError
from microtome.session import Session
from microtome.store.project import Project, VolumeEntry
from microtome.ui import opened, viewing
from microtome.ui.viewing import (
    Look,
    ObliqueRequest,
    SliceRequest,
    read_oblique,
    read_slice,
    read_statistics,
    statistics_of,
)
from microtome.ui.views.pose import NAMED, Pose
from microtome.ui.views.viewer.wiring import about_images, image_place_words
from microtome.volumes.read import describe

Add = Callable[..., tuple[Project, VolumeEntry]]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Puts an array into a project as a file."""
    session = Session()
    session.new_project(tmp_path / "project")

    def make(
        voxels: NDArray[np.generic], size: tuple[float, float, float] | None = None, name: str = "a"
    ) -> tuple[Project, VolumeEntry]:
        np.save(tmp_path / f"{name}.npy", voxels)
        session.add_volume(describe(tmp_path / f"{name}.npy"))
        entry = session.need_project().volumes[-1]
        if size is not None:
            session.change_volume(entry.id, voxel_size=size, unit="nm")
        return session.need_project(), session.volume(entry.id)

    opened.forget()
    return make


def grid(shape: tuple[int, int, int]) -> NDArray[np.uint16]:
    z, y, x = np.indices(shape)
    return (z * 2000 + y * 40 + x).astype(np.uint16)


def test_the_middle_slice_of_each_plane_is_read_as_it_is(add: Add) -> None:
    voxels = grid((7, 12, 9))
    project, entry = add(voxels, (10.0, 4.0, 2.0))
    for axis, plane in enumerate(("xy", "xz", "yz")):
        read = read_slice(SliceRequest(project=project, entry=entry, plane=plane))
        assert read is not None and not read.coarse
        assert read.picture.voxels.tolist() == np.take(voxels, voxels.shape[axis] // 2, axis).tolist()
        assert read.picture.voxels.dtype == np.uint16
        assert read.picture.pixel == tuple(np.delete([10.0, 4.0, 2.0], axis))
        assert read.picture.extent == read.facts.extent(plane)
    far = read_slice(SliceRequest(project=project, entry=entry, index=99))
    assert far is not None and far.index == 6


def test_a_slow_plane_is_read_coarsely_first_and_in_pieces_then(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = grid((40, 30, 35))
    project, entry = add(voxels)
    monkeypatch.setattr(viewing, "_BUDGET", 20_000)
    monkeypatch.setattr(viewing, "_BLOCK", 8_000)
    for plane, axis in (("xz", 1), ("yz", 2)):
        coarse = read_slice(SliceRequest(project=project, entry=entry, plane=plane))
        assert coarse is not None and coarse.coarse
        down, right = coarse.picture.stride
        whole = np.take(voxels, voxels.shape[axis] // 2, axis)
        assert max(down, right) > 1
        assert coarse.picture.voxels.tolist() == whole[::down, ::right].tolist()
        assert coarse.picture.shape == whole.shape
        fine = read_slice(SliceRequest(project=project, entry=entry, plane=plane, fine=True, have=coarse))
        assert fine is not None and fine.picture.voxels.tolist() == whole.tolist()
        superseded = read_slice(SliceRequest(project=project, entry=entry, plane=plane, index=3, fine=True), lambda: True)
        assert superseded is None


def test_another_contrast_needs_no_other_reading(add: Add) -> None:
    project, entry = add(grid((5, 6, 7)))
    first = read_slice(SliceRequest(project=project, entry=entry))
    look = Look(levels=(0.0, 10.0), colours="magma", inverted=True)
    again = read_slice(SliceRequest(project=project, entry=entry, look=look, have=first))
    assert first is not None and again is not None
    assert again.picture.voxels is first.picture.voxels
    assert (again.picture.contrast.high, again.picture.contrast.colours) == (10.0, "magma")


def test_a_colour_micrograph_is_shown_in_its_colours(tmp_path: Path) -> None:
    colours = np.zeros((8, 12, 3), np.uint8)
    colours[:, :6, 0], colours[:, 6:, 2] = 200, 100
    Image.fromarray(colours).save(tmp_path / "stained.png")
    session = Session()
    session.new_project(tmp_path / "project")
    session.add_volume(describe(tmp_path / "stained.png"))
    project = session.need_project()
    entry = project.volumes[0]
    first = read_slice(SliceRequest(project=project, entry=entry, look=Look(levels=(0.0, 200.0))))
    assert first is not None
    shown = first.picture.image
    assert [QColor(shown.pixel(x, 4)).getRgb()[:3] for x in (2, 9)] == [(255, 0, 0), (0, 0, 128)]
    assert first.picture.value(4, 2) == pytest.approx(0.2126 * 200, abs=0.5), "the read-out is the brightness"
    assert first.picture.colour(4, 9) == (0.0, 0.0, 100.0)
    assert image_place_words((4, 9, 7.2), first.facts, first.picture.colour(4, 9)).endswith("R 0  G 0  B 100 · brightness 7.2")
    assert about_images(first.facts) == "1 image · 8 × 12 · uint8"
    in_magma = read_slice(SliceRequest(project=project, entry=entry, look=Look(levels=(0.0, 200.0), colours="magma")))
    assert in_magma is not None and in_magma.picture.image.colorCount() == 256
    assert in_magma.picture.colour(4, 9) is None, "shown by its brightness"


@pytest.mark.parametrize("plane", ["xy", "xz", "yz"])
def test_an_oblique_slice_along_the_axes_is_the_plane(add: Add, plane: str) -> None:
    voxels = grid((7, 9, 11))
    project, entry = add(voxels, (4.0, 4.0, 4.0))
    read = read_oblique(ObliqueRequest(project=project, entry=entry, pose=NAMED[plane]))
    axis = ("xy", "xz", "yz").index(plane)
    assert read.picture.voxels == pytest.approx(np.take(voxels, voxels.shape[axis] // 2, axis), abs=1e-2)
    assert read.voxel_at(0, 0) == pytest.approx(np.where(np.arange(3) == axis, (np.array(voxels.shape) - 1) / 2, 0), abs=1e-9)


@pytest.mark.parametrize("coarse", [False, True])
def test_an_oblique_slice_is_to_scale_on_flat_voxels(add: Add, coarse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear ramp is reproduced exactly by trilinear interpolation: every pixel tells where it lies."""
    monkeypatch.setattr(viewing, "_COARSE_PIXELS", 40)
    shape, sizes = (24, 60, 50), (10.0, 4.0, 5.0)
    for axis in range(3):
        ramp = np.broadcast_to(np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)]), shape)
        project, entry = add(ramp.astype(np.float32), sizes, name=f"ramp{axis}")
        read = read_oblique(ObliqueRequest(project=project, entry=entry, pose=Pose(35, 50, 20, 15), coarse=coarse))
        assert read.pixel == 4.0
        assert (read.picture.stride[0] > 1) == coarse
        s = read.picture.stride[0]
        rows, columns = read.picture.voxels.shape
        for i, j in ((rows // 2, columns // 2), (rows // 2 + 3, columns // 2 - 5)):
            assert read.picture.voxels[i, j] == pytest.approx(read.voxel_at(i * s, j * s)[axis], abs=2e-3)


def test_a_plane_beside_the_volume_is_said(add: Add) -> None:
    project, entry = add(grid((5, 6, 7)))
    with pytest.raises(InputError, match="beside the volume"):
        read_oblique(ObliqueRequest(project=project, entry=entry, pose=Pose(0, 0, 0, 1000)))
    with pytest.raises(InputError, match="pixels an edge"):
        read_oblique(ObliqueRequest(project=project, entry=entry, pose=Pose(), pixel=1e-6, whole=True))


def test_a_volume_of_one_slice_has_oblique_slices_too(add: Add) -> None:
    project, entry = add(grid((1, 20, 30)))
    read = read_oblique(ObliqueRequest(project=project, entry=entry, pose=NAMED["xy"]))
    assert read.picture.voxels == pytest.approx(grid((1, 20, 30))[0], abs=1e-2)
    assert read_oblique(ObliqueRequest(project=project, entry=entry, pose=Pose())).picture.voxels.shape[0] == 1


def test_a_file_that_was_changed_is_read_anew_and_one_that_vanished_is_said(add: Add) -> None:
    project, entry = add(np.zeros((4, 5, 6), np.uint8))
    assert read_slice(SliceRequest(project=project, entry=entry)) is not None
    np.save(project.resolve(entry), np.full((6, 5, 6), 7, np.uint8))
    again = read_slice(SliceRequest(project=project, entry=entry))
    assert again is not None and again.facts.shape == (6, 5, 6) and again.picture.voxels.max() == 7
    project.resolve(entry).unlink()
    with pytest.raises(FileError, match="does not exist"):
        read_slice(SliceRequest(project=project, entry=entry))


def test_statistics_tell_a_segmentation_from_a_micrograph(add: Add) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(120, 20, (6, 64, 64)).clip(0, 255).astype(np.uint8)
    labels = np.kron(rng.integers(0, 9, (6, 4, 4)), np.ones((1, 16, 16), int)).astype(np.uint8)
    binary = (labels > 4).astype(np.uint8)
    few_levels = (noise // 32 * 32).astype(np.uint8)
    found = [statistics_of(list(v)).labels for v in (noise, labels, binary, few_levels, labels.astype(np.float32))]
    assert found == [False, True, False, False, False]


def test_statistics_survive_outliers_and_emptiness(add: Add) -> None:
    values = np.random.default_rng(0).normal(0, 1, (40, 500)).astype(np.float32)
    values[3, 3], values[4, 4] = np.nan, 1e9
    found = statistics_of([values])
    assert found.full[1] == pytest.approx(1e9)
    assert found.own == pytest.approx((-2.9, 2.9), abs=0.3)
    assert np.count_nonzero(found.counts) > 40, "one outlier does not press the rest into one bin"
    empty = statistics_of([np.full((4, 4), np.nan, np.float32)])
    assert empty.own == (0.0, 1.0)
    flat = statistics_of([np.full((4, 4), 7, np.uint16)])
    assert flat.own[0] < 7 < flat.own[1] and flat.counts.sum() == 16


def test_the_contrast_follows_the_statistics(add: Add) -> None:
    voxels = np.zeros((11, 20, 20), np.uint8)
    voxels[[0, 1, 2, 3, 7, 8, 9, 10]] = 200
    project, entry = add(voxels)
    before = read_slice(SliceRequest(project=project, entry=entry))
    statistics = read_statistics(project, entry)
    after = read_slice(SliceRequest(project=project, entry=entry))
    assert before is not None and after is not None
    assert before.picture.contrast.high < 1, "the middle slice alone is black"
    assert (after.picture.contrast.low, after.picture.contrast.high) == statistics.own == (0.0, 200.0)
