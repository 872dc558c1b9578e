"""A project folder: its settings, the volumes it refers to, its image sets and runs."""

from __future__ import annotations

import dataclasses
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microtome.errors import FileError, MicrotomeError, NewerFormatError
from microtome.store.atomic import FORMAT, explain, read_json, write_json, write_text
from microtome.store.migrate import load
from microtome.store.run import RunFolder

VERSION = 1
_README = """This folder is a Microtome project.

project.json   settings; volumes/ what the project refers to (the data stay where they are)
imagesets/     cut slices, one folder a plan; runs/ trainings and searches with everything they recorded
.cache/        may be deleted at any time

Everything is JSON, TOML, CSV, NPY or safetensors, and the folder can be moved or zipped.
"""


@dataclass(frozen=True, kw_only=True)
class VolumeEntry:
    """A volume that the project refers to: a file or folder, or a structure to simulate."""

    id: str
    name: str
    path: str = ""  # relative to the project where it lies inside
    simulate: dict[str, Any] | None = None  # {"kind": …, "seed": …, settings}
    options: dict[str, Any] = field(default_factory=dict)  # for the reader: shape, dtype, …
    shape: tuple[int, int, int] | None = None
    dtype: str = ""
    size: int = 0  # bytes on disk when it was added
    voxel_size: tuple[float, float, float] | None = None  # of the source, (z, y, x) in `unit`; None: not known
    pixel_size: tuple[float, float] | None = None  # (y, x) in nm, where the file knows these two alone
    unit: str = "nm"
    claims: tuple[tuple[str, float | None, float | None, float | None], ...] = ()  # contradicting sources: name, z, y, x in nm
    class_name: str = ""  # "": not assigned
    findings: tuple[str, ...] = ()
    value: float | None = None  # the number that a network shall tell of it; None: none
    computed: str = ""  # what of its structure that number is, where it is not given
    images: bool = False  # a 2-D image, or a folder of them, not a volume
    aside: tuple[dict[str, Any], ...] = ()  # corrections that are switched off, each with its place "at" in the whole chain
    corrected_shape: tuple[int, int, int] | None = None  # what the corrections leave, once it was seen; None: not known
    corrected_voxel_size: tuple[float, float, float] | None = None
    rest: dict[str, Any] = field(default_factory=dict)  # keys of a later version

    @staticmethod
    def new_id() -> str:
        """A fresh id."""
        return uuid.uuid4().hex[:12]

    @property
    def in_file(self) -> bool:
        """Whether its voxels lie in a file or a folder: it is neither simulated nor made of 2-D images."""
        return self.simulate is None and not self.images

    @property
    def transforms(self) -> tuple[dict[str, Any], ...]:
        """The corrections that are in force, in their order."""
        return tuple(self.options.get("transforms", ()))

    @property
    def shown_shape(self) -> tuple[int, int, int] | None:
        """The shape (z, y, x) that a user sees: after the corrections, where it is known."""
        return (self.corrected_shape or self.shape) if self.transforms else self.shape

    @property
    def shown_voxel_size(self) -> tuple[float, float, float] | None:
        """The voxel size that a user sees: after the corrections, where it is known."""
        return (self.corrected_voxel_size or self.voxel_size) if self.transforms else self.voxel_size

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> VolumeEntry:
        """Read what to_json wrote; unknown keys are kept."""
        names = {f.name for f in dataclasses.fields(cls)} - {"rest"}
        known = {k: v for k, v in data.items() if k in names}
        for key in ("shape", "voxel_size", "pixel_size", "corrected_shape", "corrected_voxel_size"):
            known[key] = tuple(known[key]) if known.get(key) else None
        for key in ("findings", "aside"):
            known[key] = tuple(known.get(key, ()))
        known["claims"] = tuple(tuple(claim) for claim in known.get("claims", ()))
        return cls(**known, rest={k: v for k, v in data.items() if k not in names and k != FORMAT})

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON."""
        data = dataclasses.asdict(self)
        return {**data.pop("rest"), **data}


@dataclass
class Project:
    """An open project. Every change is on disk when the method returns."""

    path: Path
    settings: dict[str, Any]
    volumes: list[VolumeEntry]
    read_only: str = ""  # the reason, where nothing may be written

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def imagesets(self) -> Path:
        """Where image sets lie."""
        return self.path / "imagesets"

    @property
    def runs_dir(self) -> Path:
        """Where runs lie."""
        return self.path / "runs"

    @property
    def cache(self) -> Path:
        """May be deleted at any time."""
        return self.path / ".cache"

    @classmethod
    def create(cls, path: Path) -> Project:
        """Make a project in a new or empty folder; an existing project is opened instead."""
        if (path / "project.json").is_file():
            return cls.open(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, path, "make the project folder") from error
        project = cls(path.resolve(), {"created": time.time()}, [])
        write_text(path / "README.txt", _README)
        project.save()
        return project

    @classmethod
    def open(cls, path: Path) -> Project:
        """Open a project folder (or its project.json); a newer format opens read-only."""
        path = path.parent if path.name == "project.json" else path
        file = path / "project.json"
        if not file.is_file():
            raise FileError(f"{path} is not a Microtome project (it has no project.json).", "Choose another folder.")
        reason = ""
        try:
            settings = load(file, "project", VERSION)
        except NewerFormatError as error:
            reason, settings = str(error), read_json(file)
        settings.pop(FORMAT, None)
        project = cls(path.resolve(), settings, [], reason)
        order = {name: i for i, name in enumerate(settings.get("volume_order", []))}
        entries = [VolumeEntry.from_json(read_json(f)) for f in sorted((path / "volumes").glob("*.json"))]
        project.volumes = sorted(entries, key=lambda e: order.get(e.id, len(order)))
        return project

    def _must_be_writable(self) -> None:
        if self.read_only:
            raise MicrotomeError(self.read_only)

    def save(self) -> None:
        """Write project.json."""
        self._must_be_writable()
        self.settings["volume_order"] = [v.id for v in self.volumes]
        write_json(self.path / "project.json", self.settings, VERSION)

    def put_volume(self, entry: VolumeEntry) -> None:
        """Add a volume, or replace the one of the same id."""
        self._must_be_writable()
        write_json(self.path / "volumes" / f"{entry.id}.json", entry.to_json())
        ids = [v.id for v in self.volumes]
        if entry.id in ids:
            self.volumes[ids.index(entry.id)] = entry
        else:
            self.volumes.append(entry)
            self.save()

    def remove_volume(self, entry_id: str) -> None:
        """Forget a volume; its data are not touched."""
        self._must_be_writable()
        self.volumes = [v for v in self.volumes if v.id != entry_id]
        (self.path / "volumes" / f"{entry_id}.json").unlink(missing_ok=True)
        self.save()

    def resolve(self, entry: VolumeEntry) -> Path:
        """Where a volume's data are now."""
        path = Path(entry.path)
        return path if path.is_absolute() else self.path / path

    def copy_folder(self, entry: VolumeEntry) -> Path:
        """Where the fast copy of a volume lies, or would lie: in the cache, so that it may be deleted at any time."""
        return self.cache / "volumes" / entry.id

    def reader_options(self, entry: VolumeEntry) -> dict[str, Any]:
        """What `open_volume` is told beside path and voxel size; the fast copy by its place now, if it is still there."""
        options = {k: v for k, v in entry.options.items() if k != "copy"}
        copy = self.path / entry.options["copy"] if entry.options.get("copy") else None
        return options if copy is None or not copy.is_dir() else {**options, "copy": str(copy)}

    def refer(self, path: Path) -> str:
        """How to write `path` down: relative where it lies inside the project."""
        path = path.resolve()
        return str(path.relative_to(self.path)) if path.is_relative_to(self.path) else str(path)

    def runs(self) -> list[RunFolder]:
        """The runs, oldest first."""
        if not self.runs_dir.is_dir():
            return []
        return [RunFolder(p) for p in sorted(self.runs_dir.iterdir()) if (p / "run.json").is_file()]
