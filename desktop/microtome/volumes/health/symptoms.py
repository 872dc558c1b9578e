"""Faults read from the numbers over z: each judge says what it finds, with thresholds against what is usual around a slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.corrections.ranges import join_ranges
from microtome.volumes.corrections.registration import positions, trend
from microtome.volumes.health.findings import Finding, Remedy, Severity, named, without
from microtome.volumes.health.profiles import TILES, Facts, alike

Floats = NDArray[np.float64]
_SHAKES = 0.25  # px: structure that moves from slice to slice moves smoothly, a shaking picture does not
_LEAPS = 2.0  # px
_WANDERS = 0.05  # of the width
_SAME = 0.3  # correlation with the next slice below which a displacement says nothing
_SURE = 5.0  # standard errors over the tiles: brightness changes everywhere alike, structure does not
_FLICKERS = 0.02  # of the contrast
_BRIGHTER = 0.1
_STRIPES, _STRONG_STRIPES = 3.0, 10.0  # times the power beside the line
_PILED_UP = 3.0  # times the voxels in the band beside the extreme value
_AROUND = 15  # slices


def drift(facts: Facts, voxel_size: tuple[float, float, float] | None) -> list[Finding]:
    """Shaking from slice to slice, single leaps, and a slow wandering that may be the structure's own."""
    _place, steps, sure = displacements(facts)
    if sure.sum() < 4:
        return []
    usual = np.column_stack([_usual(np.where(sure, steps[:, i], np.median(steps[sure, i])), 0.5) for i in range(2)])
    rough = np.where(sure[:, None], steps - usual, 0.0)
    spread = 1.4826 * np.median(np.abs(rough[sure]), axis=0)
    size = np.hypot(rough[:, 0], rough[:, 1])
    leaps = np.flatnonzero(size > max(_LEAPS, 8 * float(np.hypot(*spread))))
    trusted = np.vstack([np.zeros((1, 2)), np.cumsum(np.where(sure[:, None], steps, 0.0), axis=0)])
    wander = np.ptp(trusted - trend(trusted, "slant", slow=50), axis=0)
    straight = Remedy(label="Align, a steady slant stays", step={"name": "align"})
    bends = Remedy(label="Align, slow bends stay", step={"name": "align", "keep": "slow bends"})
    found = []
    if float(spread.max()) > _SHAKES:
        words = (
            f"Slices are displaced against each other: by {_length(float(np.hypot(*spread)), voxel_size)} from slice to slice"
        )
        words += f", {_length(float(wander.max()), voxel_size)} in all."
        found.append(Finding(kind="drift", words=words, severity="warning", remedies=(straight, bends)))
    if len(leaps):
        largest = _length(float(size[leaps].max()), voxel_size)
        words = f"The picture leaps by up to {largest} before {named(leaps + 1, capital=False)}."
        ranges = join_ranges(int(z) + 1 for z in leaps)
        found.append(Finding(kind="drift", words=words, severity="warning", slices=ranges, remedies=(straight,)))
    if not found and float((wander / np.array(facts.shape[1:])).max()) > _WANDERS:
        words = f"The picture wanders slowly by {_length(float(wander.max()), voxel_size)}: drift, or structure that bends."
        found.append(Finding(kind="drift", words=words, severity="note", remedies=(straight,)))
    return found


