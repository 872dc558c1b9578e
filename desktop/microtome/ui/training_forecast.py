"""What a training will take, told while its settings are typed: a range, and what it goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from microtome.errors import MicrotomeError
from microtome.jobs.runner import cores
from microtome.results.words import with_unit
from microtome.session import Session, TimeLimit
from microtome.training.layers import LayerTable
from microtome.ui.channels import channels_of
from microtome.ui.desk import Desk
from microtome.ui.forecast import epoch_seconds, images_an_epoch, memory_bytes
from microtome.ui.i18n import tr
from microtome.ui.layer_tables import NetworkAsked
from microtome.ui.numbers import between, size_of, with_commas
from microtome.ui.tail import RunTail
from microtome.ui.words import run_title

#: Multiply-adds a second and core of the forward pass while a network trains (forward and backward): measured on eight
#: networks at 32 and 64 pixels in batches of 32, from 1.2 to 6.3 thousand million; small and grouped layers are the slow ones.
_RATE = 2.8e9
_GUESSED = 4.0  # the range is so many times lower and higher where nothing was measured on this computer,
_SCALED = 2.5  # where another network was,
_SAME = 1.15  # and where this one was
_FORWARD = 1 / 3  # of an image's cost in training: backward costs two forward passes
_SCORED = 0.27  # of an image's cost in training: scoring a candidate takes no more than a forward pass
_MOST_RUNS = 6


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How fast a network was trained: images a second, lowest and highest of its epochs, in the run of that name."""

    asked: NetworkAsked
    low: float
    high: float
    run: str


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Images a second: a range, and where it comes from. basis: same | scaled | guessed."""

    low: float
    high: float
    basis: str
    run: str = ""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Seconds of a training (low, high), memory in bytes, and the epochs that will not fit into a time limit (low, high)."""

    seconds: tuple[float, float] | None = None
    speed: Speed | None = None
    memory: int = 0
    missing: tuple[int, int] = (0, 0)
    epochs: int = 0


@lru_cache(maxsize=256)
def _recipe_of(path: Path) -> object:
    from microtome.search.recipe import load

    return load(path)  # it is written once


def measured_runs(desk: Desk) -> list[Measured]:
    """How fast networks were trained in this project, the newest first; runs with candidates or frozen parts do not count."""
    found: list[Measured] = []
    for tail in reversed(desk.tails.all()):
        if len(found) >= _MOST_RUNS:
            break
        one = _measured(tail, channels_of(desk.session))
        if one is not None:
            found.append(one)
    return found


def _measured(tail: RunTail, channels: int) -> Measured | None:
    from microtome.search.recipe import Recipe

    trials = [t for t in tail.state.trials.values() if t.epochs]
    if not trials:
        return None
    try:
        recipe = _recipe_of(tail.run.recipe)
        assert isinstance(recipe, Recipe)
        one = recipe.with_values(trials[-1].parameters)
    except MicrotomeError:
        return None  # of a newer version, or damaged: said where the run is shown
    if one.importance.candidates > 1 or one.transfer.train != "all":
        return None
    speeds = [e.images_per_second for e in trials[-1].epochs if e.images_per_second > 0]
    # The first epoch also prepares what all others use.
    speeds = speeds[1:] or speeds
    if not speeds:
        return None
    asked = NetworkAsked(
        name=one.network.name,
        classes=max(2, len(one.classes)),
        image_size=one.transfer.image_size or one.slices.pixels,
        channels=channels,  # as the project's images are now: runs of one project seldom differ in that
        parameters=dict(one.network.parameters),
    )
    return Measured(asked=asked, low=min(speeds), high=max(speeds), run=tail.run.name)


def speed_of(asked: NetworkAsked, measured: Sequence[Measured], tables: Mapping[str, LayerTable]) -> Speed | None:
    """How fast a network will be trained: as it was, else as another was for its multiply-adds, else as such machines are.

    `tables`: by NetworkAsked.key. None where neither a measurement nor the network's own table is there.
    """
    for one in measured:
        if one.asked == asked:
            return Speed(low=one.low / _SAME, high=one.high * _SAME, basis="same", run=one.run)
    mine = tables.get(asked.key)
    if mine is None or mine.multiply_adds <= 0:
        return None
    for one in measured:
        theirs = tables.get(one.asked.key)
        if theirs is not None and theirs.multiply_adds > 0:
            ratio = theirs.multiply_adds / mine.multiply_adds
            return Speed(low=one.low * ratio / _SCALED, high=one.high * ratio * _SCALED, basis="scaled", run=one.run)
    likely = _RATE * cores() / mine.multiply_adds
    return Speed(low=likely / _GUESSED, high=likely * _GUESSED, basis="guessed")


def cost_factor(session: Session, facts: LayerTable | None) -> float:
    """What an image costs in training, as a multiple of the ordinary: more with candidates, less with frozen parts."""
    candidates = int(session.value("importance.candidates"))
    factor = 1.0
    if facts is not None:
        factor = _FORWARD + (1 - _FORWARD) * trained_share(session, facts)
    if candidates > 1:
        size = 0.25 if session.value("importance.resolution") == "half" else 1.0
        factor += candidates * _SCORED * size * float(session.value("importance.share"))
    return factor


