"""Residual networks: ResNet-18 and ResNet-50, with timm's (and torchvision's) parameter names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, PublishedWeights, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
Parts = tuple[tuple[str, tuple[str, ...]], ...]
_STEMS = ("imagenet", "small")
_STEM_HELP = "imagenet: 7 × 7 and a pool, quarters the image, as published; small: 3 × 3, for images below some 100 pixels"
_DROPOUT_HELP = "Share of pooled features left out in each training step"
_WIDTH_HELP = "Of the first blocks; every later stage has twice as many"
_NEEDS = {"stem": "imagenet", "width": 64}


def _published(name: str) -> tuple[PublishedWeights, ...]:
    """timm's own training of a network, and torchvision's."""
    return (
        PublishedWeights(
            name="ImageNet, timm", source=f"hub:timm/{name}.a1_in1k/model.safetensors", licence="Apache-2.0", settings=_NEEDS
        ),
        PublishedWeights(
            name="ImageNet, torchvision",
            source=f"hub:timm/{name}.tv_in1k/model.safetensors",
            licence="BSD-3-Clause",
            settings=_NEEDS,
        ),
    )


@network("resnet18", label="ResNet-18", any_size=True, published=_published("resnet18"))
def resnet18(
    channels: int,
    classes: int,
    image_size: int,
    *,
    width: int = Field(64, 8, 128, log=True, unit="channels", search=(16, 64), help=_WIDTH_HELP),
    dropout: float = Field(0.0, 0.0, 0.8, search=(0.0, 0.5), help=_DROPOUT_HELP),
    stem: str = Field("imagenet", choices=_STEMS, help=_STEM_HELP),
) -> nn.Module:
    """Eight residual blocks of two convolutions: the plain choice for some thousand images."""
    return _whole()(channels, classes, (2, 2, 2, 2), (3, 3), 1, width, dropout, small=stem == "small")


@network("resnet50", label="ResNet-50", any_size=True, published=_published("resnet50"))
def resnet50(
    channels: int,
    classes: int,
    image_size: int,
    *,
    width: int = Field(64, 8, 128, log=True, unit="channels", search=(16, 64), help=_WIDTH_HELP),
    dropout: float = Field(0.0, 0.0, 0.8, search=(0.0, 0.5), help=_DROPOUT_HELP),
    stem: str = Field("imagenet", choices=_STEMS, help=_STEM_HELP),
) -> nn.Module:
    """Sixteen residual blocks of three convolutions: deep and wide, for many images or pretrained weights."""
    return _whole()(channels, classes, (3, 4, 6, 3), (1, 3, 1), 4, width, dropout, small=stem == "small")


@cache
def _block() -> type[nn.Module]:
    from torch import Tensor, nn

    class Residual(nn.Module):
        """Normalised convolutions, added to their input (through a pointwise convolution where shapes differ)."""

        def __init__(self, inputs: int, inside: int, outputs: int, stride: int, kernels: tuple[int, ...]) -> None:
            super().__init__()
            widths = (inputs, *(inside,) * (len(kernels) - 1), outputs)
            strided = kernels.index(3)
            for i, kernel in enumerate(kernels):
                step = stride if i == strided else 1
                convolution = nn.Conv2d(widths[i], widths[i + 1], kernel, step, kernel // 2, bias=False)
                nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
                self.add_module(f"conv{i + 1}", convolution)
                self.add_module(f"bn{i + 1}", nn.BatchNorm2d(widths[i + 1]))
                self.add_module(f"act{i + 1}", nn.ReLU(inplace=True))
            # Each block starts as the identity, which makes deep stacks train (Goyal et al., arXiv:1706.02677, 5.1).
            nn.init.zeros_(self.get_parameter(f"bn{len(kernels)}.weight"))
            self.depth = len(kernels)
            self.downsample = None
            if stride != 1 or inputs != outputs:
                self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
                nn.init.kaiming_normal_(self.get_parameter("downsample.0.weight"), mode="fan_out", nonlinearity="relu")

        def forward(self, images: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps."""
            maps = images
            for i in range(1, self.depth + 1):
                maps = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(maps))
                if i == self.depth:
                    maps = maps + (images if self.downsample is None else self.downsample(images))
                maps = getattr(self, f"act{i}")(maps)
            return maps

    return Residual


@cache
def _whole() -> type[nn.Module]:
    from torch import Tensor, nn

    class ResNet(nn.Module):
        """A stem, four stages of residual blocks, the mean over the map and a classifier (He et al., arXiv:1512.03385)."""

        def __init__(
            self,
            channels: int,
            classes: int,
            stages: tuple[int, ...],
            kernels: tuple[int, ...],
            expansion: int,
            width: int,
            dropout: float,
            *,
            small: bool,
        ) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
            self.bn1, self.act1 = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
            inputs, names = width, []
            for stage, blocks in enumerate(stages):
                inside, layer = width * 2**stage, nn.Sequential()
                for number in range(blocks):
                    stride = 2 if stage > 0 and number == 0 else 1
                    layer.append(_block()(inputs, inside, inside * expansion, stride, kernels))
                    inputs = inside * expansion
                    names.append(f"layer{stage + 1}.{number}")
                self.add_module(f"layer{stage + 1}", layer)
            self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.drop = nn.Dropout(dropout)
            self.fc = nn.Linear(inputs, classes)
            blocks_of = ((str(number), (name,)) for number, name in enumerate(names, start=1))
            self.parts: Parts = (("stem", ("conv1", "bn1")), *blocks_of, ("head", ("fc",)))

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to logits (n, classes)."""
            maps: Tensor = self.maxpool(self.act1(self.bn1(self.conv1(images))))
            for stage in ("layer1", "layer2", "layer3", "layer4"):
                maps = getattr(self, stage)(maps)
            logits: Tensor = self.fc(self.drop(self.global_pool(maps)))
            return logits

    return ResNet
