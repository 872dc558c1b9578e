"""The suite that proves a transform of volumes; a plugin's tests take it from `microtome.contract`."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np
import pytest

from microtome.contract.base import PluginContract
from microtome.errors import MicrotomeError
from microtome.volumes.corrections.progress import LookStoppedError
from microtome.volumes.transforms import before_after, describe_steps, measured, transformed
from microtome.volumes.volume import Volume


class TransformContract(PluginContract):
    """A transform is lazy, determined, keeps the dtype and the source, and says the same of a voxel however it is asked for."""

    kind = "transform"
    settings: ClassVar[dict[str, Any]] = {}
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "uint16", "float32", "int32")
    shape: ClassVar[tuple[int, int, int]] = (10, 24, 40)

    def volume(self, dtype: str = "uint16") -> Volume:
        """Smooth blobs with a little noise that drift and flicker, with a voxel size."""
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(2)
        blobs = gaussian_filter(rng.standard_normal(self.shape), (1, 2, 2))
        voxels = 100 + 40 * blobs / blobs.std() + rng.normal(0, 2, self.shape)
        for z, page in enumerate(voxels):
            voxels[z] = np.roll(page, z % 3, axis=0) * (1 + 0.02 * (z % 2))
        return Volume.from_array(np.clip(voxels, 0, 255).astype(dtype), (20.0, 5.0, 5.0), "nm")

    def step(self, volume: Volume) -> dict[str, Any]:
        """The step with this suite's settings, measured on the volume, as a project file brings it back."""
        found = measured(volume, {"name": self.name, **self.settings}, lambda share: not 0 <= share <= 1)
        again: dict[str, Any] = json.loads(json.dumps(found))
        return again

    def test_keeps_the_dtype_and_the_source(self) -> None:
        """8 bit stay 8 bit, floats stay floats, and the source's voxels stay what they are."""
        for dtype in self.dtypes:
            volume = self.volume(dtype)
            before = volume.as_array().copy()
            found = transformed(volume, [self.step(volume)])
            assert found.dtype == volume.dtype
            assert np.isfinite(found.as_array()).all() or self.settings.get("edges") == "empty"
            np.testing.assert_array_equal(volume.as_array(), before)

    def test_any_part_is_the_part_of_the_whole(self) -> None:
        """Slices, rows through all slices, single voxels and steps backwards: to the bit."""
        volume = self.volume("float32")
        step = self.step(volume)
        whole = transformed(volume, [step]).as_array()
        depth, height, width = whole.shape
        keys: tuple[Any, ...] = (0, -1, np.s_[1:3], np.s_[:, height // 2], np.s_[:, :, 3], np.s_[::-1, 2:9:3, ::-2])
        for key in (*keys, (depth - 1, height - 1, width - 1), np.s_[..., 1:5], np.s_[:, 3:3]):
            # A fresh one each time: nothing is kept from another question.
            np.testing.assert_array_equal(transformed(volume, [step])[key], whole[key])
        with pytest.raises(IndexError):
            transformed(volume, [step])[depth]

    def test_is_determined(self) -> None:
        """Measured and applied twice: the same bytes."""
        one, two = self.volume(), self.volume()
        assert self.step(one) == self.step(two)
        found = [transformed(v, [self.step(v)]).as_array().tobytes() for v in (one, two)]
        assert found[0] == found[1]

    def test_is_said_in_words(self) -> None:
        """A report has a phrase for it."""
        (phrase,) = describe_steps([self.step(self.volume())])
        assert phrase
        assert phrase[0].islower()
        assert not phrase.endswith(".")

    def test_shows_a_slice_before_and_after(self) -> None:
        """The same place in both, however many slices there are afterwards."""
        volume = self.volume()
        step = self.step(volume)
        after_all = transformed(volume, [step])
        for z in (0, volume.shape[0] // 2, volume.shape[0] - 1):
            before, after = before_after(volume, step, z)
            np.testing.assert_array_equal(before, volume[z])
            assert after.shape == after_all.shape[1:]

    def test_one_slice_and_few_pixels_are_no_crash(self) -> None:
        """The smallest volumes: a result or a sentence."""
        for shape in ((1, 1, 1), (2, 3, 1), (1, 9, 9)):
            volume = Volume.from_array(np.ones(shape, dtype=np.uint8), (1.0, 1.0, 1.0), "nm")
            try:
                transformed(volume, [self.step(volume)]).as_array()
            except MicrotomeError as error:
                assert error.hint

    def test_stops_when_it_is_asked_to(self) -> None:
        """A transform that measures stops at once."""
        if self.plugin.extra["measure"] is not None:
            with pytest.raises(LookStoppedError):
                measured(self.volume(), {"name": self.name, **self.settings}, lambda _share: True)

    def test_refuses_what_was_measured_elsewhere(self) -> None:
        """Numbers of another volume are refused with a sentence, not applied."""
        if self.plugin.extra["measure"] is None:
            return
        volume = self.volume()
        step = self.step(volume)
        for known in ({}, {k: v[:-1] for k, v in step["known"].items()}, dict.fromkeys(step["known"], "?")):
            with pytest.raises(MicrotomeError, match="measured"):
                transformed(volume, [{**step, "known": known}])
