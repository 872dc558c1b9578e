"""Nothing is trained twice: what every run of a project has trained, wholly or in part, by the key of what it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from microtome.errors import FileError, MicrotomeError
from microtome.events import EpochEnded, Note, decode
from microtome.search.known.claims import Claims
from microtome.store.atomic import explain, read_json, replacing, sweep
from microtome.store.run import RunFolder, RunLock
from microtome.training import checkpoint
from microtome.training.changes import FILE as CHANGES
from microtome.training.changes import Changes

_KEPT = ("params.json", "history.csv", "model.safetensors", "result.json")
_GOES_ON = (CHANGES, "history.csv", "model.safetensors", checkpoint.PART, checkpoint.NAME)  # the one that counts comes last
_CACHE_VERSION = 1


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
        return name_of(self.folder)

    def note(self) -> Note:
        """What is said to a user who starts the same once more: it is trained, and whether that is needed they decide."""
        return Note(
            text=f"The same was trained before, as {self.name}; its result will be the same.",
            hint="Abort this training and open that run, if you need it once only.",
        )

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


class _Key(msgspec.Struct):
    """What it needs of a params.json."""

    key: str


class _Known(msgspec.Struct):
    """The trials of one run: name of the folder by key (finished), key by name of the folder (with a checkpoint)."""

    stamp: tuple[int, int]  # size of the journal, time of its last change
    done: dict[str, str]
    begun: dict[str, str]


class _Cache(msgspec.Struct):
    """What was found of runs that no driver works on: derived, made again where it is missing or of another version."""

    version: int
    runs: dict[str, _Known]


class Ledger:
    """The trials of a project's runs, and who trains what just now. Folders are looked through when it is first asked."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._cache = runs.parent / ".cache" / "ledger.json"
        self._claims = Claims(runs.parent / ".cache" / "claims", runs)
        self._done: dict[str, Path] = {}
        self._begun: dict[str, list[Path]] = {}
        self._scanned = False

    def __len__(self) -> int:
        """How many were trained to their ends."""
        self._scan()
        return len(self._done)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """(key, folder) of every trial once: the finished ones, then the furthest of each key that none has finished."""
        self._scan()
        yield from self._done.items()
        for key, folders in self._begun.items():
            if key not in self._done:
                yield key, max(folders, key=checkpoint.epochs_done)

    def add(self, key: str, folder: Path) -> None:
        """Note a trial that has just been finished."""
        self._done.setdefault(key, folder)

    def find(self, key: str) -> Finished | None:
        """The finished trial of a key, or None; one whose files are gone or damaged is forgotten."""
        self._scan()
        folder = self._done.get(key)
        if folder is None:
            return None
        try:
            data = read_json(folder / checkpoint.RESULT)
        except MicrotomeError:
            data = {}
        # What went on with another learning rate than its settings say is no twin of theirs.
        if data.get("key") != key or data.get("rates") or not (folder / "model.safetensors").is_file():
            del self._done[key]
            return None
        return Finished(folder, data["value"], data["best_epoch"], epochs_of(data), costs_of(data))

    def claim(self, key: str, trial: Path) -> Path | None:
        """Take the right to train a key in this folder, and learn what was trained of it since the ledger was read.

        Returns None where it is ours now, else the folder of the trial that is being trained.
        """
        self._scan()
        ours, before = self._claims.take(key, trial)
        if not ours:
            return before or trial
        if before is not None and before != trial:
            found = _look(before)
            if found is not None and found == (key, True):
                self._done.setdefault(key, before)
            elif found is not None and found[0] == key and before not in self._begun.get(key, []):
                self._begun.setdefault(key, []).append(before)
        return None

    def release(self, key: str) -> None:
        """Let others train a key."""
        self._claims.release(key)

    def close(self) -> None:
        """Let others train all that was claimed."""
        self._claims.close()

    def go_on(self, key: str, trial: Path) -> str:
        """Bring a trial's folder to the furthest checkpoint that there is of its key; returns its run/trial, "" for none.

        The claim on the key must be ours. A folder that has epochs of its own is left as it is.
        """
        self._scan()
        if checkpoint.epochs_done(trial):
            return ""
        others = [folder for folder in self._begun.get(key, []) if folder != trial and not _changed(folder)]
        best = max(others, key=checkpoint.epochs_done, default=None)
        if best is None or not checkpoint.epochs_done(best):
            return ""
        try:
            trial.mkdir(parents=True, exist_ok=True)
            for name in _GOES_ON:
                if (best / name).is_file():
                    with open(best / name, "rb") as source, replacing(trial / name) as target:
                        shutil.copyfileobj(source, target)
        except FileError:
            raise
        except OSError as error:
            raise explain(error, trial, "copy the checkpoint to") from error
        return name_of(best)

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        before = self._read_cache()
        found: dict[str, _Known] = {}
        for run in sorted(p for p in self._runs.glob("*") if p.is_dir()):
            stamp = _stamp(run)
            known = before.get(run.name)
            if known is None or stamp is None or tuple(known.stamp) != stamp:
                known = _scan_run(run, stamp or (0, 0))
            if stamp is not None:
                found[run.name] = known
            for key, name in known.done.items():
                self._done.setdefault(key, run / "trials" / name)
            for name, key in known.begun.items():
                self._begun.setdefault(key, []).append(run / "trials" / name)
        if found != before:
            self._write_cache(found)

    def _read_cache(self) -> dict[str, _Known]:
        try:
            cache = msgspec.json.decode(self._cache.read_bytes(), type=_Cache)
        except (OSError, msgspec.DecodeError):
            return {}
        return cache.runs if cache.version == _CACHE_VERSION else {}

    def _write_cache(self, runs: dict[str, _Known]) -> None:
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            sweep(self._cache)
            with replacing(self._cache) as file:
                file.write(msgspec.json.encode(_Cache(_CACHE_VERSION, runs)))
        except (OSError, FileError):
            return  # it only saves time


