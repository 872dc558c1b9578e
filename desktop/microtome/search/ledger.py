"""Nothing is trained twice: what every run of a project has finished, by the key of what was trained."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from microtome.errors import MicrotomeError
from microtome.events import EpochEnded, decode
from microtome.store.atomic import explain, read_json

_KEPT = ("params.json", "history.csv", "model.safetensors", "result.json")


@dataclass(frozen=True)
class Finished:
    """A trial that was trained to its end."""

    folder: Path
    value: float | None  # its best validation accuracy
    best_epoch: int | None
    history: tuple[EpochEnded, ...]
    costs: dict[str, float] = field(default_factory=dict)  # as of TrialEnded

    @property
    def name(self) -> str:
        """run/trial."""
        return f"{self.folder.parent.parent.name}/{self.folder.name}"

    def copy_to(self, folder: Path) -> None:
        """Give another run's trial the same files, so that each run folder is whole by itself."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in _KEPT:
                if (self.folder / name).exists():
                    shutil.copy2(self.folder / name, folder / name)
        except OSError as error:
            raise explain(error, folder, "copy the trained network to") from error


class _Result(msgspec.Struct):
    """What the scan needs of a result.json; the rest is skipped undecoded."""

    key: str
    outcome: str


class Ledger:
    """The finished trials below a folder of runs."""

    def __init__(self, runs: Path) -> None:
        self._folders: dict[str, Path] = {}
        for file in sorted(runs.glob("*/trials/*/result.json")):
            try:
                found = msgspec.json.decode(file.read_bytes(), type=_Result)
            except (OSError, msgspec.DecodeError):
                continue  # damaged: it will be trained again
            if found.outcome == "done":
                self._folders.setdefault(found.key, file.parent)

    def __len__(self) -> int:
        return len(self._folders)

    def add(self, key: str, folder: Path) -> None:
        """Note a trial that has just been finished."""
        self._folders.setdefault(key, folder)

    def find(self, key: str) -> Finished | None:
        """The finished trial of a key, or None; one whose files are gone or damaged is forgotten."""
        folder = self._folders.get(key)
        if folder is None:
            return None
        try:
            data = read_json(folder / "result.json")
        except MicrotomeError:
            data = {}
        # What went on with another learning rate than its settings say is no twin of theirs.
        if data.get("key") != key or data.get("rates") or not (folder / "model.safetensors").is_file():
            del self._folders[key]
            return None
        return Finished(folder, data["value"], data["best_epoch"], epochs_of(data), costs_of(data))


def costs_of(result: dict[str, Any]) -> dict[str, float]:
    """What a trial's result says it cost: seconds, parameters of the network, epochs, bytes of a GPU's memory."""
    names = ("seconds", "parameters", "epochs", "memory", "memory_total")
    return {name: float(result[name]) for name in names if result.get(name) is not None}


def epochs_of(result: dict[str, Any]) -> tuple[EpochEnded, ...]:
    """The epochs in a trial's result."""
    events = (decode(line.encode()) for line in result.get("history", ()))
    return tuple(e for e in events if isinstance(e, EpochEnded))
