"""The residual network with activations before its convolutions, in its form for small images."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
Parts = tuple[tuple[str, tuple[str, ...]], ...]
_STAGES, _BLOCKS = 4, 2


@network("preactresnet18", label="PreActResNet-18", any_size=True)
def preactresnet18(
    channels: int,
    classes: int,
    image_size: int,
    *,
    width: int = Field(
        64, 8, 128, log=True, unit="channels", search=(16, 64), help="Of the first blocks; every later stage has twice as many"
    ),
    dropout: float = Field(0.0, 0.0, 0.8, search=(0.0, 0.5), help="Share of pooled features left out in each training step"),
) -> nn.Module:
    """Eight residual blocks that keep every pixel of small images at first: the network of the importance-sampling study."""
    return _whole()(channels, classes, width, dropout)


@cache
def _block() -> type[nn.Module]:
    from torch import Tensor, nn

    class PreActivated(nn.Module):
        """Twice normalisation, rectifier and convolution, added to the input (He et al., arXiv:1603.05027)."""

        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.bn1, self.act1 = nn.BatchNorm2d(inputs), nn.ReLU()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn2, self.act2 = nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.shortcut = None
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False))

        def forward(self, images: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps."""
            active: Tensor = self.act1(self.bn1(images))
            kept = images if self.shortcut is None else self.shortcut(active)
            maps: Tensor = self.conv2(self.act2(self.bn2(self.conv1(active)))) + kept
            return maps

    return PreActivated


@cache
def _whole() -> type[nn.Module]:
    from torch import Tensor, nn

    class PreActResNet(nn.Module):
        """A 3 × 3 convolution, four stages of blocks, the mean over the map and a classifier."""

        def __init__(self, channels: int, classes: int, width: int, dropout: float) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
            inputs, names = width, []
            for stage in range(_STAGES):
                outputs, layer = width * 2**stage, nn.Sequential()
                for number in range(_BLOCKS):
                    layer.append(_block()(inputs, outputs, 2 if stage > 0 and number == 0 else 1))
                    inputs = outputs
                    names.append(f"layer{stage + 1}.{number}")
                self.add_module(f"layer{stage + 1}", layer)
            self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.drop = nn.Dropout(dropout)
            self.linear = nn.Linear(inputs, classes)
            blocks = ((str(number), (name,)) for number, name in enumerate(names, start=1))
            self.parts: Parts = (("stem", ("conv1",)), *blocks, ("head", ("linear",)))

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to logits (n, classes)."""
            maps: Tensor = self.conv1(images)
            for stage in range(1, _STAGES + 1):
                maps = getattr(self, f"layer{stage}")(maps)
            logits: Tensor = self.linear(self.drop(self.global_pool(maps)))
            return logits

    return PreActResNet
