"""The CNN family of the rubber-filler study: x convolution blocks, then y hidden dense layers (CxFy)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from microtome.plugin import Field, network

if TYPE_CHECKING:
    from torch import nn

__version__ = "1"
_WIDEST = 512  # channels of a convolution
_ROOM = 3  # a map must exceed the kernel by this much to be worth trimming by a "valid" convolution
_SMALLEST_TO_POOL = 4  # pixels


@network("cnn", label="CNN (CxFy)", minimum_size=16)
def cnn(
    channels: int,
    classes: int,
    image_size: int,
    *,
    convolutions: int = Field(4, 2, 6, search=(2, 5), help="Convolution blocks: the x of CxFy"),
    dense: int = Field(2, 0, 9, label="Dense layers", search=(0, 4), help="Hidden fully connected layers: the y of CxFy"),
    width: int = Field(32, 4, 128, log=True, unit="channels", search=(8, 64), help="Of the first block; it doubles, to 512"),
    dense_width: int = Field(1024, 16, 2048, log=True, unit="units", search=(64, 1024), help="Of the first dense layer"),
    kernel: int = Field(3, 3, 7, unit="px", search=(3, 5), advanced=True, help="Edge of a convolution's kernel"),
    activation: str = Field("relu", choices=("relu", "gelu", "silu", "elu", "leaky-relu")),
    dropout: float = Field(0.5, 0.0, 0.8, search=(0.0, 0.6), help="Share of dense units left out in each training step"),
    batch_norm: bool = Field(False, label="Batch normalisation", help="After every convolution"),
    init: str = Field("glorot", choices=("glorot", "he"), label="Initial weights", advanced=True, help="Uniform in both"),
) -> nn.Module:
    """Convolution blocks that halve the image, then dense layers: small, quick, the network of the rubber-filler study."""
    from torch import nn

    activations = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "elu": nn.ELU, "leaky-relu": nn.LeakyReLU}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    size, inputs = image_size, channels
    for block in range(convolutions):
        outputs = min(width * 2**block, max(width, _WIDEST))
        # The first half keeps the edges, the rest trims them, as long as there is something to trim.
        same = block < (convolutions + 1) // 2 or size < kernel + _ROOM
        if same and kernel % 2 == 0:  # an even kernel has no centre: one more pixel at the far edges
            layers[f"pad{block + 1}"] = nn.ZeroPad2d((kernel // 2 - 1, kernel // 2) * 2)
        padding = kernel // 2 if same and kernel % 2 else 0
        layers[f"conv{block + 1}"] = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        if batch_norm:
            layers[f"norm{block + 1}"] = nn.BatchNorm2d(outputs)
        layers[f"activation{block + 1}"] = activations[activation]()
        size, inputs = size if same else size - kernel + 1, outputs
        if size >= _SMALLEST_TO_POOL:
            layers[f"pool{block + 1}"] = nn.MaxPool2d(2)
            size //= 2
    layers["flatten"] = nn.Flatten()
    inputs *= size * size
    for number, units in enumerate(dense_widths(dense, dense_width), start=1):
        layers[f"dense{number}"] = nn.Linear(inputs, units)
        layers[f"dense_activation{number}"] = activations[activation]()
        layers[f"dropout{number}"] = nn.Dropout(dropout)
        inputs = units
    layers["output"] = nn.Linear(inputs, classes)
    model = nn.Sequential(layers)
    model.parts = _parts(model)  # type: ignore[assignment]
    _initialise(model, init)
    return model


def dense_widths(layers: int, first: int) -> list[int]:
    """Widths of the hidden dense layers: from `first` down to a quarter of it, by factors of two."""
    if layers == 1:
        return [first]
    return [max(1, first >> round(2 * i / (layers - 1))) for i in range(layers)]


def _parts(model: nn.Module) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The first convolution block as the stem, every further one, and the dense layers as the head."""
    names = [name for name, layer in model.named_children() if list(layer.parameters())]
    blocks = [n for n in range(1, len(names) + 1) if f"conv{n}" in names]
    made = [(str(n - 1) if n > 1 else "stem", tuple(m for m in (f"conv{n}", f"norm{n}") if m in names)) for n in blocks]
    return (*made, ("head", tuple(name for name in names if name.startswith(("dense", "output")))))


def _initialise(model: nn.Module, how: str) -> None:
    """Uniform weights and zero biases; the output layer is Glorot's in both, since no rectifier follows it."""
    from torch import nn

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if how == "he" and name != "output":
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
