"""Mixing: each image blended with another one, or partly replaced by it, and their labels with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("mixup", label="Mixup", mixes=True)
def mixup(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    alpha: float = Field(
        0.2, 0.01, 10.0, log=True, search=(0.05, 1.0), help="Small: mostly one of the two; 1: every weight alike (Beta(α, α))"
    ),
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weighted means of pairs of images, with labels in the same proportion (arXiv:1710.09412)."""
    import torch

    partner = torch.randperm(len(images), generator=generator, device=images.device)
    weight = _weights(len(images), alpha, generator)
    part = weight.view(-1, 1, 1, 1)
    return part * images + (1 - part) * images[partner], partner, weight


@augmentation("cutmix", label="CutMix", mixes=True)
def cutmix(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    alpha: float = Field(
        1.0, 0.01, 10.0, log=True, search=(0.1, 2.0), help="Small: mostly one of the two; 1: every share alike (Beta(α, α))"
    ),
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A rectangle of each image shows another one; labels in proportion to the pixels of each (arXiv:1905.04899)."""
    import torch

    count, _, height, width = images.shape
    partner = torch.randperm(count, generator=generator, device=images.device)
    edge = (1 - _weights(count, alpha, generator)).sqrt().view(-1, 1, 1, 1) / 2
    y, x = torch.rand(2, count, 1, 1, 1, generator=generator, device=images.device)
    rows = torch.arange(height, device=images.device).view(1, 1, height, 1) + 0.5
    columns = torch.arange(width, device=images.device).view(1, 1, 1, width) + 0.5
    cut = ((rows - y * height).abs() < edge * height) & ((columns - x * width).abs() < edge * width)
    # By the pixels that are really exchanged: a rectangle at the edge is smaller than it was drawn.
    weight = 1 - cut.float().mean(dim=(1, 2, 3))
    return torch.where(cut, images[partner], images), partner, weight


def _weights(count: int, alpha: float, generator: torch.Generator) -> torch.Tensor:
    """Weights (count,) with the symmetric Beta(α, α) distribution, from two uniform numbers each.

    Devroye, Random variate generation in one line of code (WSC 1996): with uniform U and V and
    R = (U^(−1/α) − 1) cos²(2πV), the weight is ½ (1 ± 1 / sqrt(1 + 1/R)), its sign that of the cosine.
    """
    import torch

    first, second = torch.rand(2, count, generator=generator, device=generator.device, dtype=torch.float64)
    cosine = torch.cos(2 * torch.pi * second)
    spread = (first ** (-1 / alpha) - 1) * cosine**2
    return (0.5 * (1 + cosine.sign() / torch.sqrt(1 + 1 / spread))).float()
