"""Open a volume, or describe what lies at a path: the reader is found by name, options override what the file says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from microtome.errors import FileError, InputError, MicrotomeError, UnknownNameError, nearest
from microtome.plugin import Plugin, RawVolume, Structure
from microtome.registry import registry
from microtome.store.atomic import explain
from microtome.volumes.bricks import open_copy, reading_of
from microtome.volumes.grey import BRIGHTNESS_TAKEN
from microtome.volumes.images.folder import entries, images_in, is_stack, multipage
from microtome.volumes.images.image import image_size
from microtome.volumes.particles.drawn import redrawn
from microtome.volumes.scale.weigh import NO_DISTANCE
from microtome.volumes.transforms import transformed
from microtome.volumes.units import VOXEL, nanometres
from microtome.volumes.volume import Volume, extent

Kind = Literal["volume", "image", "images folder", "classes folder", "project"]
#: A source of a voxel size, and what it says of z, y and x in nm.
Claim = tuple[str, float | None, float | None, float | None]
COMMON = ("voxel_size", "unit", "reader", "transforms", "copy")
_SCAN_AT_ONCE = 2**26  # bytes of floating-point data that a description looks through for NaN
_MOST_CHILDREN = 500  # looked at in one folder
_HEAD = 4096  # bytes that a reader may recognise a file by
_DEEPEST = 3  # folders below the one that was dropped


@dataclass(frozen=True, kw_only=True)
class Description:
    """What lies at a path, read from headers only.

    kind: a volume; a 2-D image; a folder of separate 2-D images; a folder whose `children` are classes or volumes; a project.
    `options` are those that its reader was given, beside voxel_size and unit. `shape` is (z, y, x), for a folder of images
    (how many, y, x) where they are of one size.
    """

    path: str
    kind: Kind
    reader: str = ""
    shape: tuple[int, int, int] | None = None
    dtype: str = ""
    voxel_size: tuple[float, float, float] | None = None  # (z, y, x) in `unit`
    pixel_size: tuple[float, float] | None = None  # (y, x) in nm, also where the distance between slices is not known
    claims: tuple[Claim, ...] = ()  # what contradicting sources say of the voxel size, the one that was taken first
    unit: str = VOXEL
    particles: dict[str, Any] | None = None  # of a structure: how many, its "box" (z, y, x) in "unit", "periodic" (z, y, x)
    file_bytes: int = 0
    memory_bytes: int = 0
    findings: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    children: tuple[Description, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()  # what of a folder cannot be read: path, sentence

    @property
    def name(self) -> str:
        """The file's or folder's name."""
        return Path(self.path).name

    @property
    def findings_of_images(self) -> tuple[str, ...]:
        """The findings that count where it is taken as single images: without what matters in a volume alone."""
        return tuple(f for f in self.findings if f != BRIGHTNESS_TAKEN and not f.endswith(NO_DISTANCE))

    @property
    def physical_size(self) -> tuple[float, float, float] | None:
        """The edges (z, y, x) in `unit`, where the voxel size is known."""
        return extent(self.shape, self.voxel_size)

    def to_json(self) -> dict[str, Any]:
        """The description as JSON, with the physical size."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        size = self.physical_size
        data["physical_size"] = None if size is None else list(size)
        for key in ("shape", "voxel_size", "pixel_size", "findings"):
            data[key] = None if data[key] is None else list(data[key])
        data["children"] = [c.to_json() for c in self.children]
        data["problems"] = [{"path": path, "error": error} for path, error in self.problems]
        return data


def open_volume(path: str | Path, **options: Any) -> Volume:
    """Open a volume file, a folder of slices or a 2-D image (one slice); voxels are read when they are asked for.

    `voxel_size` (z, y, x; or one number) and `unit` override the file's, `reader` chooses the reader by name, `transforms` are
    steps like {"name": "crop", "z_from": 10} that are applied to what is read, `copy` is a folder with a copy in bricks that is
    read instead where it is whole and of this source (volumes/copies/copying.py); the rest are the reader's own settings (raw:
    shape, dtype, offset, byte_order). Raises FileError for what cannot be read, QuestionError for a file that holds several
    volumes, InputError for what is no volume, UnknownNameError (naming the nearest) for an unknown option.
    """
    path = _existing(Path(path))
    common = {k: v for k, v in options.items() if k in COMMON}
    own = {k: v for k, v in options.items() if k not in COMMON}
    plugin = _reader(path, common.get("reader"), own)
    return _open(path, plugin, own, common).scanned()


