"""The slices of a plan never change silently: where one of these does, cutting._ALGORITHM must grow to keep old sets apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from microtome.slices import cutting
from microtome.slices.imageset import build
from microtome.slices.plan import ClassSource, SlicePlan, VolumeSource
from microtome.slices.planes.cut import cut


def test_slices_of_a_known_volume(tmp_path: Path) -> None:
    z, y, x = np.indices((48, 50, 52))
    np.save(tmp_path / "v.npy", ((z * 7 + y * 13 + x * 29) % 251).astype(np.uint8))
    source = ClassSource(name="A", volumes=(VolumeSource(path=str(tmp_path / "v.npy")),))
    plan = SlicePlan(field_of_view=16, pixels=8, train=3, validation=2, evaluation=2, seed=5)
    found = build((source,), plan, tmp_path)
    assert cutting._ALGORITHM == 2
    assert found.hash == "b36c955961468709"
    blocks = found.volumes[0]["blocks"]
    assert blocks == {
        "train": {"low": [0, 0, 29], "high": [48, 50, 52]},
        "validation": {"low": [0, 0, 0], "high": [48, 23, 27]},
        "evaluation": {"low": [0, 27, 0], "high": [48, 50, 27]},
    }
    np.testing.assert_allclose(
        found.poses.centres[[0, 3, 6]],
        [[20.6712229, 18.446207, 36.3309186], [22.3595894, 13.9224821, 9.4454513], [6.8499045, 39.1271624, 16.2816151]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        found.poses.axes[0], [[0.1079551, -0.871399, 0.4785493], [-0.9939918, -0.1033525, 0.0360365]], atol=1e-6
    )
    assert found.images.mean(axis=(1, 2)) == pytest.approx(
        [0.6742615, 0.0591293, -0.7368803, -0.0125215, 0.0085292, -0.0391265, 0.0064052], abs=1e-4
    )


@pytest.mark.parametrize(
    ("dtype", "digest"),
    [(d, "d2dc9d4d4377861b") for d in ("u1", "i2")] + [(d, "da173730102f64f0") for d in ("i4", "f4", "f8")],
)
def test_the_bits_of_single_slices(dtype: str, digest: str) -> None:
    # Every number here is exact in binary but the axes' lengths, so that no machine's rounding of sines comes in.
    z, y, x = np.indices((40, 50, 60))
    volume = ((z * 7 + y * 13 + x * 29) % 127).astype(dtype)
    centres = [[20.25, 24.5, 30.125], [3.0, 24.5, 30.0], [19.5, 47.75, 2.5]]
    axes = [[[0.6, 0.8, 0], [-0.64, 0.48, 0.6]], [[0, 0.6, 0.8], [0, -0.8, 0.6]], [[0.8, 0, 0.6], [0.36, 0.8, -0.48]]]
    images = [cut(volume, centres, axes, (21, 30), outside=o) for o in ("nearest", "wrap")]
    assert hashlib.sha256(np.stack(images).astype("<f4").tobytes()).hexdigest()[:16] == digest
