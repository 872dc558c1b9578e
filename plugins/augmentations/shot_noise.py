"""Shot noise: counted electrons or photons, Poisson-distributed, by dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("shot-noise", label="Shot noise", greys=True)
def shot_noise(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    dose: float = Field(
        50.0, 0.5, 1e6, log=True, unit="counts", search=(10.0, 1000.0), help="Counts in a white pixel of the noisiest images"
    ),
    spread: float = Field(
        10.0, 1.0, 1000.0, log=True, help="Dose of the cleanest images over that of the noisiest; 1: all have the same"
    ),
    background: float = Field(0.1, 0.0, 0.9, advanced=True, help="Counts in a black pixel as a share of those in a white one"),
) -> torch.Tensor:
    """Each image counted anew with a dose of its own: the noise of a pixel grows as the root of its counts, its mean stays."""
    import torch

    drawn = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    white = dose * spread**drawn
    # Nothing can be counted below zero: what is darker than that stays at zero.
    expected = white * (background + (1 - background) * images).clamp(min=0)
    return (torch.poisson(expected, generator=generator) / white - background) / (1 - background)
