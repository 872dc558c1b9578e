"""Weights of a relative: a network begins with the tensors of another one that have its own names and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from microtome.training.checkpoint import read_tensors

if TYPE_CHECKING:
    from torch import nn


def inherit(network: nn.Module, path: Path) -> tuple[int, int]:
    """Copy what agrees in name and shape from a network's file (.safetensors) into `network`; the rest stays as it was drawn.

    Returns (tensors copied, tensors that the network has). Raises FileError where the file is missing or damaged.
    """
    theirs, own = read_tensors(path), network.state_dict()
    copied = {name: theirs[name] for name, tensor in own.items() if name in theirs and theirs[name].shape == tensor.shape}
    network.load_state_dict({**own, **copied})
    return len(copied), len(own)
