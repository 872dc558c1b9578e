"""The slices of a plan never change silently: where one of these does, cutting._ALGORITHM must grow to keep old sets apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.slices import cutting
from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource


def test_slices_of_a_known_volume(tmp_path: Path) -> None:
    z, y, x = np.indices((48, 50, 52))
    np.save(tmp_path / "v.npy", ((z * 7 + y * 13 + x * 29) % 251).astype(np.uint8))
    source = ClassSource(name="A", volumes=(VolumeSource(path=str(tmp_path / "v.npy")),))
    plan = SlicePlan(field_of_view=16, pixels=8, train=3, validation=2, evaluation=2, seed=5)
    found = build((source,), plan, tmp_path)
    assert cutting._ALGORITHM == 1
    assert found.hash == "6fb172e9b1b1c1d1"
    blocks = found.volumes[0]["blocks"]
    assert blocks == {
        "train": {"low": [0, 0, 0], "high": [48, 50, 23]},
        "validation": {"low": [0, 0, 24], "high": [48, 24, 52]},
        "evaluation": {"low": [0, 25, 24], "high": [48, 50, 52]},
    }
    np.testing.assert_allclose(
        found.poses.centres[[0, 3, 6]],
        [[20.6712229, 18.446207, 7.3309186], [22.3595894, 14.846996, 33.6288612], [6.8499045, 38.5266528, 41.1131223]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        found.poses.axes[0], [[0.1079551, -0.871399, 0.4785493], [-0.9939918, -0.1033525, 0.0360365]], atol=1e-6
    )
    assert found.images.mean(axis=(1, 2)) == pytest.approx(
        [-0.4087141, -0.0862429, 0.4856215, -0.0388794, 0.0043727, -0.051225, -0.0077426], abs=1e-4
    )
