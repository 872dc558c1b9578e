"""Every built-in transform keeps the transforms' contract."""

from __future__ import annotations

from typing import Any, ClassVar

from microtome.contract import TransformContract


class TestCrop(TransformContract):
    """A box of it."""

    name = "crop"
    settings: ClassVar[dict[str, Any]] = {"z_from": 1, "z_to": 7, "y_from": 3, "x_to": 30}


class TestExclude(TransformContract):
    """Slices replaced."""

    name = "exclude"
    settings: ClassVar[dict[str, Any]] = {"slices": "0, 3-4"}


class TestExcludeRemoved(TransformContract):
    """Slices left out."""

    name = "exclude"
    settings: ClassVar[dict[str, Any]] = {"slices": "0, 3-4", "instead": "remove"}


class TestBin(TransformContract):
    """Means of voxels."""

    name = "bin"
    settings: ClassVar[dict[str, Any]] = {"z": 2, "y": 3, "x": 2}


class TestSample(TransformContract):
    """Every so many voxels."""

    name = "bin"
    settings: ClassVar[dict[str, Any]] = {"z": 2, "y": 3, "x": 2, "how": "sample"}


class TestTilt(TransformContract):
    """The y pixel size."""

    name = "tilt"


class TestAlign(TransformContract):
    """Linear, cropped."""

    name = "align"


class TestAlignCubic(TransformContract):
    """Splines, with repeated edges, against the running mean."""

    name = "align"
    settings: ClassVar[dict[str, Any]] = {
        "interpolation": "cubic",
        "edges": "repeat",
        "reference": "running mean",
        "keep": "nothing",
    }


class TestAlignWhole(TransformContract):
    """Whole pixels, with empty edges."""

    name = "align"
    settings: ClassVar[dict[str, Any]] = {"interpolation": "whole pixels", "edges": "empty", "keep": "slow bends"}


class TestSlicePositions(TransformContract):
    """Even distances."""

    name = "slice-positions"


class TestDestripe(TransformContract):
    """Vertical stripes."""

    name = "destripe"
    settings: ClassVar[dict[str, Any]] = {"length": 10.0, "width": 6.0}


class TestDestripeAcross(TransformContract):
    """Horizontal stripes, half of them."""

    name = "destripe"
    settings: ClassVar[dict[str, Any]] = {"length": 10.0, "width": 6.0, "direction": "horizontal", "strength": 0.5}


class TestBrightness(TransformContract):
    """Mean and deviation."""

    name = "brightness"


class TestBrightnessMedian(TransformContract):
    """Medians, over the whole volume."""

    name = "brightness"
    settings: ClassVar[dict[str, Any]] = {"by": "median and quartiles", "window": 0, "contrast": False}


class TestMedian(TransformContract):
    """The median of a window."""

    name = "denoise"


class TestGaussian(TransformContract):
    """A Gaussian."""

    name = "denoise"
    settings: ClassVar[dict[str, Any]] = {"method": "gaussian", "radius": 1.3}


class TestNonLocalMeans(TransformContract):
    """Non-local means."""

    name = "denoise"
    settings: ClassVar[dict[str, Any]] = {"method": "non-local means"}


class TestMedianOfVoxels(TransformContract):
    """The median of a cube."""

    name = "denoise"
    settings: ClassVar[dict[str, Any]] = {"method": "median 3-D"}