def trained_share(session: Session, facts: LayerTable) -> float:
    """The part of a network's multiply-adds that gradients pass, 0 … 1."""
    if not facts.multiply_adds:
        return 1.0
    frozen = frozen_parts(session, facts)
    return sum(layer.multiply_adds for layer in facts.layers if layer.part not in frozen) / facts.multiply_adds


def parts_of(facts: LayerTable) -> tuple[str, ...]:
    """A network's parts from input to output: stem, blocks, head; none where it names none."""
    return tuple(dict.fromkeys(layer.part for layer in facts.layers if layer.part))


def frozen_parts(session: Session, facts: LayerTable) -> tuple[str, ...]:
    """The parts that the settings of transfer learning leave as they are."""
    parts, how = parts_of(facts), str(session.value("transfer.train"))
    if how == "all" or not parts:
        return ()
    blocks = max(0, len(parts) - 2)
    free = min(blocks, int(session.value("transfer.blocks"))) if how == "last" else 0
    return parts[: len(parts) - 1 - free]


def network_memory(session: Session, facts: LayerTable) -> int:
    """Bytes of a network in training: weights, gradients, optimiser, activations of a batch."""
    made = facts.memory(
        int(session.value("training.batch_size")),
        optimizer=str(session.value("training.optimizer")),
        momentum=float(session.value("training.momentum")),
        ema=float(session.value("training.ema")) > 0,
        frozen=frozen_parts(session, facts),
    )
    return made.total


def forecast(session: Session, speed: Speed | None, facts: LayerTable | None, limit: TimeLimit) -> Forecast:
    """Time, memory, and what will not fit into a limit."""
    epochs = int(session.value("training.epochs"))
    memory = memory_bytes(session) + (network_memory(session, facts) if facts is not None else 0)
    if speed is None or speed.low <= 0:
        return Forecast(memory=memory, epochs=epochs)
    factor = cost_factor(session, facts)
    one = tuple(factor * epoch_seconds(session, s) for s in (speed.high, speed.low))
    left = limit.left()
    missing = (0, 0)
    if left is not None:
        missing = (max(0, epochs - int(left / one[0])), max(0, epochs - int(left / one[1])))
    return Forecast(seconds=(epochs * one[0], epochs * one[1]), speed=speed, memory=memory, missing=missing, epochs=epochs)


def forecast_facts(session: Session, found: Forecast, *, exact: bool) -> list[tuple[str, str]]:
    """Name and value pairs for a training; `exact`: the network's own memory is counted."""
    images = images_an_epoch(session)
    size = size_of(found.memory)
    memory = tr("about {size}, network and images", size=size) if exact else tr("about {size} for the images", size=size)
    return [
        _learnt(session),
        (tr("Work"), tr("{n} epochs × {k} images", n=found.epochs, k=with_commas(images))),
        (tr("Memory"), memory),
        (tr("Time"), _time_words(found)),
    ]


def _learnt(session: Session) -> tuple[str, str]:
    """What is learnt: classes, or the numbers of volumes."""
    if session.value("training.target") != "value":
        return tr("Classes"), ", ".join(session.classes())
    members = [v for v in session.need_project().volumes if v.class_name]
    computed = list(dict.fromkeys(tr(v.computed) for v in members if v.computed))
    values = [v.value for v in members if v.value is not None]
    unit = str(session.value("training.value_unit"))
    parts = [f"{min(values):.4g} … {with_unit(max(values), unit)}"] if values else []
    missing = sum(v.value is None and not v.computed for v in members)
    words = tr("{what}, of {n} volumes", what=", ".join([*parts, *computed]) or "–", n=len(members) - missing)
    return tr("Values"), words + (" · " + tr("{n} without a value", n=missing) if missing else "")


def _time_words(found: Forecast) -> str:
    if found.seconds is None or found.speed is None:
        return tr("known after the first epoch on this computer")
    time, speed = between(*found.seconds), found.speed
    if speed.basis == "same":
        return tr("{time}, as this network took in {run}", time=time, run=run_title(speed.run))
    if speed.basis == "scaled":
        return tr("{time}, from the speed of another network in {run}", time=time, run=run_title(speed.run))
    return tr("{time}: a guess from its multiply-adds; better after the first epoch", time=time)


def fit_words(found: Forecast) -> str:
    """What of a training will not fit into its time limit; "" where all does."""
    low, high = found.missing
    if high <= 0:
        return ""
    if low <= 0:
        return tr("Up to {n} of {total} epochs may not fit into the time budget.", n=high, total=found.epochs)
    if low == high:
        return tr("About {n} of {total} epochs will not fit into the time budget.", n=low, total=found.epochs)
    return tr(
        "About {low} to {high} of {total} epochs will not fit into the time budget.", low=low, high=high, total=found.epochs
    )
