"""What the training loop costs over the barest one in torch, and how fast a GPU trains in which way.

python -m tests.benchmarks.bench_training [--rounds 8] [--threads 1]     the loop against a bare one, on the CPU
python -m tests.benchmarks.bench_training --device cuda [--rounds 8]     ways of training at 64² and at 224², on a GPU
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.events import EpochEnded
from microtome.intervals import mean_interval
from microtome.training import loop
from microtome.training.augment import Augmenter, steps_of
from microtome.training.build import build_network
from microtome.training.data import Images
from microtome.training.device import memory_format, reproducible
from microtome.training.hooks import Hooks
from microtome.training.optimiser import make_optimiser
from microtome.training.spec import TrainingSpec

CLASSES = ("a", "b", "c")
Step = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """A network, its images' edge, how many are in a batch, and how many batches are timed at once."""

    network: str
    edge: int
    batch: int
    batches: int


CPU_CASES = (Case("cnn", 64, 32, 8), Case("resnet18", 64, 32, 4))
BLIND = Case("", 64, 32, 64)
GPU_CASES = (
    Case("cnn", 64, 64, 60),
    Case("resnet18", 64, 64, 60),
    Case("resnet18", 224, 64, 20),
    Case("resnet50", 224, 32, 20),
)


class Ours:
    """The product's loop, an epoch at a call."""

    def __init__(self, case: Case, device: torch.device, *, symmetries: bool, precision: str = "auto") -> None:
        self.settings = TrainingSpec(batch_size=case.batch, symmetries=symmetries, precision=precision)
        self.network = fresh(case, device, memory_format(device, precision))
        self.optimiser = make_optimiser(self.network, self.settings)
        source, labels = data(case)
        self.images = Images(source, labels, mean=0.0, deviation=1.0, device=device, hold=True)
        self.few = Images(source[:2], labels[:2], mean=0.0, deviation=1.0, device=device, hold=True)
        self.history: list[EpochEnded] = []

    def __call__(self) -> None:
        """Train one more epoch, and measure two images."""
        loop.train(
            self.network,
            self.optimiser,
            self.images,
            self.few,
            TrainingSpec(
                batch_size=self.settings.batch_size,
                symmetries=self.settings.symmetries,
                precision=self.settings.precision,
                epochs=len(self.history) + 1,
            ),
            classes=CLASSES,
            augment=Augmenter(steps_of(self.settings)),
            history=self.history,
            hooks=Hooks(should_stop=lambda: "", batch_done=lambda *progress: None, epoch_done=lambda ended: None),
        )


class Bare:
    """A loop as it would be typed at a prompt: no order, no augmentation, no counts, nobody told."""

    def __init__(self, case: Case, device: torch.device, way: str = "") -> None:
        last = torch.channels_last if "channels-last" in way or device.type == "cpu" else torch.contiguous_format
        self.network = fresh(case, device, last).train()
        # A captured graph cannot take its step's number from the CPU.
        self.optimiser = torch.optim.Adam(self.network.parameters(), fused=True, capturable="graph" in way)
        source, labels = data(case)
        self.images = torch.from_numpy(source)[:, None].to(device).contiguous(memory_format=last)
        self.labels = torch.from_numpy(labels).to(device)
        self.batch, self.brief = case.batch, "bf16" in way
        model = torch.compile(self.network) if "compile" in way else self.network
        self.step: Step = lambda images, labels: self._step(model, images, labels)  # type: ignore[arg-type]
        if "graph" in way:
            self.step = self._captured(self.step)

    def _step(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=self.brief):
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def _captured(self, step: Step) -> Step:
        """The whole step as one CUDA graph over batches of one size, as torch's notes on CUDA semantics say it is done."""
        images, labels = self.images[: self.batch].clone(), self.labels[: self.batch].clone()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(images, labels)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step(images, labels)

        def replay(some: Tensor, theirs: Tensor) -> Tensor:
            images.copy_(some)
            labels.copy_(theirs)
            graph.replay()
            return loss

        return replay

    def __call__(self) -> None:
        """Train one epoch."""
        for start in range(0, len(self.images), self.batch):
            self.step(self.images[start : start + self.batch], self.labels[start : start + self.batch])


class Blind(nn.Module):
    """A network that hardly looks: what a step takes with it is what the loop itself takes."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(len(CLASSES)))

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 1, h, w) to logits (n, k)."""
        return self.logits + images[:, 0, :1, 0]


