"""The pytest suites that prove a plugin: inherit the class of its kind, name the plugin, and run pytest.

from microtome.contract import GeneratorContract

class TestMine(GeneratorContract):
    name = "mine"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from microtome.errors import MicrotomeError
from microtome.plugin import Parameter, Space, Structure
from microtome.plugin_contract import PluginContract
from microtome.transform_contract import TransformContract
from microtome.volumes.read import open_volume
from microtome.volumes.simulate import simulate, voxelise
from microtome.volumes.structure import check, max_overlap, volume_fraction

__all__ = [
    "AugmentationContract",
    "GeneratorContract",
    "NetworkContract",
    "PluginContract",
    "ReaderContract",
    "SearchContract",
    "TransformContract",
]


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


class GeneratorContract(PluginContract):
    """A generator gives a sound structure that its seed determines to the bit, and meets its volume fraction."""

    kind = "generator"
    settings: ClassVar[dict[str, Any]] = {}
    volume_fraction: ClassVar[float | None] = None  # None: it promises none
    overlap: ClassVar[float] = 0.02

    def _structure(self, seed: int = 0) -> Structure:
        return simulate(self.name, seed=seed, parameters=self.settings)

    def test_is_sound(self) -> None:
        """Arrays that fit together, particles in the box, hardly overlapping."""
        structure = check(self._structure())
        assert max_overlap(structure) <= self.overlap + 1e-9

    def test_the_seed_determines_it(self) -> None:
        """The same seed gives the same bits, another seed another structure."""
        one, same, other = self._structure(3), self._structure(3), self._structure(4)
        assert one.centres.tobytes() == same.centres.tobytes()
        assert one.radii.tobytes() == same.radii.tobytes()
        assert one.centres.tobytes() != other.centres.tobytes()

    def test_meets_its_volume_fraction(self) -> None:
        """The spheres fill what is asked for, and so do their voxels: to 0.3 %."""
        structure = self._structure()
        drawn = float(voxelise(structure).as_array().mean()) / 255
        assert drawn == pytest.approx(volume_fraction(structure), rel=3e-3)
        if self.volume_fraction is not None:
            assert volume_fraction(structure) == pytest.approx(self.volume_fraction, rel=1e-9)


class SearchContract(PluginContract):
    """An engine proposes legal points of plain types, the same ones for the same seed, and survives whatever it is told."""

    kind = "search"
    budget: ClassVar[int] = 24
    space: ClassVar[Space] = Space(
        (
            Parameter(name="layers", kind="int", low=2, high=5),
            Parameter(name="rate", kind="float", low=1e-4, high=1e-1, log=True),
            Parameter(name="width", kind="int", low=8, high=128, log=True),
            Parameter(name="share", kind="float", low=-1.0, high=1.0),
            Parameter(name="activation", kind="choice", choices=("relu", "gelu", "elu")),
            Parameter(name="norm", kind="choice", choices=(True, False)),
            Parameter(name="fixed", kind="int", low=3, high=3),
            Parameter(name="constant", kind="float", low=0.5, high=0.5),
        )
    )

    @staticmethod
    def value(point: dict[str, Any]) -> float:
        """What the engines maximise here."""
        return float(point["layers"]) - abs(float(np.log10(point["rate"])) + 2) + (0.5 if point["norm"] else 0.0)

    def engine(self, seed: int = 1) -> Any:
        """A fresh engine."""
        return self.plugin.call(self.space, self.budget, seed)

    def walk(self, engine: Any, count: int) -> list[dict[str, Any]]:
        """Ask and tell `count` times; every seventh trial fails."""
        points = []
        for i in range(count):
            point = engine.ask()
            if point is None:
                break
            points.append(dict(point))
            engine.tell(point, None if i % 7 == 3 else self.value(point))
        return points

    def test_its_points_are_legal(self) -> None:
        """Every axis has a value inside its range, of exactly the axis's own type."""
        points = self.walk(self.engine(), self.budget)
        assert points
        for point in points:
            assert list(point) == [axis.name for axis in self.space]
            for axis in self.space:
                value = point[axis.name]
                if axis.kind == "choice":
                    assert any(value is choice or (value == choice and type(value) is type(choice)) for choice in axis.choices)
                else:
                    assert type(value) is (int if axis.kind == "int" else float)
                    assert axis.low <= value <= axis.high

    def test_the_seed_determines_it(self) -> None:
        """The same answers to the same seed lead to the same points: a run is resumed by replaying it."""
        assert self.walk(self.engine(), self.budget) == self.walk(self.engine(), self.budget)

    def test_answers_may_come_late_or_never(self) -> None:
        """Many are asked at once, told in another order, some never, some unasked, some failed at the very start."""
        engine = self.engine()
        asked = [p for p in (engine.ask() for _ in range(6)) if p is not None]
        engine.tell(asked[-1], None)
        for point in reversed(asked[1:-1]):
            engine.tell(point, self.value(point))
        stranger = {"layers": 4, "rate": 0.01, "width": 9, "share": 0.25, "activation": "elu", "norm": True}
        stranger |= {"fixed": 3, "constant": 0.5}
        engine.tell(stranger, 4.5)
        assert self.walk(engine, 4)

    def test_it_goes_on_beyond_its_budget_or_says_that_it_is_done(self) -> None:
        """A larger budget may be ordered in mid-search: more points, or None, and None again."""
        engine = self.engine()
        points = self.walk(engine, self.budget + 5)
        if len(points) < self.budget + 5:
            assert engine.ask() is None


