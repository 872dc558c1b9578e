"""How images were made, as a methods paragraph says it: of volumes, of micrographs, of volumes that carry a number."""

from __future__ import annotations

from typing import Any

import pytest

from microtome.results.cut_words import cut_words
from microtome.results.fold import RunState
from microtome.search.recipe import parse

VOLUMES = [{"name": "fine", "volumes": ["a.tif", "b.tif"]}, {"name": "coarse", "simulate": {"kind": "rnd"}}]
IMAGES = [{"name": "fine", "images": ["a"]}, {"name": "coarse", "images": ["b"]}]


def text(classes: list[dict[str, Any]], image_set: dict[str, Any] | None = None, **sections: dict[str, Any]) -> str:
    return cut_words(parse({"class": classes, **sections}), RunState(), image_set or {})


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        (
            {},
            "cut at random positions and orientations from volumes of 2 classes (fine, coarse) by trilinear interpolation and",
        ),
        ({"orientation": "cone", "cone": 20}, "with normals within 20° of the z axis"),
        ({"orientation": "xy-rotated"}, "parallel to xy planes, turned at random"),
        ({"orientation": "xz"}, "at random positions parallel to xz planes from volumes"),
        ({"thickness": 30, "unit": "nm"}, "averaged through slabs 30 nm thick"),
    ],
)
def test_slices_of_volumes(slices: dict[str, Any], words: str) -> None:
    assert words in text(VOLUMES, slices=slices)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ("cut", "a field of view of 96 × 96 of their pixels were cut at random positions from micrographs of 2 classes"),
        ("tile", "Tiles side by side with a field of view of 96 × 96 of their pixels were cut from micrographs"),
        ("resize", "The middle squares of micrographs of 2 classes (fine, coarse) were brought to 64 × 64 pixels"),
        ("stretch", "whatever their aspect ratio"),
    ],
)
def test_micrographs_are_no_volumes(fit: str, words: str) -> None:
    """Nothing was cut obliquely, and grey values were normalised over images."""
    found = text(IMAGES, slices={"field_of_view": 96}, micrographs={"fit": fit})
    assert words in found
    assert "over each image" in found
    for wrong in ("volume", "slice", "Slice", "orientation", "voxel", "colour"):
        assert wrong not in found


def test_colour_is_told_where_the_images_have_it() -> None:
    warnings = ["The images are taken in colour: three channels, normalised alike; transparency is left out."]
    assert "in colour (three channels)." in text(IMAGES, {"warnings": warnings})


def test_volumes_that_carry_a_number_are_counted() -> None:
    classes = [{"name": "all", "volumes": [{"path": f"{i}.tif", "value": i} for i in range(3)]}]
    assert "from 3 volumes by" in text(classes, training={"target": "value"})
