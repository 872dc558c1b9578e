"""Wherever voxels lie, slices are the same to the bit: in memory, mapped, swapped, in bricks, in pages, in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from microtome.errors import FileError
from microtome.plugin import LazyArray
from microtome.slices.geometry import random_axes
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.cut import Outside, cut, sample
from microtome.slices.source import preview
from microtome.volumes.bricks import Bricks
from microtome.volumes.lazy import PagedArray, expanded
from microtome.volumes.volume import Volume

SHAPE = (70, 131, 66)
MODES: tuple[Outside, ...] = ("nan", "nearest", "wrap")


@dataclass
class Chunked:
    """Voxels that are read by small blocks, as from a Zarr store; notes the largest part that was asked for."""

    voxels: NDArray[Any]
    chunks: tuple[int, int, int] = (16, 16, 16)
    largest: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.voxels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.voxels.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = self.voxels[expanded(key)].copy()
        self.largest = max(self.largest, part.nbytes)
        return part


@dataclass
class Pages:
    """Counts how often each page is read."""

    voxels: NDArray[Any]
    read: list[int] = field(default_factory=list)

    def array(self) -> PagedArray:
        def pages(indices: Sequence[int]) -> Iterator[NDArray[Any]]:
            for i in indices:
                self.read.append(i)
                yield self.voxels[i]

        z, y, x = self.voxels.shape
        return PagedArray(shape=(z, y, x), dtype=self.voxels.dtype, read=pages)


def in_bricks(voxels: NDArray[Any]) -> Bricks:
    z, y, x = voxels.shape
    filled = np.pad(voxels, [(0, -n % 64) for n in voxels.shape], mode="edge")
    bz, by, bx = (n // 64 for n in filled.shape)
    blocks = filled.reshape(bz, 64, by, 64, bx, 64).transpose(0, 2, 4, 1, 3, 5).copy()
    return Bricks(blocks=blocks, shape=(z, y, x))


def mapped(voxels: NDArray[Any], path: Path) -> NDArray[Any]:
    voxels.tofile(path)
    return np.memmap(path, voxels.dtype, "r", shape=voxels.shape)


@pytest.fixture(params=[None, "3 MiB"])
def little_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as always, once with a cap under which nothing but small parts may be read."""
    if request.param:
        monkeypatch.setenv("MICROTOME_MEMORY", request.param)


def noise(dtype: str, seed: int = 0) -> NDArray[Any]:
    return (np.random.default_rng(seed).random(SHAPE) * 250).astype(dtype)


def poses(n: int, seed: int = 0, margin: float = 20) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-margin, np.array(SHAPE) - 1 + margin, (n, 3)), random_axes(rng, n)


def ways(voxels: NDArray[Any], folder: Path) -> Iterator[tuple[str, Volume]]:
    swapped = voxels.astype(voxels.dtype.newbyteorder())
    sources: dict[str, LazyArray] = {
        "memory": voxels,
        "mapped": mapped(voxels, folder / "native"),
        "swapped": swapped,
        "mapped and swapped": mapped(swapped, folder / "swapped"),
        "bricks": in_bricks(voxels),
        "pages": Pages(voxels).array(),
        "chunks": Chunked(voxels),
        "thick chunks": Chunked(voxels, (9, *SHAPE[1:])),
        "transposed": mapped(voxels.T.copy(), folder / "turned").T,
    }
    for name, source in sources.items():
        yield name, Volume(voxels=source, source=name)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("outside", MODES)
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_the_same_to_the_bit(dtype: str, outside: Outside, tmp_path: Path) -> None:
    voxels = noise(dtype)
    centres, axes = poses(12)
    expected = cut(voxels, centres, axes, (40, 90), 1.3, outside=outside)
    assert (outside == "nan") == bool(np.isnan(expected).any())
    for name, volume in ways(voxels, tmp_path):
        for threads in (1, 2):
            found = cut(volume, centres, axes, (40, 90), 1.3, threads, outside)
            assert found.tobytes() == expected.tobytes(), f"{name}, {threads} threads"


