"""Elastic deformation: a smooth random displacement of every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("elastic", label="Elastic deformation")
def elastic(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    displacement: float = Field(1.0, 0.1, 50.0, unit="px", search=(0.5, 6.0), help="Typical displacement along each axis"),
    length: float = Field(16.0, 4.0, 512.0, unit="px", search=(8.0, 64.0), help="Distance over which it changes"),
) -> torch.Tensor:
    """Each image bent like rubber by a field of its own, as drift and charging bend a scan; its edges are reflected."""
    import torch

    if len(images) == 0:  # which affine_grid refuses
        return images.clone()
    count, _, height, width = images.shape
    nodes = (2 + round(height / length), 2 + round(width / length))
    coarse = torch.randn(count, 2, *nodes, generator=generator, device=images.device, dtype=images.dtype)
    field = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    scale = torch.tensor((2 * displacement / width, 2 * displacement / height), device=images.device, dtype=images.dtype)
    straight = torch.eye(2, 3, device=images.device, dtype=images.dtype).expand(count, 2, 3)
    grid = torch.nn.functional.affine_grid(straight, list(images.shape), align_corners=False)
    bent = grid + field.permute(0, 2, 3, 1) * scale
    return torch.nn.functional.grid_sample(images, bent, "bicubic", "reflection", align_corners=False)
