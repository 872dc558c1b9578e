"""Image sets in colour: when they are, what their channels hold, and what stays that of the brightness."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.export.folder import export_set
from microtome.slices.grey import luminance
from microtome.slices.imageset import ImageSet, build
from microtome.slices.plan import ClassSource, Micrographs, SlicePlan, VolumeSource
from microtome.slices.source import gathered
from microtome.slices.trust.preview import preview_trust

PLAN = SlicePlan(field_of_view=24, pixels=24, train=6, validation=3, evaluation=3, normalisation="none")
RED, GREEN = (1.0, 0.3, 0.3), (0.3, 1.0, 0.3)


def picture(seed: int, hue: tuple[float, float, float], *, kind: Any = np.uint8, size: int = 60) -> NDArray[Any]:
    """Noise in shades of one hue."""
    shade = np.random.default_rng(seed).uniform(0.2, 0.9, (size, size, 1))
    top = np.iinfo(kind).max
    return np.asarray(shade * np.array(hue) * top).astype(kind)


def written(folder: Path, images: list[NDArray[Any]]) -> Path:
    folder.mkdir()
    for k, image in enumerate(images):
        (folder / f"{k}.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
    return folder


def classes_of(place: Path, **settings: Any) -> tuple[ClassSource, ...]:
    """Four red and four green images."""
    found = []
    for label, (name, hue) in enumerate((("red", RED), ("green", GREEN))):
        if not (place / name).is_dir():
            written(place / name, [picture(10 * label + k, hue) for k in range(4)])
        found.append(ClassSource(name=name, images=(str(place / name),), micrographs=Micrographs(**settings)))
    return tuple(found)


def test_channels_are_those_of_the_file(tmp_path: Path) -> None:
    built = build(classes_of(tmp_path, fit="tile"), PLAN, tmp_path / "sets")
    assert built.channels == 3
    assert built.images.shape == (24, 3, 24, 24)
    assert "taken in colour" in " ".join(built.warnings)
    name = built.volumes[built.poses.volumes[0]]["path"]
    file = np.moveaxis(imagecodecs.png_decode(Path(name).read_bytes()), -1, 0).astype(np.float32)
    _, y, x = (round(float(c) - 11.5) for c in built.poses.centres[0])
    np.testing.assert_allclose(built.images[0], file[:, y : y + 24, x : x + 24], atol=1e-3)


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    for name, hue in (("red", RED), ("green", GREEN)):
        written(tmp_path / name, [picture(k, hue, kind=np.uint16) for k in range(4)])
    built = build(classes_of(tmp_path, fit="tile"), PLAN, tmp_path / "sets")
    assert built.channels == 3
    assert built.images.max() > 50_000
    assert {v["dtype"] for v in built.volumes} == {"uint16"}


@pytest.mark.parametrize("how", ["volume", "slice", "volume-percentile", "slice-percentile"])
def test_the_brightness_is_that_of_the_grey_set_but_for_its_scale(tmp_path: Path, how: str) -> None:
    plan = SlicePlan(**{**PLAN.to_json(), "normalisation": how})
    grey, rgb = (build(classes_of(tmp_path, colour=c), plan, tmp_path / "sets") for c in ("grey", "rgb"))
    assert (grey.poses.centres == rgb.poses.centres).all()
    for one, other in zip(grey.images, luminance(np.asarray(rgb.images)), strict=True):
        # 0.99: the brightness of a file is rounded to whole numbers.
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    assert abs(float(luminance(np.asarray(rgb.images)).mean()) - float(grey.images.mean())) < 0.1


def test_equal_channels_are_normalised_as_the_grey_image(tmp_path: Path) -> None:
    for label, name in enumerate(("red", "green")):
        written(tmp_path / name, [np.repeat(picture(10 * label + k, RED)[..., :1], 3, axis=2) for k in range(4)])
    plan = SlicePlan(**{**PLAN.to_json(), "normalisation": "volume"})
    grey, rgb = (build(classes_of(tmp_path, colour=c), plan, tmp_path / "sets") for c in ("grey", "rgb"))
    assert build(classes_of(tmp_path), plan, tmp_path / "sets").hash == grey.hash, "grey, though stored as colour"
    for channel in range(3):
        np.testing.assert_allclose(rgb.images[:, channel], grey.images, atol=1e-4)


def test_a_setting_leaves_the_hash_of_grey_sets_alone(tmp_path: Path) -> None:
    for label, name in enumerate(("red", "green")):
        written(tmp_path / name, [picture(10 * label + k, RED)[..., 0] for k in range(4)])
    hashes = {c: build(classes_of(tmp_path, colour=c), PLAN, tmp_path / "sets").hash for c in ("auto", "grey", "rgb")}
    assert hashes["auto"] == hashes["grey"] != hashes["rgb"]


def test_mixed_sets_are_answered_in_a_sentence(tmp_path: Path) -> None:
    written(tmp_path / "red", [picture(k, RED) for k in range(4)])
    written(tmp_path / "green", [picture(10 + k, GREEN) if k == 0 else picture(10 + k, GREEN)[..., 0] for k in range(4)])
    built = build(classes_of(tmp_path), PLAN, tmp_path / "sets")
    assert built.channels == 3, "five of eight are in colour"
    assert "3 of 8 have no colour and three equal channels" in " ".join(built.warnings)
    plain = next(i for i, v in enumerate(built.poses.volumes) if built.volumes[v]["class"] == "green" and _equal(built, i))
    assert _equal(built, plain)
    few = tmp_path / "few"
    few.mkdir()
    written(few / "red", [picture(k, RED) if k == 0 else picture(k, RED)[..., 0] for k in range(4)])
    written(few / "green", [picture(10 + k, GREEN)[..., 0] for k in range(4)])
    grey = build(classes_of(few), PLAN, tmp_path / "sets")
    assert grey.channels == 1
    assert "1 of 8 images are in colour" in " ".join(grey.warnings)


def _equal(built: ImageSet, i: int) -> bool:
    return bool((built.images[i] == built.images[i][0]).all())


def test_images_of_one_brightness_and_other_colours_are_no_copies(tmp_path: Path) -> None:
    first = picture(0, (1.0, 1.0, 1.0))
    tinted = np.clip(first.astype(int) + np.array([30, 0, 0]), 0, 255).astype(np.uint8)
    written(tmp_path / "red", [first, tinted, first, *(picture(k, RED) for k in (1, 2, 3))])
    written(tmp_path / "green", [picture(10 + k, GREEN) for k in range(4)])
    built = build(classes_of(tmp_path, colour="rgb"), PLAN, tmp_path / "sets")
    assert "1 images of “red” are copies" in " ".join(built.warnings)


def test_volumes_are_grey(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).integers(0, 255, (60, 60, 60), dtype=np.uint8))
    volume = ClassSource(name="v", volumes=(VolumeSource(path=str(tmp_path / "v.npy")),))
    images, _ = classes_of(tmp_path)
    built = build((images, volume), PLAN, tmp_path / "sets")
    assert built.channels == 1
    assert "4 of 4 images are in colour; their brightness was taken, since volumes are grey" in " ".join(built.warnings)
    wanted, _ = classes_of(tmp_path, colour="rgb")
    with pytest.raises(InputError, match=r"v\.npy is a volume; volumes are grey"):
        build((wanted, volume), PLAN, tmp_path / "sets")


def test_a_data_bar_is_left_out_of_the_colours_too(tmp_path: Path) -> None:
    barred = [np.vstack([picture(k, RED), np.zeros((8, 60, 3), np.uint8)]) for k in range(4)]
    written(tmp_path / "red", barred)
    (source, _) = classes_of(tmp_path, colour="rgb", data_bar=8)
    member = gathered(source)[0][0]
    assert member.open().colours is None
    opened = replace(member, colour=True).open()
    assert opened.colours is not None
    assert opened.colours.shape == (3, 60, 60)


def test_the_audit_tries_the_tint(tmp_path: Path) -> None:
    plan = SlicePlan(**{**PLAN.to_json(), "normalisation": "slice", "validation": 12, "train": 20})
    built = build(classes_of(tmp_path), plan, tmp_path / "sets")
    found = {c["cue"]: c for c in built.shortcuts}
    assert found["tint"]["strength"] == "strong"
    assert found["mean"]["strength"] == "none"
    assert "micrographs.colour" in " ".join(built.warnings)
    grey = build(classes_of(tmp_path, colour="grey"), plan, tmp_path / "sets")
    assert "tint" not in {c["cue"] for c in grey.shortcuts}


def test_the_preview_of_trust_takes_colours(tmp_path: Path) -> None:
    groups = {c.name: [replace(m, colour=True).open() for m in gathered(c)[0]] for c in classes_of(tmp_path)}
    found = preview_trust(groups, SlicePlan(**{**PLAN.to_json(), "normalisation": "slice"}))
    assert "tint" in {c["cue"] for c in found.shortcuts}


@pytest.mark.parametrize(("format", "depth"), [("png", "uint8"), ("png", "uint16"), ("tiff", "uint8"), ("tiff", "float32")])
def test_pictures_are_exported_in_colour(tmp_path: Path, format: str, depth: str) -> None:
    built = build(classes_of(tmp_path), PLAN, tmp_path / "sets")
    export_set(built, tmp_path / "out", format=format, depth=depth)
    file = sorted((tmp_path / "out" / "train" / "red").iterdir())[0]
    if format == "png":
        image = np.moveaxis(imagecodecs.png_decode(file.read_bytes()), -1, 0)
    else:
        image = tifffile.imread(file)
        image = image if image.shape[0] == 3 else np.moveaxis(image, -1, 0)
    assert image.shape == (3, 24, 24)
    low, step = (0.0, 1.0) if depth == "float32" else _scale(tmp_path / "out")
    number = int(file.stem)
    np.testing.assert_allclose(low + step * image.astype(np.float64), built.images[number], atol=0.51 * step + 1e-6)
    assert "In colour" in (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")


def _scale(folder: Path) -> tuple[float, float]:
    said = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    return said["grey_low"], said["grey_step"]


def test_arrays_are_exported_in_colour(tmp_path: Path) -> None:
    built = build(classes_of(tmp_path), PLAN, tmp_path / "sets")
    export_set(built, tmp_path / "npz", format="npz")
    with np.load(tmp_path / "npz" / "images.npz", allow_pickle=False) as data:
        assert (data["images"] == built.images).all()
    export_set(built, tmp_path / "zarr", format="zarr")
    assert (zarr.open_group(str(tmp_path / "zarr" / "images.zarr"))["images"][:] == built.images).all()
