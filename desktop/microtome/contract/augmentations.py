"""What an augmentation promises: the suite that its author inherits."""

from __future__ import annotations

from typing import Any, ClassVar

from microtome.contract.base import PluginContract


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
