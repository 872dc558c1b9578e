"""Shift by whole pixels: pad and crop, without interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("shift", label="Shift")
def shift(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    pixels: int = Field(4, 1, 512, unit="px", search=(1, 16), help="Largest shift along each axis; what comes in is reflected"),
) -> torch.Tensor:
    """Each image moved by whole pixels, its edges reflected: the customary padding and random crop."""
    import torch

    count, _, height, width = images.shape
    moved = torch.randint(-pixels, pixels + 1, (2, count, 1), generator=generator, device=images.device)

    def reflected(by: torch.Tensor, edge: int) -> torch.Tensor:
        place = (torch.arange(edge, device=images.device) + by) % (2 * edge)
        return torch.minimum(place, 2 * edge - 1 - place)

    down = reflected(moved[0], height)[:, None, :, None].expand_as(images)
    across = reflected(moved[1], width)[:, None, None, :].expand_as(images)
    return images.gather(-2, down).gather(-1, across)
