"""How large particles may be whose file says only where they are: the question that is asked, with likely answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Choice, Question, QuestionError
from microtome.volumes.units import nanometres

Array = NDArray[np.float64]
_SAMPLE = 100_000  # particles between which distances are measured
_BINS = 64
_MOST_TYPES = 6  # types that are offered one by one
_LEAST = 8  # particles of a type, to speak of their distances
_TABLE = (
    "H 1.10, He 1.40, Li 1.81, B 1.92, C 1.70, N 1.55, O 1.52, F 1.47, Ne 1.54, Na 2.27, Mg 1.73, Al 1.84, Si 2.10, P 1.80, "
    "S 1.80, Cl 1.75, Ar 1.88, K 2.75, Ca 2.31, Ni 1.63, Cu 1.40, Zn 1.39, Br 1.83, Ag 1.72, I 1.98, Pt 1.75, Au 1.66"
)
#: Van der Waals radii in Å: A. Bondi, J. Phys. Chem. 68 (1964) 441; of H, B, Al and Ca M. Mantina et al., J. Phys. Chem. A 113
#: (2009) 5806.
VAN_DER_WAALS = {element: float(radius) for element, radius in (entry.split() for entry in _TABLE.split(", "))}


def missing_radii(
    places: Array,
    edges: tuple[float, float, float] | None,
    periodic: tuple[bool, bool, bool] | None,
    types: NDArray[np.int32] | None,
    names: tuple[str, ...],
    path: Path,
    unit: str,
    more: tuple[Choice, ...] = (),
) -> QuestionError:
    """The question how large the particles are, to be raised; its choices are measured on the places."""
    period = np.zeros(3) if edges is None or periodic is None else np.where(periodic, edges, 0.0)
    choices = list(more)
    choices += _by_distance(nearest_distances(places, period), {}, "", unit)
    choices += _by_element(names, unit)
    if types is not None and len(names) <= _MOST_TYPES:
        for index, name in enumerate(names):
            mine = places[types == index]
            if len(mine) >= _LEAST:
                where = f"only type {name} ({len(mine)} of {len(places)})"
                choices += _by_distance(nearest_distances(mine, period), {"types": name}, where, unit)[:1]
    return QuestionError(
        f"{path} says where its {len(places)} particles are, not how large.",
        "Give their radius in the file's unit of length: radius = 10, or by type: radii = “1=10, 2=4.5”.",
        Question(text="How large are the particles?", choices=tuple(choices)),
    )


def nearest_distances(places: Array, period: Array) -> Array:
    """The distance of particles (all, or a compact part of many) to their nearest neighbour; a period of 0 is none."""
    from scipy.spatial import cKDTree

    if len(places) > _SAMPLE:
        # A part of the box that holds about as many: the tree of them all would take a minute.
        low, high = np.asarray(places.min(axis=0)), np.asarray(places.max(axis=0))
        half = (high - low) / 2 * (_SAMPLE / len(places)) ** (1 / 3)
        inside = (np.abs(places - (low + high) / 2) <= half).all(axis=1)
        if np.count_nonzero(inside) >= _LEAST:
            places, period = places[inside], np.zeros(3)
        else:
            places = places[:: -(-len(places) // _SAMPLE)]
    if len(places) < 2:
        return np.empty(0)
    distance = np.asarray(cKDTree(places, boxsize=period).query(places, k=2)[0])[:, 1]
    return np.asarray(distance[np.isfinite(distance) & (distance > 0)])


def first_peak(distances: Array) -> float:
    """The commonest distance to a nearest neighbour: the first peak of the pair distribution, seen from each particle."""
    low, high = float(distances.min()), float(np.quantile(distances, 0.99))
    if high <= low * (1 + 1e-9):
        return low
    count, bounds = np.histogram(distances, _BINS, (low, high))
    at = int(np.argmax(count))
    inside = distances[(distances >= bounds[at]) & (distances <= bounds[at + 1])]
    return float(np.median(inside))


def _by_distance(distances: Array, options: dict[str, Any], where: str, unit: str) -> list[Choice]:
    if len(distances) < 2:
        return []
    found: list[Choice] = []
    for value, why in (
        (first_peak(distances) / 2, "half the commonest distance to the nearest neighbour"),
        (float(distances.min()) / 2, "half the smallest distance: none overlap"),
    ):
        radius = float(f"{value:.4g}")
        if radius > 0 and all(c.options["radius"] != radius for c in found):
            label = f"radius {radius:g} {unit}".strip() + (f" · {where}" if where else "")
            found.append(Choice(options={**options, "radius": radius}, label=label, detail=why))
    return found


def _by_element(names: tuple[str, ...], unit: str) -> list[Choice]:
    """Van der Waals radii, where every name is that of an element, in the file's unit (Å where that is unknown)."""
    elements = [re.sub(r"[\d+\-*']", "", name).capitalize() for name in names]
    if not names or not all(e in VAN_DER_WAALS for e in elements):
        return []
    one = nanometres(unit) if unit else None
    radii = [VAN_DER_WAALS[e] * 0.1 / (0.1 if one is None else one) for e in elements]
    text = ", ".join(f"{name}={radius:.4g}" for name, radius in zip(names, radii, strict=True))
    return [Choice(options={"radii": text}, label=f"van der Waals radii: {text[:60]}", detail="of the atoms named")]
