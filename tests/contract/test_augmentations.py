"""Every built-in augmentation keeps the augmentations' contract."""

from __future__ import annotations

from microtome.contract import AugmentationContract


class TestSymmetries(AugmentationContract):
    """Flips and quarter turns."""

    name = "symmetries"
