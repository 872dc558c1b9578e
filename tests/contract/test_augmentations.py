"""Every built-in augmentation keeps the augmentations' contract."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from microtome.contract import AugmentationContract
from microtome.paths import builtin_plugins
from microtome.registry import discover


class TestSymmetries(AugmentationContract):
    """Flips and quarter turns."""

    name = "symmetries"


class TestHalfTurn(AugmentationContract):
    """Half turns and the mirror."""

    name = "half-turn"


class TestFlip(AugmentationContract):
    """Flips only."""

    name = "flip"


class TestRotation(AugmentationContract):
    """Free rotation."""

    name = "rotation"


class TestCrop(AugmentationContract):
    """Random crops, enlarged."""

    name = "crop"
    settings: ClassVar[dict[str, Any]] = {"stretch": 1.5}


class TestShift(AugmentationContract):
    """Shifts by whole pixels."""

    name = "shift"


class TestCutout(AugmentationContract):
    """Square holes."""

    name = "cutout"


class TestMixup(AugmentationContract):
    """Blended pairs."""

    name = "mixup"


class TestCutmix(AugmentationContract):
    """Pairs put together."""

    name = "cutmix"


class TestBrightness(AugmentationContract):
    """Brighter and darker."""

    name = "brightness"


class TestContrast(AugmentationContract):
    """More and less contrast."""

    name = "contrast"


class TestGamma(AugmentationContract):
    """Bent grey scales."""

    name = "gamma"


class TestBlur(AugmentationContract):
    """Gaussian blur."""

    name = "blur"


class TestShotNoise(AugmentationContract):
    """Counted greys."""

    name = "shot-noise"


class TestGaussianNoise(AugmentationContract):
    """Added noise."""

    name = "gaussian-noise"


class TestCurtaining(AugmentationContract):
    """Stripes."""

    name = "curtaining"


class TestElastic(AugmentationContract):
    """Smooth displacements."""

    name = "elastic"


class TestFlipBoth(AugmentationContract):
    """Both flips."""

    name = "flip"
    settings: ClassVar[dict[str, Any]] = {"direction": "both"}


class TestFourPositions(AugmentationContract):
    """All four positions."""

    name = "half-turn"
    settings: ClassVar[dict[str, Any]] = {"positions": "four"}


class TestRotationAboutTheMean(AugmentationContract):
    """Corners filled with the mean."""

    name = "rotation"
    settings: ClassVar[dict[str, Any]] = {"edges": "mean", "interpolation": "bilinear"}


class TestMixupOfFew(AugmentationContract):
    """Weights near 0 and 1."""

    name = "mixup"
    settings: ClassVar[dict[str, Any]] = {"alpha": 0.01}


class TestShotNoiseOfOneDose(AugmentationContract):
    """The same dose for all."""

    name = "shot-noise"
    settings: ClassVar[dict[str, Any]] = {"spread": 1.0, "dose": 0.5}


class TestCurtainingDown(AugmentationContract):
    """Stripes down."""

    name = "curtaining"
    settings: ClassVar[dict[str, Any]] = {"direction": "down", "share": 1.0}


def test_every_augmentation_is_proved() -> None:
    proved = {suite.name for suite in AugmentationContract.__subclasses__()}
    assert proved >= set(discover(builtin_plugins(), entry_points=False).names("augmentation"))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_ones_say_so(name: str) -> None:
    found = discover(builtin_plugins(), entry_points=False)
    assert [p.name for p in found.of_kind("augmentation") if p.extra["mixes"]] == ["cutmix", "mixup"]
    assert found.get("augmentation", name).extra["greys"] is False
