"""The training loop: epochs of batches, a measurement of the validation set after each, nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded
from microtome.slices.imageset import ImageSet
from microtome.training.augment import Augmenter, main_labels
from microtome.training.changes import lower
from microtome.training.criterion import CrossEntropy
from microtome.training.data import Images, balanced_batches, batches, even_parts
from microtome.training.device import autocast, memory_format
from microtome.training.hooks import Hooks
from microtome.training.importance import Drawn, ImportanceSampler
from microtome.training.measure import Counter, measure
from microtome.training.metrics import Measured
from microtome.training.optimiser import learning_rate, set_learning_rate
from microtome.training.part import Part
from microtome.training.regression import Scale
from microtome.training.spec import ImportanceSpec, TrainingSpec
from microtome.training.squares import MeasuredValues, SquaredError, ValueCounter, measure_values
from microtome.training.state import State

_LOOK = 16  # batches between two looks at the loss: on a GPU every look waits for it
PRUNE = "prune"
"""The order that ends a training with the epochs so far; after any other it goes on another time."""


class DivergedError(MicrotomeError):
    """The loss is no longer a number in `epoch`, trained with `rate`; `offer` is the rate to try from its beginning."""

    def __init__(self, epoch: int, rate: float) -> None:
        self.epoch, self.offer = epoch, lower(rate)
        back = f"go on from the end of epoch {epoch}" if epoch else "begin again"
        super().__init__(
            f"The loss is not a number any more in epoch {epoch + 1}.",
            f"Lower the learning rate: {back} with {self.offer:g} instead of {rate:g}; or choose a smaller network.",
        )


class StoppedError(Exception):
    """The training was asked to end in mid-epoch; `order` is what `should_stop` said."""

    def __init__(self, order: str) -> None:
        super().__init__(order)
        self.order = order


@dataclass(frozen=True)
class _Work:
    """What is trained, on what, and how."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    training: Images
    settings: TrainingSpec
    classes: int
    hooks: Hooks
    state: State
    criterion: CrossEntropy | SquaredError
    values: Values | None

    def counter(self) -> Counter | ValueCounter:
        """What adds up an epoch."""
        device = self.training.labels.device
        return Counter(self.classes, device) if self.values is None else ValueCounter(self.values.scale, device)

    def measure(self, validation: Images) -> Measured | MeasuredValues:
        """The network, or its average, on the validation set."""
        shown = self.network if self.state.average is None else self.state.average.network
        shown = shown if self.state.crew is None else self.state.crew.divided(shown)
        precision = self.settings.precision
        if self.values is None:
            return measure(shown, validation, classes=self.classes, precision=precision)
        kind, volumes = self.settings.value_loss, self.values.volumes
        return measure_values(shown, validation, self.values.scale, kind=kind, volumes=volumes, precision=precision)


@dataclass(frozen=True, kw_only=True)
class Values:
    """Of a training on numbers: their scale, and the volumes (n,) of the validation images."""

    scale: Scale
    volumes: NDArray[np.int64]

    @classmethod
    def of(cls, scale: Scale, image_set: ImageSet) -> Values:
        """Of an image set."""
        return cls(scale=scale, volumes=image_set.poses.volumes[image_set.split("validation")])


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
    state: State | None = None,
    values: Values | None = None,
) -> None:
    """Train from epoch len(history) to the end of the settings; every measured epoch is appended to `history`.

    `state` is what the training remembers beside: where it stands in its epoch, the average of its weights (which is then
    what is measured), from which epoch on patience counts. With `values` the labels of the images are standardised numbers,
    which are learnt instead. Raises StoppedError where hooks.should_stop said so, DivergedError where the loss is no longer a
    number; both leave network and optimiser in mid-epoch, for the caller to forget.
    """
    state = State() if state is None else state
    hooks = hooks if state.crew is None else state.crew.hooks(hooks)
    criterion = CrossEntropy(settings, training.labels, len(classes)) if values is None else SquaredError(settings.value_loss)
    work = _Work(network, optimiser, training, settings, len(classes), hooks, state, criterion, values)
    sampler = ImportanceSampler(importance, augment, network, lambda images: _answer(work, images))
    for epoch in range(len(history), settings.epochs):
        if _patience_is_over(history, settings.patience, state.whole_from):
            return
        learned, rate, learning = _learn(work, sampler, epoch)
        begun = time.monotonic()
        measured = work.measure(validation)
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
            images_per_second=len(training) / max(learning, 1e-9),
            seconds=learning + time.monotonic() - begun,
            **_of_values(measured),
        )
        history.append(ended)
        hooks.epoch_done(ended)


def _of_values(measured: Measured | MeasuredValues) -> dict[str, Any]:
    if isinstance(measured, Measured) or measured.fit is None:
        return {}
    fit = measured.fit
    return {"r2": fit.r2, "mse": fit.mse, "mae": fit.mae, "points": measured.points}


