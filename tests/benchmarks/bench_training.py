"""How fast a network trains: C4F2 on images of 64 × 64 in batches of 32, and the loop against the barest one in torch.

python -m tests.benchmarks.bench_training [images] [epochs]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from microtome.events import EpochEnded
from microtome.training import loop
from microtome.training.augment import Augmenter, steps_of
from microtome.training.build import build_network
from microtome.training.data import Images
from microtome.training.device import reproducible
from microtome.training.optimiser import make_optimiser
from microtome.training.spec import TrainingSpec

EDGE, BATCH, CLASSES = 64, 32, ("a", "b", "c")
CPU = torch.device("cpu")


def fresh(settings: TrainingSpec) -> tuple[nn.Module, torch.optim.Optimizer]:
    """C4F2 and its optimiser, always the same."""
    torch.manual_seed(0)
    network = build_network("cnn", classes=len(CLASSES), image_size=EDGE)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, make_optimiser(network, settings)


def bare(network: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """One epoch as it would be typed at a prompt: no order, no augmentation, no counts, nobody told."""
    network.train()
    for start in range(0, len(images), BATCH):
        loss = nn.functional.cross_entropy(network(images[start : start + BATCH]), labels[start : start + BATCH])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(count: int = 480, epochs: int = 3) -> None:
    """Measure and print; the two loops take turns, so that what else the machine does burdens both."""
    rng = np.random.default_rng(0)
    source = rng.standard_normal((count, EDGE, EDGE), dtype=np.float32)
    labels = rng.integers(0, len(CLASSES), count)
    training = Images(source, labels, mean=0.0, deviation=1.0, device=CPU, hold=True)
    few = Images(source[:BATCH], labels[:BATCH], mean=0.0, deviation=1.0, device=CPU, hold=True)
    tensors = torch.from_numpy(source)[:, None], torch.from_numpy(labels)
    settings = TrainingSpec(batch_size=BATCH, epochs=epochs + 1)
    hooks = loop.Hooks(should_stop=lambda: "", batch_done=lambda *progress: None, epoch_done=lambda ended: None)
    print(f"{'threads':<10}{'images/s':>10}{'bare loop':>12}{'ours / bare':>14}")
    for threads in (1, 2):
        with reproducible(CPU, threads):
            network, optimiser = fresh(settings)
            other, its = fresh(settings)
            history: list[EpochEnded] = []
            ours, theirs = [], []
            for epoch in range(epochs + 1):
                shorter = TrainingSpec(batch_size=BATCH, epochs=epoch + 1)
                loop.train(
                    network,
                    optimiser,
                    training,
                    few,
                    shorter,
                    classes=CLASSES,
                    augment=Augmenter(steps_of(settings)),
                    history=history,
                    hooks=hooks,
                )
                ours.append(count / history[-1].images_per_second)
                theirs.append(seconds(lambda net=other, opt=its: bare(net, opt, *tensors)))  # type: ignore[misc]
        mine, plain = median(ours[1:]), median(theirs[1:])  # the first epoch warms up
        print(f"{threads:<10}{count / mine:>10.0f}{count / plain:>12.0f}{mine / plain:>14.3f}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
