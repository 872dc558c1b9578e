"""From what a pilot measured to what it promises: hours and their range, disk, and how many trials fit into a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from microtome.events import Piloted
from microtome.search.recipe import Recipe
from microtome.search.stopping.rules import DEFAULT
from microtome.search.stopping.rungs import share_of_epochs
from microtome.training.layers import FLOAT, LayerTable

ASKED = 1 / 3
"""Of what learning from an image costs, asking about it costs."""
_SPEED = (0.85, 1.25)  # of the time measured: what else the machine does, and what it did meanwhile
_STATES = 3  # a checkpoint holds the weights and two states of an optimiser beside them
_SMALL_FILES = 100_000  # bytes a trial: history, seen images, log
_ROW = 400  # bytes of the journal for an epoch
#: Shares of the epochs that trials train under an early stopping that goes by their values: lowest, likely, highest.
_BY_VALUES = (0.35, 0.65, 1.0)
#: Of what successive halving would train with all of a rung there before any goes on: as counted with recorded curves of 6 to
#: 60 epochs, 9 to 200 trials and two to four workers; few trials and an engine that gets better make it most.
_BY_RUNGS = (0.75, 1.15, 1.8)
_EVALUATED = (0.002, 0.006, 0.03)  # seconds an image for the network and the two baselines at the end, and
_LEAST_END = (0.5, 2.0, 8.0)  # seconds for their beginning: lowest, likely, highest
_MEMORY = 0.9  # of the machine's memory


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A point of the space with its network's table, as the pilot weighs it."""

    recipe: Recipe
    table: LayerTable

    @property
    def weight(self) -> float:
        """What orders the corners: parameters × multiply-adds, then the images at once."""
        return float(self.table.parameters) * max(1, self.table.multiply_adds)

    @property
    def images(self) -> float:
        """Images of an epoch, those asked about counted as what they cost."""
        plan = self.recipe.slices
        return len(self.recipe.classes) * (plan.train + plan.validation * ASKED)


@dataclass(frozen=True, kw_only=True)
class Corner:
    """What was measured at one corner. `image`: seconds an image of an epoch; `start`: of a trial before its first batch."""

    sample: Sample
    image: float
    epoch: float  # seconds of an epoch beside its images: saving, measuring
    start: float
    memory: int  # bytes of the hungriest worker


def trial_seconds(sample: Sample, corners: Sequence[Corner]) -> float:
    """Seconds of a full trial at a point: an image's cost lies between those of the corners as its multiply-adds do."""
    low, high = corners[0], corners[-1]
    a, b = low.sample.table.multiply_adds, high.sample.table.multiply_adds
    t = 0.0 if a == b else (sample.table.multiply_adds - a) / (b - a)
    t = min(1.0, max(0.0, t))

    def between(one: float, other: float) -> float:
        return one + t * (other - one)

    epoch = between(low.epoch, high.epoch) + sample.images * between(low.image, high.image)
    return between(low.start, high.start) + sample.recipe.training.epochs * epoch


def share_trained(early_stopping: str, epochs: int) -> tuple[float, float, float]:
    """The share of all trials' epochs that early stopping leaves: lowest, likely, highest."""
    word = DEFAULT if early_stopping == "auto" else early_stopping
    ideal = 1.0 if word == "none" else share_of_epochs(epochs)
    if ideal == 1.0:
        return (1.0, 1.0, 1.0)
    if word != "asha":
        return _BY_VALUES
    low, likely, high = (min(1.0, ideal * factor) for factor in _BY_RUNGS)
    return (low, likely, high)


def hours(recipe: Recipe, samples: Sequence[Sample], corners: Sequence[Corner], *, begin: float) -> tuple[float, float, float]:
    """Low, likely, high, in hours, for the budget with its workers, early stopping, finalists and the evaluation.

    Samples stand for all points alike; an engine leaves that for a part of the space, so low and high go by the cheaper and
    the dearer half of them. `begin`: seconds until the workers are there.
    """
    search = recipe.search
    budget, workers = (1, 1) if search is None else (search.budget, min(search.workers, search.budget))
    costs = sorted(trial_seconds(s, corners) for s in samples)
    half = math.ceil(len(costs) / 2)
    means = [sum(part) / len(part) for part in (costs[:half], costs, costs[-half:])]
    again = 0 if search is None else min(search.finalists, search.budget) * search.finalist_seeds
    rounds = math.ceil(budget / workers)
    shares = share_trained("none" if search is None else search.early_stopping, recipe.training.epochs)
    plan = recipe.slices
    evaluated = len(recipe.classes) * (plan.evaluation + plan.train)
    found = []
    for i, (mean, share) in enumerate(zip(means, shares, strict=True)):
        work = mean * share * (budget / workers if i < 2 else rounds) + mean * math.ceil(again / workers)
        end = _LEAST_END[i] + evaluated * _EVALUATED[i]
        found.append((begin + work * (_SPEED[0], 1.0, _SPEED[1])[i] + end) / 3600)
    # Few trials may all be long ones.
    found[2] += 0.0 if search is None else (costs[-1] - means[2]) * _SPEED[1] / 3600
    return (found[0], found[1], max(found))


def disk(recipe: Recipe, samples: Sequence[Sample], *, cut: bool) -> int:
    """Bytes of models, checkpoints and image sets; `cut`: whether the run's own images are there already."""
    search = recipe.search
    budget = 1 if search is None else search.budget
    again = 0 if search is None else min(search.finalists, search.budget) * search.finalist_seeds
    weights = FLOAT * sum(s.table.parameters for s in samples) / len(samples)
    stopped = search is not None and search.early_stopping != "none"
    trial = weights * (1 + (_STATES if stopped else 0)) + _SMALL_FILES + _ROW * recipe.training.epochs
    plan = recipe.slices
    values = samples[0].table.channels * plan.pixels**2
    images = len(recipe.classes) * (plan.train + plan.validation + plan.evaluation) * values * FLOAT
    kinds = {s.recipe.slices for s in samples}
    sets = (0 if cut else len(kinds)) + (search.finalist_seeds if search is not None and again else 0)
    return round((budget + again) * trial + sets * images)


def trials_that_fit(promised: Piloted, trials: int, left: float) -> tuple[int, int]:
    """(at least, at most) of `trials` that fit into `left` seconds, by the promise for all of them."""
    low, _, high = (3600 * h for h in promised.hours)
    return (min(trials, int(trials * left / high)) if high > 0 else trials, min(trials, int(trials * left / max(low, 1e-9))))


def memory_short(promised: Piloted, workers: int) -> bool:
    """Whether the workers' memory at the largest corner would not fit into the machine's."""
    needed = max((int(c["memory"]) for c in promised.corners), default=0)
    return promised.total_memory > 0 and needed * workers > _MEMORY * promised.total_memory