def describe(path: str | Path, **options: Any) -> Description:
    """What lies at a path, from headers only; the options are those of `open_volume`, and so are the errors."""
    path = _existing(Path(path))
    if path.is_dir() and not options.get("reader"):
        return _describe_folder(path, options)
    common = {k: v for k, v in options.items() if k in COMMON}
    own = {k: v for k, v in options.items() if k not in COMMON}
    plugin = _reader(path, common.get("reader"), own)
    volume = _open(path, plugin, own, common)
    if volume.memory_bytes <= _SCAN_AT_ONCE:
        volume = volume.scanned()
    kept = own | {k: common[k] for k in ("reader", "transforms", "copy") if k in common}
    return Description(
        path=str(path),
        kind="image" if volume.shape[0] == 1 else "volume",
        reader=plugin.name,
        shape=volume.shape,
        dtype=volume.dtype.name,
        voxel_size=volume.voxel_size,
        pixel_size=volume.metadata.get("pixel_size"),
        claims=tuple(volume.metadata.get("voxel_claims", ())),
        unit=volume.unit,
        particles=_particles(volume.structure),
        file_bytes=_file_bytes(path),
        memory_bytes=volume.memory_bytes,
        findings=volume.findings,
        options=kept,
    )


def _particles(structure: Structure | None) -> dict[str, Any] | None:
    if structure is None:
        return None
    number, box, wraps = len(structure.radii), list(structure.box), list(structure.wraps)
    return {"count": number, "box": box, "unit": structure.unit, "periodic": wraps, "names": list(structure.names)}


def _existing(path: Path) -> Path:
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        if isinstance(error, ValueError):
            raise FileError(f"{path!s:.80} is not a path.", "Choose a file or folder.") from error
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise FileError(f"{path} does not exist.", "Check the path, or choose the file again.") from error
        raise explain(error, path, "read") from error
    return path


def _file_bytes(path: Path) -> int:
    try:
        if path.is_dir():
            # A folder of slices is its images; one that is a volume of its own is all that lies in it.
            files = images_in(path) or [f for f in path.rglob("*") if f.is_file()]
            return sum(f.stat().st_size for f in files)
        return path.stat().st_size
    except OSError as error:
        raise explain(error, path, "read") from error


def _reader(path: Path, name: str | None, own: Mapping[str, Any]) -> Plugin:
    """The reader that is named, that recognises the content or takes the extension; else raw where a shape is given."""
    if name:
        return registry().get("reader", str(name))
    found = _fitting(path)
    if found is not None:
        return found
    if "shape" in own and path.is_file():
        return registry().get("reader", "raw")
    if path.is_file() and path.stat().st_size == 0:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    readers, ending = registry().of_kind("reader"), path.suffix.lower()
    why = f"there is no reader for “{ending or path.name}”"
    if any(ending in p.extra["shared"] for p in readers):
        why = f"many programs write “{ending}”, and no reader knows what is in this one"
    kinds = ", ".join(sorted((p.label for p in readers), key=str.lower))
    raise FileError(
        f"{path} is no volume that can be read: {why}.",
        f"Readable: {kinds}; for headerless voxels give shape and dtype.",
    )


def _fitting(path: Path) -> Plugin | None:
    """The reader of a file or folder: one that recognises it and knows its extension, one that takes its extension, one that
    recognises it whatever it is called."""
    folder, ending = path.is_dir(), path.suffix.lower()
    readers = [p for p in registry().of_kind("reader") if p.extra["folders"] or not folder]
    head = b"" if folder else _first_bytes(path)
    knowing = [p for p in readers if p.extra["recognises"] is not None and p.extra["recognises"](path, head)]
    likely = [p for p in knowing if ending in (*p.extra["extensions"], *p.extra["shared"])]
    by_name = [p for p in readers if ending in p.extra["extensions"] or (folder and p.extra["recognises"] is None)]
    return next(iter(likely + by_name[: 0 if folder and knowing else None] + knowing), None)


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise explain(error, path, "read") from error