@pytest.mark.parametrize("dtype", ["u4", "i8", "f8", "f2", "?"])
def test_every_kind_of_number(dtype: str, tmp_path: Path) -> None:
    voxels = noise(dtype)
    centres, axes = poses(3)
    expected = cut(voxels, centres, axes, 20)
    for name, volume in ways(voxels, tmp_path):
        assert cut(volume, centres, axes, 20).tobytes() == expected.tobytes(), name


@settings(max_examples=30, deadline=None)
@given(
    outside=st.sampled_from(MODES),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    step=st.floats(0.1, 9.0),
    far=st.sampled_from([0.0, 3.0, 500.0, 1e12]),
    seed=st.integers(0, 2**32 - 1),
)
def test_wherever_slices_lie(outside: Outside, size: tuple[int, int], step: float, far: float, seed: int) -> None:
    """Also beside the volume, far away, and around its edges where it goes on periodically."""
    voxels = noise("u1")
    centres, axes = poses(4, seed, far)
    axes[0] = np.eye(3)[[1, 2]]
    expected = sample(voxels, centres, axes * step, size=size, outside=outside)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROTOME_MEMORY", "2.2 MiB")
        for source in (Pages(voxels).array(), Chunked(voxels), in_bricks(voxels)):
            found = sample(Volume(voxels=source), centres, axes * step, size=size, outside=outside)
            assert found.tobytes() == expected.tobytes(), type(source).__name__


def test_each_page_is_read_once_however_many_slices_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROTOME_MEMORY", "3 MiB")
    pages = Pages(noise("u1"))
    centres, axes = poses(30, margin=0)
    cut(Volume(voxels=pages.array()), centres, axes, 50)
    assert sorted(pages.read) == list(range(SHAPE[0]))


def test_only_what_slices_need_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROTOME_MEMORY", "3 MiB")
    pages, chunked = Pages(noise("u1")), Chunked(noise("u1"))
    centres, axes = np.array([[20.5, 60, 30]]), random_axes(np.random.default_rng(0), 1)
    for source in (pages.array(), chunked):
        cut(Volume(voxels=source), centres, axes, 11)
    assert set(pages.read) <= set(range(11, 31))
    assert chunked.largest < 20**3
    cut(Volume(voxels=chunked), [[35, 65, 33]], axes, 120)
    assert chunked.largest <= 2**20, "a slice whose box is too large is cut in tiles"


def test_what_is_small_is_read_once_and_kept() -> None:
    pages = Pages(noise("u1"))
    volume = Volume(voxels=pages.array())
    for seed in range(3):
        cut(volume, *poses(2, seed), 9)
    assert pages.read == list(range(SHAPE[0]))


def test_a_source_that_changes_its_size_is_said() -> None:
    chunked = Chunked(noise("u1"))
    volume = Volume(voxels=chunked, source="v.zarr")
    assert volume.shape == SHAPE

    class Shrunk(Chunked):
        @property
        def shape(self) -> tuple[int, ...]:
            return SHAPE

    with pytest.MonkeyPatch.context() as patch, pytest.raises(FileError, match=r"v\.zarr has changed"):
        patch.setenv("MICROTOME_MEMORY", "2 MiB")
        shrunk = Volume(voxels=Shrunk(noise("u1")[:40]), source="v.zarr")
        cut(shrunk, [[40, 60, 30]], random_axes(np.random.default_rng(0), 1), 30)


@pytest.mark.parametrize("make", [lambda a: Pages(a).array(), Chunked, in_bricks])
def test_a_preview_and_its_grey_values_are_the_same(make: Callable[[Any], LazyArray], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = SlicePlan(field_of_view=16, pixels=16, unit="voxel", normalisation="volume")
    expected = preview(Volume.from_array(noise("u1")), plan, n=6, seed=1)
    monkeypatch.setenv("MICROTOME_MEMORY", "3 MiB")
    found = preview(Volume(voxels=make(noise("u1"))), plan, n=6, seed=1)
    assert found.images.tobytes() == expected.images.tobytes()
