"""A table of labels: the class, specimen and set of each image, from a CSV file whose columns are guessed and said."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microtome.errors import FileError, InputError, UnknownNameError, nearest
from microtome.store.atomic import explain
from microtome.volumes.images.image import IMAGES, is_image
from microtome.volumes.units import nanometres

_LARGEST = 256 * 2**20  # bytes: a table of millions of images; more is another kind of file
_IMAGE = "file filename file_name path filepath file_path image image_path image_file image_name img name micrograph"
_CLASS = "class label labels category target class_name classname material structure phase kind type y"
_GROUP = "group specimen specimen_id sample sample_id day date session batch patient series experiment"
_NAMES = {
    "image": _IMAGE.split(),
    "class": _CLASS.split(),
    "group": _GROUP.split(),
    "set": ["set", "split", "subset", "partition"],
    "pixel_size": ["pixel_size", "pixelsize", "pixel_edge", "nm_per_pixel"],
    "unit": ["unit", "units", "pixel_unit"],
}
_SET_WORDS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "val", "valid", "dev"),
    "evaluation": ("evaluation", "eval", "test", "testing", "holdout"),
}
_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One image of a table; groups as (column, value), `set_name` "" where the table has none."""

    path: Path
    class_name: str
    groups: tuple[tuple[str, str], ...] = ()
    set_name: str = ""
    pixel_size: float | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What a table says, with what was guessed of its columns, in words."""

    path: Path
    rows: tuple[Labelled, ...]
    classes: tuple[str, ...]  # in the order of their first image
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what → the columns that say it
    findings: tuple[str, ...] = ()


def read_labels(path: Path, *, image: str = "", label: str = "", groups: Sequence[str] = (), set_column: str = "") -> Labels:
    """Read a table of labels: delimiter, header and the meaning of the columns are guessed where they are not named.

    Paths are taken from the table's folder; backslashes, missing endings and names of files in folders below are understood.
    Raises FileError for what is no table or names images that are not there, InputError where columns are not clear or an
    image has two classes, UnknownNameError for a column that does not exist.
    """
    path = Path(path)
    header, body = _table(path)
    wanted = {"image": image, "class": label, "set": set_column}
    columns = _columns(path, header, body, wanted, groups)
    return _rows(path, header, body, columns)


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """(header, rows of as many cells); columns without a header are called 1, 2, …"""
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{path} is too large for a table of labels.", "Choose the CSV file that names the images.")
        data = path.read_bytes()
    except FileError:
        raise
    except OSError as error:
        raise explain(error, path, "read the labels") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 text.", "Save it as “CSV UTF-8”.") from error
    if "\0" in text:
        raise FileError(f"{path} is no table of labels.", "Choose the CSV file that names the images.")
    try:
        rows = [[c.strip() for c in r] for r in csv.reader(io.StringIO(text), delimiter=_delimiter(text)) if any(r)]
    except csv.Error as error:
        raise FileError(f"{path} is no table: {error}.", "Save it as CSV again.") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise FileError(f"{path} has no rows of two columns or more.", "Give a column with image files and one with classes.")
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise FileError(f"Row {number} of {path} has {len(row)} cells, the first row has {width}.", "Mend that row.")
    if _is_header(rows[0], path):
        header = [c or str(i + 1) for i, c in enumerate(rows[0])]
        twice = [c for c, n in Counter(header).items() if n > 1]
        if twice:
            raise InputError(f"{path} has two columns “{twice[0]}”.", "Give each column a name of its own.")
        return header, rows[1:]
    return [str(i + 1) for i in range(width)], rows


def _delimiter(text: str) -> str:
    """The separator that stands in the first line and most alike in the next ones."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    best, score = ",", -1.0
    for one in (",", ";", "\t", "|"):
        counts = [line.count(one) for line in lines]
        if counts and counts[0]:
            alike = sum(c == counts[0] for c in counts) / len(counts)
            if alike > score:
                best, score = one, alike
    return best


def _is_header(row: Sequence[str], path: Path) -> bool:
    """No cell names an image, and one is a known name of a column or none is a number."""
    if any(is_image(Path(c.replace("\\", "/"))) for c in row):
        return False
    known = {n for names in _NAMES.values() for n in names}
    return any(_plain(c) in known for c in row) or not any(c.replace(".", "", 1).isdigit() for c in row)


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").split())