def displacements(facts: Facts) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Where each slice lies (z, 2) in pixels, the steps (z - 1, 2), and which of the steps can be trusted."""
    place = positions(facts.pairs, facts.shape[0])
    likeness = alike(facts, 1)
    if not len(likeness):
        return place, np.diff(place, axis=0), likeness > _SAME
    return place, np.diff(place, axis=0), _comparable(facts) & (likeness > np.maximum(_SAME, 0.5 * _usual(likeness, 0.7)))


def _length(pixels: float, voxel_size: tuple[float, float, float] | None) -> str:
    return f"{pixels:.1f} px" + (f" ({pixels * voxel_size[1]:.3g} nm)" if voxel_size else "")


def brightness(facts: Facts) -> list[Finding]:
    """Jumps that last, single slices that are brighter or darker, and flicker."""
    contrast = float(np.median(facts.std))
    if facts.labels or contrast == 0 or facts.shape[0] < 4:
        return []
    change = np.diff(facts.tiles, axis=0)
    mean, error = change.mean(axis=1), change.std(axis=1) / TILES + 1e-12 * contrast
    sure = np.abs(mean) > _SURE * error
    # Where brightness changes steadily, no step of it is a jump.
    events = sure & (np.abs(mean) > np.maximum(_BRIGHTER * contrast, 3 * _usual(np.abs(mean), 0.5)))
    level = facts.tiles.mean(axis=1)
    after = [float(np.median(level[i + 1 : i + 6])) - float(np.median(level[max(0, i - 4) : i + 1])) for i in range(len(mean))]
    lasting = events & (np.abs(after) > 0.5 * np.abs(mean))
    passing = events & ~lasting
    remedy = Remedy(label="Equalise brightness", step={"name": "brightness"})
    steady = float(np.median(np.abs(np.where(sure, mean, 0.0))))
    if steady > _FLICKERS * contrast:
        lasting &= np.abs(mean) > 5 * steady
    found = []
    if lasting.any():
        at = np.flatnonzero(lasting) + 1
        most = float(np.abs(mean[lasting]).max())
        words = f"Brightness jumps at {named(at, capital=False)}, by up to {_grey(most, contrast)}."
        ranges = join_ranges(int(z) for z in at)
        found.append(Finding(kind="brightness", words=words, severity="warning", slices=ranges, remedies=(remedy,)))
    near = (z + 1 for z in np.flatnonzero(passing).tolist())
    odd = {z for z in near if abs(level[z] - _middle(level, z)) > _BRIGHTER / 2 * contrast}
    if steady > _FLICKERS * contrast:
        words = f"Brightness flickers from slice to slice by about {_grey(steady, contrast)}."
        found.append(Finding(kind="brightness", words=words, severity="warning", remedies=(remedy,)))
    elif odd:
        words = f"{named(odd)}: brighter or darker than the slices around."
        found.append(Finding(kind="brightness", words=words, severity="warning", slices=join_ranges(odd), remedies=(remedy,)))
    return found


def _grey(levels: float, contrast: float) -> str:
    return f"{levels:.3g} grey levels ({levels / contrast:.0%} of the contrast)"


def _middle(level: Floats, z: int) -> float:
    return float(np.median(level[max(0, z - 3) : z + 4]))


def gaps_and_repeats(facts: Facts) -> list[Finding]:
    """Slices that are missing (two neighbours as unlike as two steps), the same, or nearly the same as the one before."""
    one, two = 1 - alike(facts, 1), 1 - alike(facts, 2)
    alive = (facts.std[1:] > 0) & (facts.std[:-1] > 0)
    alive[[step for z in facts.damaged for step in (z - 1, z) if 0 <= step < len(alive)]] = False
    same = [z + 1 for z in range(len(one)) if facts.checks[z] == facts.checks[z + 1] and alive[z]]
    found = []
    if same:
        words = f"{named(same)} {'is' if len(same) == 1 else 'are'} the same as the one before, voxel by voxel."
        remedies = without(same, facts.shape[0])
        found.append(Finding(kind="repeated", words=words, severity="warning", slices=join_ranges(same), remedies=remedies))
    if alive.sum() < 8:
        return found
    rest = alive.copy()
    rest[[z - 1 for z in same]] = False
    high, middle = _usual(one, 0.7), _usual(one, 0.5)
    spread = 1.4826 * float(np.median(np.abs(one / middle - 1)[rest])) if rest.any() else 1.0
    near = [int(z) + 1 for z in np.flatnonzero(rest & (one < 0.3 * high))]
    if near:
        words = f"{named(near)} nearly {'repeats' if len(near) == 1 else 'repeat'} the one before: cut twice, or interpolated."
        remedies = (Remedy(label="Make the distances even", step={"name": "slice-positions"}), *without(near, facts.shape[0]))
        found.append(Finding(kind="repeated", words=words, severity="note", slices=join_ranges(near), remedies=remedies))
    # Between unlike neighbours lie two steps where one is usual. Where two steps hardly differ from one nothing can be said.
    double = np.interp(np.arange(len(one)), np.arange(len(two)) + 0.5, _usual(two, 0.5))
    far = (
        rest & _comparable(facts) & (one > 0.78 * double) & (one > (1 + max(0.4, 6 * spread)) * high) & (double > 1.2 * middle)
    )
    far &= _everywhere(facts)
    far[[z for z in (*same, *near) if z < len(far)]] = False  # a repetition in the place of a slice was said already
    if far.any():
        at = [int(z) for z in np.flatnonzero(far)]
        between = ", ".join(f"{z} and {z + 1}" for z in at[:8]) + (f" and at {len(at) - 8} more places" if len(at) > 8 else "")
        words = f"Between slices {between} something is missing: they differ as slices that lie two apart."
        even = Remedy(label="Make the distances even", step={"name": "slice-positions"})
        ranges = tuple((z, z + 1) for z in at)
        found.append(Finding(kind="missing", words=words, severity="warning", slices=ranges, remedies=(even,)))
    return found


def _comparable(facts: Facts) -> NDArray[np.bool_]:
    """Whether the slices before and behind each step have about the same contrast: what is nearly empty is like nothing."""
    low, high = np.minimum(facts.std[1:], facts.std[:-1]), np.maximum(facts.std[1:], facts.std[:-1])
    return np.asarray(low > 0.5 * high)


def _everywhere(facts: Facts) -> NDArray[np.bool_]:
    """Whether a step stands out in most of the tiles that show something: a wall of the structure does so in a few."""
    usual = np.column_stack([_usual(column, 0.5) for column in facts.changes.T])
    shows = usual > 0.02 * usual.max(axis=1, keepdims=True)
    ratio = np.where(shows, facts.changes / np.maximum(usual, 1e-30), np.nan)
    ratio[~shows.any(axis=1)] = 0.0
    return np.asarray(np.nanquantile(ratio, 0.25, axis=1) > 1.45)


def stripes(facts: Facts) -> list[Finding]:
    """Curtains along y and scan lines along x, by the median over the slices of their excess power."""
    found = []
    alive = facts.std > 0
    for axis, (direction, cause) in enumerate((("vertical", "curtaining"), ("horizontal", "scan lines or charging"))):
        index = float(np.median(facts.stripes[alive, axis])) if alive.any() else 1.0
        if index > _STRIPES:
            severity: Severity = "bad" if index > _STRONG_STRIPES else "warning"
            words = (
                f"{direction.capitalize()} stripes ({cause}): waves along them are {index:.1f} times as strong as those beside."
            )
            remedy = Remedy(label="Remove stripes", step={"name": "destripe", "direction": direction})
            found.append(Finding(kind="stripes", words=words, severity=severity, remedies=(remedy,)))
    return found


def saturation(facts: Facts) -> list[Finding]:
    """Voxels that pile up at the highest or lowest value; volumes of labels have no such thing."""
    if facts.labels:
        return []
    found = []
    high = ("highest", facts.high, float(facts.high.max()), facts.at_high, facts.near_high)
    low = ("lowest", facts.low, float(facts.low.min()), facts.at_low, facts.near_low)
    for name, values, extreme, at, near in (high, low):
        piled = (values == extreme) & (at > 1e-3) & (at > _PILED_UP * near) & (facts.std > 0)
        share = float(np.where(piled, at, 0.0).mean())
        if share < 1e-3:
            continue
        slices = join_ranges(int(z) for z in np.flatnonzero(piled))
        where = "" if piled.all() else f", in {named(np.flatnonzero(piled).tolist(), capital=False)}"
        cause = "saturated" if name == "highest" else "cut off, or empty space"
        words = f"{share:.1%} of the voxels have the {name} value, {extreme:g}{where}: {cause}."
        severity: Severity = "note" if share < 0.01 or name == "lowest" else "warning" if share < 0.1 else "bad"
        found.append(Finding(kind="saturation", words=words, severity=severity, slices=slices))
    return found


def emptiness(facts: Facts) -> list[Finding]:
    """Slices of one value, an empty frame around all slices, and a data bar that never changes."""
    depth, height, width = facts.shape
    empty = np.flatnonzero(facts.std == 0).tolist()
    found = []
    if len(empty) == depth:
        return [Finding(kind="empty", words="All voxels of every slice are the same.", severity="bad")]
    if empty:
        words = f"{named(empty)} {'is' if len(empty) == 1 else 'are'} empty: all voxels have one value."
        remedies = without(empty, depth)
        found.append(Finding(kind="empty", words=words, severity="warning", slices=join_ranges(empty), remedies=remedies))
    fixed = facts.lowest == facts.highest
    if depth < 8 or fixed.all():
        return found
    rows, columns = np.flatnonzero(~fixed.all(axis=1)), np.flatnonzero(~fixed.all(axis=0))
    box = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    if box != (0, height, 0, width):
        words = f"An empty frame: outside of rows {box[0]}-{box[1] - 1} and columns {box[2]}-{box[3] - 1} nothing ever changes."
        ends = [0 if end == size else end for end, size in ((box[1], height), (box[3], width))]
        crop = {"name": "crop", "y_from": box[0], "y_to": ends[0], "x_from": box[2], "x_to": ends[1]}
        remedy = Remedy(label="Crop the frame off", step={k: v for k, v in crop.items() if v})
        found.append(Finding(kind="empty", words=words, severity="note", remedies=(remedy,)))
    bar = _bar(fixed, facts.lowest)
    if bar:
        words = f"Rows {bar} to {height - 1} hardly ever change, but are not empty: a data bar."
        remedy = Remedy(label="Crop the data bar off", step={"name": "crop", "y_to": bar})
        found.append(Finding(kind="empty", words=words, severity="warning", remedies=(remedy,)))
    return found


def _bar(fixed: NDArray[np.bool_], values: NDArray[np.generic]) -> int:
    """The first row of a data bar at the bottom, 0 where there is none: rows that are mostly fixed below rows that are not."""
    share = fixed.mean(axis=1)
    height = len(share)
    start = height
    while start > height // 2 and share[start - 1] > 0.5:
        start -= 1
    written = start < height and len(np.unique(values[start:][fixed[start:]])) > 1
    return start if written and float(np.median(share[:start])) < 0.1 and height - start >= 4 else 0


def damage(facts: Facts) -> list[Finding]:
    """Slices that cannot be read."""
    bad = sorted(facts.damaged)
    if not bad:
        return []
    words = f"{named(bad)} cannot be read: {facts.damaged[bad[0]]}"
    remedies = without(bad, facts.shape[0])
    return [Finding(kind="damaged", words=words, severity="bad", slices=join_ranges(bad), remedies=remedies)]


def not_numbers(facts: Facts) -> list[Finding]:
    """Voxels that are NaN or infinite."""
    bad = np.flatnonzero(facts.bad).tolist()
    if not bad:
        return []
    words = f"{int(facts.bad.sum())} voxels are not a number or infinite, in {named(bad, capital=False)}."
    most = [z for z in bad if facts.bad[z] > 0.5 * facts.shape[1] * facts.shape[2]]
    remedies = without(most, facts.shape[0])
    return [Finding(kind="not a number", words=words, severity="bad", slices=join_ranges(bad), remedies=remedies)]


def _usual(values: Floats, share: float) -> Floats:
    """The quantile of what lies around each slice."""
    from scipy.ndimage import percentile_filter

    return np.asarray(percentile_filter(values, 100 * share, size=min(_AROUND, len(values) | 1), mode="reflect"))
