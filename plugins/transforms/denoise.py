"""Transform: less noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Field, LazyArray, RawVolume, transform
from microtome.volumes.corrections.derived import DerivedArray, back, working

_METHODS = ("median", "gaussian", "non-local means", "median 3-D")
_PATCH, _AROUND = 5, 6  # pixels: edge of a patch, and how far away its likes are looked for


def _words(_known: dict[str, Any], *, method: str, radius: float) -> str:
    return {
        "median": f"noise reduced by a median over {2 * round(radius) + 1} × {2 * round(radius) + 1} pixels of each slice",
        "gaussian": f"each slice smoothed by a Gaussian with σ = {radius:g} px",
        "non-local means": "noise reduced by non-local means in each slice",
        "median 3-D": f"noise reduced by a median over {2 * round(radius) + 1}³ voxels",
    }[method]


@transform("denoise", label="Reduce noise", order=70, words=_words)
def denoise(
    volume: RawVolume,
    known: dict[str, Any],
    *,
    method: str = Field("median", choices=_METHODS, help="Median keeps edges; non-local means keeps texture, and is slow"),
    radius: float = Field(1.0, 0.3, 10.0, unit="px", help="Of the median's window, or the Gaussian's σ"),
) -> RawVolume:
    """Reduce noise in every slice, or in three dimensions by a median; shapes finer than the radius are lost with it."""
    voxels = volume.voxels
    z, y, x = (int(n) for n in voxels.shape)
    if method == "non-local means":

        def part(at: int, rows: slice, columns: slice) -> NDArray[Any]:
            return _non_local_means(voxels[at])[rows, columns]
    else:

        def part(at: int, rows: slice, columns: slice) -> NDArray[Any]:
            return _filtered(voxels, at, rows, columns, method, radius)

    array = DerivedArray((z, y, x), voxels.dtype, part, whole=method == "non-local means", name=volume.source)
    return replace(volume, voxels=array)


def _filtered(voxels: LazyArray, at: int, rows: slice, columns: slice, method: str, radius: float) -> NDArray[Any]:
    """A part of a filtered slice, from that part with what lies around it within the filter's reach."""
    from scipy.ndimage import median_filter

    reach = int(4 * radius + 0.5) if method == "gaussian" else max(1, round(radius))
    depth, height, width = (int(n) for n in voxels.shape)
    y = slice(max(0, rows.start - reach), min(height, rows.stop + reach))
    x = slice(max(0, columns.start - reach), min(width, columns.stop + reach))
    inner = (slice(rows.start - y.start, rows.stop - y.start), slice(columns.start - x.start, columns.stop - x.start))
    if method == "gaussian":
        return back(_gaussian(voxels[at, y, x].astype(working(voxels.dtype)), radius)[inner], voxels.dtype)
    size = 2 * reach + 1
    if method == "median":
        block, middle = voxels[at : at + 1, y, x], 0
        shape: tuple[int, int, int] = (1, size, size)
    else:
        low = max(0, at - reach)
        block, middle = voxels[low : min(depth, at + reach + 1), y, x], at - low
        shape = (size, size, size)
    bad = np.isnan(block) if block.dtype.kind == "f" else None
    if bad is not None and bad.any():
        # A median cannot be taken beside what is not a number: it counts as dark there, and stays what it is.
        filtered = median_filter(np.where(bad, -np.inf, block).astype(block.dtype), size=shape, mode="nearest")
        return np.where(bad, np.nan, filtered).astype(block.dtype)[(middle, *inner)]
    return np.asarray(median_filter(block, size=shape, mode="nearest")[(middle, *inner)])


def _gaussian(page: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Smoothed; what is not a number has no weight, and stays what it is."""
    from scipy.ndimage import gaussian_filter

    bad = ~np.isfinite(page)
    if not bad.any():
        return np.asarray(gaussian_filter(page, sigma, mode="nearest", truncate=4.0))
    total = gaussian_filter(np.where(bad, 0, page), sigma, mode="nearest", truncate=4.0)
    weight = gaussian_filter((~bad).astype(page.dtype), sigma, mode="nearest", truncate=4.0)
    return np.where(bad, page, total / np.maximum(weight, np.finfo(page.dtype).tiny))


def _non_local_means(page: NDArray[Any]) -> NDArray[Any]:
    """Buades et al. 2005 in its fast form, its strength from the noise in the slice itself (wavelet-free: Immerkær 1996)."""
    from scipy.ndimage import convolve
    from skimage.restoration import denoise_nl_means

    real = working(page.dtype)
    image = page.astype(real)
    if not np.isfinite(image).all() or min(image.shape) < 3:
        return page
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=real)
    sigma = float(np.median(np.abs(convolve(image, kernel)))) / 6 * 1.4826
    if sigma == 0:
        return page
    found = denoise_nl_means(
        image, patch_size=_PATCH, patch_distance=_AROUND, h=0.8 * sigma, sigma=sigma, fast_mode=True, preserve_range=True
    )
    return back(np.asarray(found), page.dtype)
