"""Names and shapes of the published networks are those of timm 1.0.31, so that its weights load unchanged.

The digests are of timm's own state dicts; `python -m tests.benchmarks.check_timm` compares outputs too, where timm is at hand.
"""

from __future__ import annotations

import hashlib

import pytest
import torch

from microtome.training.build import build_network

DIGESTS: dict[str, str] = {
    "mobilenet-v1": "f19026159041706a",
    "vgg16": "64c32d2c3487778c",
    "resnet18": "5191d63ec3989592",
    "resnet50": "a87e91cd6bd1f939",
    "densenet121": "9c659ec278435e95",
    "efficientnet-lite0": "335464100f8fc06c",
}


def digest(shapes: dict[str, tuple[int, ...]]) -> str:
    """Of names and shapes, in alphabetical order."""
    return hashlib.sha256("\n".join(f"{name} {shapes[name]}" for name in sorted(shapes)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", DIGESTS)
def test_names_and_shapes_are_timms(name: str) -> None:
    with torch.device("meta"):
        state = build_network(name, 3, 1000, 224).state_dict()
    assert digest({key: tuple(tensor.shape) for key, tensor in state.items()}) == DIGESTS[name]