def _stamp(run: Path) -> tuple[int, int] | None:
    """What changes with a run's trials; None while a driver works on it, or where one was killed and left its lock."""
    if RunLock(RunFolder(run)).path.exists():
        return None
    try:
        journal = (run / "events.jsonl").stat()
    except OSError:
        return None
    return journal.st_size, journal.st_mtime_ns


def _scan_run(run: Path, stamp: tuple[int, int]) -> _Known:
    known = _Known(stamp, {}, {})
    try:
        names = sorted(entry.name for entry in os.scandir(run / "trials"))
    except OSError:
        return known
    for name in names:
        found = _look(run / "trials" / name)
        if found is None:
            continue
        key, done = found
        if done:
            known.done.setdefault(key, name)
        else:
            known.begun[name] = key
    return known


def _look(folder: Path) -> tuple[str, bool] | None:
    """(key, whether it is finished) of a trial's folder; None where nothing is there to use, or it is damaged."""
    try:
        result = msgspec.json.decode((folder / checkpoint.RESULT).read_bytes(), type=_Result)
        return (result.key, True) if result.outcome == "done" else None
    except msgspec.DecodeError:
        return None  # it will be trained again
    except OSError:
        pass  # it has not come to its end
    try:
        if not (folder / checkpoint.NAME).exists():
            return None
        return msgspec.json.decode((folder / "params.json").read_bytes(), type=_Key).key, False
    except (OSError, msgspec.DecodeError):
        return None


def clear_debris(folder: Path, key: str) -> None:
    """Empty the folder of a trial that is about to begin of the files of another key.

    A power cut may take a trial's beginning from the journal, but not its files; its number then stands for another point.
    """
    try:
        if read_json(folder / "params.json").get("key") == key:
            return
    except MicrotomeError:
        pass  # there is none, or it is damaged: whose the other files are is not known
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise explain(error, folder, "clear") from error


def _changed(folder: Path) -> bool:
    """True where a trial went on with another learning rate than its settings say: it is no twin of theirs."""
    try:
        return bool(Changes.load(folder).rates)
    except (FileError, KeyError, TypeError, ValueError):
        return True


def name_of(folder: Path) -> str:
    """run/trial of a trial's folder."""
    return f"{folder.parent.parent.name}/{folder.name}"


def costs_of(result: dict[str, Any]) -> dict[str, float]:
    """What a trial's result says it cost: seconds, parameters of the network, epochs, bytes of a GPU's memory."""
    names = ("seconds", "parameters", "epochs", "memory", "memory_total")
    return {name: float(result[name]) for name in names if result.get(name) is not None}


def epochs_of(result: dict[str, Any]) -> tuple[EpochEnded, ...]:
    """The epochs in a trial's result."""
    events = (decode(line.encode()) for line in result.get("history", ()))
    return tuple(e for e in events if isinstance(e, EpochEnded))
