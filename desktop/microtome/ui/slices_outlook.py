"""What an image set of the settings would be, before it is cut: how separated, how long it takes, how far to trust it."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from microtome.errors import MicrotomeError
from microtome.slices.plan import SlicePlan
from microtome.store.atomic import read_json
from microtome.store.project import Project
from microtome.ui.i18n import tr
from microtome.ui.numbers import length
from microtome.ui.opened import reading_key
from microtome.ui.sentences import said
from microtome.ui.slices_sources import Asked, Opened, Source, Superseded, looked_at, open_source, placed, sources

if TYPE_CHECKING:
    from microtome.slices.blocks.split import Blocks
    from microtome.slices.looking import Looked
    from microtome.volumes.volume import Volume

_RATE_SLICES = 48
_MOST_HASHED = 400  # volumes and images; the set of more is looked up when it is cut
_identities: OrderedDict[str, str] = OrderedDict()


@dataclass
class Outlook:
    """What an image set of the settings would be."""

    possible: bool = False  # whether every class can be cut
    sources: list[list[Source]] = field(default_factory=list)  # by class; empty where micrographs are arranged
    separation: list[tuple[str, str]] = field(default_factory=list)  # class, and how far its sets are apart
    lost: list[str] = field(default_factory=list)  # orientations, by class
    said: list[str] = field(default_factory=list)  # of micrographs that were left out or guessed
    seconds: float | None = None  # of cutting alone
    rate: float = 0.0  # slices a second, of all classes together
    simulated: int = 0  # structures to be made first
    images: int = 0  # of all classes
    arranged: bool = False  # whether micrographs are tiled, brought to size or divided by groups
    channels: int = 1  # 3: in colour
    hash: str = ""  # "" where it is not known


def read_outlook(asked: Asked, superseded: Superseded) -> Outlook | None:
    """Look at what the settings would make (in a background thread); None once superseded."""
    look = Outlook(images=len(asked.classes) * _a_class(asked.plan))
    looked: Looked | None = None
    try:
        groups = [sources(asked, label) for label in range(len(asked.classes))]
        if asked.has_images and sum(map(len, groups)) <= _MOST_HASHED:
            looked = looked_at(asked, superseded)
    except MicrotomeError:
        return None if superseded() else look  # said in the class's row of the gallery
    look.simulated = sum(s.entry is not None and s.entry.simulate is not None for g in groups for s in g)
    if looked is not None:
        look.said, look.channels = list(looked.said), looked.palette.channels
    if looked is not None and looked.arrangement is not None:
        look.possible, look.arranged, look.images = True, True, looked.arrangement.total
        look.separation = [(tr("Images"), said(looked.arrangement.independence()))]
    else:
        _look_at_groups(asked, groups, look)
    if look.possible and not superseded():
        look.hash = _hash(asked, groups, looked, superseded)
    return None if superseded() else look


def _a_class(plan: SlicePlan) -> int:
    return plan.train + plan.validation + plan.evaluation


def _look_at_groups(asked: Asked, groups: list[list[Source]], look: Outlook) -> None:
    """Blocks and speed, by the first volume of each class."""
    from microtome.slices.planned import blocks_of

    seconds = 0.0
    look.possible = True
    for group in groups:
        try:
            source = group[0]
            volume = open_source(asked.project, source)
            _, blocks = blocks_of(volume, asked.plan, volumes=len(group), number=0, name=source.name)
            if lost := blocks.lost():
                look.lost.append(f"{source.class_name}: {lost}")
            look.separation.append((source.class_name, _separation(blocks, volume)))
            seconds += _a_class(asked.plan) * _seconds_a_slice(volume, asked.plan, source)
            look.sources.append(group)
        except MicrotomeError:
            look.possible = False  # said in the class's row of the gallery
    if look.possible:
        look.seconds, look.rate = seconds, look.images / max(seconds, 1e-9)


def _separation(blocks: Blocks, volume: Volume) -> str:
    if blocks.gap is None:
        return tr("Whole volumes go to different sets.")
    words = tr("{gap} between the blocks", gap=length(blocks.gap, "voxel"))
    size = volume.voxel_size
    if size is not None and volume.unit != "voxel":
        words += f" ({length(blocks.gap * min(size), volume.unit)})"
    if blocks.correlation is not None:
        reach = max(blocks.correlation.length)
        words += tr("; grey values are alike over {reach}", reach=length(float(f"{reach:.2g}"), "voxel"))
    return words


def _seconds_a_slice(volume: Volume, plan: SlicePlan, source: Source) -> float:
    """Measured on slices that the set would hold."""
    from microtome.slices.planes.sampler import Sampler

    made = placed(volume, plan, source, most=_RATE_SLICES // 2)
    if len(made.centres) == 0:
        return 0.0
    sampler = Sampler.of(volume, made.grid, plan)
    sampler.cut(made.centres[:1], made.axes[:1])  # what is compiled or laid out once is no part of the speed
    begun = time.perf_counter()
    sampler.cut(made.centres[:_RATE_SLICES], made.axes[:_RATE_SLICES])
    return (time.perf_counter() - begun) / min(_RATE_SLICES, len(made.centres))


def _hash(asked: Asked, groups: list[list[Source]], looked: Looked | None, superseded: Superseded) -> str:
    """The hash of the image set as cutting would find it; "" where there are too many files to look at now."""
    from microtome.slices.cutting import digest_of
    from microtome.slices.targets import signature

    names = [name for name, _ in asked.classes]
    if looked is not None:
        return digest_of(asked.plan, names, looked.identities, looked.signature(values=asked.values))
    if sum(map(len, groups)) > _MOST_HASHED:
        return ""
    identities = []
    for group in groups:
        found = []
        for source in group:
            if superseded():
                return ""
            found.append(_identity(asked.project, source))
        identities.append(found)
    carried = signature([[source.member for source in group] for group in groups]) if asked.values else []
    return digest_of(asked.plan, names, identities, carried)


def _identity(project: Project, source: Source) -> str:
    from microtome.slices.source import identity

    assert source.entry is not None, "micrographs are looked at together"
    key = reading_key(project, source.entry)
    if key not in _identities:
        volume = None if source.entry.simulate is not None else open_source(project, source)
        _identities[key] = identity(source.member, volume)
        while len(_identities) > 2 * _MOST_HASHED:
            _identities.popitem(last=False)
    return _identities[key]


@dataclass(frozen=True)
class TrustRead:
    """Leak meter and shortcut audit as plan.json holds them; `previewed`: of a few slices of a set that is not cut."""

    leak: dict[str, Any] | None = None
    shortcuts: tuple[dict[str, Any], ...] = ()
    advice: tuple[str, ...] = ()
    previewed: bool = True


def read_trust(asked: Asked, look: Outlook) -> TrustRead:
    """What is known of the cut image set, or measured on a preview (in a background thread, seconds)."""
    folder = asked.project.imagesets / look.hash if look.hash else None
    if folder is not None and (folder / "plan.json").is_file():
        data = read_json(folder / "plan.json")
        if data.get("leak"):
            advice = tuple(map(str, data.get("warnings", ())))
            return TrustRead(data["leak"], tuple(data.get("shortcuts", ())), advice, previewed=False)
    if look.arranged:
        return TrustRead()  # their sets hang on all images together: measured when they are cut
    from microtome.slices.trust.preview import preview_trust

    volumes = {name: Opened(asked.project, sources(asked, label)) for label, (name, _) in enumerate(asked.classes)}
    found = preview_trust(volumes, asked.plan)
    return TrustRead(found.leak.to_json(), tuple(found.shortcuts), tuple(found.warnings))
