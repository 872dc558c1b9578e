"""Cutout: a square hole in each image, so that no single feature decides alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("cutout", label="Cutout")
def cutout(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    size: float = Field(0.25, 0.01, 1.0, search=(0.1, 0.5), help="Edge of the hole as a share of the image's shorter edge"),
    share: float = Field(1.0, 0.0, 1.0, help="Share of the images that get a hole"),
) -> torch.Tensor:
    """A square of each image replaced by the image's mean; near the edges part of it falls outside (arXiv:1708.04552)."""
    import torch

    count, _, height, width = images.shape
    y, x, coin = torch.rand(3, count, 1, 1, 1, generator=generator, device=images.device)
    half = size * min(height, width) / 2
    rows = torch.arange(height, device=images.device).view(1, 1, height, 1) + 0.5
    columns = torch.arange(width, device=images.device).view(1, 1, 1, width) + 0.5
    hole = ((rows - y * height).abs() <= half) & ((columns - x * width).abs() <= half) & (coin < share)
    return torch.where(hole, images.mean(dim=(-2, -1), keepdim=True), images)
