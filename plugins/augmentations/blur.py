"""Blur: defocus, or a beam wider than a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("blur", label="Blur")
def blur(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    sigma: float = Field(1.0, 0.05, 20.0, unit="px", search=(0.3, 3.0), help="Largest standard deviation of the blur"),
    share: float = Field(0.5, 0.0, 1.0, help="Share of the images that are blurred"),
) -> torch.Tensor:
    """Each image smoothed by a Gaussian of a width of its own, between nothing and the largest."""
    import torch

    width, coin = torch.rand(2, len(images), 1, generator=generator, device=images.device)
    width = (sigma * width).clamp(min=1e-2)

    def weights(edge: int) -> torch.Tensor:
        """(n, 1, edge, edge): how much of pixel j comes to pixel i, from itself and its reflections at both edges."""
        place = torch.arange(edge, device=images.device)
        here = place.view(-1, 1)
        gauss = torch.exp(-0.5 * (torch.arange(2 * edge, device=images.device) / width) ** 2)  # (n, distance)
        found = gauss[:, (here - place).abs()] + gauss[:, here + place + 1] + gauss[:, 2 * edge - 1 - here - place]
        return (found / found.sum(dim=-1, keepdim=True)).unsqueeze(1)

    # A product with a matrix for each axis: one kernel an image, edges included, whatever its width.
    down = weights(images.shape[-2])
    across = down if images.shape[-1] == images.shape[-2] else weights(images.shape[-1])
    return torch.where(coin.view(-1, 1, 1, 1) < share, down @ images @ across.transpose(-1, -2), images)
