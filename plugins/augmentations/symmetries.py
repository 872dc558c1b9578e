"""Flips and quarter turns: exact symmetries of randomly oriented slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("symmetries", label="Flips and quarter turns")
def symmetries(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image in one of its eight positions (four quarter turns, mirrored or not), drawn evenly."""
    import torch

    # Transposition and the two flips generate the square's whole symmetry group; three coins give each element once.
    draws = torch.randint(0, 2, (3, len(images), 1, 1, 1), generator=generator, device=generator.device)
    transpose, down, right = draws.to(images.device, torch.bool)
    if images.shape[-1] == images.shape[-2]:
        images = torch.where(transpose, images.transpose(-1, -2), images)
    images = torch.where(down, images.flip(-2), images)
    return torch.where(right, images.flip(-1), images)
