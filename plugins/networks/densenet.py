"""DenseNet-121, in which every layer sees the maps of all before it in its block; with timm's parameter names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, PublishedWeights, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
Parts = tuple[tuple[str, tuple[str, ...]], ...]
_LAYERS = (6, 12, 24, 16)  # of the four dense blocks
_BOTTLENECK = 4  # a layer's inner channels, in growths
_NEEDS = {"growth": 32, "stem": "imagenet"}


@network(
    "densenet121",
    label="DenseNet-121",
    any_size=True,
    published=(
        PublishedWeights(
            name="ImageNet, timm",
            source="hub:timm/densenet121.ra_in1k/model.safetensors",
            licence="Apache-2.0",
            settings=_NEEDS,
        ),
        PublishedWeights(
            name="ImageNet, torchvision",
            source="hub:timm/densenet121.tv_in1k/model.safetensors",
            licence="BSD-3-Clause",
            settings=_NEEDS,
        ),
    ),
)
def densenet121(
    channels: int,
    classes: int,
    image_size: int,
    *,
    growth: int = Field(32, 4, 64, log=True, unit="channels", search=(8, 32), help="Maps that every layer adds"),
    dropout: float = Field(0.0, 0.0, 0.8, search=(0.0, 0.5), help="Share of pooled features left out in each training step"),
    stem: str = Field(
        "imagenet",
        choices=("imagenet", "small"),
        help="imagenet: 7 × 7 and a pool, quarters the image, as published; small: 3 × 3, for images below some 100 pixels",
    ),
) -> nn.Module:
    """Four blocks of 58 densely connected layers: few weights for its depth, slow for its size."""
    return _whole()(channels, classes, growth, dropout, small=stem == "small")


@cache
def _layer() -> type[nn.Module]:
    import torch
    from torch import Tensor, nn

    class DenseLayer(nn.Module):
        """A pointwise and a 3 × 3 convolution, each after normalisation and rectifier; its maps are joined to its input."""

        def __init__(self, inputs: int, growth: int) -> None:
            super().__init__()
            inside = _BOTTLENECK * growth
            self.norm1, self.relu1 = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
            self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
            self.norm2, self.relu2 = nn.BatchNorm2d(inside), nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(inside, growth, 3, 1, 1, bias=False)

        def forward(self, maps: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps (n, c + growth, h, w)."""
            new: Tensor = self.conv1(self.relu1(self.norm1(maps)))
            new = self.conv2(self.relu2(self.norm2(new)))
            return torch.cat([maps, new], dim=1)

    return DenseLayer


@cache
def _whole() -> type[nn.Module]:
    from collections import OrderedDict

    from torch import Tensor, nn

    class DenseNet(nn.Module):
        """A stem, dense blocks with halving transitions between them, the mean over the map and a classifier."""

        def __init__(self, channels: int, classes: int, growth: int, dropout: float, *, small: bool) -> None:
            super().__init__()
            width = 2 * growth
            edge, stride = (3, 1) if small else (7, 2)
            self.features = nn.Sequential(OrderedDict(conv0=nn.Conv2d(channels, width, edge, stride, edge // 2, bias=False)))
            self.features.add_module("norm0", nn.BatchNorm2d(width))
            self.features.add_module("relu0", nn.ReLU(inplace=True))
            if not small:
                self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
            parts: list[tuple[str, tuple[str, ...]]] = [("stem", ("features.conv0", "features.norm0"))]
            for block, layers in enumerate(_LAYERS, start=1):
                if block > 1:
                    self.features.add_module(f"transition{block - 1}", _transition(width))
                    parts.append((f"transition{block - 1}", (f"features.transition{block - 1}",)))
                    width //= 2
                dense = nn.Sequential()
                for number in range(1, layers + 1):
                    dense.add_module(f"denselayer{number}", _layer()(width, growth))
                    parts.append((f"{block}.{number}", (f"features.denseblock{block}.denselayer{number}",)))
                    width += growth
                self.features.add_module(f"denseblock{block}", dense)
            self.features.add_module("norm5", nn.BatchNorm2d(width))
            self.features.add_module("relu5", nn.ReLU(inplace=True))
            parts[-1] = (parts[-1][0], (*parts[-1][1], "features.norm5"))
            self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.drop, self.classifier = nn.Dropout(dropout), nn.Linear(width, classes)
            self.parts: Parts = (*parts, ("head", ("classifier",)))
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to logits (n, classes)."""
            logits: Tensor = self.classifier(self.drop(self.global_pool(self.features(images))))
            return logits

    return DenseNet


def _transition(width: int) -> nn.Module:
    """Normalisation, rectifier, half the maps by a pointwise convolution, half the pixels an edge by a mean."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(width, width // 2, 1, bias=False),
            pool=nn.AvgPool2d(2, 2),
        )
    )
