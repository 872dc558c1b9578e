"""Compare our networks with timm's: names, shapes, and outputs for the same weights, in evaluation and in training.

pip install --no-deps --target FOLDER timm torchvision
python -m tests.benchmarks.check_timm FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from microtome.training.build import build_network

CLASSES = 1000
SIZES = (224, 97)  # pixels an edge: as published, and one that halves badly
#: timm's name → ours, with the settings that make it the published network without dropout.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mobilenetv1_100": ("mobilenet-v1", {"dropout": 0.0}),
    "vgg16": ("vgg16", {"dropout": 0.0}),
    "vgg16_bn": ("vgg16", {"dropout": 0.0, "batch_norm": True}),
    "resnet18": ("resnet18", {"dropout": 0.0}),
    "resnet50": ("resnet50", {"dropout": 0.0}),
    "densenet121": ("densenet121", {"dropout": 0.0}),
    "efficientnet_lite0": ("efficientnet-lite0", {"dropout": 0.0, "form": "pytorch"}),
    "tf_efficientnet_lite0": ("efficientnet-lite0", {"dropout": 0.0, "form": "tensorflow"}),
}


def load_timm(folder: Path) -> Any:
    """timm from a folder beside this program's own packages, though torchvision's compiled operators do not fit this torch."""
    register = torch.library.register_fake

    def tolerant(operator: Any, *rest: Any, **options: Any) -> Any:
        def keep(function: Callable[..., Any]) -> Callable[..., Any]:
            try:
                register(operator, *rest, **options)(function)
            except RuntimeError:  # the operator is one of those that are missing; no network here calls it
                return function
            return function

        return keep

    torch.library.register_fake = tolerant
    sys.path.append(str(folder))
    import timm

    return timm


def fill(network: nn.Module) -> None:
    """Random weights and running statistics of a usual size, the same for the same shapes in the same order."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim > 1:
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
            elif name.endswith(("running_var", "weight")):
                tensor.copy_(1 + 0.2 * noise.abs())
            else:
                tensor.copy_(0.1 * noise)


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((one - other).abs().max() / other.abs().max())


def compare(timm: Any, theirs: str) -> tuple[str, bool]:
    """One line of the table, and whether all of it agrees."""
    name, settings = NETWORKS[theirs]
    reference = timm.create_model(theirs, num_classes=CLASSES)
    ours = build_network(name, 3, CLASSES, SIZES[0], **settings)
    fill(reference)
    shapes = [{k: tuple(v.shape) for k, v in network.state_dict().items()} for network in (ours, reference)]
    names, same = shapes[0].keys() == shapes[1].keys(), shapes[0] == shapes[1]
    if not same:
        return f"{theirs:<22} {name:<19} names {names}, shapes {same}", False
    ours.load_state_dict(reference.state_dict())
    found = []
    for size in SIZES:
        images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            found.append(difference(ours.eval()(images), reference.eval()(images)))
            found.append(difference(ours.train()(images), reference.train()(images)))
    buffers = (
        max(difference(v.float(), reference.state_dict()[k].float()) for k, v in ours.state_dict().items() if "running" in k)
        if any("running" in k for k in shapes[0])
        else 0.0
    )
    count = sum(p.numel() for p in ours.parameters())
    words = "  ".join(f"{d:.1e}" for d in (*found, buffers))
    return f"{theirs:<22} {name:<19} {len(shapes[0]):>5} {count:>12,}  {words}", max(*found, buffers) < 1e-4


def main(folder: str) -> int:
    """Print the table; the exit code says whether everything agrees."""
    timm = load_timm(Path(folder))
    torch.manual_seed(0)
    print(
        f"timm {timm.__version__}, torch {torch.__version__}; largest relative difference of outputs, and of running statistics"
    )
    heads = "  ".join(f"{how} {size}" for size in SIZES for how in ("eval", "train"))
    print(f"{'timm':<22} {'ours':<19} {'names':>5} {'parameters':>12}  {heads}  statistics")
    good = True
    for theirs in NETWORKS:
        line, agrees = compare(timm, theirs)
        good = good and agrees
        print(line, flush=True)
    print("All agree." if good else "They do not all agree.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
