"""Importance-sampled augmentation: of several candidates of an image, one is drawn by how hard the network finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import InputError
from microtome.registry import registry
from microtome.training.augment import Augmenter, generator_for
from microtome.training.spec import ImportanceSpec

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Drawn:
    """A batch to learn from: images, targets (labels (n,) or shares (n, classes)), and how much each counts (None: alike)."""

    images: Tensor
    targets: Tensor
    weights: Tensor | None = None

    def part(self, some: slice) -> Drawn:
        """Some of its images."""
        return Drawn(self.images[some], self.targets[some], None if self.weights is None else self.weights[some])


class ImportanceSampler:
    """Augments batches, and where the settings ask for candidates, draws among them by their score under the network.

    The pool of an image is the image itself and its `candidates` − 1 augmented looks. It has no memory: what it draws depends
    on the network, the batch and the generator alone, so that a resumed training draws the same.
    """

    def __init__(
        self, settings: ImportanceSpec, augment: Augmenter, network: nn.Module, forward: Forward | None = None
    ) -> None:
        """`forward`: how the loop runs the network on a batch (its precision and memory layout); None: plainly."""
        self.settings, self.augment, self.network = settings, augment, network
        self._forward = forward or network

    def active(self, epoch: int) -> bool:
        """Whether there is anything to choose among in this epoch (0, 1, …)."""
        return self.settings.candidates > 1 and bool(self.augment.steps) and epoch >= self.settings.warm_up

    def __call__(self, images: Tensor, labels: Tensor, generator: torch.Generator, classes: int, *, epoch: int) -> Drawn:
        """The batch (n, c, h, w) in the looks to learn from, in its order; `generator` is the epoch's."""
        if not self.active(epoch):
            return Drawn(*self.augment(images, labels, generator, classes))
        # The order of a batch is random already: its beginning is a random part of it.
        part = max(1, round(self.settings.share * len(images)))
        chosen = self._choose(images[:part], labels[:part], generator, classes)
        if part == len(images):
            return chosen
        rest, targets = self.augment(images[part:], labels[part:], generator, classes)
        weights = chosen.weights
        if weights is not None:
            weights = torch.cat((weights, weights.new_ones(len(rest))))
        return Drawn(torch.cat((chosen.images, rest)), torch.cat((chosen.targets, targets)), weights)

    def _choose(self, images: Tensor, labels: Tensor, generator: torch.Generator, classes: int) -> Drawn:
        settings, count = self.settings, len(images)
        pool, targets = candidates(self.augment, images, labels, settings.candidates, generator, classes)
        scores = self._scores(pool.flatten(0, 1), targets.flatten(0, 1), len(images)).view(count, -1)
        chances = probabilities(scores, temperature=settings.temperature, floor=settings.floor)
        which = torch.multinomial(chances, 1, generator=generator_for(images, generator))
        weights = None
        if settings.weights == "unbiased":
            weights = 1 / (settings.candidates * chances.gather(1, which).squeeze(1).float())
        rows = torch.arange(count, device=images.device)
        return Drawn(pool[rows, which.squeeze(1)], targets[rows, which.squeeze(1)], weights)

    def _scores(self, images: Tensor, targets: Tensor, chunk: int) -> Tensor:
        """Scores (n,) of images (n, c, h, w), by so many at once: never more than the step that follows holds in memory."""
        if self.settings.temperature == 0 or self.settings.floor == 1:  # all alike, whatever they are
            return images.new_ones(len(images))
        found = []
        with asked_only(self.network):
            for some, theirs in zip(torch.split(images, chunk), torch.split(targets, chunk), strict=True):
                seen = F.avg_pool2d(some, 2) if self.settings.resolution == "half" else some
                found.append(scores(self._forward(seen).float(), theirs, self.settings.score))
            together = torch.cat(found)
        return together.clone()  # outside of inference mode: what is made of it may meet a gradient


