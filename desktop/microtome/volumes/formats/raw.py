"""Headerless voxels: guesses of shape, type and byte order from the name, the size and the voxels themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.questions import Choice, Question
from microtome.store.atomic import explain
from microtome.volumes.formats.rawname import Shape, given_dtype, name_says

_WINDOWS, _WINDOW = 24, 2048  # places in the file that are looked at, bytes compared at each
_PLACES = 256  # of which those with the most variation are taken
_MOST_GUESSES = 8
_MOST_SHAPES = 60  # of one type that are compared with the voxels
_LONGEST = 30_000  # voxels of a slice's edge
_HEADERS = (512, 1024, 2048, 4096, 256, 128, 64, 32, 16, 12, 8)  # bytes in front of the voxels that programs often write
_ALIKE, _NOISE = 0.45, 0.75  # of the step between two voxels anywhere: a scan is below the first, noise above the second


@dataclass(frozen=True, kw_only=True)
class RawGuess:
    """One way to read a headerless file. `steps` are the mean differences of neighbours along x, y and z, over that of any
    two voxels: near 0 in a smooth volume, near 1 in noise. `score`: the smaller, the likelier."""

    shape: Shape  # z, y, x
    dtype: str  # "uint8", "uint16", "float32", …
    byte_order: str = ""  # "little" or "big" where a number is longer than a byte
    offset: int = 0
    steps: tuple[float, float, float] = (1.0, 1.0, 1.0)
    score: float = 0.0
    why: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the reader `raw` that this guess means."""
        order = {"byte_order": self.byte_order} if self.byte_order else {}
        return {"shape": list(self.shape), "dtype": self.dtype, **order, "offset": self.offset}

    @property
    def label(self) -> str:
        """The guess in one line."""
        order = f", {self.byte_order} endian" if self.byte_order else ""
        header = f", behind {self.offset} bytes" if self.offset else ""
        return f"{' × '.join(str(n) for n in self.shape)} {self.dtype}{order}{header}"

    @property
    def detail(self) -> str:
        """How well the voxels fit the guess, and where it comes from."""
        x, y, z = self.steps
        if x > _NOISE:
            words = "looks like noise: the type or the byte order may be wrong"
        elif max(y, z) > _NOISE:
            words = "rows or slices do not fit to each other: the shape may be wrong"
        elif max(self.steps) < _ALIKE:
            words = "neighbours are alike along every axis"
        else:
            words = "neighbours are alike, but not clearly"
        return f"{self.why}; {words}" if self.why else words


def raw_preview(path: str | Path, shape: Shape, dtype: str, byte_order: str = "", offset: int = 0, z: int = 0) -> NDArray[Any]:
    """Slice z (y, x) of the voxels as a guess means them, reading that slice only, in native byte order.

    Raises FileError where the file is too short for the slice or cannot be read, InputError for a senseless shape or dtype.
    """
    path, kind = Path(path), given_dtype(dtype, byte_order)
    depth, height, width = (int(n) for n in shape)
    if min(depth, height, width) < 1 or offset < 0 or not 0 <= z < depth:
        raise InputError(f"There is no slice {z} of {depth} × {height} × {width} voxels behind {offset} bytes.")
    start = offset + z * height * width * kind.itemsize
    have = file_size(path)
    if start + height * width * kind.itemsize > have:
        raise FileError(
            f"{path} is too short for slice {z} of {depth} × {height} × {width} {kind.name}: it has {have} bytes.",
            "Correct shape, dtype or offset.",
        )
    try:
        plane = np.memmap(path, kind, "r", start, (height, width))
    except OSError as error:
        raise explain(error, path, "read") from error
    return np.array(plane, dtype=kind.newbyteorder("="))


