"""What the viewer reads of a volume in background threads: slices along and across its axes, and its grey values at large."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.opened import count_images, opened, reading_key
from microtome.ui.views.picture import Contrast, Display, Picture, levels_of
from microtome.ui.views.pose import Pose, Vector, section

if TYPE_CHECKING:
    from microtome.volumes.volume import Volume

PLANES = ("xy", "xz", "yz")
"""The plane of each axis: that which z, y or x is normal to."""
_PAGE = 4096  # bytes that are read where one is wanted
_AHEAD = 65536  # bytes that the system reads with them, once, where rows lie apart
_BUDGET = 12 * 2**20  # bytes: what is read before anything is seen
_BLOCK = 16 * 2**20  # bytes between two looks at whether a newer slice is wanted
_QUICK = 0.06  # seconds: a plane that was read this fast is never shown coarsely first
_MOST_PIXELS = 4096  # an edge of an oblique slice on the screen
_COARSE_PIXELS = 320
_MOST_SAVED = 32_768
_BINS = 128
_SAMPLE = 60_000  # values of a slice
_SAMPLED_SLICES = 9
_FEW_LABELS = 64

_levels: dict[str, tuple[float, float]] = {}
_statistics: dict[str, Statistics] = {}
_seconds: dict[tuple[str, int], float] = {}
Superseded = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How grey values are to be seen; levels None: the volume's own."""

    levels: tuple[float, float] | None = None
    colours: str = "grey"
    inverted: bool = False

    def contrast(self, own: tuple[float, float]) -> Contrast:
        """The contrast, where the volume's own levels are these."""
        low, high = self.levels or own
        return Contrast(low, high, self.colours, self.inverted)


@dataclass(frozen=True)
class Facts:
    """What is known of a volume once it is open; shape (z, y, x); of a folder of images, z counts them."""

    shape: tuple[int, int, int]
    dtype: str
    voxel_size: tuple[float, float, float] | None
    unit: str
    findings: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[float, float, float]:
        """The voxel's edges; 1 each where they are not known."""
        return self.voxel_size or (1.0, 1.0, 1.0)

    @property
    def length_unit(self) -> str:
        """The unit of `sizes`."""
        return self.unit if self.voxel_size is not None else "voxel"

    @property
    def edges(self) -> Vector:
        """The box that the voxels fill (z, y, x), in the length unit."""
        return np.array(self.shape) * self.sizes

    def reach(self, normal: Vector) -> float:
        """How far from the middle a plane of this normal still cuts the box."""
        return float(np.abs(normal) @ self.edges / 2)

    def extent(self, plane: str) -> tuple[float, float]:
        """Height and width of a plane's picture, in the length unit."""
        down, right = (a for a in range(3) if a != PLANES.index(plane))
        return (float(self.edges[down]), float(self.edges[right]))


@dataclass(frozen=True, kw_only=True)
class SliceRequest:
    """Which slice of which volume to read; index None: the middle one. `fine`: as it is, however long that takes."""

    project: Project
    entry: VolumeEntry
    plane: str = "xy"
    index: int | None = None
    look: Look = Look()
    display: Display | None = None
    fine: bool = False
    have: SliceRead | None = field(default=None, repr=False)  # what is shown: its voxels need not be read again


@dataclass(frozen=True)
class SliceRead:
    """A slice that was read, and what is known of its volume by then. `coarse`: not all of its voxels were read."""

    picture: Picture
    index: int
    facts: Facts
    key: tuple[str, str, int] = ("", "", 0)
    coarse: bool = False


def facts_of(volume: Volume) -> Facts:
    """The facts of an opened volume."""
    return Facts(volume.shape, volume.dtype.name, volume.voxel_size, volume.unit, volume.findings)


