"""Curtaining: the stripes that ion milling leaves along its direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("curtaining", label="Curtaining stripes", greys=True)
def curtaining(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    strength: float = Field(
        0.15, 0.0, 2.0, search=(0.02, 0.5), help="Largest standard deviation of the stripes, as a share of a pixel's brightness"
    ),
    width: float = Field(1.5, 0.1, 50.0, log=True, unit="px", search=(0.5, 8.0), help="Standard deviation of a stripe across"),
    direction: str = Field(
        "either", choices=("either", "down", "across"), help="Of the milling in the image; either: by a coin for each image"
    ),
    share: float = Field(0.5, 0.0, 1.0, help="Share of the images that get stripes"),
) -> torch.Tensor:
    """Brighter and darker stripes through the whole image that multiply its greys, each image with its own."""
    import torch

    count = len(images)
    strengths, coin, turn = torch.rand(3, count, 1, 1, 1, generator=generator, device=images.device)

    def profile(edge: int) -> torch.Tensor:
        """(n, edge): smoothed white noise of deviation 1."""
        noise = torch.randn(count, edge, generator=generator, device=images.device, dtype=images.dtype)
        place = torch.arange(edge, device=images.device, dtype=images.dtype)
        weights = torch.exp(-0.5 * ((place - place.view(-1, 1)) / width) ** 2)
        return noise @ (weights / weights.square().sum(dim=-1, keepdim=True).sqrt()).T

    down, across = profile(images.shape[-1])[:, None, None, :], profile(images.shape[-2])[:, None, :, None]
    chosen = turn < {"either": 0.5, "down": 1.1, "across": -0.1}[direction]
    striped = images * (1 + strength * strengths * torch.where(chosen, down, across))
    return torch.where(coin < share, striped, images)
