"""Transform: slices without stripes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, RawVolume, transform
from microtome.volumes.corrections.derived import DerivedArray, back, working
from microtome.volumes.corrections.stripes import stripes_of


def _words(_known: dict[str, Any], *, direction: str, length: float, width: float, strength: float) -> str:
    share = "" if strength == 1 else f", {100 * strength:.0f} % of them"
    return f"{direction} stripes longer than {length:g} px and narrower than {width:g} px subtracted{share}"


@transform("destripe", label="Remove stripes", order=50, words=_words)
def destripe(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    direction: str = Field(
        "vertical", choices=("vertical", "horizontal"), help="Curtains of an ion beam run along y, lines of a scan along x"
    ),
    length: float = Field(100.0, 5.0, 100_000.0, log=True, unit="px", help="What is shorter along the stripe is structure"),
    width: float = Field(24.0, 2.0, 10_000.0, log=True, unit="px", help="What is wider across is structure or shading"),
    strength: float = Field(1.0, 0.0, 1.0, help="Which share of the stripes is taken away"),
) -> RawVolume:
    """Subtract straight stripes, as the curtains of an ion beam, from every slice; edges of the structure do not count."""
    voxels = volume.voxels
    real = working(voxels.dtype)

    def part(z: int, rows: slice, columns: slice) -> NDArray[Any]:
        page = np.asarray(voxels[z]).astype(real)
        bad = ~np.isfinite(page)
        if bad.any():
            page[bad] = np.median(page[~bad]) if not bad.all() else 0
        if direction == "vertical":
            stripes = stripes_of(page, length=length, width=width)
        else:
            stripes = stripes_of(np.ascontiguousarray(page.T), length=length, width=width).T
        page -= real(strength) * stripes
        if bad.any():
            page[bad] = np.nan
        return back(page, voxels.dtype)[rows, columns]

    z, y, x = (int(n) for n in voxels.shape)
    return replace(volume, voxels=DerivedArray((z, y, x), voxels.dtype, part, whole=True, name=volume.source))
