"""Arrays inside container files: parts of them as lazy volumes, and the questions which array and which of its axes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, nearest
from microtome.questions import Choice, Question, QuestionError
from microtome.volumes.lazy import expanded, need_memory

Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]
_SLAB = 2**27  # bytes of chunks that are kept, so that the next slice need not be unpacked again
_MOST_CHOICES = 500
_COLOURS = 4  # a last axis of up to so many, behind two long ones, holds samples of a pixel


@dataclass(kw_only=True, eq=False)
class BoxArray:
    """Voxels (z, y, x) that `read` gets box by box (slices with positive steps, never empty) from a file.

    `chunks` (z, y, x) says how the file stores them: where several slices share chunks, those slices are kept until others
    are asked for. `read` raises MicrotomeErrors only.
    """

    shape: Shape
    dtype: np.dtype[Any]
    read: Callable[[Box], NDArray[Any]]
    name: str
    chunks: Shape = (1, 1, 1)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _slab: tuple[int, NDArray[Any]] | None = field(default=None, repr=False)

    @staticmethod
    def of(array: NDArray[Any], picked: Picked, name: str) -> NDArray[Any] | BoxArray:
        """What was picked of an array that is mapped: the array itself where that is all of it."""
        if array.ndim == 3 and picked.spatial == (0, 1, 2):
            return array
        dtype = array.dtype.newbyteorder("=")
        read = lambda box: picked.arranged(np.asarray(array[picked.key(box)]))  # noqa: E731
        return BoxArray(shape=picked.shape, dtype=dtype, read=read, name=name)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        bounded = [_bounded(k, n) for k, n in zip(expanded(key), self.shape, strict=True)]
        boxes: Box = (bounded[0][0], bounded[1][0], bounded[2][0])
        rest = tuple(r for _, r in bounded)
        counts = [len(range(*b.indices(n))) for b, n in zip(boxes, self.shape, strict=True)]
        if 0 in counts:
            return np.asarray(np.empty(counts, self.dtype)[rest])
        need_memory(math.prod(counts) * self.dtype.itemsize, self.name)
        part = self._one_slice(boxes) if counts[0] == 1 and self._keeps else self._checked(boxes)
        return np.asarray(part[rest])

    @property
    def _keeps(self) -> bool:
        return self.chunks[0] > 1 and self.chunks[0] * math.prod(self.shape[1:]) * self.dtype.itemsize <= _SLAB

    def _one_slice(self, box: Box) -> NDArray[Any]:
        """One slice out of the slab of chunks that it lies in."""
        thick, z = self.chunks[0], box[0].start
        with self._lock:
            if self._slab is None or self._slab[0] != z // thick:
                start = z // thick * thick
                depth, height, width = self.shape
                around = (slice(start, min(start + thick, depth), 1), slice(0, height, 1), slice(0, width, 1))
                self._slab = (z // thick, self._checked(around))
            plane = self._slab[1][z % thick : z % thick + 1]
        return np.array(plane[:, box[1], box[2]])

    def _checked(self, box: Box) -> NDArray[Any]:
        part = np.asarray(self.read(box))
        expected = tuple(len(range(*b.indices(n))) for b, n in zip(box, self.shape, strict=True))
        if part.shape != expected:
            raise FileError(f"{self.name} has changed: a part of it is {part.shape}, not {expected}.", "Open it again.")
        return part.astype(self.dtype, copy=False)


@dataclass(kw_only=True, eq=False)
class WholeArray:
    """Voxels (z, y, x) that a file gives only as a whole: `load` is called when the first of them is asked for, and kept."""

    shape: Shape
    dtype: np.dtype[Any]
    load: Callable[[], NDArray[Any]]
    name: str
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _kept: NDArray[Any] | None = field(default=None, repr=False)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        with self._lock:
            if self._kept is None:
                need_memory(math.prod(self.shape) * self.dtype.itemsize, self.name)
                found = self.load()
                if found.shape != self.shape:
                    raise FileError(f"{self.name} holds {found.shape} voxels, not {self.shape}.", "Export it again.")
                self._kept = found.astype(self.dtype, copy=False)
        return np.asarray(self._kept[key])


def _bounded(key: Any, count: int) -> tuple[slice, Any]:
    """An index along one axis as (a slice with a positive step, what is left to do with it)."""
    if isinstance(key, int | np.integer):
        if not -count <= key < count:
            raise IndexError(f"index {key} of {count}")
        at = int(key) % count
        return slice(at, at + 1, 1), 0
    if isinstance(key, slice):
        run = range(count)[key]
        if len(run) == 0:
            return slice(0, 0, 1), slice(None)
        if run.step < 0:
            return slice(run[-1], run[0] + 1, -run.step), slice(None, None, -1)
        return slice(run[0], run[-1] + 1, run.step), slice(None)
    chosen = np.flatnonzero(key) if np.asarray(key).dtype == bool else np.asarray(key)
    if chosen.size == 0:
        return slice(0, 0, 1), np.zeros(0, np.intp)
    if chosen.min() < -count or chosen.max() >= count:
        raise IndexError(f"index {chosen.min()} … {chosen.max()} of {count}")
    chosen = np.where(chosen < 0, chosen + count, chosen)
    return slice(int(chosen.min()), int(chosen.max()) + 1, 1), chosen - chosen.min()


@dataclass(frozen=True, kw_only=True)
class Found:
    """One numeric array in a container: its path, shape, dtype, and its axes where they are named ("tczyx")."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str = ""
    about: str = ""  # more words of the choice's detail

    @property
    def detail(self) -> str:
        """Shape, dtype and size in words."""
        size = math.prod(self.shape) * self.dtype.itemsize
        amount = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"
        more = f", {self.about}" if self.about else ""
        return f"{' × '.join(str(n) for n in self.shape)} {self.dtype.name}, {amount}{more}"

    @property
    def long(self) -> int:
        """How many axes are longer than 1."""
        return sum(n > 1 for n in self.shape)


