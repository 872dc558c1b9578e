"""A minute before a search: the smallest and the largest corner of its space are trained for real; the whole is promised."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from microtome.errors import MicrotomeError
from microtome.events import BatchProgress, EpochEnded, Event, Phase, Piloted, decode, encode
from microtome.jobs.local import LocalRunner
from microtome.jobs.runner import Crashed, Ended, Failed, Report, Task, WorkerDied, threads_each
from microtome.plugin import Space
from microtome.search.forecast.images import MOST, channels_of, cut_set, images_of, random_set
from microtome.search.forecast.promise import Corner, Sample, disk, hours
from microtome.search.ready import require_ready
from microtome.search.recipe import Recipe, dumps
from microtome.store.atomic import read_json, write_json
from microtome.store.project import Project
from microtome.store.run import RunFolder
from microtome.training.layers import LayerTable
from microtome.training.spec import TrialSpec

SECONDS = 60.0
_WARM = ("torch", "microtome.training.loop")
_POINTS = 48  # of the space that stand for all of it
_TABLES = 24  # networks of which the layers are counted
_COUNTING = 0.35  # of the time at most
_CORNERS = 5  # axes of which all corners are looked at; of more, as many at random
_POLL = 0.1
_SAVING = 0.05  # seconds an epoch beside its images, where that was not measured
_RANDOM = "The slices are not cut yet: random images of their size were trained on, and cutting is not counted."
_CUTS = "The search varies the slices: cutting them is not counted."

Report_ = Callable[[Event], None]


def pilot(
    recipe: Recipe,
    project: Project,
    *,
    seconds: float = SECONDS,
    report: Report_ = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Piloted | None:
    """Train the corners of a recipe's space with all its workers for about `seconds` in all, and promise what the whole takes.

    The promise is kept in the project and journalled by a run of the same recipe. `report` gets Phase events; None where
    `should_stop` said so. Raises a MicrotomeError where a corner cannot be built or trained.
    """
    require_ready(recipe)
    search = recipe.search
    workers = 1 if search is None else min(search.workers, search.budget)
    with tempfile.TemporaryDirectory(prefix="microtome-pilot-") as folder:
        work = _Pilot(recipe, project, Path(folder), workers, time.monotonic(), seconds, report, should_stop)
        try:
            found = work.run()
        except _StoppedError:
            return None
    _keep(project, recipe, found)
    return found


def known_promise(recipe: Recipe, project: Project) -> Piloted | None:
    """What a pilot promised for exactly this recipe, if one was made in the project."""
    try:
        data = read_json(_file(project))
        event = decode(msgspec.json.encode(data["promise"]))
    except (MicrotomeError, KeyError):
        return None  # there was none, or it is of another version
    return event if isinstance(event, Piloted) and data.get("recipe") == _digest(recipe) else None


def journal_promise(run: RunFolder, recipe: Recipe, project: Project) -> None:
    """Begin a new run's journal with the promise for its recipe, so that it can be held against what came."""
    found = known_promise(recipe, project)
    if found is not None:
        with run.writer() as journal:
            journal.append(found)


def _file(project: Project) -> Path:
    return project.path / ".cache" / "pilot.json"


def _digest(recipe: Recipe) -> str:
    return hashlib.sha256(dumps(recipe).encode()).hexdigest()[:20]


def _keep(project: Project, recipe: Recipe, found: Piloted) -> None:
    if not project.read_only:
        _file(project).parent.mkdir(parents=True, exist_ok=True)
        write_json(_file(project), {"recipe": _digest(recipe), "promise": msgspec.json.decode(encode(found))})


def sample_points(space: Space, *, seed: int = 0) -> list[dict[str, Any]]:
    """Points that stand for a space, drawn evenly; then its corners."""
    rng = np.random.default_rng(seed)
    d = len(space)
    corners = list(product((0.0, 1.0), repeat=d)) if d <= _CORNERS else rng.integers(0, 2, (2**_CORNERS, d)).tolist()
    ends = [tuple(0.0 for _ in range(d)), tuple(1.0 for _ in range(d))]
    return [space.at(u) for u in [*rng.random((_POINTS, d)).tolist(), *ends, *corners]]


class _StoppedError(Exception):
    """The user has seen enough."""


@dataclass
class _Measured:
    """One worker's training at a corner: when it was begun, when things happened."""

    begun: float
    epochs: list[tuple[float, EpochEnded]] = field(default_factory=list)
    batches: list[tuple[float, BatchProgress]] = field(default_factory=list)


