"""What the slices page cuts from: the volumes and images of every class, as an image set numbers and opens them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, overload

from microtome.results.words import with_unit
from microtome.slices.plan import ClassSource, Micrographs, SlicePlan
from microtome.store.project import Project, VolumeEntry
from microtome.ui.i18n import tr
from microtome.ui.opened import member, opened, reading_key

if TYPE_CHECKING:
    from microtome.slices.looking import Looked
    from microtome.slices.palette import Palette
    from microtome.slices.planned import Planned
    from microtome.slices.source import Member
    from microtome.volumes.volume import Volume

Superseded = Callable[[], bool]
_KEPT_IMAGES = 64
_images: OrderedDict[str, Volume] = OrderedDict()
_looked: dict[str, Looked] = {}
_lock = Lock()


@dataclass(frozen=True)
class Asked:
    """The classes with their entries, in the order of the image set, and the settings."""

    project: Project
    classes: tuple[tuple[str, tuple[VolumeEntry, ...]], ...]
    plan: SlicePlan
    micrographs: Micrographs = Micrographs()  # noqa: RUF009 - a frozen value
    count: int = 8
    seed: int = 0
    quick: bool = False  # from the blocks that were found last, where those of this plan would have to be looked for
    values: bool = False  # numbers are told: the classes are those that are cut then, and volumes go by their numbers
    unit: str = ""  # of the numbers

    @property
    def has_images(self) -> bool:
        """Whether a class holds micrographs."""
        return any(e.images for _, entries in self.classes for e in entries)


@dataclass(frozen=True)
class Source:
    """One volume or image as the image set counts it: `number` of the `volumes` of the class `label`."""

    member: Member
    entry: VolumeEntry | None  # None: an image of a folder
    class_name: str
    label: int
    number: int
    volumes: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.member.name


def class_source(asked: Asked, label: int) -> ClassSource:
    """A class as an image set takes it."""
    from microtome.slices.plan import SimulatedSource, VolumeSource

    name, entries = asked.classes[label]
    given = [member(asked.project, e).source for e in entries if not e.images]
    return ClassSource(
        name=name,
        volumes=tuple(s for s in given if isinstance(s, VolumeSource)),
        simulated=tuple(s for s in given if isinstance(s, SimulatedSource)),
        images=tuple(str(asked.project.resolve(e)) for e in entries if e.images),
        micrographs=asked.micrographs,
        value=_value_of_images(entries) if asked.values else None,
    )


def _value_of_images(entries: Sequence[VolumeEntry]) -> float | None:
    """The number of a class's images: they count as one."""
    found = {e.value for e in entries if e.images}
    return found.pop() if len(found) == 1 else None


def held_apart(classes: Sequence[tuple[str, tuple[VolumeEntry, ...]]]) -> tuple[tuple[str, tuple[VolumeEntry, ...]], ...]:
    """The classes as they are cut where numbers are told: all volumes in one, micrographs as they are."""
    from microtome.slices.targets import EVERY

    if len(classes) < 2 or any(e.images for _, entries in classes for e in entries):
        return tuple(classes)
    return ((EVERY, tuple(e for _, entries in classes for e in entries)),)


def carried_words(source: Source, unit: str) -> str:
    """The number that a volume carries, or what it is computed of; "" where it has none."""
    value = source.member.value
    if value is None:
        return tr(str(getattr(source.member.source, "property", "")))
    return with_unit(value, unit)


def sources(asked: Asked, label: int) -> list[Source]:
    """The volumes and images of a class, in the order in which an image set numbers them.

    Raises InputError where there are none, FileError for folders that cannot be read.
    """
    from microtome.slices.source import gathered

    name, entries = asked.classes[label]
    read = [e for e in entries if e.in_file]
    made = [e for e in entries if e.simulate is not None]
    found: list[tuple[Member, VolumeEntry | None]] = [(member(asked.project, e), e) for e in (*read, *made)]
    if any(e.images for e in entries):
        flat = [m for m in gathered(class_source(asked, label))[0] if m.flat]
        found += [(m, None) for m in _palette(asked).applied(flat)]
    return [Source(m, e, name, label, number, len(found)) for number, (m, e) in enumerate(found)]


def _palette(asked: Asked) -> Palette:
    """Whether all classes together are taken in colour."""
    from microtome.slices.palette import palette_of
    from microtome.slices.source import gathered

    groups = [gathered(class_source(asked, label))[0] for label in range(len(asked.classes))]
    return palette_of(groups, asked.micrographs.colour)


def open_source(project: Project, source: Source) -> Volume:
    """Open a volume or image, unless it is kept open (in a background thread only). Raises what opening raises."""
    if source.entry is not None:
        return opened(project, source.entry)
    key = repr(source.member)
    with _lock:
        if key in _images:
            _images.move_to_end(key)
            return _images[key]
    volume = source.member.open()
    with _lock:
        _images[key] = volume
        while len(_images) > _KEPT_IMAGES:
            _images.popitem(last=False)
    return volume


def looked_at(asked: Asked, superseded: Superseded) -> Looked | None:
    """All sources opened and arranged, where there are micrographs; kept until the settings change. None once superseded."""
    from microtome.slices.looking import look

    classes = [class_source(asked, label) for label in range(len(asked.classes))]
    stamps = [reading_key(asked.project, e) for _, entries in asked.classes for e in entries]
    key = repr((classes, asked.plan, stamps))
    if key not in _looked:

        def step(_done: int, _total: int) -> None:
            if superseded():
                raise InterruptedError

        try:
            found = look(classes, asked.plan, step)
        except InterruptedError:
            return None
        _looked.clear()
        _looked[key] = found
    return _looked.get(key)


def placed(volume: Volume, plan: SlicePlan, source: Source, *, most: int | None = None) -> Planned:
    """Where the first `most` slices of each set lie in a volume."""
    from microtome.slices.planned import planned

    counted = {"label": source.label, "number": source.number, "volumes": source.volumes}
    return planned(volume, plan, name=source.name, most=most, **counted)


class Opened(Sequence["Volume"]):
    """The volumes of a class, each opened when it is asked for: a preview looks at a few."""

    def __init__(self, project: Project, group: Sequence[Source]) -> None:
        self._project, self._group = project, group

    def __len__(self) -> int:
        return len(self._group)

    @overload
    def __getitem__(self, index: int) -> Volume: ...

    @overload
    def __getitem__(self, index: slice) -> list[Volume]: ...

    def __getitem__(self, index: int | slice) -> Volume | list[Volume]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return open_source(self._project, self._group[index])
