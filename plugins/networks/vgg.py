"""VGG16: thirteen 3 × 3 convolutions, five pools and three dense layers; with timm's parameter names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, PublishedWeights, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
Parts = tuple[tuple[str, tuple[str, ...]], ...]
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_FULL = 64  # channels of the first convolution as published
_DENSE_EDGE = 7  # pixels of the map that the first dense layer takes


@network(
    "vgg16",
    label="VGG16",
    any_size=True,
    published=(
        PublishedWeights(
            name="ImageNet, torchvision",
            source="hub:timm/vgg16.tv_in1k/model.safetensors",
            licence="BSD-3-Clause",
            settings={"width": _FULL, "dense_width": 4096, "batch_norm": False},
        ),
    ),
)
def vgg16(
    channels: int,
    classes: int,
    image_size: int,
    *,
    width: int = Field(64, 8, 64, log=True, unit="channels", search=(16, 64), help="Of the first convolutions"),
    dense_width: int = Field(4096, 64, 4096, log=True, unit="units", search=(256, 4096), help="Of the two dense layers"),
    dropout: float = Field(0.5, 0.0, 0.8, search=(0.0, 0.6), help="Share of dense units left out in each training step"),
    batch_norm: bool = Field(False, label="Batch normalisation", help="After every convolution"),
) -> nn.Module:
    """Thirteen plain convolutions and wide dense layers: large and slow, still a good source of features."""
    return _whole()(channels, classes, width, dense_width, dropout, batch_norm)


@cache
def _dense() -> type[nn.Module]:
    from torch import Tensor, nn
    from torch.nn import functional

    class DenseLayers(nn.Module):
        """The two dense layers as convolutions, so that larger images are seen window by window."""

        def __init__(self, inputs: int, units: int, dropout: float) -> None:
            super().__init__()
            self.fc1, self.act1 = nn.Conv2d(inputs, units, _DENSE_EDGE), nn.ReLU(inplace=True)
            self.drop = nn.Dropout(dropout)
            self.fc2, self.act2 = nn.Conv2d(units, units, 1), nn.ReLU(inplace=True)

        def forward(self, maps: Tensor) -> Tensor:
            """Maps (n, c, h, w) to (n, units, h − 6, w − 6); smaller maps than 7 × 7 are spread to it."""
            height, width = maps.shape[-2:]
            if min(height, width) < _DENSE_EDGE:
                maps = functional.adaptive_avg_pool2d(maps, (max(height, _DENSE_EDGE), max(width, _DENSE_EDGE)))
            maps = self.drop(self.act1(self.fc1(maps)))
            units: Tensor = self.act2(self.fc2(maps))
            return units

    return DenseLayers


@cache
def _head() -> type[nn.Module]:
    from torch import Tensor, nn

    class Head(nn.Module):
        """The mean over the windows, and the classifier."""

        def __init__(self, inputs: int, classes: int, dropout: float) -> None:
            super().__init__()
            self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.drop, self.fc = nn.Dropout(dropout), nn.Linear(inputs, classes)

        def forward(self, maps: Tensor) -> Tensor:
            """Maps (n, units, h, w) to logits (n, classes)."""
            logits: Tensor = self.fc(self.drop(self.global_pool(maps)))
            return logits

    return Head


@cache
def _whole() -> type[nn.Module]:
    from torch import Tensor, nn

    class VGG(nn.Module):
        """Convolutions and pools, dense layers, a classifier (Simonyan & Zisserman, arXiv:1409.1556, column D)."""

        def __init__(self, channels: int, classes: int, width: int, dense_width: int, dropout: float, batch_norm: bool) -> None:
            super().__init__()
            self.features = nn.Sequential()
            inputs, parts = channels, list[tuple[str, tuple[str, ...]]]()
            for stage in _STAGES:
                for full in stage:
                    place, outputs = len(self.features), max(1, full * width // _FULL)
                    self.features.append(nn.Conv2d(inputs, outputs, 3, padding=1))
                    if batch_norm:
                        self.features.append(nn.BatchNorm2d(outputs))
                    self.features.append(nn.ReLU(inplace=True))
                    names = tuple(f"features.{place + i}" for i in range(2 if batch_norm else 1))
                    parts.append((str(len(parts)) if parts else "stem", names))
                    inputs = outputs
                self.features.append(nn.MaxPool2d(2))
            self.pre_logits = _dense()(inputs, dense_width, dropout)
            self.head = _head()(dense_width, classes, dropout)
            dense = tuple((name, (f"pre_logits.{name}",)) for name in ("fc1", "fc2"))
            self.parts: Parts = (*parts, *dense, ("head", ("head",)))
            _initialise(self)

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to logits (n, classes)."""
            logits: Tensor = self.head(self.pre_logits(self.features(images)))
            return logits

    return VGG


def _initialise(model: nn.Module) -> None:
    """He's normal weights for convolutions and the dense layers, small ones for the classifier; zero biases."""
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
