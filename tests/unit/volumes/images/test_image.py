"""Single images: sizes from headers, grey values, damage."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError
from microtome.volumes.images.image import image_size, read_image

Grey = NDArray[np.uint8]


@pytest.fixture
def page() -> Grey:
    """A smooth image, so that JPEG keeps it nearly."""
    y, x = np.mgrid[:20, :31]
    return (100 + 5 * y + x).astype(np.uint8)


def _write(path: Path, image: Grey) -> Path:
    encode = {".png": imagecodecs.png_encode, ".bmp": imagecodecs.bmp_encode, ".jpg": imagecodecs.jpeg_encode}
    path.write_bytes(encode[path.suffix](np.ascontiguousarray(image)))
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg"])
def test_sizes_and_values(tmp_path: Path, page: Grey, name: str) -> None:
    """The header's size is the image's, the values are those that were written (JPEG: nearly)."""
    path = _write(tmp_path / name, page)
    assert image_size(path) == page.shape
    grey, _ = read_image(path)
    np.testing.assert_allclose(grey, page, atol=2 if name == "a.jpg" else 0)


@pytest.mark.parametrize("name", ["a.png", "a.bmp"])
def test_equal_channels_are_grey_colours_are_brightness(tmp_path: Path, page: Grey, name: str) -> None:
    """As for TIFF, and red is the first channel."""
    grey, findings = read_image(_write(tmp_path / name, np.stack([page] * 3, -1)))
    np.testing.assert_array_equal(grey, page)
    assert "stored as colour" in findings[0]
    red, _ = read_image(_write(tmp_path / name, np.stack([page, 0 * page, 0 * page], -1)))
    np.testing.assert_allclose(red, 0.2126 * page, atol=0.51)


def test_sixteen_bit_png_stays_sixteen_bit(tmp_path: Path, page: Grey) -> None:
    """Nothing is made 8-bit."""
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(page.astype(np.uint16) * 200))
    grey, _ = read_image(tmp_path / "a.png")
    assert grey.dtype == np.uint16
    np.testing.assert_array_equal(grey, page.astype(np.uint16) * 200)


def _bmp(depth: int, pixels: bytes, palette: bytes, size: tuple[int, int]) -> bytes:
    """A BMP written by hand from Microsoft's description."""
    start = 54 + len(palette)
    head = b"BM" + (start + len(pixels)).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + size[1].to_bytes(4, "little") + size[0].to_bytes(4, "little", signed=True)
    info += (1).to_bytes(2, "little") + depth.to_bytes(2, "little") + bytes(16) + (len(palette) // 4).to_bytes(4, "little")
    return head + info + bytes(4) + palette + pixels


def test_bmp_of_few_bits(tmp_path: Path) -> None:
    """1 and 4 bits through their palettes; rows from the bottom up, or from the top where the height is negative."""
    palette = bytes([0, 0, 0, 0, 255, 255, 255, 0])
    pixels = bytes([0b10100000, 0, 0, 0, 0b01000000, 0, 0, 0])
    (tmp_path / "a.bmp").write_bytes(_bmp(1, pixels, palette, (2, 3)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp")[0], [[0, 255, 0], [255, 0, 255]])
    (tmp_path / "a.bmp").write_bytes(_bmp(1, pixels, palette, (-2, 3)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp")[0], [[255, 0, 255], [0, 255, 0]])
    greys = b"".join(bytes([16 * i] * 3 + [0]) for i in range(16))
    (tmp_path / "b.bmp").write_bytes(_bmp(4, bytes([0x1F, 0x30, 0, 0]), greys, (1, 3)))
    np.testing.assert_array_equal(read_image(tmp_path / "b.bmp")[0], [[16, 240, 48]])


def test_bmp_with_a_wrong_palette_is_refused(tmp_path: Path) -> None:
    """An index without a colour is damage."""
    (tmp_path / "a.bmp").write_bytes(_bmp(8, bytes([9, 0, 0, 0]), bytes(8), (1, 1)))
    with pytest.raises(FileError, match="colour table"):
        read_image(tmp_path / "a.bmp")


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg"])
def test_no_damage_is_more_than_a_sentence(tmp_path: Path, page: Grey, name: str) -> None:
    """Cut or changed anywhere: an image, or a MicrotomeError; a PNG that changed is always noticed by its checksums."""
    path = _write(tmp_path / name, page)
    whole, rng = path.read_bytes(), np.random.default_rng(2)
    for _ in range(150):
        data = bytearray(whole)
        at = int(rng.integers(len(data)))
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data) if rng.random() < 0.5 else whole[:at])
        try:
            grey, _ = read_image(path)
        except MicrotomeError:
            continue
        assert grey.ndim == 2
        assert name != "a.png"


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg", "a.tif"])
def test_what_is_no_image_is_refused(tmp_path: Path, name: str) -> None:
    """Empty and foreign content."""
    for content in (b"", b"hello, I am text that is long enough to be looked at"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError):
            image_size(tmp_path / name)
        with pytest.raises(FileError):
            read_image(tmp_path / name)


def test_compressed_bmp_is_refused(tmp_path: Path, page: Grey) -> None:
    """Run-length coding is rare enough."""
    data = bytearray(_write(tmp_path / "a.bmp", page).read_bytes())
    data[30] = 1
    (tmp_path / "a.bmp").write_bytes(bytes(data))
    with pytest.raises(InputError, match="rare kind"):
        read_image(tmp_path / "a.bmp")


@pytest.mark.shared
def test_real_bmps(shared: Path) -> None:
    """Micrographs and their masks."""
    for path in (shared / "sem-superconductor").glob("*.bmp"):
        grey, _ = read_image(path)
        assert grey.shape == image_size(path) == (256, 256)
        np.testing.assert_array_equal(grey, np.atleast_3d(imagecodecs.bmp_decode(path.read_bytes()))[..., 0])
