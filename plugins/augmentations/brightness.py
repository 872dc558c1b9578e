"""Brightness: the detector's offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("brightness", label="Brightness", greys=True)
def brightness(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    amount: float = Field(
        0.15, 0.0, 1.0, search=(0.02, 0.5), help="Largest shift, brighter or darker, as a share of the way from black to white"
    ),
) -> torch.Tensor:
    """Each image a little brighter or darker as a whole, as another offset of the detector would make it."""
    import torch

    drawn = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return images + (2 * drawn - 1) * amount
