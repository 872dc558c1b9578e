"""What a reader promises: the suite that its author inherits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.contract.base import PluginContract
from microtome.errors import MicrotomeError
from microtome.volumes.read import open_volume


class ReaderContract(PluginContract):
    """A reader gives back what was written, in any part, and refuses what is no such file with a sentence."""

    kind = "reader"
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "uint16", "float32")
    shape: ClassVar[tuple[int, int, int]] = (5, 7, 11)

    def write(self, folder: Path, voxels: NDArray[Any]) -> tuple[Path, dict[str, Any]]:
        """Write the voxels with code of another hand into `folder`; the path and the options that open it."""
        raise NotImplementedError

    def spoil(self, path: Path, content: bytes) -> None:
        """Put `content` in place of the file (of a folder: of its first file)."""
        target = sorted(path.iterdir())[0] if path.is_dir() else path
        target.write_bytes(content)

    def _voxels(self, dtype: str) -> NDArray[Any]:
        rng = np.random.default_rng(1)
        return np.asarray((rng.random(self.shape) * 200 + 1).astype(dtype))

    def test_gives_back_the_voxels(self, tmp_path: Path) -> None:
        """Shape, dtype and every voxel, for each kind of number, in native byte order."""
        for dtype in self.dtypes:
            folder = tmp_path / dtype
            folder.mkdir()
            voxels = self._voxels(dtype)
            path, options = self.write(folder, voxels)
            volume = open_volume(path, **options)
            assert (volume.shape, volume.dtype) == (voxels.shape, voxels.dtype)
            np.testing.assert_array_equal(volume.as_array(), voxels)
            assert volume.as_array().dtype.isnative

    def test_reads_any_part(self, tmp_path: Path) -> None:
        """Slicing a lazy volume is slicing the array."""
        voxels = self._voxels(self.dtypes[0])
        path, options = self.write(tmp_path, voxels)
        volume = open_volume(path, **options)
        for key in (0, -1, slice(1, 4), (slice(None), 2), (slice(0, 5, 2), slice(1, 3), -1), (..., 3), (1, 2, 3), np.s_[::-1]):
            np.testing.assert_array_equal(volume[key], voxels[key])
        with pytest.raises(IndexError):
            volume[self.shape[0]]

    def test_has_no_voxel_size_of_its_own_making(self, tmp_path: Path) -> None:
        """Where the file says nothing, the voxel size is unknown; what the user says is taken, in nm."""
        path, options = self.write(tmp_path, self._voxels(self.dtypes[0]))
        assert open_volume(path, **options).voxel_size is None
        given = open_volume(path, **options, voxel_size=(2.0, 1.0, 1.0), unit="um")
        assert (given.voxel_size, given.unit) == ((2000.0, 1000.0, 1000.0), "nm")

    def test_refuses_damage_with_a_sentence(self, tmp_path: Path) -> None:
        """Empty, cut off, or another thing altogether: a MicrotomeError when it is opened or read, never half a volume."""
        path, options = self.write(tmp_path, self._voxels(self.dtypes[0]))
        whole = (sorted(path.iterdir())[0] if path.is_dir() else path).read_bytes()
        for content in (b"", whole[:10], whole[: len(whole) // 2], b"\0" * 16):
            self.spoil(path, content)
            with pytest.raises(MicrotomeError):
                open_volume(path, **options).as_array()