def _open(path: Path, plugin: Plugin, own: Mapping[str, Any], common: Mapping[str, Any]) -> Volume:
    known = [*plugin.fields, *COMMON]
    for key in own:
        if key not in known:
            raise UnknownNameError(f"There is no option “{key}” for {path.name} (reader {plugin.name}).", nearest(key, known))
    try:
        raw: RawVolume = plugin.call(path, **_as_fields(plugin, own))
    except OSError as error:
        if isinstance(error, MicrotomeError):
            raise
        raise explain(error, path, "read") from error
    raw = _copied(raw, path, plugin, own, common)
    return transformed(Volume.from_raw(_overridden(raw, common)), common.get("transforms", ()))


def _copied(raw: RawVolume, path: Path, plugin: Plugin, own: Mapping[str, Any], common: Mapping[str, Any]) -> RawVolume:
    """The volume with its voxels from the copy, where one is named that is whole, of this source and read in this way."""
    folder = common.get("copy")
    if not folder:
        return raw
    if not isinstance(folder, str | Path):
        raise InputError(f"copy must be a folder, not {folder!r}.")
    bricks = open_copy(folder, path, _reading(plugin, own))
    dtype = raw.voxels.dtype.newbyteorder("=")
    truths = dtype.kind == "b"
    if bricks is None or bricks.shape != tuple(raw.voxels.shape) or bricks.dtype != ("u1" if truths else dtype):
        return raw
    return replace(raw, voxels=replace(bricks, blocks=bricks.blocks.view(np.bool_)) if truths else bricks)


def reading(path: str | Path, **options: Any) -> str:
    """How `open_volume` would read a source, in one line: its reader and the reader's own settings; the errors are the same."""
    own = {k: v for k, v in options.items() if k not in COMMON}
    return _reading(_reader(_existing(Path(path)), options.get("reader"), own), own)


def _reading(plugin: Plugin, own: Mapping[str, Any]) -> str:
    return reading_of(plugin.name, _as_fields(plugin, own))


def _as_fields(plugin: Plugin, own: Mapping[str, Any]) -> dict[str, Any]:
    """A reader's settings as its fields hold them: what is written as a number may be a name (dataset = 0, types = 1)."""
    plain = {name: _plain(value) for name, value in own.items()}
    texts = {name for name, spec in plugin.fields.items() if spec.kind == "text"}
    return {k: str(v) if k in texts and isinstance(v, int | float) and not isinstance(v, bool) else v for k, v in plain.items()}


def _plain(value: Any) -> Any:
    """A list or a NumPy dtype as the text that a field holds: [128, 64] → 128x64, ["Si", "O"] → Si, O, ">u2" → uint16be."""
    if isinstance(value, list | tuple):
        numbers = all(isinstance(v, int | float | np.number) for v in value)
        return ("x" if numbers else ", ").join(str(int(v)) if numbers and v == int(v) else str(v) for v in value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        kind = np.dtype(value)
        return kind.name + ("be" if kind.str.startswith(">") else "")
    return value


def _overridden(raw: RawVolume, common: Mapping[str, Any]) -> RawVolume:
    """What the user says of voxel size and unit instead of what the file says."""
    unit = common.get("unit") or None
    if unit is not None and (not isinstance(unit, str) or (unit != VOXEL and nanometres(unit) is None)):
        raise InputError(f"unit cannot be {unit!r}.", "Write nm, um, mm, cm, m, inch, angstrom or voxel.")
    given = common.get("voxel_size")
    if raw.structure is not None:
        return redrawn(raw, None if given is None else _voxel_size(given), unit)
    if given is not None:
        size = _voxel_size(given)
        if unit == VOXEL and size != (1.0, 1.0, 1.0):
            raise InputError("A voxel size in voxels is none.", 'Give its unit: unit = "nm".')
        findings = tuple(f for f in raw.findings if not f.endswith(NO_DISTANCE))
        return replace(raw, voxel_size=size, unit=unit or "nm", findings=findings)
    if unit == VOXEL:
        return replace(raw, voxel_size=None)
    return replace(raw, unit=unit or raw.unit)


def _voxel_size(value: Any) -> tuple[float, float, float]:
    numbers = [value] * 3 if isinstance(value, int | float) and not isinstance(value, bool) else value
    fine = isinstance(numbers, list | tuple) and len(numbers) == 3
    if not fine or not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n < np.inf for n in numbers):
        raise InputError(f"voxel_size must be three positive numbers (z, y, x), not {value!r}.")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2]))