class NetworkContract(PluginContract):
    """A network gives logits for images of any legal size, learns, and survives its weights' file."""

    kind = "network"
    settings: ClassVar[dict[str, Any]] = {}
    #: Sizes of images, beside the smallest that the plugin declares.
    sizes: ClassVar[tuple[int, ...]] = (64,)

    def build(self, *, channels: int = 1, classes: int = 3, size: int | None = None, seed: int = 0) -> Any:
        """The network with this suite's settings, its first weights drawn from `seed`."""
        import torch

        from microtome.training.build import build_network

        edge = self.plugin.extra["minimum_size"] if size is None else size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_network(self.name, channels, classes, edge, **self.settings)

    def images(self, count: int, *, channels: int = 1, size: int | None = None) -> Any:
        """Noise, the same at every call."""
        import torch

        edge = self.plugin.extra["minimum_size"] if size is None else size
        return torch.randn(count, channels, edge, edge, generator=torch.Generator().manual_seed(1))

    def test_gives_logits(self) -> None:
        """One finite number a class and image, for one and three channels, for every size; not probabilities."""
        for channels, classes, size in ((1, 2, None), (3, 5, None), *((1, 3, s) for s in self.sizes)):
            network = self.build(channels=channels, classes=classes, size=size).eval()
            logits = network(self.images(4, channels=channels, size=size))
            assert logits.shape == (4, classes)
            assert logits.isfinite().all()
            assert not np.allclose(logits.detach().sum(dim=1).numpy(), 1.0)

    def test_the_seed_determines_it(self) -> None:
        """The same seed gives the same first weights, another seed others."""
        one, same, other = (self.build(seed=s).state_dict() for s in (3, 3, 4))
        assert all((one[k] == same[k]).all() for k in one)
        assert not all((one[k] == other[k]).all() for k in one)

    def test_answers_do_not_depend_on_the_batch(self) -> None:
        """Set to evaluation, it says of an image what it says of it in company."""
        network = self.build().eval()
        images = self.images(3)
        together = network(images).detach().numpy()
        alone = np.concatenate([network(image[None]).detach().numpy() for image in images])
        assert np.allclose(together, alone, atol=1e-4)

    def test_it_learns(self) -> None:
        """A few steps on a few images lower their loss, and every weight takes part."""
        import torch

        torch.manual_seed(0)
        network = self.build().train()
        images, labels = self.images(6), torch.tensor([0, 1, 2] * 2)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        losses = []
        for _ in range(12):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
        assert all(p.grad is not None for p in network.parameters() if p.requires_grad)
        assert np.isfinite(losses).all()
        assert min(losses[-3:]) < losses[0]

    def test_survives_its_weights_file(self, tmp_path: Path) -> None:
        """Saved and loaded without pickle it says the same."""
        from safetensors.torch import load_file, save_file

        network = self.build().eval()
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
        again = self.build(seed=9).eval()
        again.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        images = self.images(2)
        assert (network(images) == again(images)).all()

    def test_refuses_images_that_are_too_small(self) -> None:
        """Below its declared smallest size it is refused with a sentence."""
        from microtome.training.build import build_network

        with pytest.raises(MicrotomeError, match="too small"):
            build_network(self.name, image_size=self.plugin.extra["minimum_size"] - 1)


