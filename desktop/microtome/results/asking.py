"""Ask the network of a trial, as it is now, about one image or volume: a task of a worker, also while the trial goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microtome.errors import FileError, MicrotomeError
from microtome.events import Event
from microtome.results.predict import predict_volume
from microtome.slices.plan import SimulatedSource, VolumeSource
from microtome.slices.source import Member
from microtome.store.atomic import explain
from microtome.volumes.read import describe, open_volume

if TYPE_CHECKING:
    from microtome.volumes.volume import Volume


def ask_in_worker(spec: dict[str, Any], report: Callable[[Event], None], should_stop: Callable[[], str]) -> dict[str, Any]:
    """What the network says: spec {model: its file, name, slices, and path, simulated or volume: what is asked about}.

    `simulated` and `volume` are a SimulatedSource's and a VolumeSource's fields. Returns the prediction as JSON with the
    `epoch` (0, 1, …) that the weights come from, or {error, hint} where the file cannot be read or no slice fits into it.
    """
    from microtome.training.device import choose_device, reproducible
    from microtome.training.evaluate import Model

    try:
        # One thread, so that a training beside it hardly notices.
        with tempfile.TemporaryDirectory(prefix="microtome-") as folder, reproducible(choose_device("cpu"), 1):
            model = Model.load(_held(Path(spec["model"]), Path(folder)), device="cpu")
            found = predict_volume(model, _volume(spec), slices=int(spec["slices"]), name=str(spec["name"]))
            return {**found.to_json(), "epoch": model.card.epoch}
    except MicrotomeError as error:
        return {"error": error.message, "hint": error.hint}


def _held(model: Path, folder: Path) -> Path:
    """The model file under a name of our own: the trial replaces its own by that of a better epoch at any moment."""
    held = folder / model.name
    try:
        os.link(model, held)
    except OSError:
        try:
            shutil.copyfile(model, held)
        except FileNotFoundError:
            raise FileError("There is no trained network yet.", "Ask again after the first epoch.") from None
        except OSError as error:
            raise explain(error, model, "read") from error
    return held


def _volume(spec: dict[str, Any]) -> Volume:
    if "simulated" in spec:
        return Member(name=spec["name"], source=SimulatedSource(**spec["simulated"])).open()
    if "volume" in spec:
        return Member(name=spec["name"], source=VolumeSource(**spec["volume"])).open()
    path = Path(spec["path"])
    found = describe(path)
    if found.kind not in ("volume", "image"):
        raise FileError(f"{path} is no volume and no image ({found.kind}).", "Choose a file of either kind.")
    return open_volume(path)