def is_numeric(shape: Sequence[int] | None, dtype: np.dtype[Any]) -> bool:
    """Whether an array can be an image or more: real numbers or truth values, two axes or more, none of them empty."""
    return shape is not None and len(shape) >= 2 and min(shape) > 0 and dtype.kind in "buif" and dtype.itemsize <= 8


def one_of(
    found: Sequence[Found],
    wanted: str,
    path: object,
    *,
    option: str = "dataset",
    what: str = "data set",
    others: Sequence[str] = (),
    kind: Literal["list", "tree"] = "tree",
) -> Found:
    """The array that is named, or the only volume among them; QuestionError where there are several.

    `others` are arrays that are no volumes, for the sentence where there is nothing to choose from.
    """
    if wanted:
        for one in found:
            if one.name.strip("/") == wanted.strip("/"):
                return one
        raise InputError(f"{path} holds no {what} “{wanted}” that is a volume.", nearest(wanted, [f.name for f in found]))
    if not found:
        names = f" It holds {', '.join(others[:5])}." if others else ""
        raise InputError(f"{path} holds no volume: no {what} has numbers along three axes.{names}", "Export the volume.")
    volumes = [f for f in found if f.long >= 3] or list(found)
    if len(volumes) == 1:
        return volumes[0]
    choices = tuple(Choice(options={option: f.name}, label=f.name, detail=f.detail) for f in [*volumes, *_rest(found, volumes)])
    names = ", ".join(f.name for f in volumes[:5]) + (", …" if len(volumes) > 5 else "")
    raise QuestionError(
        f"{path} holds {len(volumes)} {what}s that may be the volume ({names}).",
        f'Choose one: {option} = "{volumes[0].name}".',
        Question(text=f"Which {what} is the volume?", choices=choices[:_MOST_CHOICES], kind=kind),
    )


def _rest(found: Sequence[Found], volumes: Sequence[Found]) -> list[Found]:
    return [f for f in found if f not in volumes]


@dataclass(frozen=True, kw_only=True)
class Picked:
    """How an array of any number of axes becomes (z, y, x): an index for each further axis, None for each that stays."""

    index: tuple[int | None, ...]
    spatial: tuple[int, ...]  # the axes that are z, y, x; two of them: the array is one slice
    shape: Shape
    options: dict[str, Any] = field(default_factory=dict)  # channel, time and index as they were taken

    def key(self, box: Box) -> tuple[int | slice, ...]:
        """The index into the array that gets a box of the volume, but for the order of the axes."""
        parts = box[3 - len(self.spatial) :]
        where = dict(zip(self.spatial, parts, strict=True))
        return tuple(where[axis] if axis in where else int(i or 0) for axis, i in enumerate(self.index))

    def arranged(self, part: NDArray[Any]) -> NDArray[Any]:
        """What was got with `key`, in the order z, y, x."""
        order = np.argsort(np.argsort(self.spatial))
        part = part.transpose(order)
        return part if part.ndim == 3 else part[None]

    def of(self, values: Sequence[Any], fill: Any) -> tuple[Any, Any, Any]:
        """The entries for z, y, x of something that has one an axis; `fill` for the z of a single slice."""
        found = [values[axis] for axis in self.spatial]
        return (found[0], found[1], found[2]) if len(found) == 3 else (fill, found[0], found[1])