def read_slice(request: SliceRequest, superseded: Superseded = lambda: False) -> SliceRead | None:
    """Open the volume where needed and read one slice (in a background thread); of a folder of images, one image.

    A slice that would take long is read coarsely unless it is to be fine. None where something newer is wanted meanwhile.
    Raises what opening and reading raise: a MicrotomeError for a bad file.
    """
    if request.entry.images:
        return _read_image(request)
    volume = opened(request.project, request.entry)
    name, axis = reading_key(request.project, request.entry), PLANES.index(request.plane)
    length = volume.shape[axis]
    index = length // 2 if request.index is None else max(0, min(length - 1, request.index))
    key = (name, request.plane, index)
    have = request.have
    if have is not None and have.key == key and not (have.coarse and request.fine):
        voxels, stride = have.picture.voxels, have.picture.stride
    else:
        quick = request.fine or _seconds.get((name, axis), 1.0) < _QUICK
        found = _voxels(volume, name, axis, index, fine=quick, superseded=superseded if request.fine else lambda: False)
        if found is None:
            return None
        voxels, stride = found
    own = _own_levels(volume, name, voxels)
    facts, rest = facts_of(volume), [a for a in range(3) if a != axis]
    picture = Picture.of(
        voxels,
        request.look.contrast(own),
        pixel=(facts.sizes[rest[0]], facts.sizes[rest[1]]),
        unit=facts.length_unit,
        shape=(facts.shape[rest[0]], facts.shape[rest[1]]),
        stride=stride,
        display=request.display,
    )
    return SliceRead(picture, index, facts, key, coarse=stride != (1, 1))


def _own_levels(volume: Volume, name: str, voxels: NDArray[Any]) -> tuple[float, float]:
    """One contrast for the whole volume, or slices would flicker while one scrolls; by `voxels` where it cannot be had."""
    if name not in _levels:
        try:
            _levels[name] = levels_of(volume[volume.shape[0] // 2])
        except FileError:
            _levels[name] = levels_of(voxels)  # the middle slice is damaged; this one is not
    return _levels[name]


def _read_image(request: SliceRequest) -> SliceRead:
    count = count_images(request.project, request.entry)
    index = 0 if request.index is None else max(0, min(count - 1, request.index))
    volume = opened(request.project, request.entry, index)
    voxels, facts = volume[0], facts_of(volume)
    # One contrast for all three colours, or their balance would change.
    own = levels_of(voxels if volume.colours is None else volume.colours.reshape(-1, volume.shape[2]))
    _levels[reading_key(request.project, request.entry)] = own
    picture = Picture.of(
        voxels,
        request.look.contrast(own),
        pixel=facts.sizes[1:],
        unit=facts.length_unit,
        display=request.display,
        rgb=volume.colours,
    )
    return SliceRead(picture, index, replace(facts, shape=(count, *volume.shape[1:])), ("", "xy", index))


def _voxels(
    volume: Volume, name: str, axis: int, index: int, *, fine: bool, superseded: Superseded
) -> tuple[NDArray[Any], tuple[int, int]] | None:
    """A slice's voxels (h, w) and their stride; None where something newer is wanted."""
    steps = (1, 1, 1) if fine else coarse_steps(volume, axis)
    if steps != (1, 1, 1):
        return _coarse(volume, axis, index, steps)
    began = time.perf_counter()
    key: list[slice | int] = [slice(None)] * 3
    key[axis] = index
    touched = touched_bytes(volume, axis)
    blocks = max(1, math.ceil(touched / _BLOCK)) if axis and touched > 2 * _BLOCK else 1
    parts: list[NDArray[Any]] = []
    bounds = np.linspace(0, volume.shape[0], min(blocks, volume.shape[0]) + 1).astype(int)
    for first, end in itertools.pairwise(bounds):
        if superseded():
            return None
        if axis:
            key[0] = slice(int(first), int(end))
        parts.append(volume[tuple(key)])
    _seconds[name, axis] = time.perf_counter() - began
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)), (1, 1)