@dataclass
class _Pilot:
    recipe: Recipe
    project: Project
    folder: Path
    workers: int
    begun: float
    seconds: float
    report: Report_
    should_stop: Callable[[], bool]
    random: bool = False  # whether any corner was trained on random images
    ready: float = 0.0  # seconds until the workers answered
    gpu: int = 0  # bytes that a GPU has; 0: there is none
    _task: int = 0

    def run(self) -> Piloted:
        with LocalRunner(self.workers, logs=self.folder / "workers", warm=_WARM) as runner:
            samples = self._samples(runner)
            ends = sorted(samples, key=lambda s: (s.weight, s.recipe.training.batch_size, s.recipe.training.epochs))
            small, large = ends[0], ends[-1]
            same = small.weight == large.weight and small.recipe.slices == large.recipe.slices
            chosen = [large] if same else [small, large]
            corners = []
            for i, sample in enumerate(chosen):
                left = self.seconds - (time.monotonic() - self.begun)
                corners.append(self._corner(runner, sample, max(3.0, left / (len(chosen) - i) - 0.5), i))
        return self._promise(samples[: _POINTS if self.recipe.search is not None else 1], corners)

    # --- the space

    def _samples(self, runner: LocalRunner) -> list[Sample]:
        search = self.recipe.search
        points = [{}] if search is None else sample_points(search.space, seed=search.seed)
        recipes = [self.recipe.with_values(point) for point in points]
        asked = [_network(r) for r in recipes]
        # The corners' first, since the smallest and the largest are among them.
        order = [*asked[_POINTS:], *asked[:_POINTS]]
        different = {_key(spec): spec for spec in order}
        tables = self._tables(runner, dict(list(different.items())[:_TABLES]))
        if not tables:
            raise MicrotomeError("No network of the space could be counted in time.", "Try a smaller network.")
        return [Sample(recipe=r, table=tables[_key(a)]) for r, a in zip(recipes, asked, strict=True) if _key(a) in tables]

    def _tables(self, runner: LocalRunner, wanted: dict[str, dict[str, Any]]) -> dict[str, LayerTable]:
        waiting = list(wanted)
        running: dict[int, str] = {}
        found: dict[str, LayerTable] = {}
        until = self.begun + _COUNTING * self.seconds
        problem = MicrotomeError("No network of the space can be built.")
        least = min(2, len(wanted))  # the two ends come first
        while running or (waiting and (time.monotonic() < until or len(found) < least)):
            while waiting and runner.idle > 0 and (time.monotonic() < until or len(found) + len(running) < least):
                key = waiting.pop(0)
                task = Task(
                    id=self._next(), function="microtome.training.layers:layers_in_worker", arguments={"spec": wanted[key]}
                )
                runner.submit(task)
                running[task.id] = key
            for message in self._poll(runner):
                if isinstance(message, Ended) and message.task in running:
                    key = running.pop(message.task)
                    self.ready = self.ready or time.monotonic() - self.begun
                    result = getattr(message.outcome, "result", None)
                    if isinstance(result, dict) and "error" not in result:
                        found[key] = LayerTable.from_json(result)
                    elif isinstance(result, dict):
                        problem = MicrotomeError(result["error"], result["hint"])
            self._progress()
        if not found:
            raise problem
        return found

    # --- one corner

    def _corner(self, runner: LocalRunner, sample: Sample, seconds: float, number: int) -> Corner:
        images, counted = self._images(sample.recipe, number)
        begun, running = time.monotonic(), {}
        for worker in range(self.workers):
            spec = TrialSpec(
                image_set=str(images),
                image_set_hash="",
                network=sample.recipe.network,
                training=replace(sample.recipe.training, seed=worker),
                transfer=sample.recipe.transfer,
                importance=sample.recipe.importance,
                folder=str(self.folder / f"corner-{number}-{worker}"),
                threads=threads_each(self.workers),
            )
            task = Task(id=self._next(), function="microtome.training.trial:run_trial", arguments={"spec": spec.to_json()})
            runner.submit(task)
            running[task.id] = _Measured(time.monotonic())
        every, resident, gpu = dict(running), 0, 0
        while running:
            for message in self._poll(runner):
                if isinstance(message, Report) and message.task in running:
                    _take(running[message.task], message.event)
                elif isinstance(message, Ended) and message.task in running:
                    del running[message.task]
                    gpu = max(gpu, self._ended(message))
            resident = max(resident, *(_resident(pid) for pid in runner.pids()))
            if time.monotonic() - begun >= seconds:
                for task_id in running:
                    runner.cancel(task_id, "pause")
            self._progress()
        return _corner_of(sample, counted, list(every.values()), gpu or resident, seconds)

    def _ended(self, end: Ended) -> int:
        """Bytes of a GPU that the worker has held."""
        outcome = end.outcome
        if isinstance(outcome, Failed | Crashed):
            message = outcome.message if outcome.message.endswith(".") else f"{outcome.message}."
            hint = "Use fewer workers." if isinstance(outcome, Crashed) else "Narrow the space there."
            raise MicrotomeError(f"A corner of the space cannot be trained: {message}", hint)
        result = getattr(outcome, "result", None) or {}
        self.gpu = int(result.get("memory_total") or self.gpu)
        return int(result.get("memory") or 0)

    def _images(self, recipe: Recipe, number: int) -> tuple[Path, float]:
        """The image set of a corner, where it was cut, else random images of its size; and the images of an epoch."""
        found = cut_set(recipe, self.project.path / "imagesets")
        if found is not None:
            return found, images_of(recipe, None)
        self.random = True
        return random_set(recipe, self.folder / f"images-{number}"), images_of(recipe, MOST)

    # --- the promise

    def _promise(self, samples: list[Sample], corners: list[Corner]) -> Piloted:
        notes = [_RANDOM] if self.random else []
        if len({s.recipe.slices for s in samples}) > 1:
            notes.append(_CUTS)
        told = tuple(
            {
                "parameters": _searched(self.recipe, c.sample.recipe),
                "images_per_second": self.workers / c.image,
                "memory": c.memory,
                "seconds": c.start + c.sample.recipe.training.epochs * (c.epoch + c.sample.images * c.image),
            }
            for c in corners
        )
        return Piloted(
            corners=told,
            hours=hours(self.recipe, samples, corners, begin=self.ready),
            disk=disk(self.recipe, samples, cut=not self.random),
            workers=self.workers,
            total_memory=self.gpu or psutil.virtual_memory().total,
            notes=tuple(notes),
        )

    def _next(self) -> int:
        self._task += 1
        return self._task

    def _poll(self, runner: LocalRunner) -> list[Any]:
        if self.should_stop():
            raise _StoppedError
        messages = runner.poll(_POLL)
        for message in messages:
            if isinstance(message, WorkerDied):
                raise MicrotomeError(f"The pilot's worker died: {message.reason}", "Use fewer workers, or smaller networks.")
        return messages

    def _progress(self) -> None:
        done = min(self.seconds, time.monotonic() - self.begun)
        self.report(Phase(name="pilot", done=done, total=self.seconds, unit="seconds"))


