"""Half turns and the mirror: for parts that lie the right way up or upside down, never on their side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.plugin import Field, augmentation

if TYPE_CHECKING:
    import torch

__version__ = "1"


@augmentation("half-turn", label="Half turn and mirror")
def half_turn(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    positions: str = Field(
        "three",
        choices=("three", "four"),
        help="three: as it is, turned by 180°, mirrored left to right; four: also mirrored up to down",
    ),
) -> torch.Tensor:
    """Each image as it is, turned by 180° or mirrored, drawn evenly: three times the images, none of them interpolated."""
    import torch

    count = 3 if positions == "three" else 4
    drawn = torch.randint(0, count, (len(images), 1, 1, 1), generator=generator, device=images.device)
    # 0 as it is, 1 turned (both flips), 2 mirrored left to right, 3 mirrored up to down
    images = torch.where((drawn == 1) | (drawn == 2), images.flip(-1), images)
    return torch.where((drawn == 1) | (drawn == 3), images.flip(-2), images)
