"""The leak meter and the shortcut audit of some hundred slices, before an image set is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microtome.slices.blocks.split import SETS, Blocks, assign
from microtome.slices.colour import cut_colours, statistics_of
from microtome.slices.drawing import draw
from microtome.slices.geometry import Grid
from microtome.slices.grey import Grey, grey_of, normalise, pooled
from microtome.slices.plan import SlicePlan
from microtome.slices.planes.sampler import Sampler
from microtome.slices.planned import blocks_of
from microtome.slices.trust.twins import Fingerprint
from microtome.slices.trust.verdict import Cut, Record, Trust, assess
from microtome.volumes.volume import Volume

_SLICES = 120  # a class


@dataclass(frozen=True, eq=False, kw_only=True)
class _Part:
    label: int
    class_name: str
    name: str
    volume: Volume
    grid: Grid
    blocks: Blocks
    grey: Grey

    def record(self) -> Record:
        shape, spacing = list(self.volume.shape), list(self.grid.spacing)
        facts = {
            "name": self.name,
            "class": self.class_name,
            "shape": shape,
            "spacing": spacing,
            "simulated": self.volume.structure is not None,
        }
        return {**facts, **self.blocks.to_json()}


def preview_trust(volumes: Mapping[str, Sequence[Volume]], plan: SlicePlan, *, seed: int = 0, slices: int = _SLICES) -> Trust:
    """Measure `slices` slices of each class (volumes by class), as an image set of the plan would hold them.

    Of a class with three volumes or more one of each set is cut, else all are. The smallest distance is that of these slices:
    more slices come nearer. Raises InputError as cutting would.
    """
    parts = [part for label, (name, group) in enumerate(volumes.items()) for part in _parts(label, name, group, plan)]
    reference = pooled(
        [[p.grey for p in parts if p.label == label and "train" in p.blocks.boxes] for label in range(len(volumes))]
    )
    cuts = [
        _cut(part, k, plan, seed, slices // sum(p.label == part.label for p in parts), reference)
        for k, part in enumerate(parts)
    ]
    joined = {name: np.concatenate([vars(c)[name] for c in cuts]) for name in vars(cuts[0])}
    prints = [None if p.volume.structure is not None else Fingerprint.of(p.volume) for p in parts]
    return assess(plan, [p.record() for p in parts], Cut(**joined), prints)


def _parts(label: int, class_name: str, group: Sequence[Volume], plan: SlicePlan) -> list[_Part]:
    serving = assign(len(group), plan) if len(group) >= len(SETS) else []
    chosen = [serving.index(s) for s in SETS] if serving else range(len(group))
    found = []
    for number in chosen:
        volume = group[number]
        name = Path(volume.source).name if volume.source else f"volume {number + 1}"
        grid, blocks = blocks_of(volume, plan, volumes=len(group), number=number, name=name)
        grey = grey_of(volume, name=name)
        found.append(_Part(label=label, class_name=class_name, name=name, volume=volume, grid=grid, blocks=blocks, grey=grey))
    return found


def _cut(part: _Part, number: int, plan: SlicePlan, seed: int, slices: int, reference: tuple[float, ...]) -> Cut:
    served = [s for s in SETS if s in part.blocks.boxes]
    n = max(3, slices)
    sets = [served[i % len(served)] for i in range(n)]
    rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, i))) for i in range(n)]
    sampler, contrast = Sampler.of(part.volume, part.grid, plan), plan.reject * part.grey.deviation
    drawn = draw(sampler, [part.blocks.boxes[s] for s in sets], rngs, contrast=contrast, name=part.name)
    images = cut_colours(sampler, drawn.images, drawn.centres, drawn.axes)
    return Cut(
        images=normalise(images, plan.normalisation, statistics_of(part.volume, name=part.name), reference),
        labels=np.full(n, part.label),
        sets=np.array([SETS.index(s) for s in sets]),
        volumes=np.full(n, number),
        centres=drawn.centres,
        axes=drawn.axes,
    )