def _columns(
    path: Path, header: Sequence[str], body: Sequence[Sequence[str]], wanted: Mapping[str, str], groups: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """What → its columns: those that are named, else those whose names are known, else by what stands in them."""
    for name in (*wanted.values(), *groups):
        if name and name not in header:
            raise UnknownNameError(f"{path} has no column “{name}”.", nearest(name, list(header)))
    found: dict[str, tuple[str, ...]] = {what: (name,) for what, name in wanted.items() if name}
    taken = {name for names in found.values() for name in names} | set(groups)
    for what, names in _NAMES.items():
        if what in found:
            continue
        free = [c for c in header if c not in taken and _plain(c) in names]
        free.sort(key=lambda c: names.index(_plain(c)))
        if what == "set":
            free = [c for c in free if all(_set_word(row[header.index(c)]) is not None for row in body)]
        chosen = tuple(free) if what == "group" else tuple(free[:1])
        if chosen:
            found[what] = chosen
            taken |= set(chosen)
    if groups:
        found["group"] = tuple(groups)
    if "image" not in found:
        found["image"] = _by_content(header, body, taken)
    if "image" in found and found["image"] and "class" not in found and len(header) - len(taken | set(found["image"])) == 1:
        found["class"] = tuple(c for c in header if c not in taken | set(found["image"]))
    for what, words in (("image", "names the images"), ("class", "gives their class")):
        if not found.get(what):
            raise InputError(
                f"No column of {path} clearly {words}; its columns are {', '.join(header)}.",
                f"Say which one: {'path' if what == 'image' else 'class'}_column below [micrographs].",
            )
    return {what: names for what, names in found.items() if names}


def _by_content(header: Sequence[str], body: Sequence[Sequence[str]], taken: set[str]) -> tuple[str, ...]:
    """The one column whose cells are names of image files."""
    found = [
        name
        for i, name in enumerate(header)
        if name not in taken and all(is_image(Path(row[i].replace("\\", "/"))) for row in body if row[i])
    ]
    return tuple(found[:1])


def _rows(path: Path, header: Sequence[str], body: Sequence[Sequence[str]], columns: Mapping[str, tuple[str, ...]]) -> Labels:
    places = {name: i for i, name in enumerate(header)}
    finder = _Finder(path.parent)
    seen: dict[Path, Labelled] = {}
    missing: list[str] = []
    skipped = twice = 0
    for row in body:
        cells = {what: [row[places[c]] for c in names] for what, names in columns.items()}
        if not cells["class"][0] or not cells["image"][0]:
            skipped += 1
            continue
        file = finder.find(cells["image"][0])
        if file is None:
            missing.append(cells["image"][0])
            continue
        one = _labelled(path, file, cells, columns)
        if file in seen:
            if seen[file].class_name != one.class_name:
                raise InputError(
                    f"{path} puts {file.name} into “{seen[file].class_name}” and into “{one.class_name}”.", "Mend the table."
                )
            twice += 1
            continue
        seen[file] = one
    if missing:
        names = ", ".join(missing[:_MOST_NAMED]) + (", …" if len(missing) > _MOST_NAMED else "")
        raise FileError(
            f"{len(missing)} of the {len(body)} images of {path} are not there: {names}.",
            "Put the table beside its images, or mend the paths.",
        )
    if not seen:
        raise FileError(f"{path} names no image with a class.", "Fill in its columns.")
    said = [_guessed(path, columns)]
    said += [f"{skipped} rows of {path.name} without an image or a class were left out."] if skipped else []
    said += [f"{twice} rows of {path.name} repeat an image and were left out."] if twice else []
    classes = tuple(dict.fromkeys(r.class_name for r in seen.values()))
    return Labels(path=path, rows=tuple(seen.values()), classes=classes, columns=dict(columns), findings=tuple(said))


def _guessed(path: Path, columns: Mapping[str, tuple[str, ...]]) -> str:
    words = {"image": "images", "class": "classes", "group": "groups", "set": "sets", "pixel_size": "pixel sizes"}
    parts = [f"{words[what]} from “{'” and “'.join(names)}”" for what, names in columns.items() if what in words]
    return f"{path.name}: {', '.join(parts)}."


def _labelled(path: Path, file: Path, cells: Mapping[str, Sequence[str]], columns: Mapping[str, tuple[str, ...]]) -> Labelled:
    size: float | None = None
    text, unit = cells.get("pixel_size", [""])[0], cells.get("unit", [""])[0]
    if not unit and columns.get("pixel_size", ("",))[0].lower().startswith("nm"):
        unit = "nm"
    if text and unit and unit.lower() not in ("voxel", "pixel", "px"):
        try:
            size = float(text)
        except ValueError:
            size = -1.0
        if not 0 < size < float("inf") or nanometres(unit) is None:
            raise InputError(
                f"{path} gives {file.name} the pixel size “{text} {unit}”.", "Write a number and a unit of length."
            )
    return Labelled(
        path=file,
        class_name=cells["class"][0],
        groups=tuple((c, v) for c, v in zip(columns.get("group", ()), cells.get("group", ()), strict=True) if v),
        set_name=_set_of(path, cells.get("set", [""])[0]),
        pixel_size=size,
        unit=unit if size is not None else "",
    )


def _set_word(text: str) -> str | None:
    """The set that a word means, "" for none, or None where it is no such word."""
    return next((n for n, words in _SET_WORDS.items() if text.lower() in words), None) if text else ""


def _set_of(path: Path, text: str) -> str:
    found = _set_word(text)
    if found is None:
        raise InputError(f"{path} names a set “{text}”.", "Write train, validation (or val) or evaluation (or test).")
    return found


class _Finder:
    """Finds images as tables write them, from a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._below: dict[str, list[Path]] | None = None

    def find(self, text: str) -> Path | None:
        """The file, or None; a bare name is looked for in the folders below, where it must stand once."""
        name = text.replace("\\", "/")
        try:
            file = self._folder / name
            if file.is_file():
                return file
        except (OSError, ValueError):  # a name that no system allows
            return None
        key = Path(name).name.lower()
        found = self._names().get(key, []) if "/" not in name else []
        if not found and Path(name).suffix.lower() not in IMAGES:
            found = [f for e in IMAGES for f in self._names().get(key + e, []) if "/" not in name or f.parent == file.parent]
        return found[0] if len(found) == 1 else None

    def _names(self) -> dict[str, list[Path]]:
        if self._below is None:
            self._below = {}
            for file in sorted(self._folder.rglob("*")):
                if is_image(file):
                    self._below.setdefault(file.name.lower(), []).append(file)
        return self._below