class AugmentationContract(PluginContract):
    """An augmentation makes other images of the same kind, a whole batch at once; its generator determines which."""

    kind = "augmentation"
    settings: ClassVar[dict[str, Any]] = {}

    @staticmethod
    def images(count: int, *, channels: int = 1, edge: int = 12) -> Any:
        """Noise from 0 to 1, the same at every call."""
        import torch

        return torch.rand(count, channels, edge, edge, generator=torch.Generator().manual_seed(1))

    def found(self, images: Any, seed: int = 0) -> tuple[Any, Any, Any]:
        """Images, partners and weights with random numbers from `seed`; without mixing each image is wholly itself."""
        import torch

        found = self.plugin.call(images, torch.Generator(images.device).manual_seed(seed), **self.settings)
        if self.plugin.extra["mixes"]:
            return found  # type: ignore[no-any-return]
        return found, torch.arange(len(images)), torch.ones(len(images))

    def test_keeps_shape_type_and_device(self) -> None:
        """Batches of any size, also empty ones, stay what they are; the given images are not changed."""
        import torch

        shapes = ((5, 1, 8, 8), (1, 3, 8, 8), (0, 1, 8, 8), (4, 1, 7, 11), (2, 1, 1, 1))
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            for count, channels, height, width in shapes:
                images = torch.rand(count, channels, height, width).to(device)
                before = images.clone()
                found, partner, weight = self.found(images)
                assert (found.shape, found.dtype, found.device) == (images.shape, images.dtype, images.device)
                assert found.isfinite().all()
                assert (images == before).all()
                assert (len(partner), len(weight)) == (count, count)

    def test_the_generator_determines_it(self) -> None:
        """The generator alone: torch's global random numbers neither matter nor move."""
        import torch

        images = self.images(32)
        torch.manual_seed(1)
        first, partner, weight = self.found(images)
        state = torch.get_rng_state()
        again, same, equal = self.found(images)
        assert (first == again).all()
        assert (partner == same).all()
        assert (weight == equal).all()
        assert (state == torch.get_rng_state()).all()
        assert not (first == self.found(images, seed=1)[0]).all()

    def test_each_image_is_changed_in_its_own_way(self) -> None:
        """Copies of one image become several; where images are mixed, their weights do."""
        images = self.images(1).repeat(64, 1, 1, 1)
        found, _, weight = self.found(images)
        several = weight[:, None] if self.plugin.extra["mixes"] else found.flatten(1)
        assert len(several.unique(dim=0)) > 1

    def test_takes_the_whole_batch_at_once(self) -> None:
        """No loop over images: a batch of 48 takes no more operations than one of 3."""
        from collections import Counter

        from torch.utils._python_dispatch import TorchDispatchMode

        class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
            """Counts the operations by their names."""

            def __init__(self) -> None:
                super().__init__()  # type: ignore[no-untyped-call]
                self.counts: Counter[str] = Counter()

            def __torch_dispatch__(self, function: Any, _types: Any, arguments: Any = (), named: Any = None) -> Any:
                self.counts[str(function)] += 1
                return function(*arguments, **(named or {}))

        counted = []
        for count in (3, 48):
            with Counting() as mode:
                self.found(self.images(count))
            counted.append(mode.counts)
        assert counted[0].total() == counted[1].total()

    def test_labels_are_mixed_as_the_images_are(self) -> None:
        """An image's mean is its own and its partner's, in the proportion that it says; weights are shares."""
        if not self.plugin.extra["mixes"]:
            return
        import torch

        levels = torch.arange(64.0)
        found, partner, weight = self.found(levels.view(-1, 1, 1, 1).expand(64, 1, 12, 12).clone())
        assert (weight >= 0).all()
        assert (weight <= 1).all()
        assert torch.allclose(found.mean(dim=(1, 2, 3)), weight * levels + (1 - weight) * levels[partner], atol=1e-4)
