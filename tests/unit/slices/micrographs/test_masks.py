"""Masks beside micrographs are told from the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.slices.micrographs.masks import split_masks
from microtome.volumes.images.image import is_image, read_image

DATA = Path("../shared/data/sem-superconductor")
ROOT = Path("data")


def masks_among(*names: str, few: tuple[str, ...] = ()) -> list[str]:
    """The masks among files of which those named in `few` hold two values, all others many."""

    def read(path: Path) -> NDArray[Any]:
        return np.arange(256) % (2 if path.name in few else 256)

    images, masks = split_masks([ROOT / n for n in names], read, root=ROOT)
    assert {*images, *masks} == {ROOT / n for n in names}
    return [m.relative_to(ROOT).as_posix() for m in masks]


@pytest.mark.parametrize("mask", ["a_mask.png", "a-seg.tif", "mask_a.png", "a_gt.bmp", "a.annotation.png", "A_Mask.png"])
def test_a_clear_name_beside_its_image_is_enough(mask: str) -> None:
    assert masks_among("a.png", mask, "b.png") == [mask]
    assert masks_among("a_sem.png", mask, "b.png") == [mask]


def test_vague_names_need_few_values() -> None:
    assert masks_among("a_sem.bmp", "a_th.bmp", few=("a_th.bmp",)) == ["a_th.bmp"]
    assert masks_among("a_sem.bmp", "a_th.bmp") == []
    assert masks_among("mask_7.png", "b.png", "c.png") == []
    assert masks_among("mask_7.png", "b.png", "c.png", few=("mask_7.png",)) == ["mask_7.png"]


def test_folders_of_masks_need_few_values() -> None:
    names = ("images/a.png", "images/b.png", "masks/a.png", "masks/b.png")
    assert masks_among(*names, few=("a.png", "b.png")) == ["masks/a.png", "masks/b.png"]
    assert masks_among(*names) == []


def test_a_whole_folder_of_masks_is_kept() -> None:
    assert masks_among("a_mask.png", "b_mask.png", few=("a_mask.png", "b_mask.png")) == []


def test_words_inside_a_name_mean_nothing() -> None:
    assert masks_among("bath.png", "binary phase alloy 3.png", "segway.png", "damask.png") == []


def test_damaged_candidates_stay_among_the_images() -> None:
    def read(path: Path) -> NDArray[Any]:
        raise FileError(f"{path} is damaged.")

    files = [Path("b.png"), Path("c_th.png")]
    assert split_masks(files, read) == (files, [])


def test_real_void_masks() -> None:
    if not DATA.is_dir():
        pytest.skip("the folder of real data is absent")
    files = sorted(f for f in DATA.iterdir() if is_image(f))
    images, masks = split_masks(files, lambda f: read_image(f)[0], root=DATA)
    assert [m.name for m in masks] == [f"sample_00{k}_th.bmp" for k in (1, 2, 3)]
    assert len(images) == 6
