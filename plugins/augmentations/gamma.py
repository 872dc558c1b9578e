"""Gamma: a bent grey scale, with black and white where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("gamma", label="Gamma", greys=True)
def gamma(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    factor: float = Field(1.4, 1.0, 5.0, search=(1.05, 2.5), help="Largest exponent; as often its inverse", label="Exponent"),
) -> torch.Tensor:
    """The middle greys of each image raised or lowered by a power law; black and white stay, and what lies beyond them."""
    import torch

    drawn = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    bent = images.clamp(0, 1) ** (factor ** (2 * drawn - 1))
    return torch.where((images > 0) & (images < 1), bent, images)
