"""Data bars are found whatever they look like, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import InputError
from microtome.slices.micrographs.databar import bar_height, find_bar
from microtome.volumes.images.image import is_image, read_image
from microtome.volumes.read import open_volume

DATA = Path("../shared/data")
Image = NDArray[np.uint8]


def texture(seed: int, height: int = 240, width: int = 320, level: float = 110, contrast: float = 35) -> Image:
    """A smooth random structure with detector noise."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft2(rng.standard_normal((height, width)))
    far = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    smooth = np.fft.irfft2(waves * np.exp(-((far * 25) ** 2)), s=(height, width))
    noisy = level + contrast * smooth / (smooth.std() or 1.0) + rng.normal(0, 6, (height, width))
    return noisy.clip(0, 255).astype(np.uint8)


def with_bar(image: Image, height: int, *, ground: int = 0, ink: int = 255, seed: int = 0, line: bool = False) -> Image:
    """A bar below the image: letters of 2 to 5 px strokes in two rows of text, a scale bar, a dividing line."""
    rng = np.random.default_rng(seed)
    bar = np.full((height, image.shape[1]), ground, np.uint8)
    size = max(3, height // 5)
    for top in (height // 8, height // 2):
        at = 4
        while at < image.shape[1] * rng.uniform(0.5, 0.9):
            glyph = rng.random((size, max(2, size // 2))) < 0.5
            bar[top : top + size, at : at + glyph.shape[1]][glyph] = ink
            at += glyph.shape[1] + int(rng.integers(1, 9))
    bar[-max(3, height // 6) : -2, -image.shape[1] // 4 : -6] = ink
    if line:
        bar[:2] = ink
    return np.vstack([image, bar])


@pytest.mark.parametrize(("ground", "ink"), [(0, 255), (255, 0), (40, 230), (192, 0), (20, 90)])
@pytest.mark.parametrize("height", [12, 24, 70])
def test_bars_of_all_colours_are_found_to_the_row(ground: int, ink: int, height: int) -> None:
    for seed in range(4):
        level = 110 if abs(ground - 110) > 60 else 190
        image = with_bar(texture(seed, level=level, contrast=20), height, ground=ground, ink=ink, seed=seed)
        assert find_bar(image) == height


def test_a_dividing_line_belongs_to_the_bar() -> None:
    assert find_bar(with_bar(texture(0), 30, line=True)) == 30


def test_bars_after_a_lossy_codec() -> None:
    for seed in range(4):
        image = with_bar(texture(seed), 32, seed=seed)
        lossy = imagecodecs.jpeg_decode(imagecodecs.jpeg_encode(image, level=85))
        assert abs(find_bar(lossy) - 32) <= 8  # one block of the codec


def test_empty_strips_are_bars() -> None:
    assert find_bar(np.vstack([texture(0), np.zeros((20, 320), np.uint8)])) == 20


def test_sixteen_bits_and_floats() -> None:
    image = with_bar(texture(1), 24)
    assert find_bar(image.astype(np.uint16) * 257) == 24
    assert find_bar(image.astype(np.float32) / 255) == 24


def _dark_bottom() -> Image:
    """A specimen in front of black: the border is ragged."""
    image = texture(3)
    edge = 180 + (12 * np.sin(np.arange(320) / 9)).astype(int)
    image[np.arange(240)[:, None] > edge[None]] = 0
    return image


def _mask() -> Image:
    return np.where(texture(4) > 140, 255, 0).astype(np.uint8)


def _black_frame() -> Image:
    image = np.zeros((240, 320), np.uint8)
    image[40:150, 60:260] = texture(5)[40:150, 60:260]
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda: texture(0),
        _dark_bottom,
        _mask,
        _black_frame,
        lambda: np.zeros((240, 320), np.uint8),
        lambda: np.full((240, 320), np.nan, np.float32),
        lambda: np.tile(np.arange(240, dtype=np.uint8)[:, None], (1, 320)),
        lambda: texture(0)[:12, :12],
    ],
)
def test_what_is_no_bar(make: Callable[[], NDArray[Any]]) -> None:
    assert find_bar(make()) == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    level=st.floats(0, 255),
    contrast=st.floats(2, 60),
    height=st.integers(1, 120),
    width=st.integers(1, 150),
)
def test_no_texture_loses_rows(seed: int, level: float, contrast: float, height: int, width: int) -> None:
    assert find_bar(texture(seed, height, width, level, contrast)) == 0


def test_real_micrographs_have_none_and_a_pasted_bar_is_found() -> None:
    if not DATA.is_dir():
        pytest.skip("the folder of real data is absent")
    files = [f for d in ("superalloy", "sem-superconductor") for f in sorted((DATA / d).iterdir()) if is_image(f)]
    assert len(files) == 17
    for k, file in enumerate(files):
        image, _ = read_image(file)
        assert find_bar(image) == 0
        if not file.stem.endswith("_th"):
            assert find_bar(with_bar(image, 33, seed=k)) == 33


def test_no_section_of_a_real_volume_loses_rows() -> None:
    if not DATA.is_dir():
        pytest.skip("the folder of real data is absent")
    for file in sorted((DATA / "qim3d").glob("*.tif")):
        volume = open_volume(file)
        assert [z for z in range(0, volume.shape[0], 5) if find_bar(volume[z])] == []


def test_a_bar_by_hand() -> None:
    image = with_bar(texture(0), 24)
    assert bar_height(image, -1, name="a.tif") == 24
    assert bar_height(image, 0, name="a.tif") == 0
    assert bar_height(image, 30, name="a.tif") == 30
    with pytest.raises(InputError, match=r"a\.tif, which has 264 rows"):
        bar_height(image, 264, name="a.tif")
