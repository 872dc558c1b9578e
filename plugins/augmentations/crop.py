"""Random crops, enlarged to the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("crop", label="Crop and enlarge")
def crop(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    smallest: float = Field(
        0.6, 0.05, 1.0, search=(0.3, 1.0), help="Least share of the area that is kept", label="Smallest part"
    ),
    stretch: float = Field(1.0, 1.0, 2.0, help="Largest ratio by which width and height may be distorted; 1: not at all"),
    interpolation: str = Field("bicubic", choices=("bicubic", "bilinear"), advanced=True),
) -> torch.Tensor:
    """A random part of each image, enlarged: sizes lose their meaning, so leave it out where the classes differ by scale."""
    import torch

    if len(images) == 0:  # which affine_grid refuses
        return images.clone()
    count = len(images)
    area, ratio, right, down = torch.rand(4, count, generator=generator, device=images.device)
    area = smallest + (1 - smallest) * area
    ratio = stretch ** (2 * ratio - 1)
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    zero = torch.zeros_like(area)
    across = torch.stack((width, zero, (1 - width) * (2 * right - 1)), -1)
    along = torch.stack((zero, height, (1 - height) * (2 * down - 1)), -1)
    grid = torch.nn.functional.affine_grid(torch.stack((across, along), 1), list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, interpolation, "reflection", align_corners=False)
