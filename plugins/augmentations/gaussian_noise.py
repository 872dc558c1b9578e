"""Gaussian noise: the electronics' share, alike in every grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("gaussian-noise", label="Gaussian noise", greys=True)
def gaussian_noise(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    deviation: float = Field(
        0.1, 0.0, 2.0, search=(0.01, 0.5), help="Largest standard deviation, as a share of the way from black to white"
    ),
) -> torch.Tensor:
    """Noise added to each image with a strength of its own, between nothing and the largest."""
    import torch

    strength = deviation * torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return images + strength * torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
