"""One trial: from a specification to a trained network in a folder; the same in every kind of worker.

params.json              the specification
history.csv              one row an epoch
model.safetensors        the weights of the best epoch, with the model's card
checkpoint.safetensors   all that is needed to go on after the last epoch, until there is nothing to go on to
result.json              how it ended, done or failed; a trial that has one is not trained again
log.txt                  what happened, with times
"""

from __future__ import annotations

import csv
import importlib.metadata
import io
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome import __version__
from microtome.errors import FileError, InputError
from microtome.events import BatchProgress, EpochEnded, Event, Note, decode, encode
from microtome.slices.imageset import ImageSet
from microtome.store.atomic import FORMAT, explain, read_json, write_json, write_text
from microtome.training import checkpoint
from microtome.training.build import build_network
from microtome.training.card import ModelCard
from microtome.training.checkpoint import RESULT
from microtome.training.metrics import best_epoch
from microtome.training.spec import TrialSpec
from microtome.volumes.units import VOXEL

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

Report = Callable[[Event], None]
MODEL = "model.safetensors"
_STOPPED = {"prune": "pruned", "rung": "paused"}  # what a training was told → how it ended
_REPORT_EVERY = 0.5  # seconds between two reports of progress within an epoch


def run_trial(spec: dict[str, Any], report: Report, should_stop: Callable[[], str], *, trial: int = 0) -> dict[str, Any]:
    """Train one trial (TrialSpec.to_json), or go on from its folder's checkpoint, or return the result that is there.

    should_stop() is asked before every batch: "" goes on; "prune" ends with the epochs so far as the result; any other word
    ends there. After `stop_after` epochs of the specification the trial pauses. A pruned, paused or cancelled trial keeps its
    checkpoint and goes on from it another time; epochs of an earlier attempt are reported again, exactly as they were.
    Returns {outcome: done | paused | pruned | cancelled | failed, value: best validation accuracy or None, best_epoch,
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
    return _Trial(wanted, folder, trial, report).run(should_stop)


def finished(folder: Path, key: str = "") -> dict[str, Any] | None:
    """The result in a trial's folder, None where it has not ended; FileError where it is that of another trial than `key`."""
    path = folder / RESULT
    if not path.exists():
        return None
    data = read_json(path)
    if key and data["key"] != key:
        raise FileError(f"{folder} holds another trial.", "Choose an empty folder, or delete that one.")
    return {k: v for k, v in data.items() if k not in (FORMAT, "key")}


