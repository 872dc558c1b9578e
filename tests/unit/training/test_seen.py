"""What the network sees is kept in a small file, seldom enough to cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.slices.imageset import ImageSet
from microtome.training.regression import Scale
from microtome.training.seen import NAME, SeenWriter, read_seen
from microtome.training.trial import run_trial


class Clock:
    """A clock that is set by hand; every look at it takes `step` seconds."""

    def __init__(self) -> None:
        self.now, self.step = 100.0, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_a_trial_leaves_what_it_saw(textures: Callable[..., ImageSet], trial: Callable[..., dict[str, Any]]) -> None:
    image_set = textures(scale_grey=900.0, shift_grey=32_000.0)
    spec = trial(image_set, batch_size=40, symmetries=False, epochs=1)
    run_trial(spec, lambda event: None, lambda: "")
    seen = read_seen(Path(spec["folder"]))
    assert seen is not None
    assert seen.images.shape == (24, 16, 16)  # 48 images in two even batches
    assert seen.classes == image_set.classes
    assert seen.epoch == 0
    assert np.array_equal(seen.shares, np.eye(3)[seen.labels])
    # Each is an image of its class as the network gets it.
    chosen = image_set.split("train")
    greys, labels = image_set.images[chosen], image_set.labels[chosen]
    scaled = (greys - greys.mean()) / greys.std()
    for image, label in zip(seen.images, seen.labels, strict=True):
        nearest = int(np.abs(scaled - image.astype(np.float32)).max(axis=(1, 2)).argmin())
        assert np.abs(scaled[nearest] - image).max() < 0.01
        assert labels[nearest] == label


def test_mixed_images_have_shares(tmp_path: Path) -> None:
    shares = torch.tensor([[0.75, 0.25], [0.5, 0.5]] * 20)
    SeenWriter(tmp_path, ("甲", "乙"))(3, torch.full((40, 3, 8, 8), 1e9), shares)
    seen = read_seen(tmp_path)
    assert seen is not None
    assert seen.images.shape == (25, 3, 8, 8)
    assert np.isfinite(seen.images).all()
    assert seen.shares[0].tolist() == [0.75, 0.25]
    assert seen.classes == ("甲", "乙")
    assert seen.epoch == 3


@pytest.mark.parametrize(("cost", "pause"), [(0.0, 2.0), (0.05, 50.0)])
def test_it_is_written_so_seldom_that_it_costs_a_thousandth(tmp_path: Path, cost: float, pause: float) -> None:
    clock = Clock()
    writer = SeenWriter(tmp_path, ("a", "b"), clock)
    images, labels = torch.zeros(2, 1, 4, 4), torch.tensor([0, 1])
    clock.step = cost
    writer(0, images, labels)
    clock.step = 0.0
    (tmp_path / NAME).unlink()
    clock.now += pause * 0.99
    writer(1, images, labels)
    assert not (tmp_path / NAME).exists()
    clock.now += pause * 0.02
    writer(2, images, labels)
    assert read_seen(tmp_path) is not None


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_what_is_not_readable_is_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert read_seen(tmp_path) is None


def test_no_object_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / NAME, images=np.array([{}], dtype=object))
    assert read_seen(tmp_path) is None


def test_numbers_are_kept_in_their_unit(tmp_path: Path) -> None:
    writer = SeenWriter(tmp_path, ("value",), scale=Scale(mean=10.0, deviation=2.0), unit="MPa")
    writer(1, torch.zeros(2, 1, 8, 8), torch.tensor([-1.0, 0.5]))
    seen = read_seen(tmp_path)
    assert seen is not None
    assert seen.values is not None
    assert (seen.values.tolist(), seen.unit) == ([8.0, 11.0], "MPa")