def _learn(work: _Work, sampler: ImportanceSampler, epoch: int) -> tuple[Measured | MeasuredValues, float, float]:
    """One epoch, or the rest of it: what the network made of the images while it learned, the last rate, the seconds.

    Where images are mixed, the one that has the larger share in a mixture counts as its label.
    """
    state, hooks, training = work.state, work.hooks, work.training
    settings = state.changes.settings(work.settings, epoch)
    begun = time.monotonic()
    work.network.train()
    hooks.epoch_begins(epoch)
    generator = seed_epoch(settings.seed, epoch)
    parts = _in_batches(training.labels, settings, work.classes, generator)
    count, rate, first = work.counter(), settings.learning_rate, 0
    if state.part is not None:
        first, begun = state.part.done, begun - state.part.seconds
        state.part.give_back(count, generator)
        state.part = None
    for number in range(first, len(parts)):
        if (order := hooks.should_stop()) or hooks.part_is_due():
            if order != PRUNE and number > first:
                _check(count.finite(), epoch, settings)
                hooks.keep_part(Part.take(epoch, number, time.monotonic() - begun, count, generator))
            if order:
                raise StoppedError(order)
        images, labels = training.batch(parts[number])
        drawn = sampler(images, labels, generator, work.classes, epoch=epoch)
        if number == 0:
            hooks.first_batch(epoch, drawn.images, drawn.targets)
        step = epoch * len(parts) + number
        rate = learning_rate(settings, step, settings.epochs * len(parts))
        set_learning_rate(work.optimiser, rate)
        logits, loss = _update(work, drawn, step)
        if state.average is not None:
            state.average.update(step)
        count.add(logits, main_labels(drawn.targets), loss * len(labels))
        if number % _LOOK == 0:
            _check(count.finite(), epoch, settings)
        hooks.batch_done(epoch, number + 1, len(parts))
    # The last step may have spoilt the weights after the last loss was taken.
    _check(count.finite() and _finite(work.network), epoch, settings)
    return count.measured(), rate, time.monotonic() - begun


def _update(work: _Work, drawn: Drawn, step: int) -> tuple[Tensor, Tensor]:
    """One step of the optimiser; returns logits (n, k) and the mean loss, of which no gradient is wanted any more.

    Where memory holds only some images at once, their gradients add up to the batch's.
    """
    work.optimiser.zero_grad(set_to_none=True)
    crew, seed, at_once = work.state.crew, work.settings.seed, work.state.changes.at_once
    parts = _that_fit(work, drawn.images)
    if crew is not None:
        logits, loss = crew.learn(drawn, work.criterion, partial(_forward, work), at_once=at_once, seed=seed, step=step)
    elif len(parts) == 1:
        logits = _forward(work, work.network, drawn.images)
        loss = work.criterion.mean(logits, drawn)
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        total, answers, losses = work.criterion.total(drawn), [], []
        for some in parts:
            answer = _forward(work, work.network, drawn.images[some])
            share = work.criterion.share(answer, drawn.part(some), total)
            share.backward()  # type: ignore[no-untyped-call]
            answers.append(answer.detach())
            losses.append(share.detach())
        logits, loss = torch.cat(answers), torch.stack(losses).sum()
    work.optimiser.step()
    return logits.detach(), loss.detach()


def _answer(work: _Work, images: Tensor) -> Tensor:
    """Logits (n, k) of images that are only asked about."""
    crew = work.state.crew
    network = work.network if crew is None else crew.divided(work.network)
    return torch.cat([_forward(work, network, images[some]) for some in _that_fit(work, images)])


def _forward(work: _Work, network: nn.Module, images: Tensor) -> Tensor:
    """Logits (n, k) in float32, computed in the precision of the settings."""
    precision = work.settings.precision
    with autocast(images.device, precision):
        logits: Tensor = network(images.contiguous(memory_format=memory_format(images.device, precision)))
    return logits.float()


def _that_fit(work: _Work, images: Tensor) -> tuple[slice, ...]:
    """A batch in even parts of as many images as memory holds at once: one part where it holds all."""
    count = len(images)
    parts = even_parts(count, work.state.changes.at_once or count)
    ends = [count * part // parts for part in range(parts + 1)]
    return tuple(slice(begin, end) for begin, end in pairwise(ends))


def _in_batches(labels: Tensor, settings: TrainingSpec, classes: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    if settings.balance == "sampling":
        return balanced_batches(labels, classes, settings.batch_size, generator)
    return batches(len(labels), settings.batch_size, generator)


def seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Start an epoch's random numbers: torch's own (dropout) and, returned, those of the order and the augmentations.

    They depend on nothing but seed and epoch, so an epoch that is trained again is the same again.
    """
    own, layers = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    torch.manual_seed(int(layers) >> 1)
    return torch.Generator().manual_seed(int(own) >> 1)


def _finite(network: nn.Module) -> bool:
    norms = torch.stack([parameter.detach().abs().max() for parameter in network.parameters()])
    return bool(torch.isfinite(norms).all())


def _check(sound: bool, epoch: int, settings: TrainingSpec) -> None:
    if not sound:
        raise DivergedError(epoch, settings.learning_rate)


def _patience_is_over(history: list[EpochEnded], patience: int, whole_from: int) -> bool:
    if patience == 0 or not history:
        return False
    first_best = max(history, key=lambda e: (e.validation_accuracy, -e.epoch))
    return len(history) - max(first_best.epoch + 1, whole_from) >= patience
