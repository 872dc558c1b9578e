"""One trial: from a specification to a trained network in a folder; the same in every kind of worker.

params.json              the specification
history.csv              one row an epoch
model.safetensors        the weights of the best epoch, with the model's card
checkpoint.safetensors   all that is needed to go on after the last epoch, until there is nothing to go on to
part.safetensors         the same in mid-epoch: kept now and then, and where a training is stopped
changes.json             what the training had to change while it ran, if anything: learning rate, images at once
seen.npz                 some images of a batch as the network sees them
result.json              how it ended, done or failed; a trial that has one is not trained again
log.txt                  what happened, with times
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import FileError, InputError
from microtome.events import BatchProgress, EpochEnded, Event, Note, decode, encode
from microtome.slices.imageset import ImageSet
from microtome.store.atomic import FORMAT, explain, read_json, sweep_folder, write_json, write_text
from microtome.training import checkpoint
from microtome.training.card import ModelCard
from microtome.training.changes import Changes
from microtome.training.checkpoint import RESULT
from microtome.training.metrics import best_epoch
from microtome.training.ranks import places, together
from microtome.training.regression import Scale, names_of, residuals_of, scale_of
from microtome.training.seen import SeenWriter
from microtome.training.spec import TrialSpec

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.optim import Optimizer

    from microtome.training.average import Average
    from microtome.training.data import Images
    from microtome.training.distributed import Crew
    from microtome.training.part import Part
    from microtome.training.state import State

Report = Callable[[Event], None]
MODEL = "model.safetensors"
_STOPPED = {"prune": "pruned", "rung": "paused"}  # what a training was told → how it ended
_ANEW = "A training goes on only with what it began with: start a new run, or choose an empty folder."
_REPORT_EVERY = 0.5  # seconds between two reports of progress within an epoch
_PART_EVERY = 60.0  # seconds between two checkpoints in mid-epoch: so much is lost at most where a process is killed
_PART_COST = 0.02  # share of the time that may be spent on them


def run_trial(spec: dict[str, Any], report: Report, should_stop: Callable[[], str], *, trial: int = 0) -> dict[str, Any]:
    """Train one trial (TrialSpec.to_json), or go on from its folder's checkpoint, or return the result that is there.

    should_stop() is asked before every batch: "" goes on; "prune" ends with the epochs so far as the result; any other word
    ends there. After `stop_after` epochs of the specification the trial pauses. A pruned, paused or cancelled trial keeps its
    checkpoint and goes on from it another time; epochs of an earlier attempt are reported again, exactly as they were.
    Returns {outcome: done | paused | pruned | cancelled | failed, value: best validation accuracy (or R²) or None, best_epoch,
    epochs, seconds, message, parameters: the network's weights, None where it was not built, memory: bytes that were needed
    on a GPU at most, memory_total: bytes that it has, history: the EpochEnded events as JSON}. Raises a MicrotomeError for
    what the user can mend.
    """
    wanted = TrialSpec.from_json(spec)
    if not wanted.folder:
        raise InputError("A trial needs a folder to keep its files in.")
    folder = Path(wanted.folder)
    found = finished(folder, wanted.key())
    if found is not None:
        for line in found["history"]:
            report(decode(line.encode()))
        return found
    if wanted.training.devices > 1:
        devices = _devices(wanted, report)
        if len(devices) > 1:
            return together(wanted, devices, report, should_stop, trial=trial)
    return _Trial(wanted, folder, trial, report).run(should_stop)


def run_rank(
    spec: dict[str, Any], report: Report, should_stop: Callable[[], str], *, rank: int, size: int, meeting: str, trial: int
) -> dict[str, Any]:
    """The part of one process in a trial that several train together (see ranks.together): the first one's is the result."""
    from microtome.training.device import choose_device
    from microtome.training.distributed import Crew

    wanted = TrialSpec.from_json(spec)
    folder = Path(wanted.folder)
    crew = Crew(rank, size, device=choose_device(wanted.device), meeting=Path(meeting))
    if crew.leads:
        return _Trial(wanted, folder, trial, report, crew).run(should_stop)
    return _Follower(wanted, folder, trial, lambda event: report(event) if isinstance(event, Note) else None, crew).run()


