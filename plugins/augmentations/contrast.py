"""Contrast: the detector's gain, about the image's mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("contrast", label="Contrast", greys=True)
def contrast(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    factor: float = Field(1.3, 1.0, 5.0, search=(1.05, 2.0), help="Largest factor; as often its inverse"),
) -> torch.Tensor:
    """The differences of each image from its mean enlarged or reduced; the mean stays."""
    import torch

    drawn = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    # One level for all channels: a detector's gain does not tell them apart.
    mean = images.mean(dim=(-2, -1), keepdim=True).mean(dim=-3, keepdim=True)
    return mean + (images - mean) * factor ** (2 * drawn - 1)
