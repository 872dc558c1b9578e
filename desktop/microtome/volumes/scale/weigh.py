"""What several sources say of a voxel's edges, weighed: the most trusted one counts, contradictions are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Size = tuple[float, float, float]
NO_DISTANCE = "no distance between slices is given."
"""How the finding ends that asks for a voxel size; it is no longer true once one is given."""
_AGREE = 0.01  # a scale bar's length is counted in whole pixels, a rounded number has three digits
_SMALLEST, _LARGEST = 1e-6, 1e9  # nm: what lies outside is no size of a voxel but a slip


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The edges of a voxel that one source gives, in nm; None: it does not say."""

    source: str
    z: float | None = None
    y: float | None = None
    x: float | None = None

    def known(self) -> Scale:
        """Without what cannot be a length of a voxel."""
        kept = {a: v for a in "zyx" if (v := getattr(self, a)) is not None and _sensible(v)}
        return Scale(source=self.source, **kept)


@dataclass(frozen=True, kw_only=True)
class Reported:
    """All that a file's headers and its companions say of its scale: the most trusted first; more of them; what is odd."""

    scales: tuple[Scale, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    def __add__(self, other: Reported) -> Reported:
        """This report and a less trusted one."""
        return Reported(
            scales=(*self.scales, *other.scales),
            metadata=other.metadata | self.metadata,
            findings=(*self.findings, *other.findings),
        )


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """The voxel size (z, y, x) in nm or None, and what goes into a volume's metadata and findings.

    metadata: "pixel_size" (y, x) in nm where it is known, also without a distance between slices; "voxel_source" the source of
    each axis (z, y, x; "" for one that is not known); where sources contradict each other, "voxel_claims": what each says, as
    (source, z, y, x) in nm with None for what it does not say, the one that was taken first; what microscopes tell
    beside ("tilt_corrected", "stage_tilt" in degrees, "databar_rows", "microscope").
    """

    voxel_size: Size | None
    metadata: dict[str, Any]
    findings: tuple[str, ...]


def weigh(report: Reported, depth: int) -> Weighed:
    """The voxel size of a stack of `depth` slices; of one image the pixel stands in for the slice distance."""
    findings = [*report.findings]
    scales: list[Scale] = []
    for scale in report.scales:
        known = scale.known()
        if known != scale:
            findings.append(f"The {scale.source} gives a voxel size that makes no sense ({_words(scale)}); it was ignored.")
        scales.append(known)
    taken = {a: _first(scales, a) for a in "zyx"}
    contradictions = _contradictions(scales, depth)
    findings += contradictions
    y, x, z = taken["y"], taken["x"], taken["z"]
    metadata = dict(report.metadata)
    if contradictions:
        metadata["voxel_claims"] = tuple((s.source, s.z, s.y, s.x) for s in scales if (s.z, s.y, s.x) != (None, None, None))
    if y is None or x is None:
        return Weighed(voxel_size=None, metadata=metadata, findings=tuple(findings))
    metadata["pixel_size"] = (y[0], x[0])
    if depth == 1:
        z = y
    metadata["voxel_source"] = (z[1] if z else "", y[1], x[1])
    if z is None:
        words = f"The pixel is {y[0]:g} × {x[0]:g} nm ({_sources(y, x)}), but {NO_DISTANCE}"
        return Weighed(voxel_size=None, metadata=metadata, findings=(*findings, words))
    return Weighed(voxel_size=(z[0], y[0], x[0]), metadata=metadata, findings=tuple(findings))


def _sensible(value: float) -> bool:
    return math.isfinite(value) and _SMALLEST <= value <= _LARGEST


def _first(scales: Sequence[Scale], axis: str) -> tuple[float, str] | None:
    return next(((v, s.source) for s in scales if (v := getattr(s, axis)) is not None), None)


def _sources(y: tuple[float, str], x: tuple[float, str]) -> str:
    return y[1] if y[1] == x[1] else f"{y[1]}, {x[1]}"


def _contradictions(scales: Sequence[Scale], depth: int) -> list[str]:
    """A sentence for each source that contradicts a more trusted one, with both."""
    said: list[str] = []
    for i, scale in enumerate(scales):
        for axis in "yx" if depth == 1 else "zyx":
            value, best = getattr(scale, axis), _first(scales[:i], axis)
            if value is not None and best is not None and abs(value / best[0] - 1) > _AGREE:
                said.append(
                    f"The sources contradict each other: the {best[1]} gives {axis} = {best[0]:g} nm, "
                    f"the {scale.source} {value:g} nm; the first was taken."
                )
                break
    return said


def _words(scale: Scale) -> str:
    return " × ".join(f"{v:g}" for a in "zyx" if (v := getattr(scale, a)) is not None) + " nm"