def candidates(
    augment: Augmenter, images: Tensor, labels: Tensor, count: int, generator: torch.Generator, classes: int
) -> tuple[Tensor, Tensor]:
    """Pool (n, count, c, h, w) of each image itself and count − 1 augmented looks, with targets (n, count) or (n, count, k)."""
    looks = count - 1
    made, targets = augment(images.repeat_interleave(looks, dim=0), labels.repeat_interleave(looks), generator, classes)
    own = labels if targets.ndim == 1 else F.one_hot(labels, classes).to(targets.dtype)
    pool = torch.cat((images.unsqueeze(1), made.reshape(-1, looks, *images.shape[1:])), dim=1)
    return pool, torch.cat((own.unsqueeze(1), targets.reshape(-1, looks, *targets.shape[1:])), dim=1)


def scores(logits: Tensor, targets: Tensor, kind: str) -> Tensor:
    """Scores (n,) ≥ 0 of logits (n, k) for labels (n,) or shares (n, k).

    loss: the cross-entropy. probability: 1 − p of the true class, half the L1 norm of the loss's gradient in the logits.
    gradient: that gradient's L2 norm, ‖p − y‖ (Katharopoulos & Fleuret, ICML 2018, bound the whole gradient by it).
    """
    if kind == "loss":
        return F.cross_entropy(logits, targets, reduction="none")
    chances = logits.softmax(dim=1)
    shares = F.one_hot(targets, logits.shape[1]).to(chances.dtype) if targets.ndim == 1 else targets
    if kind == "probability":
        # Half the L1 norm for shares, too; of a single label it is 1 − p.
        return (chances - shares).abs().sum(dim=1) / 2
    return (chances - shares).square().sum(dim=1).sqrt()


def probabilities(found: Tensor, *, temperature: float = 1.0, floor: float = 0.0) -> Tensor:
    """Chances q (n, m) of m candidates each with scores s ≥ 0: (1 − floor) sᵗ / Σ sᵗ + floor / m, t the temperature.

    Where all scores are 0, or one is not a number, the candidates of that image are all alike.
    """
    sound = torch.isfinite(found).all(dim=1, keepdim=True)
    # Powers of logarithms: a high temperature must not overflow.
    logs = torch.where(sound, found, 1.0).double().clamp(min=1e-30).log()
    return (1 - floor) * torch.softmax(temperature * logs, dim=1) + floor / found.shape[1]


def loss_of(logits: Tensor, drawn: Drawn, *, weight: Tensor | None = None, label_smoothing: float = 0.0) -> Tensor:
    """The mean cross-entropy of a batch, each image counted by its weight; `weight` (k,) of the classes, as torch has it."""
    if drawn.weights is None:
        return F.cross_entropy(logits, drawn.targets, weight=weight, label_smoothing=label_smoothing)
    losses = F.cross_entropy(logits, drawn.targets, weight=weight, label_smoothing=label_smoothing, reduction="none")
    if weight is None or drawn.targets.ndim > 1:
        return (losses * drawn.weights).mean()
    return (losses * drawn.weights).sum() / weight[drawn.targets].sum()


def check_resolution(settings: ImportanceSpec, network: str, image_size: int, *, resized: int = 0) -> None:
    """InputError where candidates shall be scored at half size by a network that sees no other size than its own.

    `resized`: the pixels an edge that all images are brought to before the network sees them; 0: none.
    """
    if settings.candidates < 2 or settings.resolution != "half":
        return
    extra = registry().get("network", network).extra
    smallest = max(1, int(extra.get("minimum_size", 1)))
    if not extra.get("any_size"):
        raise InputError(
            f"The network “{network}” cannot score candidates at half their size: its dense layers fit one size of image only.",
            'Set importance.resolution = "full", or choose a network with a pooling head.',
        )
    if resized:
        raise InputError(
            f"Candidates at half size would be enlarged to {resized} pixels again, and save no time.",
            'Set importance.resolution = "full", or transfer.image_size = 0.',
        )
    if image_size // 2 < smallest:
        raise InputError(
            f"Half of {image_size} pixels is too small for the network “{network}”, which needs {smallest}.",
            'Set importance.resolution = "full", or cut slices with more pixels.',
        )


@contextmanager
def asked_only(network: nn.Module) -> Iterator[None]:
    """Within the block the network answers as in use: no gradients, no dropout, batch statistics used but not changed.

    Every layer's mode is put back as it was: frozen layers stay frozen while the rest trains.
    """
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for layer, training in modes:
            layer.training = training