def _describe_folder(path: Path, options: Mapping[str, Any], depth: int = 0) -> Description:
    if (path / "project.json").is_file():
        return Description(path=str(path), kind="project")
    if _own_reader(path):
        return describe(path, **{**options, "reader": _own_reader(path)})
    inside = entries(path)
    images = images_in(path)
    if is_stack(images) or (images and options):
        return describe(path, **{**options, "reader": "folder"})
    below = [p for p in inside if p.is_dir() and _holds_something(p)]
    single = [p for p in images if _is_single(p)]
    files = [p for p in inside if p.is_file() and _is_known(p) and p not in single]
    # Volumes that lie beside folders of volumes are as good as those.
    children, problems = _children([*(below if depth < _DEEPEST else []), *files], depth + 1)
    if below and depth >= _DEEPEST:
        problems = (*problems, (str(path), f"{path} holds more folders: they lie too deep. Add them by themselves."))
    if single and not children:
        return _images_folder(path, single, problems)
    if children or (below and problems):
        beside = (_left_out(len(single)),) if single else ()
        return Description(path=str(path), kind="classes folder", children=children, problems=problems, findings=beside)
    if problems:
        raise FileError(f"Nothing in {path} can be read. {problems[0][1]}")
    raise FileError(
        f"There are no volumes or images in {path}.", "Choose a folder with slices, volumes, or one folder a class."
    )


def _left_out(count: int) -> str:
    if count == 1:
        return "A single image beside its folders and volumes was left out: add it by itself."
    return f"{count} single images beside its folders and volumes were left out: add them by themselves."


def _children(paths: list[Path], depth: int) -> tuple[tuple[Description, ...], tuple[tuple[str, str], ...]]:
    """The descriptions of what lies in a folder, and (path, sentence) of what cannot be read."""
    found, problems = [], []
    for path in paths[:_MOST_CHILDREN]:
        try:
            found.append(_describe_folder(path, {}, depth) if path.is_dir() else describe(path))
        except MicrotomeError as error:
            problems.append((str(path), str(error)))
    if len(paths) > _MOST_CHILDREN:
        last = paths[_MOST_CHILDREN]
        problems.append(
            (str(last), f"{last} and {len(paths) - _MOST_CHILDREN - 1} more were not looked at: add them by themselves.")
        )
    return tuple(found), tuple(problems)


def _own_reader(folder: Path) -> str:
    """The reader that recognises a folder as one volume, not as a folder of slices; "" where there is none."""
    found = _fitting(folder)
    return found.name if found is not None and found.extra["recognises"] is not None else ""


def _is_known(path: Path) -> bool:
    return _fitting(path) is not None


def _holds_something(path: Path) -> bool:
    try:
        return any(p.is_dir() or _is_known(p) for p in entries(path))
    except FileError:
        return False


def _is_single(path: Path) -> bool:
    """Whether an image file holds one image, by its header; a broken one does not."""
    try:
        return bool(image_size(path)) and not multipage(path)
    except FileError:
        return False


def _images_folder(path: Path, images: list[Path], problems: tuple[tuple[str, str], ...]) -> Description:
    sizes: dict[Path, tuple[int, int]] = {}
    for image in images:
        try:
            sizes[image] = image_size(image)
        except MicrotomeError as error:
            problems = (*problems, (str(image), str(error)))
    if not sizes:
        raise FileError(f"Nothing in {path} can be read. {problems[0][1]}")
    kinds = set(sizes.values())
    size = kinds.pop()
    first = describe(next(iter(sizes)))
    return Description(
        path=str(path),
        kind="images folder",
        shape=None if kinds else (len(sizes), *size),
        dtype=first.dtype,
        voxel_size=first.voxel_size,
        unit=first.unit,
        file_bytes=_file_bytes(path),
        memory_bytes=sum(h * w for h, w in sizes.values()) * np.dtype(first.dtype).itemsize,
        findings=("The images differ in size.",) if kinds else (),
        problems=problems,
    )