def pick(
    found: Found,
    path: object,
    *,
    channel: int = -1,
    time: int = -1,
    index: str = "",
    given: dict[str, Any],
    channels: Sequence[str] = (),
) -> Picked:
    """Which axes are z, y, x, and where the further ones are cut; QuestionError where one must be chosen.

    Axes named z, y, x, c, t are these; without names the last three are z, y, x (a short last axis behind them: samples of
    a pixel). `given` are options that every choice carries on, `channels` their names. Axes of length 1 need no choice.
    """
    axes = found.axes or _unnamed(found.shape)
    spatial = tuple(axes.index(a) for a in "zyx" if a in axes)
    further = [i for i in range(len(axes)) if i not in spatial]
    asked = [i for i in further if axes[i] not in "ct" and found.shape[i] > 1]
    places = [int(n) for n in index.replace(",", "x").split("x") if n.strip().isdigit()]
    chosen: list[int | None] = [None] * len(axes)
    taken = dict(given)
    for i in further:
        count, letter = found.shape[i], axes[i]
        option = {"c": "channel", "t": "time"}.get(letter, "index")
        at = channel if letter == "c" else time if letter == "t" else (places.pop(0) if i in asked and places else -1)
        if at < 0 and count > 1:
            raise _ask_axis(found, path, option, taken, letter, channels if letter == "c" else ())
        if at >= count:
            raise InputError(
                f"{path} has {count} along that axis; there is no number {at}.", f"Give {option} = 0 to {count - 1}."
            )
        chosen[i] = max(0, at)
        if count > 1:
            taken[option] = (
                f"{taken['index']}x{at}" if option == "index" and "index" in taken else (str(at) if option == "index" else at)
            )
    shape = [found.shape[i] for i in spatial]
    full: Shape = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, shape[0], shape[1])
    return Picked(index=tuple(chosen), spatial=spatial, shape=full, options=taken)


def _ask_axis(
    found: Found, path: object, option: str, taken: dict[str, Any], letter: str, names: Sequence[str]
) -> QuestionError:
    count = found.shape[(found.axes or _unnamed(found.shape)).index(letter)]
    many, one = {"channel": ("channels", "channel"), "time": ("points in time", "point in time")}.get(
        option, (f"entries along the axis “{letter}”" if letter.islower() else "volumes in one array", "entry")
    )
    before = f"{taken['index']}x" if option == "index" and "index" in taken else ""
    choices = tuple(
        Choice(
            options={**taken, option: f"{before}{i}" if option == "index" else i},
            label=f"{one} {i}{f' · {names[i]}' if i < len(names) and names[i] else ''}",
        )
        for i in range(min(count, _MOST_CHOICES))
    )
    where = f" ({found.name})" if found.name.strip("/") else ""
    example = f'"{before}0"' if option == "index" else "0"
    return QuestionError(
        f"{path}{where} has {count} {many} ({' × '.join(str(n) for n in found.shape)}); a volume has one.",
        f"Choose one: {option} = {example} to {count - 1}.",
        Question(text=f"Which {one} of {count}?", choices=choices, kind="list"),
    )


def _unnamed(shape: tuple[int, ...]) -> str:
    """Names for axes that have none: z, y, x last; A, B, … in front; c for a few samples behind two or three long axes."""
    if len(shape) == 2:
        return "yx"
    samples = len(shape) >= 3 and shape[-1] <= _COLOURS and shape[-2] > 2 * _COLOURS and shape[-3] > 2 * _COLOURS
    if samples and (len(shape) > 3 or shape[-1] >= 2):
        inner = _unnamed(shape[:-1])
        return inner + "c"
    core, extra = [n for n in shape if n > 1], len(shape) - 3
    if extra and len(core) == 3:  # axes of length 1 are not worth a place
        letters, left = iter("ABCDEFGH"), iter("zyx")
        return "".join(next(left) if n > 1 else next(letters) for n in shape)
    return "ABCDEFGH"[:extra] + "zyx"


def named(labels: Sequence[object]) -> str:
    """One letter an axis from labels as files have them (z, "Height", "channel"), "" where they do not name y and x once."""
    short = {"height": "y", "width": "x", "depth": "z", "channel": "c", "channels": "c", "time": "t", "frame": "t"}
    short |= {"page": "z", "slice": "z", "col": "x", "row": "y", "column": "x"}
    letters = [short.get(str(label).strip().lower(), str(label).strip().lower()[:2]) for label in labels]
    letters = [one if one in tuple("zyxct") else "" for one in letters]
    spare = iter("abdefghijk")
    axes = "".join(one or next(spare, "l") for one in letters)
    if len(set(axes)) != len(axes) or len(axes) > 10 or not {"y", "x"} <= set(axes):
        return ""
    return axes


def with_axes(found: Found, axes: str) -> Found:
    """The array with its axes named, where there is one name an axis."""
    return replace(found, axes=axes) if len(axes) == len(found.shape) else found
