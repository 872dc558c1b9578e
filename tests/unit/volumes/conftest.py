"""Small volumes for the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def voxels() -> NDArray[np.uint8]:
    """6 × 20 × 24 voxels, each its own value along the slice."""
    return np.random.default_rng(5).integers(1, 255, (6, 20, 24)).astype(np.uint8)


@pytest.fixture
def smooth() -> NDArray[Any]:
    """A smooth volume with edges of three lengths, as a scan would be."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in (12, 18, 30)), indexing="ij")
    return (120 + 60 * np.sin(z / 5) + 40 * np.cos(y / 6) + 20 * np.sin(x / 7)).astype(np.float64)


@pytest.fixture
def shared() -> Path:
    """The folder of real volumes beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no real volumes at {SHARED}")
    return SHARED
