"""The training loop: epochs of batches, a measurement of the validation set after each, nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded
from microtome.training.augment import Augmenter, main_labels
from microtome.training.data import Images, balanced_batches, batches, class_weights
from microtome.training.device import autocast
from microtome.training.importance import ImportanceSampler, loss_of
from microtome.training.metrics import Measured
from microtome.training.optimiser import learning_rate, set_learning_rate
from microtome.training.spec import ImportanceSpec, TrainingSpec

_LOOK = 16  # batches between two looks at the loss: on a GPU every look waits for it


class DivergedError(MicrotomeError):
    """The loss is no longer a number."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"The loss is not a number any more in epoch {epoch + 1}.", "Lower the learning rate, or choose a smaller network."
        )


class StoppedError(Exception):
    """The training was asked to end in mid-epoch; `order` is what `should_stop` said."""

    def __init__(self, order: str) -> None:
        super().__init__(order)
        self.order = order


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What the loop asks and tells.

    should_stop() is asked before every batch: "" goes on, anything else ends the training there. batch_done(epoch, done,
    total) follows every batch, epoch_done(ended) every measured epoch. epoch_begins(epoch) comes once the network is in
    training mode, before the epoch's first batch, also of one that is gone on with: what is frozen then is frozen in it.
    """

    should_stop: Callable[[], str]
    batch_done: Callable[[int, int, int], None]
    epoch_done: Callable[[EpochEnded], None]
    epoch_begins: Callable[[int], None] = lambda epoch: None
    epoch_begins: Callable[[int], None] = lambda epoch: None


def train(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    training: Images,
    validation: Images,
    settings: TrainingSpec,
    *,
    classes: tuple[str, ...],
    augment: Augmenter,
    history: list[EpochEnded],
    hooks: Hooks,
    importance: ImportanceSpec = ImportanceSpec(),
    trial: int = 0,
) -> None:
    """Train from epoch len(history) to the end of the settings; every measured epoch is appended to `history`.

    Raises StoppedError where hooks.should_stop said so, DivergedError where the loss is no longer a number; both leave
    network and optimiser in mid-epoch, for the caller to forget.
    """
    sampler = ImportanceSampler(importance, augment, network, lambda images: _logits(network, images))
    for epoch in range(len(history), settings.epochs):
        if _patience_is_over(history, settings.patience):
            return
        begun = time.monotonic()
        learned, rate = _learn(network, optimiser, training, settings, epoch, len(classes), sampler, hooks)
        seconds = time.monotonic() - begun
        measured = measure(network, validation, classes=len(classes))
        ended = EpochEnded(
            trial=trial,
            epoch=epoch,
            train_loss=learned.loss,
            train_accuracy=learned.accuracy,
            validation_loss=measured.loss,
            validation_accuracy=measured.accuracy,
            per_class=measured.per_class(classes),
            confusion=measured.rows(),
            learning_rate=rate,
            images_per_second=len(training) / max(seconds, 1e-9),
            seconds=time.monotonic() - begun,
        )
        history.append(ended)
        hooks.epoch_done(ended)


def _learn(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    training: Images,
    settings: TrainingSpec,
    epoch: int,
    classes: int,
    sampler: ImportanceSampler,
    hooks: Hooks,
) -> tuple[Measured, float]:
    """One epoch; returns what the network made of the images while it learned, and the last learning rate.

    Where images are mixed, the one that has the larger share in a mixture counts as its label.
    """
    network.train()
    hooks.epoch_begins(epoch)
    generator = seed_epoch(settings.seed, epoch)
    if settings.balance == "sampling":
        parts = balanced_batches(training.labels, classes, settings.batch_size, generator)
    else:
        parts = batches(len(training), settings.batch_size, generator)
    weights = class_weights(training.labels, classes) if settings.balance == "weights" else None
    count = Counter(classes, training.labels.device)
    rate = settings.learning_rate
    for number, positions in enumerate(parts):
        if order := hooks.should_stop():
            raise StoppedError(order)
        images, labels = training.batch(positions)
        drawn = sampler(images, labels, generator, classes, epoch=epoch)
        rate = learning_rate(settings, epoch * len(parts) + number, settings.epochs * len(parts))
        set_learning_rate(optimiser, rate)
        logits = _logits(network, drawn.images)
        loss = loss_of(logits, drawn, weight=weights, label_smoothing=settings.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        count.add(logits.detach(), main_labels(drawn.targets), loss.detach() * len(labels))
        if (number % _LOOK == 0 or number == len(parts) - 1) and not count.finite():
            raise DivergedError(epoch)
        hooks.batch_done(epoch, number + 1, len(parts))
    return count.measured(), rate


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    """Logits (b, k) in float32, computed in the device's precision."""
    with autocast(images.device):
        logits: Tensor = network(images.contiguous(memory_format=torch.channels_last))
    return logits.float()


def measure(network: nn.Module, images: Images, *, classes: int, batch_size: int = 256) -> Measured:
    """The loss and the confusion counts of a network on some images, as they are."""
    network.eval()
    count = Counter(classes, images.labels.device)
    with torch.inference_mode():
        for positions in torch.arange(len(images)).tensor_split(max(1, -(-len(images) // batch_size))):
            batch, labels = images.batch(positions)
            logits = _logits(network, batch)
            count.add(logits, labels, F.cross_entropy(logits, labels, reduction="sum"))
    return count.measured()


class Counter:
    """Adds up losses and confusion counts on the device, without waiting for it."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._pairs = torch.zeros(classes * classes, dtype=torch.int64, device=device)

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Count a batch: logits (b, k), labels (b,) and the sum of its losses."""
        self._loss += loss
        pairs = labels * self._classes + logits.argmax(dim=1)
        self._pairs += torch.bincount(pairs, minlength=self._classes**2)

    def finite(self) -> bool:
        """False once a loss was not a number; waits for the device."""
        return math.isfinite(self._loss.item())

    def measured(self) -> Measured:
        """The mean loss and the counts so far."""
        counts: np.ndarray[tuple[int, int], np.dtype[np.int64]] = self._pairs.cpu().numpy()
        loss = self._loss.item() / max(1, int(counts.sum()))
        return Measured(
            loss=loss if math.isfinite(loss) else None, confusion=counts.reshape(self._classes, self._classes).copy()
        )


def seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Start an epoch's random numbers: torch's own (dropout) and, returned, those of the order and the augmentations.

    They depend on nothing but seed and epoch, so an epoch that is trained again is the same again.
    """
    own, layers = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    torch.manual_seed(int(layers) >> 1)
    return torch.Generator().manual_seed(int(own) >> 1)


def _patience_is_over(history: list[EpochEnded], patience: int) -> bool:
    if patience == 0 or not history:
        return False
    first_best = max(history, key=lambda e: (e.validation_accuracy, -e.epoch))
    return len(history) - 1 - first_best.epoch >= patience