def data(case: Case) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Noise and its labels, always the same."""
    rng = np.random.default_rng(0)
    count = case.batch * case.batches
    return rng.standard_normal((count, case.edge, case.edge), dtype=np.float32), rng.integers(0, len(CLASSES), count)


def fresh(case: Case, device: torch.device, layout: torch.memory_format) -> nn.Module:
    """The case's network, always with the same weights."""
    torch.manual_seed(0)
    if case.network:
        network = build_network(case.network, classes=len(CLASSES), image_size=case.edge).to(device)
    else:
        network = Blind().to(device)
    network.to(memory_format=layout)  # type: ignore[call-overload]
    return network


def seconds(work: Callable[[], None], device: torch.device) -> float:
    """How long it takes, by the clock on the wall."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ratio(one: list[float], other: list[float]) -> str:
    """The geometric mean of one ÷ other in pairs, with its 95 % Student interval."""
    mean, (low, high) = mean_interval([math.log(a / b) for a, b in zip(one, other, strict=True)])
    return f"{math.exp(mean):.3f} ({math.exp(low):.3f} … {math.exp(high):.3f})"


def on_cpu(rounds: int, threads: int) -> None:
    """Ours against bare; they take turns, so that what else the machine does burdens both.

    On a busy machine the ratio says little. What the loop itself needs for a batch is then the better figure: the shortest
    of many rounds with a network that does nothing, against the shortest batch of a real one.
    """
    cpu = torch.device("cpu")
    for name, symmetries in (("as it is", False), ("with flips and turns", True)):
        with reproducible(cpu, threads):
            least = [min(t) / BLIND.batches * 1e3 for t in in_turns(BLIND, cpu, symmetries, 10 * rounds)]
            print(f"loop {name}: {least[0]:.2f} ms a batch of its own, bare {least[1]:.2f} ms", flush=True)
            for case in CPU_CASES:
                mine, plain = in_turns(case, cpu, symmetries, rounds)
                batch = min(plain) / case.batches * 1e3
                print(
                    f"  {case.network:<10}{case.batch / batch * 1e3:>6.0f} images/s bare, {batch:.0f} ms a batch; "
                    f"the loop's own: + {100 * (least[0] - least[1]) / batch:.2f} %; ours ÷ bare {ratio(mine, plain)}, "
                    f"of the shortest {min(mine) / min(plain):.3f}",
                    flush=True,
                )


def in_turns(case: Case, device: torch.device, symmetries: bool, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of learning an epoch, of ours and of the bare loop, side by side; the first round warms up."""
    ours, bare = Ours(case, device, symmetries=symmetries), Bare(case, device)
    mine, plain = [], []
    for number in range(rounds + 1):
        if number % 2:
            ours()
        plain.append(seconds(bare, device))
        if not number % 2:
            ours()
        mine.append(len(ours.images) / ours.history[-1].images_per_second)
    return mine[1:], plain[1:]


def on_gpu(device: torch.device, rounds: int) -> None:
    """Ways of training in turns; images a second, and the time against the plain loop's."""
    ways = ("plain", "channels-last", "bf16", "bf16 channels-last", "bf16 channels-last compile", "bf16 channels-last graph")
    for case in GPU_CASES:
        print(f"{case.network} at {case.edge}², batches of {case.batch}")
        loops: dict[str, Callable[[], None]] = {way: Bare(case, device, way) for way in ways}
        loops["ours"] = Ours(case, device, symmetries=False)
        loops["ours, flips and turns"] = Ours(case, device, symmetries=True)
        times: dict[str, list[float]] = {name: [] for name in loops}
        for number in range(rounds + 2):
            for name in loops if number % 2 else reversed(loops):
                taken = seconds(loops[name], device)
                if number >= 2:
                    times[name].append(taken)
        for name, taken_by in times.items():
            speed = case.batch * case.batches / float(np.median(taken_by))
            print(
                f"  {name:<30}{speed:>10.0f} images/s   {ratio(taken_by, times['plain'])} of the plain loop's time", flush=True
            )


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    device = torch.device(options.device)
    if device.type == "cpu":
        on_cpu(options.rounds, options.threads)
    else:
        on_gpu(device, options.rounds)


if __name__ == "__main__":
    main()
