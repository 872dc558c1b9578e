"""A first look at the sources of an image set: everything opened once, identified by its data, checked against the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from microtome.errors import InputError
from microtome.slices.micrographs.arrange import Arrangement, Seen, arrange, is_arranged
from microtome.slices.palette import Palette, palette_of
from microtome.slices.plan import ClassSource, Micrographs, SimulatedSource, SlicePlan
from microtome.slices.planned import blocks_of
from microtome.slices.source import DATA_BAR, Member, gathered, grid_of, identity
from microtome.slices.targets import signature
from microtome.volumes.units import VOXEL
from microtome.volumes.volume import Volume

_NAMED = 3
Step = Callable[[int, int], None]


@dataclass(kw_only=True)
class Looked:
    """What there is to cut, by class: members without copies of micrographs, what identifies their data, what to say."""

    members: list[list[Member]] = field(default_factory=list)
    identities: list[list[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    palette: Palette = Palette()  # noqa: RUF009 - a frozen value
    arrangement: Arrangement | None = None  # of micrographs that are not cut like small volumes

    def signature(self, *, values: bool = True) -> list[Any]:
        """What determines the images beside the plan and the data: the arrangement, the channels, the values of volumes.

        `values`: False where classes are told, and the numbers that volumes may carry are not looked at.
        """
        arranged = [] if self.arrangement is None else self.arrangement.signature()
        return [*arranged, *self.palette.signature(), *(signature(self.members) if values else [])]


def look(classes: Sequence[ClassSource], plan: SlicePlan, step: Step) -> Looked:
    """Open all that the classes name; step(done, total) is called before each volume, and may raise.

    Copies of a micrograph in its class are left out. Raises InputError for a plan that the data do not allow, and where two
    volumes of a class hold the same data.
    """
    collected = [gathered(source) for source in classes]
    found = [group for group, _ in collected]
    palette = palette_of(found, _settings(classes, found).colour)
    groups = [palette.applied(group) for group in found]
    looked = Looked(said=list(dict.fromkeys(words for _, said in collected for words in said)), palette=palette)
    looked.said += palette.said
    settings = _arranged(classes, groups)
    total, done = sum(map(len, groups)), 0
    seen: list[Seen] = []
    for label, (source, group) in enumerate(zip(classes, groups, strict=True)):
        one = _Class(source=source, label=label, plan=plan, settings=settings, size=len(group))
        for member in group:
            step(done, total)
            one.add(member)
            done += 1
        looked.members.append(one.members)
        looked.identities.append(one.identities)
        looked.said += one.words()
        seen += one.seen
    step(total, total)
    if settings is not None:
        looked.arrangement = arrange(seen, [source.name for source in classes], settings, plan)
        looked.said += looked.arrangement.said
    return looked


def _settings(classes: Sequence[ClassSource], groups: Sequence[Sequence[Member]]) -> Micrographs:
    """Those of the first class that holds micrographs; all classes of a recipe share them."""
    return next((s.micrographs for s, g in zip(classes, groups, strict=True) if any(m.flat for m in g)), Micrographs())


def _arranged(classes: Sequence[ClassSource], groups: Sequence[Sequence[Member]]) -> Micrographs | None:
    """The settings by which the micrographs of all classes are arranged; None where all is cut as from volumes."""
    settings = _settings(classes, groups)
    grouped = any(m.groups or m.set_name for group in groups for m in group)
    if not is_arranged(settings, grouped=grouped):
        return None
    for source, group in zip(classes, groups, strict=True):
        volume = next((m for m in group if not m.flat), None)
        if volume is not None:
            raise InputError(
                f"{volume.name} of class “{source.name}” is a volume; tiles, shares and groups are for micrographs only.",
                "Leave the volume out, or take those settings out of [micrographs].",
            )
    return settings


@dataclass(kw_only=True)
class _Class:
    """One class under way."""

    source: ClassSource
    label: int
    plan: SlicePlan
    settings: Micrographs | None
    size: int  # members before copies are left out
    members: list[Member] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    known: dict[str, Member] = field(default_factory=dict)  # by what identifies the data

    def add(self, member: Member) -> None:
        """Open a member, unless it is simulated, and keep what was seen of it."""
        volume = None if isinstance(member.source, SimulatedSource) else member.open()
        number = len(self.members)
        if volume is not None:
            self._check(member, volume, number)
        found = identity(member, volume)
        if found in self.known:
            self._copy(member, self.known[found])
            return
        if volume is not None and DATA_BAR in volume.metadata:
            self.bars.append(int(volume.metadata[DATA_BAR]))
        if volume is not None and self.settings is not None:
            self.seen.append(self._seen(member, volume, number))
        self.members.append(member)
        self.identities.append(found)
        self.known[found] = member

    def _check(self, member: Member, volume: Volume, number: int) -> None:
        if self.settings is None:
            blocks_of(volume, self.plan, volumes=self.size, number=number, name=member.name)

    def _copy(self, member: Member, twin: Member) -> None:
        if not member.flat:
            raise InputError(
                f"{twin.name} and {member.name} of class “{self.source.name}” hold the same data.",
                "Remove one: the sets would not be independent.",
            )
        self.copies.append(member.name)

    def _seen(self, member: Member, volume: Volume, number: int) -> Seen:
        assert self.settings is not None
        # Where an image is taken as a whole, no field of view is cut, and none has to be known in voxels.
        plan = self.plan if self.settings.fit in ("cut", "tile") else replace(self.plan, unit=VOXEL)
        return Seen(
            label=self.label,
            number=number,
            name=member.name,
            shape=volume.shape,
            grid=grid_of(volume, plan, name=member.name),
            groups=member.groups,
            set_name=member.set_name,
        )

    def words(self) -> list[str]:
        """What was left out of the class."""
        said = []
        if self.bars:
            low, high = min(self.bars), max(self.bars)
            rows = f"{low}" if low == high else f"{low} to {high}"
            how = "A data bar was found in" if self.source.micrographs.data_bar < 0 else "A data bar was cut off"
            said.append(
                f"{how} {len(self.bars)} of the {len(self.members)} images of “{self.source.name}” and left out ({rows} px)."
            )
        if self.copies:
            names = ", ".join(self.copies[:_NAMED]) + (", …" if len(self.copies) > _NAMED else "")
            said.append(f"{len(self.copies)} images of “{self.source.name}” are copies of others and were left out: {names}.")
        return said