def _coarse(volume: Volume, axis: int, index: int, steps: tuple[int, int, int]) -> tuple[NDArray[Any], tuple[int, int]]:
    for level, factor in reversed(getattr(volume.voxels, "coarser", ())):
        if max(factor) <= max(steps) or (level, factor) == volume.voxels.coarser[0]:  # type: ignore[attr-defined]
            place: list[slice | int] = [slice(None)] * 3
            place[axis] = min(index // factor[axis], level.shape[axis] - 1)
            down, right = (factor[a] for a in range(3) if a != axis)
            return level[tuple(place)], (down, right)
    key: list[slice | int] = [slice(None, None, s) for s in steps]
    key[axis] = index
    down, right = (steps[a] for a in range(3) if a != axis)
    return volume[tuple(key)], (down, right)


def touched_bytes(volume: Volume, axis: int) -> float:
    """About how many bytes must be read for a slice: a disk gives pages, a compressed file whole slices."""
    z, y, x = volume.shape
    item = volume.dtype.itemsize
    if axis == 0:
        return y * x * item
    if hasattr(volume.voxels, "coarser"):
        return 64 * item * z * (x if axis == 1 else y)
    if not isinstance(volume.voxels, np.ndarray):
        return z * y * x * item
    if axis == 1:
        return z * max(x * item, _AHEAD)
    return min(z * y * _PAGE, z * y * x * item)


def coarse_steps(volume: Volume, axis: int) -> tuple[int, int, int]:
    """Every how many voxels (z, y, x) to read so that a slice is seen soon; (1, 1, 1): all."""
    if axis == 0 or (isinstance(volume.voxels, np.ndarray) and not isinstance(volume.voxels, np.memmap)):
        return (1, 1, 1)
    much = touched_bytes(volume, axis) / _BUDGET
    if much <= 1:
        return (1, 1, 1)
    if axis == 2 and isinstance(volume.voxels, np.ndarray):
        step = math.ceil(math.sqrt(much))
        return (step, step, 1)
    return (math.ceil(much), 1, 1)


@dataclass(frozen=True, kw_only=True)
class ObliqueRequest:
    """Which free plane of which volume to read; pixel None: the finest edge of a voxel."""

    project: Project
    entry: VolumeEntry
    pose: Pose
    pixel: float | None = None
    look: Look = Look()
    coarse: bool = False
    whole: bool = False  # every pixel, however many: to be saved


@dataclass(frozen=True)
class ObliqueRead:
    """An oblique slice; `centre` (z, y, x) is measured from the middle of the volume, in the length unit."""

    picture: Picture
    pose: Pose
    centre: Vector
    pixel: float
    facts: Facts
    coarse: bool = False

    def voxel_at(self, row: float, column: float) -> Vector:
        """The place (z, y, x), in voxels, of a pixel of the whole picture."""
        rows, columns = self.picture.shape
        down, right = self.pose.axes
        place = self.centre + self.pixel * ((row - (rows - 1) / 2) * down + (column - (columns - 1) / 2) * right)
        return np.asarray(place / self.facts.sizes + (np.array(self.facts.shape) - 1) / 2)


def read_oblique(request: ObliqueRequest, _superseded: Superseded = lambda: False) -> ObliqueRead:
    """Cut the plane through the volume, to scale, in pixels of one physical size (in a background thread).

    Pixels are trilinear between voxel centres; outside is NaN. Raises InputError where the plane misses the volume.
    """
    from microtome.slices.geometry import voxel_steps
    from microtome.slices.planes.cut import sample

    volume = opened(request.project, request.entry)
    facts = facts_of(volume)
    sizes = np.array(facts.sizes)
    # Between the outermost voxel centres; a single slice has next to no thickness, but is there.
    inner = np.maximum((np.array(facts.shape) - 1) * sizes, 1e-9 * sizes)
    found = section(request.pose, inner)
    if found is None:
        raise InputError(tr("The plane lies beside the volume."), tr("Move it back: set its offset to 0."))
    centre, (height, width) = found
    pixel = request.pixel or float(sizes.min())
    rows, columns = (math.floor(e / pixel + 1e-6) + 1 for e in (height, width))
    most = max(rows, columns)
    step = 1 if request.whole else max(1, math.ceil(most / (_COARSE_PIXELS if request.coarse else _MOST_PIXELS)))
    if most > _MOST_SAVED:
        raise InputError(tr("The slice would have {n} pixels an edge.", n=most), tr("Choose larger pixels."))
    # Every `step`-th pixel, from the first: the picture keeps its place while it is coarse.
    h, w = -(-rows // step), -(-columns // step)
    axes = request.pose.axes
    shift = pixel * (((h - 1) * step - (rows - 1)) / 2 * axes[0] + ((w - 1) * step - (columns - 1)) / 2 * axes[1])
    place = (centre + shift) / sizes + (np.array(facts.shape) - 1) / 2
    steps = voxel_steps(axes[None] * (pixel * step), 1 / sizes)
    voxels = sample(volume, place[None], steps, size=(h, w))[0]
    name = reading_key(request.project, request.entry)
    picture = Picture.of(
        voxels,
        request.look.contrast(_own_levels(volume, name, voxels)),
        pixel=(pixel, pixel),
        unit=facts.length_unit,
        shape=(rows, columns),
        stride=(step, step),
    )
    return ObliqueRead(picture, request.pose, centre, pixel, facts, coarse=step > 1)


@dataclass(frozen=True)
class Statistics:
    """A volume's grey values, of a sample: counts (n,) between edges (n + 1,) about its levels, and these."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    full: tuple[float, float]  # the lowest and the highest finite value
    own: tuple[float, float]  # the levels that are taken by themselves
    labels: bool = False  # few distinct whole numbers, in patches


def read_statistics(project: Project, entry: VolumeEntry) -> Statistics:
    """The grey values of slices spread over the volume (in a background thread); the contrast follows them from then on."""
    name = reading_key(project, entry)
    if name not in _statistics:
        volume = opened(project, entry)
        places = np.unique(np.linspace(0, volume.shape[0] - 1, _SAMPLED_SLICES).astype(int))
        step = max(1, math.isqrt(volume.shape[1] * volume.shape[2] // _SAMPLE))
        made = statistics_of(_readable(volume, places.tolist(), step))
        _statistics[name] = made
        if not entry.images:
            _levels[name] = made.own
    return _statistics[name]


def _readable(volume: Volume, places: Sequence[int], step: int) -> list[NDArray[Any]]:
    """Every `step`-th pixel of the slices that can be read; FileError where none can."""
    slices: list[NDArray[Any]] = []
    problem: FileError | None = None
    for z in places:
        try:
            slices.append(volume[z][::step, ::step])
        except FileError as error:
            problem = error
    if problem is not None and not slices:
        raise problem
    return slices


def statistics_of(slices: list[NDArray[Any]]) -> Statistics:
    """The statistics of some slices (h, w)."""
    values = np.concatenate([s.ravel() for s in slices])
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if values.size == 0:
        return Statistics(np.zeros(1, np.int64), np.array([0.0, 1.0]), (0.0, 1.0), (0.0, 1.0))
    own = levels_of(values[None])
    low, high = float(values.min()), float(values.max())
    # A few outliers must not press all the rest into one bin.
    span = own[1] - own[0]
    first, last, bins = max(low, own[0] - span / 2), min(high, own[1] + span / 2), _BINS
    if last <= first:
        first, last = low - 0.5, high + 0.5
    if values.dtype.kind in "iu" and high - low < _BINS:
        # A bin for every value: a comb of empty bins would say nothing.
        first, last, bins = low - 0.5, high + 0.5, round(high - low) + 1
    counts, edges = np.histogram(values.astype(np.float64), bins=bins, range=(first, last))
    return Statistics(counts, edges, (low, high), own, _are_labels(slices, counts, high))


def _are_labels(slices: list[NDArray[Any]], counts: NDArray[np.int64], high: float) -> bool:
    """Three to 64 distinct small numbers, nine of ten with an equal neighbour: a segmentation and no micrograph."""
    if slices[0].dtype.kind not in "iu" or not 3 <= np.count_nonzero(counts) <= _FEW_LABELS or high >= 4 * _FEW_LABELS:
        return False
    if len(counts) == _BINS and len(np.unique(np.concatenate([s.ravel() for s in slices]))) > _FEW_LABELS:
        return False
    alike = [float(np.mean(s[:, 1:] == s[:, :-1])) for s in slices if s.shape[1] > 1]
    return bool(alike) and float(np.mean(alike)) > 0.9