class _Trial:
    """A trial under way: its folder, its epochs so far and whom to tell."""

    def __init__(self, spec: TrialSpec, folder: Path, number: int, report: Report) -> None:
        self.spec, self.folder, self.number, self.report = spec, folder, number, report
        self.key = spec.key()
        self.history: list[EpochEnded] = []
        self._reported = 0.0
        self._needs: dict[str, int | None] = {"parameters": None, "memory": None, "memory_total": None}

    def run(self, should_stop: Callable[[], str]) -> dict[str, Any]:
        """Train to an end of any kind and say how it ended."""
        from microtome.training import loop

        outcome, message = "done", ""
        try:
            self._keep_parameters()
            self._train(should_stop)
        except loop.StoppedError as stop:
            outcome = _STOPPED.get(stop.order, "cancelled")
        except loop.DivergedError as error:
            outcome, message = "failed", str(error)
            self.report(Note(text=error.message, level="error", hint=error.hint))
        best = best_epoch(self.history)
        result = {
            "outcome": outcome,
            "value": None if best is None else best.validation_accuracy,
            "best_epoch": None if best is None else best.epoch,
            "epochs": len(self.history),
            "seconds": sum(e.seconds for e in self.history),
            "message": message,
            **self._needs,
            "history": [encode(e).decode() for e in self.history],
        }
        self._log(f"{outcome} after {len(self.history)} epochs. {message}".rstrip())
        if outcome in ("done", "failed"):
            write_json(self.folder / RESULT, {"key": self.key, **result})
            # Nothing goes on from here, and a thousand trials' optimisers would fill a disk.
            (self.folder / checkpoint.NAME).unlink(missing_ok=True)
        return result

    def _train(self, should_stop: Callable[[], str]) -> None:
        import torch

        from microtome.training import data, loop
        from microtome.training.augment import augmenter
        from microtome.training.device import choose_device, explained_memory, reproducible
        from microtome.training.optimiser import make_optimiser

        image_set = ImageSet.open(Path(self.spec.image_set))
        if self.spec.image_set_hash not in ("", image_set.hash):
            raise FileError(f"{self.spec.image_set} is not the image set of this trial.", "Cut the slices again.")
        device, settings = choose_device(self.spec.device), self.spec.training
        with reproducible(device, self.spec.threads), explained_memory(f"batches of {settings.batch_size} images"):
            torch.manual_seed(settings.seed)
            network = self._network(image_set).to(device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimiser = make_optimiser(network, settings)
            self.history = checkpoint.load(self.folder, network, optimiser, self.key)
            for ended in self.history:
                self.report(ended)
            self._needs["parameters"] = sum(p.numel() for p in network.parameters())
            self._log(f"{'resumed' if self.history else 'started'} at epoch {len(self.history)} on {device}.")
            mean, deviation = data.statistics(image_set.images, image_set.split("train"))
            card = self._card(image_set, mean, deviation)
            loop.train(
                network,
                optimiser,
                data.load(image_set, "train", mean=mean, deviation=deviation, device=device),
                data.load(image_set, "validation", mean=mean, deviation=deviation, device=device),
                settings,
                classes=image_set.classes,
                augment=augmenter(settings, image_set.images, image_set.split("train"), mean=mean, deviation=deviation),
                history=self.history,
                hooks=loop.Hooks(
                    should_stop=lambda: "rung" if self._at_rung() else should_stop(),
                    batch_done=self._batch_done,
                    epoch_done=lambda ended: self._keep_epoch(ended, network, optimiser, card),
                ),
                trial=self.number,
            )

    def _at_rung(self) -> bool:
        return 0 < self.spec.stop_after <= len(self.history)

    def _network(self, image_set: ImageSet) -> nn.Module:
        network = self.spec.network
        edge = int(image_set.images.shape[-1])
        return build_network(network.name, classes=len(image_set.classes), image_size=edge, **network.parameters)

    def _batch_done(self, epoch: int, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self.report(BatchProgress(trial=self.number, epoch=epoch, done=done, total=total))

    def _keep_epoch(self, ended: EpochEnded, network: nn.Module, optimiser: Optimizer, card: ModelCard) -> None:
        """Save first, tell then: what was reported is never lost."""
        from microtome.training.device import peak_memory

        self._needs |= peak_memory(next(network.parameters()).device)
        if best_epoch(self.history) is ended:
            card = replace(card, epoch=ended.epoch, validation_accuracy=ended.validation_accuracy)
            checkpoint.write_tensors(self.folder / MODEL, network.state_dict(), card.to_metadata())
        checkpoint.save(self.folder, network, optimiser, self.history, self.key)
        write_history(self.folder / "history.csv", self.history)
        self._log(f"epoch {ended.epoch}: loss {ended.train_loss:.4f}, validation accuracy {ended.validation_accuracy:.4f}")
        self.report(ended)

    def _card(self, image_set: ImageSet, mean: float, deviation: float) -> ModelCard:
        sizes = {(tuple(v["voxel_size"]), v["unit"]) for v in image_set.volumes if v.get("voxel_size")}
        # Where the volumes differ, there is no one voxel size that other data could be compared with.
        voxel_size, voxel_unit = sizes.pop() if len(sizes) == 1 else (None, VOXEL)
        return ModelCard(
            network=self.spec.network.name,
            parameters=self.spec.network.parameters,
            classes=image_set.classes,
            channels=1,
            image_size=int(image_set.images.shape[-1]),
            pixel_size=float(image_set.pixel_size),
            unit=image_set.unit,
            plan=image_set.plan.to_json(),
            mean=mean,
            deviation=deviation,
            voxel_size=voxel_size,
            voxel_unit=voxel_unit,
            grey=image_set.grey,
            micrographs=image_set.micrographs,
            image_set=image_set.hash,
            training=asdict(self.spec.training),
            versions={"microtome": __version__, "torch": importlib.metadata.version("torch")},
        )

    def _keep_parameters(self) -> None:
        path = self.folder / "params.json"
        if path.exists() and read_json(path).get("key") != self.key:
            raise FileError(f"{self.folder} holds another trial.", "Choose an empty folder, or delete that one.")
        for torn in self.folder.glob(".*.part"):  # a process was killed while it saved
            torn.unlink(missing_ok=True)
        write_json(path, {"key": self.key, **self.spec.to_json()})

    def _log(self, text: str) -> None:
        path = self.folder / "log.txt"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        except OSError as error:
            raise explain(error, path, "write") from error


def write_history(path: Path, history: list[EpochEnded]) -> None:
    """Replace history.csv: one row an epoch, with the accuracy of every class; derived from the checkpoint."""
    classes = list(history[0].per_class) if history else []
    columns = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds")
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([*columns, *(f"accuracy_{name}" for name in classes)])
    for ended in history:
        shares = [correct / total if total else "" for correct, total in ended.per_class.values()]
        rows.writerow([*(getattr(ended, name) for name in columns), *shares])
    write_text(path, text.getvalue())