def _devices(spec: TrialSpec, report: Report) -> list[str]:
    import torch

    image_set = ImageSet.open(Path(spec.image_set))
    counts = (len(image_set.split("train")), len(image_set.split("validation")))
    devices, why = places(spec, torch.cuda.device_count(), counts)
    if why:
        report(Note(text=why, level="warning"))
    return devices


def finished(folder: Path, key: str = "") -> dict[str, Any] | None:
    """The result in a trial's folder, None where it has not ended; FileError where it is that of another trial than `key`."""
    path = folder / RESULT
    if not path.exists():
        return None
    data = read_json(path)
    if key and data["key"] != key:
        raise FileError(f"{folder} holds another trial: its images or settings were others.", _ANEW)
    return {k: v for k, v in data.items() if k not in (FORMAT, "key")}


class _Trial:
    """A trial under way: its folder, its epochs so far and whom to tell."""

    def __init__(self, spec: TrialSpec, folder: Path, number: int, report: Report, crew: Crew | None = None) -> None:
        self.spec, self.folder, self.number, self.report, self.crew = spec, folder, number, report, crew
        self.key = spec.key()
        self.history: list[EpochEnded] = []
        self._reported = 0.0
        self._part_at = 0.0  # when the next checkpoint in mid-epoch is due
        self._told = 0  # epochs
        self._normalises = False  # whether the network's layers look at whole batches
        self.changes = Changes()
        self._needs: dict[str, int | None] = {"parameters": None, "memory": None, "memory_total": None}

    def run(self, should_stop: Callable[[], str]) -> dict[str, Any]:
        """Train to an end of any kind and say how it ended."""
        from microtome.training import loop

        outcome, message, offer = "done", "", None
        try:
            self._keep_parameters()
            self._train(should_stop)
        except loop.StoppedError as stop:
            outcome = _STOPPED.get(stop.order, "cancelled")
        except loop.DivergedError as error:
            outcome, message = "failed", str(error)
            offer = {"epoch": len(self.history), "learning_rate": error.offer}
            self.report(Note(text=error.message, level="error", hint=error.hint))
        best = best_epoch(self.history)
        result = {
            "outcome": outcome,
            "value": None if best is None else best.validation_accuracy,
            "best_epoch": None if best is None else best.epoch,
            "epochs": len(self.history),
            "seconds": sum(e.seconds for e in self.history),
            "message": message,
            "offer": offer,
            "rates": [list(rate) for rate in self.changes.rates],
            **self._needs,
            "history": [encode(e).decode() for e in self.history],
        }
        self._log(f"{outcome} after {len(self.history)} epochs. {message}".rstrip())
        if outcome in ("done", "failed"):
            write_json(self.folder / RESULT, {"key": self.key, **result})
            # Nothing goes on from there, and a thousand trials' optimisers would fill a disk.
            (self.folder / checkpoint.PART).unlink(missing_ok=True)
            if outcome == "done":
                (self.folder / checkpoint.NAME).unlink(missing_ok=True)
        return result

    def _train(self, should_stop: Callable[[], str]) -> None:
        from microtome.training import data
        from microtome.training.device import choose_device, explained_memory, ran_out_of_memory, reproducible
        from microtome.training.distributed import BeginAgainError
        from microtome.training.importance import check_resolution
        from microtome.training.levels import levels_of
        from microtome.training.make_card import card_of
        from microtome.training.squares import values_of

        image_set = ImageSet.open(Path(self.spec.image_set))
        if self.spec.image_set_hash not in ("", image_set.hash):
            raise FileError(f"{self.spec.image_set} is not the image set of this trial.", "Cut the slices again.")
        edge = int(image_set.images.shape[-1])
        check_resolution(self.spec.importance, self.spec.network.name, edge, resized=self.spec.transfer.image_size)
        self.changes = Changes.load(self.folder)
        device, size = choose_device(self.spec.device), self.spec.training.batch_size
        with reproducible(device, self.spec.threads), explained_memory(f"batches of {size} images"):
            mean, deviation = levels_of(self.spec, image_set)
            scale = scale_of(self.spec, image_set)
            labels = None if scale is None else values_of(image_set.values, scale)
            training, validation = (
                data.load(image_set, name, mean=mean, deviation=deviation, device=device, labels=labels)
                for name in ("train", "validation")
            )
            card = card_of(self.spec, image_set, mean=mean, deviation=deviation, scale=scale)
            while True:
                try:
                    self._attempt(image_set, training, validation, card, scale, device, should_stop)
                    return
                except RuntimeError as error:
                    if not ran_out_of_memory(error) or not self._halve():
                        raise
                    if self.crew is not None:
                        raise BeginAgainError from error
                # Only here, behind the exception, is what it held on to free again.

    def _attempt(
        self,
        image_set: ImageSet,
        training: Images,
        validation: Images,
        card: ModelCard,
        scale: Scale | None,
        device: torch.device,
        should_stop: Callable[[], str],
    ) -> None:
        """Train from the latest checkpoint to an end, with as many images at once as is known to fit."""
        import torch

        from microtome.training import hooks, loop
        from microtome.training.augment import augmenter
        from microtome.training.device import memory_format
        from microtome.training.optimiser import make_optimiser
        from microtome.training.prepare import prepare

        settings = self.spec.training
        torch.manual_seed(settings.seed)
        tell = self.report if self._needs["parameters"] is None else lambda event: None  # once
        network, stages = prepare(self.spec, image_set, resumed=self._resumes(), report=tell, should_stop=should_stop)
        network.to(device, memory_format=memory_format(device, settings.precision))  # type: ignore[call-overload]
        optimiser = make_optimiser(network, settings, stages.factors())
        state = self._begin(network, optimiser, device, stages.whole_from)
        seen = SeenWriter(self.folder, names_of(settings, image_set.classes), scale=scale, unit=settings.value_unit)
        loop.train(
            network,
            optimiser,
            training,
            validation,
            settings,
            classes=image_set.classes,
            augment=augmenter(settings, image_set.images, image_set.split("train"), mean=card.mean, deviation=card.deviation),
            history=self.history,
            hooks=hooks.Hooks(
                should_stop=lambda: "rung" if self._at_rung() else should_stop(),
                batch_done=self._batch_done,
                epoch_begins=stages.begin,
                epoch_done=lambda ended: self._keep_epoch(ended, network, optimiser, state.average, card),
                part_is_due=lambda: time.monotonic() >= self._part_at,
                keep_part=lambda part: self._keep_part(part, network, optimiser, state.average),
                first_batch=seen,
            ),
            importance=self.spec.importance,
            trial=self.number,
            state=state,
            values=None if scale is None else loop.Values.of(scale, image_set),
        )

    def _begin(self, network: nn.Module, optimiser: Optimizer, device: torch.device, whole_from: int) -> State:
        """Bring all to the latest checkpoint, if there is one, and tell its epochs."""
        from torch.nn.modules.batchnorm import _BatchNorm

        from microtome.training.average import Average
        from microtome.training.state import State

        if self.crew is not None:
            network = self.crew.adopt(network)
        decay = self.spec.training.ema
        average = Average(network, decay) if decay > 0 else None
        self.history = checkpoint.load(self.folder, network, optimiser, self.key, average=average)
        epoch = len(self.history)
        part = checkpoint.load_part(self.folder, network, optimiser, self.key, epoch=epoch, average=average)
        for ended in self.history[self._told :]:
            self.report(ended)
        self._told = len(self.history)
        self._part_at = time.monotonic() + _PART_EVERY
        self._normalises = any(isinstance(layer, _BatchNorm) for layer in network.modules())
        self._needs["parameters"] = sum(p.numel() for p in network.parameters())
        word = "resumed" if self.history or part else "started"
        where = f", behind batch {part.done}," if part else ""
        self._log(f"{word} at epoch {epoch}{where} on {device}.")
        return State(average=average, part=part, changes=self.changes, crew=self.crew, whole_from=whole_from)

    def _halve(self) -> bool:
        """Go on with half as many images at once, which add up to the same batches; False where they cannot be fewer."""
        now = self.changes.at_once or -(-self.spec.training.batch_size // (1 if self.crew is None else self.crew.size))
        if now <= 2:  # batch normalisation cannot digest a single one
            return False
        self.changes = replace(self.changes, at_once=-(-now // 2))
        self.changes.save(self.folder)
        caveat = "Batch normalisation then looks at fewer images at once: the result is not quite that of whole batches."
        self.report(
            Note(
                text=f"The memory holds no {now} images at once: the training goes on with {self.changes.at_once}, "
                "whose gradients are added up to the same batches.",
                level="warning",
                hint=caveat if self._normalises else "",
            )
        )
        self._log(f"out of memory with {now} images at once; goes on with {self.changes.at_once}.")
        return True

    def _at_rung(self) -> bool:
        return 0 < self.spec.stop_after <= len(self.history)

    def _resumes(self) -> bool:
        return any((self.folder / name).exists() for name in (checkpoint.NAME, checkpoint.PART))

    def _batch_done(self, epoch: int, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self.report(BatchProgress(trial=self.number, epoch=epoch, done=done, total=total))

    def _keep_part(self, part: Part, network: nn.Module, optimiser: Optimizer, average: Average | None) -> None:
        begun = time.monotonic()
        checkpoint.save_part(self.folder, network, optimiser, part, self.key, average=average)
        ended = time.monotonic()
        self._part_at = ended + max(_PART_EVERY, (ended - begun) / _PART_COST)

    def _keep_epoch(
        self, ended: EpochEnded, network: nn.Module, optimiser: Optimizer, average: Average | None, card: ModelCard
    ) -> None:
        """Save first, tell then: what was reported is never lost."""
        from microtome.training.device import peak_memory

        self._needs |= peak_memory(next(network.parameters()).device)
        if best_epoch(self.history) is ended:
            value = {**card.value, **residuals_of(ended)} if card.value else {}
            card = replace(card, epoch=ended.epoch, validation_accuracy=ended.validation_accuracy, value=value)
            shown = network if average is None else average.network
            checkpoint.write_tensors(self.folder / MODEL, shown.state_dict(), card.to_metadata())
        checkpoint.save(self.folder, network, optimiser, self.history, self.key, average=average)
        self._part_at = time.monotonic() + _PART_EVERY
        write_history(self.folder / "history.csv", self.history)
        what = "validation accuracy" if ended.r2 is None else "validation R²"
        self._log(f"epoch {ended.epoch}: loss {ended.train_loss:.4f}, {what} {ended.validation_accuracy:.4f}")
        self._told = len(self.history)
        self.report(ended)

    def _keep_parameters(self) -> None:
        path = self.folder / "params.json"
        if path.exists() and read_json(path).get("key") != self.key:
            raise FileError(f"{self.folder} holds another trial: its images or settings were others.", _ANEW)
        sweep_folder(self.folder)  # a process was killed while it saved
        write_json(path, {"key": self.key, **self.spec.to_json()})

    def _log(self, text: str) -> None:
        path = self.folder / "log.txt"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        except OSError as error:
            raise explain(error, path, "write") from error


class _Follower(_Trial):
    """A trial in another process than the one that keeps its files and tells: it trains, and no more."""

    def run(self, should_stop: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """Train to the end to which the leader comes."""
        from microtome.training import loop

        with suppress(loop.StoppedError, loop.DivergedError):
            self._train(should_stop)
        return {}

    def _log(self, text: str) -> None:
        """The leader's log says it."""


def write_history(path: Path, history: list[EpochEnded]) -> None:
    """Replace history.csv: one row an epoch, with the accuracy of every class; derived from the checkpoint."""
    classes = list(history[0].per_class) if history else []
    columns = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds"]
    columns += ["r2", "mse", "mae"] if any(e.r2 is not None for e in history) else []
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([*columns, *(f"accuracy_{name}" for name in classes)])
    for ended in history:
        shares = [correct / total if total else "" for correct, total in ended.per_class.values()]
        rows.writerow([*(getattr(ended, name) for name in columns), *shares])
    write_text(path, text.getvalue())
