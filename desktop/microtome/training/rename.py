"""Names of weights: those of timm, which our networks have, from those of torchvision and of other authors' files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("module.", "_orig_mod.", "model.", "network/")  # of DataParallel, torch.compile, trainers, our checkpoints
_LAST = ("fc", "linear", "classifier", "head.fc", "head", "output")  # what authors call the last layer
#: torchvision's dense layers of VGG are timm's convolutions over the whole map: the same numbers in another shape.
_VGG = {"classifier.0.": "pre_logits.fc1.", "classifier.3.": "pre_logits.fc2.", "classifier.6.": "head.fc."}
#: Files from before torch 0.4 could not have a dot in "norm.1": torchvision's own files still do.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
_LITE = re.compile(r"_blocks\.(\d+)\.(_\w+)\.(.+)")
_LITE_ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_LITE_BLOCK = {  # of a block that widens its channels first
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LITE_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # of one that does not


def renamed(tensors: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The tensors of a file under the names that a network wants, as far as they are known under other ones."""
    found = _unwrapped(dict(tensors))
    if any(name.startswith("_blocks.") for name in found):
        found = _efficientnet(found, wanted)
    found = {_OLD_DENSENET.sub(r"\1\2.", name): value for name, value in found.items()}
    if "pre_logits.fc1.weight" in wanted and "classifier.6.weight" in found:
        for theirs, ours in _VGG.items():
            found = {re.sub(f"^{re.escape(theirs)}", ours, name): value for name, value in found.items()}
    return _last_layer(found, wanted)


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _WRAPPERS:
        if tensors and all(name.startswith(prefix) for name in tensors):
            return _unwrapped({name.removeprefix(prefix): value for name, value in tensors.items()})
    return tensors


def _efficientnet(tensors: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """From the names of the EfficientNet port that counts its blocks through to timm's, which counts them by stages."""
    places = sorted({(int(m[1]), int(m[2])) for name in wanted if (m := re.match(r"blocks\.(\d+)\.(\d+)\.", name))})
    wide = {m[1] for name in tensors if (m := _LITE.fullmatch(name)) and m[2] == "_expand_conv"}
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if (m := _LITE.fullmatch(name)) and int(m[1]) < len(places):
            stage, block = places[int(m[1])]
            layers = _LITE_BLOCK if m[1] in wide else _LITE_FIRST
            found[f"blocks.{stage}.{block}.{layers.get(m[2], m[2])}.{m[3]}"] = value
        else:
            layer, _, rest = name.partition(".")
            found[f"{_LITE_ENDS.get(layer, layer)}.{rest}"] = value
    return found


def _last_layer(tensors: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The last layer under the network's own name, where each side has exactly one that the other does not know."""
    ours = [name for name in _LAST if f"{name}.weight" in wanted and f"{name}.weight" not in tensors]
    theirs = [name for name in _LAST if f"{name}.weight" in tensors and f"{name}.weight" not in wanted]
    if len(ours) != 1 or len(theirs) != 1:
        return tensors
    return {re.sub(rf"^{re.escape(theirs[0])}\.(weight|bias)$", rf"{ours[0]}.\1", n): v for n, v in tensors.items()}
