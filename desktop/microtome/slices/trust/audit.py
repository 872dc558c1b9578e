"""What a user must know of an image set: how independent its sets are, and by what shortcuts its classes could be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.blocks.split import SET_WORDS, SETS, nearly_all, percent, steepest
from microtome.slices.plan import SlicePlan
from microtome.volumes.units import VOXEL, to_nm

Record = dict[str, Any]
#: A shortcut is reported when it makes up this part of the way from chance to certainty.
_SHORTCUT = 0.75
_ROUNDING = 1e-3  # relative, of voxel sizes
_LISTED = 6  # volumes named in one sentence
_DIRECTIONS = 0.1  # difference between classes in the share of orientations that are cut
_SHARPNESS = 1.25  # ratio of voxel sizes


def pixel_size(plan: SlicePlan, volumes: Sequence[Record]) -> tuple[float, str]:
    """The edge of a pixel and its unit: a length where it is one for all volumes, else in voxels."""
    pixel = plan.field_of_view / plan.pixels
    if plan.unit != VOXEL:
        return pixel, plan.unit
    edges = [_cube(v) for v in volumes]
    if None in edges or _differ([e for e in edges if e is not None]):
        return pixel, VOXEL
    assert edges[0] is not None
    return pixel * edges[0], "nm"


def _differ(lengths: Sequence[float]) -> bool:
    """True where lengths differ by more than the rounding of a file format."""
    return max(lengths) > min(lengths) * (1 + _ROUNDING)


def _cube(volume: Record) -> float | None:
    """The edge in nm of a volume's voxels in the cutting plane where they are known cubes (a micrograph: squares)."""
    size = volume["voxel_size"]
    if size is None or volume["unit"] == VOXEL:
        return None
    used = size[1:] if volume["shape"][0] == 1 else size
    return None if _differ(used) else to_nm(float(used[-1]), volume["unit"])


def independence(volumes: Sequence[Record]) -> str:
    """How training, validation and evaluation are separated, in words, with the smallest gap."""
    blocks = [v for v in volumes if v["gap"] is not None]
    apart = sorted({v["class"] for v in volumes} - {v["class"] for v in blocks})
    sentences = []
    if apart:
        which = "of every class" if not blocks else "of " + ", ".join(f"“{c}”" for c in apart)
        sentences.append(
            f"Training, validation and evaluation images {which} come from different micrographs."
            if all(v["shape"][0] == 1 for v in volumes if v["gap"] is None)
            else f"Training, validation and evaluation slices {which} come from different volumes."
        )
    if blocks:
        closest = min(blocks, key=lambda v: _length(v) or v["gap"])
        gap = f"{closest['gap']} voxel" + ("" if closest["gap"] == 1 else "s")
        length = _length(closest)
        if length is not None:
            gap += f" ({length:.4g} nm)"
        which = "" if not apart else " of " + ", ".join(f"“{c}”" for c in sorted({v["class"] for v in blocks}))
        sentences.append(
            f"Training, validation and evaluation slices{which} come from separate blocks of each volume: "
            f"they share no voxel, and the smallest gap between blocks is {gap}."
        )
        sentences += _correlations(blocks)
    return " ".join(sentences)


def _correlations(volumes: Sequence[Record]) -> list[str]:
    """How far grey values are alike, of the volume where they are so farthest, in voxels and as a length."""
    known = [v for v in volumes if v.get("correlation")]
    if not known:
        return []
    farthest = max(known, key=lambda v: max(v["correlation"]["decay"]))
    found = farthest["correlation"]
    lags = " / ".join(f"{lag:.3g}" for lag in found["decay"])
    size = farthest["voxel_size"]
    if size is not None and farthest["unit"] != VOXEL:
        nm = (to_nm(lag * edge, farthest["unit"]) for lag, edge in zip(found["decay"], size, strict=True))
        lags += f" (z / y / x; {' / '.join(f'{n:.3g}' for n in nm)} nm)"
    else:
        lags += " (z / y / x)"
    least = "" if found["bounded"] else "at least "
    return [
        f"The autocovariance of the grey values of {farthest['name']} falls below a tenth within {least}{lags} voxels, "
        f"the guard band there is {' / '.join(str(g) for g in farthest['guard'])}."
    ]


def _length(volume: Record) -> float | None:
    """The gap between a volume's blocks in nanometres, along its shortest voxel edge; None where that is not known."""
    if volume["voxel_size"] is None or volume["unit"] == VOXEL:
        return None
    return to_nm(volume["gap"] * min(volume["voxel_size"]), volume["unit"])


def warnings(plan: SlicePlan, classes: Sequence[str], volumes: Sequence[Record]) -> list[str]:
    """What geometry alone gives away, or loses: orientations, voxel sizes, distortion, magnification."""
    found = _lost_orientations(volumes)
    shares = [np.mean([_least(v) for v in volumes if v["class"] == c]) for c in classes]
    if max(shares) - min(shares) > _DIRECTIONS:
        found.append(
            "The classes are cut in different directions, since their blocks differ in shape: "
            "choose a smaller field of view, or a fixed orientation, if directions could tell the classes apart."
        )
    if plan.unit == VOXEL:
        found += _mixed_voxels(volumes)
    else:
        edges = [to_nm(max(v["voxel_size"][1:]), v["unit"]) for v in volumes]
        if max(edges) > _SHARPNESS * min(edges):
            found.append(
                f"Voxel sizes range from {min(edges):.4g} to {max(edges):.4g} nm: all images have one pixel size, "
                "but sharpness could tell the classes apart."
            )
    for volume in volumes:
        if max(volume["spacing"]) < 0.5:
            found.append(
                f"{volume['name']}: a pixel is {max(volume['spacing']):.2g} of a voxel; the images hold no finer detail."
            )
    return found