def file_size(path: Path) -> int:
    """The file's length in bytes; FileError where it is empty or not there."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise explain(error, path, "read") from error
    if size == 0:
        raise FileError(f"{path} is empty (0 bytes).", "Copy or export it again.")
    return size


def question(path: Path, found: Iterable[RawGuess]) -> Question:
    """The guesses as a question for a card, the likeliest first."""
    choices = tuple(Choice(options=g.options, label=g.label, detail=g.detail) for g in found)
    return Question(text=f"{path.name} has no header. How are its voxels stored?", choices=choices, kind="raw")


def guesses(path: str | Path, *, dtype: str = "", byte_order: str = "", offset: int | None = None) -> list[RawGuess]:
    """Ways to read a headerless file, the likeliest first; what is given is not guessed. Reads a few MB of it at most.

    Shapes come from the name and from the factors of the size (near cubes and square slices); types from the period of the
    bytes; all are ranked by how alike neighbours along x, y and z are. Raises FileError for an empty or missing file.
    """
    path = Path(path)
    size = file_size(path)
    says = name_says(path.name)
    data = file_bytes(path)
    named = {s for s in (says.lettered, *says.shapes, *says.spaced) if s is not None}
    turned = {(c, b, a) for a, b, c in named if (a, b, c) != says.lettered}
    found: list[RawGuess] = []
    for kind, penalty in _kinds(data.behind(offset or 0), dtype, byte_order, says.codes, says.byte_order):
        samples: dict[int, Sample] = {}
        for shape, start, why, cost in _shapes(size, kind.itemsize, named, turned, offset):
            if start not in samples:
                samples[start] = Sample(data=data.behind(start), kind=kind)
            found.append(_judged(samples[start], shape, start, why, penalty + cost))
    found.sort(key=lambda g: g.score)
    return _with_swapped(data, _few(found))


@dataclass(frozen=True)
class FileBytes:
    """The bytes of a file from `start` on, read in small pieces: mapping far-apart pages would be slow on some disks."""

    path: Path
    size: int
    start: int = 0

    def __len__(self) -> int:
        return max(0, self.size - self.start)

    def behind(self, offset: int) -> FileBytes:
        """The bytes behind a header."""
        return FileBytes(self.path, self.size, self.start + offset)

    def parts(self, places: Iterable[int], length: int) -> list[bytes]:
        """`length` bytes at each place; FileError where the file has become shorter."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                found = []
                for place in places:
                    file.seek(self.start + place)
                    found.append(file.read(length))
        except OSError as error:
            raise explain(error, self.path, "read") from error
        if any(len(part) != length for part in found):
            raise FileError(f"{self.path} has changed since it was opened.", "Open it again.")
        return found


def file_bytes(path: Path) -> FileBytes:
    """The bytes of a file; FileError where it is empty or not there."""
    return FileBytes(path, file_size(path))


def _few(found: list[RawGuess]) -> list[RawGuess]:
    """The best guesses, at most three of one type, so that another type stays in sight."""
    kept: list[RawGuess] = []
    for guess in found:
        if sum(g.dtype == guess.dtype for g in kept) < 3:
            kept.append(guess)
    return kept[: _MOST_GUESSES - 1]


def _with_swapped(data: FileBytes, found: list[RawGuess]) -> list[RawGuess]:
    """The best guess also in the other byte order, so that a user can see that it is the worse one."""
    if not found or not found[0].byte_order:
        return found
    best = found[0]
    other = replace(best, byte_order="big" if best.byte_order == "little" else "little")
    if any(g.options == other.options for g in found):
        return found
    sample = Sample(data=data.behind(other.offset), kind=given_dtype(other.dtype, other.byte_order))
    return [*found, _judged(sample, other.shape, other.offset, other.why, 1.0)]


def _judged(sample: Sample, shape: Shape, offset: int, why: str, penalty: float) -> RawGuess:
    x, y, z = (sample.step(lag) for lag in (1, shape[2], shape[1] * shape[2]))
    kind = sample.kind
    return RawGuess(
        shape=shape,
        dtype=kind.name,
        byte_order="" if kind.itemsize == 1 else ("big" if kind.byteorder == ">" else "little"),
        offset=offset,
        steps=(x, y, z),
        score=x + y + z + penalty,
        why=why,
    )


