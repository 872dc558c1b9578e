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

    def test_refuses_images_that_are_too_small(self) -> None:
        """Below its declared smallest size it is refused with a sentence."""
        from microtome.training.build import build_network

        with pytest.raises(MicrotomeError, match="too small"):
            build_network(self.name, image_size=self.plugin.extra["minimum_size"] - 1)