def _lost_orientations(volumes: Sequence[Record]) -> list[str]:
    tight = [v for v in volumes if not nearly_all(v["admissible"])]
    if not tight:
        return []
    shares = [f"{v['name']} {' / '.join(percent(share) for share in v['admissible'].values())}" for v in tight]
    listed = "; ".join(shares[:_LISTED]) + (f"; and {len(shares) - _LISTED} more" if len(shares) > _LISTED else "")
    which = " / ".join(SET_WORDS[s] for s in tight[0]["admissible"]) if len(tight[0]["admissible"]) > 1 else "its set"
    return [
        "Slices of some orientations do not fit into their blocks and are never cut. "
        f"Of all orientations, these parts fit ({which}): {listed}. {_help(tight)}"
    ]


def _help(tight: Sequence[Record]) -> str:
    """Which orientations are lost most, and what would help."""
    worst = min(tight, key=_least)
    which = f"Most are lost {steepest(worst['by_normal'])}. " if worst.get("by_normal") else ""
    factor = min((v.get("keeps_all", 1.0) for v in tight), default=1.0)
    smaller = f", {100 * factor:.0f} % of it keeps all" if 0 < factor < 1 else ""
    return f"{which}A smaller field of view keeps more{smaller}; three volumes a class are not divided at all."


def _least(volume: Record) -> float:
    return float(min(volume["admissible"].values()))


def _mixed_voxels(volumes: Sequence[Record]) -> list[str]:
    known = [v for v in volumes if v["voxel_size"] is not None and v["unit"] != VOXEL]
    along = [[to_nm(v["voxel_size"][axis], v["unit"]) for v in known] for axis in range(3)]
    found = []
    if known and any(_differ(lengths) for lengths in along):
        found.append(
            "The voxel sizes differ between volumes and the field of view is given in voxels, so the magnification differs: "
            "give the field of view as a length."
        )
    distorted = [v for v in known if _cube(v) is None]
    return found + [
        f"The voxels of {v['name']} are no cubes, so slices are distorted: give the field of view as a length."
        for v in distorted
    ]


def same_data(classes: Sequence[str], identities: Sequence[Sequence[str]], names: Sequence[Sequence[str]]) -> list[str]:
    """A warning for every volume that is in two classes."""
    seen: dict[str, int] = {}
    found = []
    for label, group in enumerate(identities):
        for identity, name in zip(group, names[label], strict=True):
            if identity in seen:
                found.append(
                    f"{name} is in “{classes[seen[identity]]}” and in “{classes[label]}”: they cannot be told apart by it."
                )
            seen.setdefault(identity, label)
    return found


def oddities(redrawn: dict[str, int], constant: dict[str, int]) -> list[str]:
    """Warnings for slices that met NaN and were drawn again, and for slices without any contrast."""
    found = [f"{name}: {n} slices met NaN or infinite values and were drawn elsewhere." for name, n in redrawn.items()]
    return found + [f"{name}: {n} slices show nothing (all pixels are equal)." for name, n in constant.items()]


def rejected(empty: Mapping[str, int], kept: Mapping[str, int]) -> list[str]:
    """How many empty slices were drawn and left out, by volume; kept: images by volume."""
    return [
        f"{name}: {n} of {n + kept[name]} slices drawn were empty and left out; its images show more than a random slice does."
        for name, n in empty.items()
    ]


def brightness(
    plan: SlicePlan,
    classes: Sequence[str],
    sets: Sequence[int],
    labels: Sequence[int],
    means: Sequence[tuple[float, float]],
) -> list[str]:
    """A warning where normalisation takes away that brightness tells the class; means (n, 2): as cut, and as kept."""
    if len(classes) < 2 or plan.normalisation == "slice":
        return []
    where, true, grey = np.asarray(sets), np.asarray(labels), np.asarray(means)
    limit = 1 / len(classes) + _SHORTCUT * (1 - 1 / len(classes))
    if told_by(grey[:, 1], true, where) >= limit:
        return []  # the shortcut audit says so
    raw = told_by(grey[:, 0], true, where)
    if raw >= limit:
        return [
            f"Brightness alone would tell {100 * raw:.0f} % of the validation images; normalisation takes that away: "
            "images to be classified later must be normalised in the same way."
        ]
    return []


def told_by(values: NDArray[np.float64], labels: NDArray[np.int64], sets: NDArray[np.int64]) -> float:
    """Mean class accuracy on the validation set of the rule “nearest class mean of the training set”.

    That is linear discriminant analysis in one dimension with equal priors.
    """
    train, validation = sets == SETS.index("train"), sets == SETS.index("validation")
    known = np.unique(labels)
    centres = np.array([values[train & (labels == c)].mean() for c in known])
    told = known[np.argmin(np.abs(values[:, None] - centres), axis=1)]
    return float(np.mean([np.mean(told[validation & (labels == c)] == c) for c in known]))
