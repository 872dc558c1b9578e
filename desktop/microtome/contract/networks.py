"""What a network promises: the suite that its author inherits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from microtome.contract.base import PluginContract
from microtome.errors import MicrotomeError


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

    def test_names_its_parts(self) -> None:
        """Its parts, where it names them, hold every weight once, in the order of the forward pass, and end with the head."""
        network = self.build().eval()
        parts = getattr(network, "parts", None)
        if parts is None:
            pytest.skip("it names no parts, so it can only be trained as a whole")
        names = [name for name, _ in parts]
        assert len(set(names)) == len(names) >= 2
        assert names[-1] == "head"
        held = [id(p) for _, modules in parts for m in modules for p in network.get_submodule(m).parameters()]
        assert sorted(held) == sorted(id(p) for p in network.parameters())
        assert all(list(network.get_submodule(m).parameters()) for _, modules in parts for m in modules)
        seen: list[int] = []
        for place, (_, modules) in enumerate(parts):
            for module in modules:
                network.get_submodule(module).register_forward_hook(lambda *_, place=place: seen.append(place))
        network(self.images(2))
        assert seen == sorted(seen)

    def test_only_the_ends_know_images_and_classes(self) -> None:
        """Where it names its parts, more classes change nothing before the head, and colours nothing behind the stem."""
        plain, wider, coloured = self.build(), self.build(classes=7), self.build(channels=3)
        if not hasattr(plain, "parts"):
            pytest.skip("it names no parts, so it can only be trained as a whole")
        for other, part in ((wider, plain.parts[-1]), (coloured, plain.parts[0])):
            mine, theirs = ({k: v.shape for k, v in n.state_dict().items()} for n in (plain, other))
            assert mine.keys() == theirs.keys()
            changed = [key for key in mine if mine[key] != theirs[key]]
            assert changed
            assert all(key.startswith(tuple(f"{module}." for module in part[1])) for key in changed)

    def test_other_sizes_need_no_other_weights(self) -> None:
        """Declared for any size, it has the same weights for all, and takes another size than it was built for."""
        if not self.plugin.extra["any_size"]:
            pytest.skip("it is for images of one size")
        smallest = self.plugin.extra["minimum_size"]
        network, larger = self.build(), self.build(size=2 * smallest + 1)
        assert [(k, v.shape) for k, v in network.state_dict().items()] == [(k, v.shape) for k, v in larger.state_dict().items()]
        for size in (smallest, 2 * smallest + 1):
            assert network.eval()(self.images(2, size=size)).shape == (2, 3)

    def test_published_weights_say_what_they_need(self) -> None:
        """Every set of them has a source and a legal setting of the network; the network gives as many classes as they have."""
        sets = self.plugin.extra["published"]
        assert len({published.source for published in sets}) == len(sets)
        for published in sets:
            assert published.source.startswith(("wheel:", "hub:"))
            assert published.name
            assert published.licence
            assert all(value > 0 for value in published.deviation)
            assert all(self.plugin.fields[key].check(value) == value for key, value in published.settings.items())
        if sets:  # the first are the default: they fit the network as it comes
            assert all(self.plugin.fields[key].default == value for key, value in sets[0].settings.items())

    def test_refuses_images_that_are_too_small(self) -> None:
        """Below its declared smallest size it is refused with a sentence."""
        from microtome.training.build import build_network

        with pytest.raises(MicrotomeError, match="too small"):
            build_network(self.name, image_size=self.plugin.extra["minimum_size"] - 1)
