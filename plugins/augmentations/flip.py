"""Mirror images where only that keeps their sense: a fixed direction of milling, gravity or light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("flip", label="Flips only")
def flip(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    direction: str = Field("left-right", choices=("left-right", "up-down", "both"), help="What may be exchanged"),
) -> torch.Tensor:
    """Each image mirrored or not, by a coin; for images whose up and down, or left and right, are not alike."""
    import torch

    across, down = torch.randint(0, 2, (2, len(images), 1, 1, 1), generator=generator, device=images.device).bool()
    if direction in ("left-right", "both"):
        images = torch.where(across, images.flip(-1), images)
    if direction in ("up-down", "both"):
        images = torch.where(down, images.flip(-2), images)
    return images
