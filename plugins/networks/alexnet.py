"""AlexNet in the form of Krizhevsky's “one weird trick” (arXiv:1404.5997), with torchvision's parameter names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
_POOL = 3  # pixels of a pool's window
_DENSE_EDGE = 6  # pixels of the map that the first dense layer takes


@network("alexnet", label="AlexNet", any_size=True)
def alexnet(
    channels: int,
    classes: int,
    image_size: int,
    *,
    dense_width: int = Field(4096, 64, 4096, log=True, unit="units", search=(256, 4096), help="Of the two dense layers"),
    dropout: float = Field(0.5, 0.0, 0.8, search=(0.0, 0.6), help="Share of dense units left out in each training step"),
) -> nn.Module:
    """Five convolutions with a coarse first one and three dense layers: the first deep network; wants large images."""
    from torch import nn

    pool = _pool()
    features = nn.Sequential(
        *(nn.Conv2d(channels, 64, 11, 4, 2), nn.ReLU(inplace=True), pool()),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), pool()),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), pool()),
    )
    classifier = nn.Sequential(
        *(nn.Dropout(dropout), nn.Linear(256 * _DENSE_EDGE**2, dense_width), nn.ReLU(inplace=True)),
        *(nn.Dropout(dropout), nn.Linear(dense_width, dense_width), nn.ReLU(inplace=True)),
        nn.Linear(dense_width, classes),
    )
    model = nn.Sequential()
    model.add_module("features", features)
    model.add_module("avgpool", nn.AdaptiveAvgPool2d(_DENSE_EDGE))
    model.add_module("flatten", nn.Flatten())
    model.add_module("classifier", classifier)
    model.parts = (  # type: ignore[assignment]
        ("stem", ("features.0",)),
        *((str(number), (f"features.{place}",)) for number, place in enumerate((3, 6, 8, 10), start=1)),
        *(("fc1", ("classifier.1",)), ("fc2", ("classifier.4",))),
        ("head", ("classifier.6",)),
    )
    return model


@cache
def _pool() -> type[nn.Module]:
    from torch import Tensor, nn

    class OverlappingPool(nn.MaxPool2d):
        """The largest of 3 × 3 pixels, every second one; maps that are smaller than the window stay as they are."""

        def __init__(self) -> None:
            super().__init__(_POOL, 2)

        def forward(self, maps: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps of about half the size."""
            return maps if min(maps.shape[-2:]) < _POOL else super().forward(maps)

    return OverlappingPool
