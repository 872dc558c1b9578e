"""Free rotation about the middle; the corners that come in are filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("rotation", label="Free rotation")
def rotation(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    degrees: float = Field(180.0, 0.0, 180.0, unit="°", search=(5.0, 180.0), help="Largest angle, either way", label="Angle"),
    edges: str = Field("reflection", choices=("reflection", "border", "mean"), help="What fills the corners that come in"),
    interpolation: str = Field(
        "bicubic", choices=("bicubic", "bilinear"), advanced=True, help="Bilinear is quicker, but blurs fine texture"
    ),
) -> torch.Tensor:
    """Each image turned by an angle of its own; it is interpolated, so fine texture becomes a little smoother."""
    import torch

    if len(images) == 0:  # which affine_grid refuses
        return images.clone()
    count, _, height, width = images.shape
    angle = (2 * torch.rand(count, generator=generator, device=images.device) - 1) * (degrees * torch.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # Coordinates are shares of half the width and height: an image that is not square turns as it is, not sheared.
    rows = (torch.stack((cos, -sin * height / width, zero), -1), torch.stack((sin * width / height, cos, zero), -1))
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    # Padding with zeros about the mean fills the corners with the mean.
    level = images.mean(dim=(-2, -1), keepdim=True) if edges == "mean" else torch.zeros_like(images[:, :, :1, :1])
    padding = "zeros" if edges == "mean" else edges
    turned = torch.nn.functional.grid_sample(images - level, grid, interpolation, padding, align_corners=False)
    return turned + level