@dataclass(eq=False)
class Sample:
    """Numbers at some places of a file, the liveliest of many, as one type reads them; compared in ranks.

    Ranks make it blind to a few extreme values, as wrongly read floating-point numbers have them.
    """

    data: FileBytes
    kind: np.dtype[Any]
    _steps: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width = self.kind.itemsize
        self.count = len(self.data) // width
        self.length = min(_WINDOW // width, self.count)
        # The same bytes for every type, so that the types are compared on the same voxels.
        self.starts = [start // width for start in lively(self.data)] if self.count else []
        self.values = self._at(self.starts)
        self.levels = np.unique(np.quantile(self.values, np.linspace(0, 1, 257))) if self.values.size else np.zeros(1)
        self.ranks = self._ranked(self.values)
        shuffled = np.random.default_rng(0).permutation(self.ranks)
        self.anywhere = float(np.abs(self.ranks - shuffled).mean()) if self.ranks.size else 0.0

    def _at(self, starts: list[int]) -> NDArray[np.float64]:
        width = self.kind.itemsize
        places = [s * width for s in starts]
        parts = [np.frombuffer(part, self.kind) for part in self.data.parts(places, self.length * width)]
        with np.errstate(all="ignore"):  # wrongly read floats are signalling NaN too
            values = np.concatenate(parts).astype(np.float64) if parts else np.empty(0)
            return np.nan_to_num(values, nan=0.0, posinf=1e300, neginf=-1e300)

    def _ranked(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.searchsorted(self.levels, values).astype(np.float64)

    def step(self, lag: int) -> float:
        """The mean difference of numbers `lag` apart over that of any two: near 0 in a smooth volume, near 1 in noise."""
        if lag not in self._steps:
            self._steps[lag] = self._step(lag)
        return self._steps[lag]

    def _step(self, lag: int) -> float:
        most = self.count - self.length - lag
        # A place too near to the end is compared with what lies before it.
        others = [s + lag if s <= most else s - lag for s in self.starts]
        fits = [i for i, s in enumerate(others) if s >= 0]
        if not fits or self.anywhere == 0:
            return 1.0
        ranks = self.ranks.reshape(len(self.starts), -1)[fits].ravel()
        there = self._ranked(self._at([others[i] for i in fits]))
        return float(np.abs(ranks - there).mean()) / self.anywhere


def lively(data: FileBytes) -> list[int]:
    """Places (bytes, multiples of 8), the same for every type: half of them evenly spread, half where the bytes vary most."""
    room = max(0, len(data) - _WINDOW)
    places = np.unique(np.linspace(0, room, _PLACES).astype(np.int64) // 8 * 8)
    parts = data.parts([int(p) for p in places], min(_WINDOW, len(data)))
    # A stride of 7 meets the low and the high bytes of every type.
    spread = np.stack([np.frombuffer(part, np.uint8)[::7] for part in parts]).std(axis=1)
    best = places[np.argsort(-spread, kind="stable")[: _WINDOWS // 2]]
    even = places[np.linspace(0, len(places) - 1, min(len(places), _WINDOWS // 2)).astype(np.int64)]
    return [int(p) for p in np.union1d(best, even)]


def _shapes(
    size: int, width: int, named: set[Shape], turned: set[Shape], offset: int | None
) -> Iterator[tuple[Shape, int, str, float]]:
    """(shape, offset, where it comes from, penalty) that fit the size."""
    have = size - (offset or 0)
    for shape in sorted(named | turned):
        rest = have - math.prod(shape) * width
        if min(shape) > 0 and (rest == 0 or (offset is None and 0 < rest <= 65536)):
            words = "from the name" if shape in named else "from the name, counted x, y, z"
            yield shape, (offset or rest), words, -0.5 if rest == 0 else 0.0
    if have > 0 and have % width == 0:
        for shape, cost in _factored(have // width):
            if shape not in named and shape not in turned:
                yield shape, offset or 0, "a cube" if len(set(shape)) == 1 else "fits the size", cost
    for header in _HEADERS if offset is None else ():
        if size > header and (size - header) % width == 0:
            for shape, cost in _factored((size - header) // width):
                if shape[1] == shape[2] and (shape[0] == shape[1] or shape[1] % 16 == 0):
                    yield shape, header, "a cube" if shape[0] == shape[1] else "square slices", cost + 0.2


def _factored(count: int) -> list[tuple[Shape, float]]:
    """Shapes of `count` voxels with slices that are not too oblong, with a small penalty for odd ones."""
    divisors = [d for d in _divisors(count) if d >= 8]
    found = []
    for x in divisors:
        for y in divisors:
            if max(x, y) <= 4 * min(x, y) and count % (x * y) == 0:
                z = count // (x * y)
                if 2 <= z <= 16 * max(x, y):
                    odd = 0.1 * abs(math.log2(x / y)) + 0.03 * abs(math.log2(z / math.sqrt(x * y)))
                    rough = 0.02 * sum(n % 8 != 0 for n in (x, y))
                    found.append(((z, y, x), odd + rough))
    return sorted(found, key=lambda item: item[1])[:_MOST_SHAPES]


def _divisors(count: int) -> list[int]:
    """The divisors up to the longest edge that a slice may have, in order."""
    numbers = np.arange(1, min(count, _LONGEST) + 1)
    return [int(n) for n in numbers[count % numbers == 0]]


def _kinds(
    data: FileBytes, dtype: str, byte_order: str, codes: tuple[str, ...], named_order: str
) -> list[tuple[np.dtype[Any], float]]:
    """The types to try with a penalty each: the one that is given, else those of the name, else one of each width."""
    order = byte_order or named_order
    if dtype:
        kind = given_dtype(dtype, order)
        said = bool(order) or dtype.strip().lower().startswith((">", "<")) or dtype.strip().lower().endswith(("le", "be"))
        return [(kind if said else better_order(data, kind), 0.0)]
    found = []
    for code in codes:
        kind = given_dtype(code, order)
        found.append((kind if order else better_order(data, kind), 0.0))
    of_bytes = Sample(data=data, kind=np.dtype("u1"))
    # Like lies on like at the width of a number, and nowhere else as much.
    lags = {w: max(of_bytes.step(w), 1e-3) for w in (1, 2, 4, 8)}
    for width in (1, 2, 4, 8):
        penalty = 0.6 * math.log(lags[width] / min(lags.values())) + (0.5 if codes else 0.0)
        if not any(k.itemsize == width for k, _ in found):
            found.append((_likeliest(data, width, order), penalty + (1.0 if width == 1 and _paired(of_bytes) else 0.0)))
    return found


def _paired(sample: Sample) -> bool:
    """Whether bytes 0 and 1, 2 and 3, … belong together more than 1 and 2, 3 and 4, …: numbers are two bytes long."""
    pairs = sample.values.reshape(len(sample.starts), -1)
    if pairs.shape[1] < 8:
        return False
    odd = np.array(sample.starts) % 2
    both = [np.abs(np.diff(p[o:])) for p, o in zip(pairs, odd, strict=True)]
    within, between = (float(np.concatenate([b[k::2] for b in both]).mean()) for k in (0, 1))
    return within < 0.5 * between


def _likeliest(data: FileBytes, width: int, order: str) -> np.dtype[Any]:
    """The type of a given width: whole or floating-point, with or without sign, in the smoother byte order."""
    kind = np.dtype(f"<u{width}")
    kind = kind.newbyteorder(">" if order == "big" else "<") if order or width == 1 else better_order(data, kind)
    if width >= 4:
        number = np.dtype(kind.str.replace("u", "f"))
        for candidate in (number,) if order else (number, number.newbyteorder("S")):
            if _sane_floats(data, candidate):
                return candidate
    signed = np.dtype(kind.str.replace("u", "i"))
    return signed if _row_step(data, signed) < 0.8 * _row_step(data, kind) else kind


def _sane_floats(data: FileBytes, kind: np.dtype[Any]) -> bool:
    """Whether nearly all numbers are 0 or of a size that measurements have; whole numbers read as floats are minute."""
    size = np.abs(Sample(data=data, kind=kind).values)
    return bool(size.size and np.mean((size == 0) | ((size > 1e-12) & (size < 1e12))) > 0.99 and (size > 0).any())


def better_order(data: FileBytes, kind: np.dtype[Any]) -> np.dtype[Any]:
    """The type in its smoother byte order, little endian where there is no clear one."""
    if kind.itemsize == 1:
        return kind
    little, big = kind.newbyteorder("<"), kind.newbyteorder(">")
    return big if _row_step(data, big) < 0.8 * _row_step(data, little) else little


def _row_step(data: FileBytes, kind: np.dtype[Any]) -> float:
    """The mean relative step along x, in ranks."""
    return Sample(data=data, kind=kind).step(1)
