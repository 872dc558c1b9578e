"""Small image sets of textures, written as the slices room writes them, and trials on them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.slices.blocks.split import SETS
from microtome.slices.cutting import VERSION
from microtome.slices.imageset import ImageSet
from microtome.slices.plan import SlicePlan
from microtome.training.spec import NetworkChoice, TrainingSpec, TrialSpec

CLASSES = ("fine", "middle", "coarse")


def texture(rng: np.random.Generator, count: int, edge: int, scale: float) -> NDArray[np.float32]:
    """Noise (count, edge, edge) smoothed over `scale` pixels, mean 0 and deviation 1 in every image."""
    q = np.hypot(np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None])
    waves = np.fft.rfft2(rng.standard_normal((count, edge, edge))) * np.exp(-((q * scale * 2) ** 2))
    images = np.fft.irfft2(waves, s=(edge, edge))
    images -= images.mean(axis=(1, 2), keepdims=True)
    result: NDArray[np.float32] = (images / images.std(axis=(1, 2), keepdims=True)).astype(np.float32)
    return result


def write_textures(
    folder: Path,
    *,
    counts: tuple[int, int, int] = (16, 8, 8),
    edge: int = 16,
    scales: tuple[float, ...] = (0.5, 2.0, 4.0),
    seed: int = 0,
    scale_grey: float = 1.0,
    shift_grey: float = 0.0,
    pixel: tuple[float, str] = (2.0, "nm"),
    **plan: Any,
) -> ImageSet:
    """An image set with `counts` images a class for training, validation and evaluation, one texture scale a class."""
    rng = np.random.default_rng(seed)
    classes = CLASSES[: len(scales)]
    rows, images = [], []
    for name, scale in zip(classes, scales, strict=True):
        for split, count in zip(SETS, counts, strict=True):
            images.append(texture(rng, count, edge, scale) * scale_grey + shift_grey)
            rows += [(split, name)] * count
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.concatenate(images).astype(np.float32))
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "set", "class"])
        writer.writerows([i, *row] for i, row in enumerate(rows))
    settings = {"field_of_view": pixel[0] * edge, "unit": pixel[1], "pixels": edge, **plan}
    data = {
        "format": VERSION,
        "hash": f"{seed}-{edge}-{sum(counts)}-{len(scales)}-{scale_grey}-{shift_grey}",
        "plan": SlicePlan(**settings).to_json(),
        "classes": classes,
        "volumes": [{"name": f"{c}.tif", "class": c, "grey": {"mean": 128.0, "deviation": 30.0}} for c in classes],
        "pixel_size": pixel[0],
        "unit": pixel[1],
        "warnings": [],
        "independence": "",
    }
    (folder / "plan.json").write_text(json.dumps(data))
    return ImageSet.open(folder)


@pytest.fixture
def textures(tmp_path: Path) -> Callable[..., ImageSet]:
    """write_textures into a folder of this test."""

    def make(name: str = "set", **options: Any) -> ImageSet:
        return write_textures(tmp_path / name, **options)

    return make


SMALL = {"convolutions": 2, "dense": 1, "width": 4, "dense_width": 32}


@pytest.fixture
def trial(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The specification of a trial of a small network on an image set, as it crosses processes."""

    def make(image_set: ImageSet, folder: str = "trial", network: dict[str, Any] = SMALL, **training: Any) -> dict[str, Any]:
        settings = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, **training}
        return TrialSpec(
            image_set=str(image_set.path),
            image_set_hash=image_set.hash,
            network=NetworkChoice(parameters=network),
            training=TrainingSpec(**settings),
            folder=str(tmp_path / folder),
            device="cpu",
            threads=1,
        ).to_json()

    return make