def _take(measured: _Measured, event: Any) -> None:
    match event:
        case EpochEnded():
            measured.epochs.append((time.monotonic(), event))
        case BatchProgress():
            measured.batches.append((time.monotonic(), event))


def _corner_of(sample: Sample, images: float, all_of: list[_Measured], memory: int, waited: float) -> Corner:
    """The means over the workers; the first epoch, which prepares what all others use, counts only where it is the only one."""
    size = sample.recipe.training.batch_size
    found = [_costs(m, images, size, waited) for m in all_of]
    image, epoch, start = (sum(values) / len(values) for values in zip(*found, strict=True))
    return Corner(sample=sample, image=image, epoch=epoch, start=start, memory=memory)


def _costs(measured: _Measured, images: float, size: int, waited: float) -> tuple[float, float, float]:
    """(seconds an image, seconds an epoch beside them, seconds before the first batch) of one worker."""
    epochs, batches = measured.epochs, measured.batches
    if epochs:
        first, event = epochs[0]
        start = max(0.0, first - measured.begun - event.seconds)
        later = epochs[1:] or epochs
        image = sum(e.seconds for _, e in later) / len(later) / images
        walls = [b - a for (a, _), (b, _) in zip(epochs, later, strict=False)] if len(epochs) > 1 else []
        beside = sum(wall - e.seconds for wall, (_, e) in zip(walls, later, strict=True)) / len(walls) if walls else _SAVING
        return image, max(0.0, beside), start
    if len(batches) > 1:
        (a, one), (b, other) = batches[0], batches[-1]
        return (b - a) / max(1, (other.done - one.done) * size), _SAVING, max(0.0, a - measured.begun)
    # Not even two batches: it is at least as slow as that.
    return waited / size, _SAVING, 0.0


def _network(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.network.name,
        "channels": channels_of(recipe.classes),
        "classes": max(2, len(recipe.classes)),
        "image_size": recipe.transfer.image_size or recipe.slices.pixels,
        "parameters": dict(recipe.network.parameters),
    }


def _key(spec: dict[str, Any]) -> str:
    return repr(sorted((name, repr(value)) for name, value in spec.items()))


def _searched(base: Recipe, corner: Recipe) -> dict[str, Any]:
    """What a corner has that the search varies, as dotted names."""
    axes = base.search.space if base.search is not None else ()
    found: dict[str, Any] = {}
    for axis in axes:
        where, _, key = axis.name.partition(".")
        table = corner.network.parameters if where == "network" else vars(getattr(corner, where, corner.training))
        if key in table:
            found[axis.name] = table[key]
    return found


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.Error, ValueError):
        return 0
