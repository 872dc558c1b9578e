"""How much each slice is displaced against the others: phase correlation of neighbours, put together by least squares."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microtome.volumes.corrections.stripes import smooth, stripe_index

Complex = NDArray[np.complex64]
Floats = NDArray[np.float64]
_HIGH_PASS = 8.0  # pixels of the reduced picture: what is larger is shading, not detail
_TAPER = 0.25  # share of the picture that the window fades, else its edges would hold the correlation at zero
_LIMIT = 4.0  # standard deviations: a charged particle must not outweigh the rest
_UPSAMPLED = 10  # steps a pixel, between which a parabola finds the peak
_UNLIKE = 1e-6  # the weight of a pair that shows nothing: enough to hold the chain together
_ROUNDS = 8
_ALWAYS_FINE = 0.02  # pixels by which a pair may differ from the rest
_JUMP = 6.0  # deviations
_FEWEST = 8  # pixels along an axis: less has no detail to go by


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """A slice made ready for comparison: the Fourier transform of its high-passed, windowed picture, and its norm."""

    spectrum: Complex
    norm: float
    factor: int  # pixels of the slice that are one pixel of the picture
    stripes: tuple[float, float] = (1.0, 1.0)  # `stripe_index` along y, along x


def binned(page: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Means of factor × factor pixels as float32; what does not fill a pixel at the far edges is left out; NaN → the mean."""
    image = page.astype(np.float32)
    bad = ~np.isfinite(image)
    if bad.any():
        image[bad] = image[~bad].mean(dtype=np.float64) if not bad.all() else 0.0
    if factor == 1:
        return image
    h, w = image.shape[0] // factor, image.shape[1] // factor
    return np.asarray(image[: h * factor, : w * factor].reshape(h, factor, w, factor).mean(axis=(1, 3)))


def factor_for(shape: tuple[int, ...], limit: int) -> int:
    """By how much a slice of this shape is reduced so that its longer edge is about `limit` pixels."""
    return max(1, round(max(shape[-2:]) / limit))


def reduced(page: NDArray[Any], factor: int) -> Reduced:
    """Make a slice ready for comparison: bin, high-pass, limit outliers, window, transform, leave straight stripes out."""
    from scipy.fft import fft2
    from scipy.signal.windows import tukey

    image = binned(page, factor)
    sigma = min(_HIGH_PASS, min(image.shape) / 4)
    image = image - smooth(smooth(image, sigma, axis=0), sigma, axis=1)
    deviation = float(image.std())
    if deviation > 0:
        image = np.clip(image / deviation, -_LIMIT, _LIMIT)
    window = tukey(image.shape[0], 2 * _TAPER)[:, None] * tukey(image.shape[1], 2 * _TAPER)[None, :]
    spectrum = fft2((image * window).astype(np.float32))
    stripes = stripe_index(spectrum)
    # Stripes and frames along the edges stay where they are when the structure moves: their waves must not count.
    spectrum[:2] = spectrum[-1:] = 0
    spectrum[:, :2] = spectrum[:, -1:] = 0
    return Reduced(spectrum=spectrum, norm=float(np.linalg.norm(spectrum)), factor=factor, stripes=stripes)


def displacement(one: Reduced, other: Reduced) -> tuple[Floats, float]:
    """How far (y, x) in pixels the content of `other` lies from where it lies in `one`, and their correlation there (-1 … 1).

    The peak of the pictures' correlation in Fourier space, refined to 1/10 pixel (Guizar-Sicairos et al., Opt. Lett. 33 (2008)
    156), then by a parabola. (0, 0) and 0 where a slice is
    empty or too small.
    """
    from skimage.registration import phase_cross_correlation

    if min(one.spectrum.shape) < _FEWEST or one.norm == 0 or other.norm == 0:
        return np.zeros(2), 0.0
    # Without the division by the amplitudes: on high-passed pictures of changing structure it only raises the noise.
    shift, _, _ = phase_cross_correlation(
        one.spectrum, other.spectrum, space="fourier", upsample_factor=_UPSAMPLED, normalization=None
    )
    moved = _peak(one, other, -np.asarray(shift, dtype=np.float64))
    return moved * one.factor, correlation(one, other, moved)


def _peak(one: Reduced, other: Reduced, near: Floats) -> Floats:
    """The top of the parabola through the correlations around `near`, along each axis."""
    product = one.spectrum * other.spectrum.conj()
    step = 1 / _UPSAMPLED
    top = near.copy()
    here = _real_sum(product, near)
    for axis in range(2):
        aside = np.eye(2)[axis] * step
        low, high = _real_sum(product, near - aside), _real_sum(product, near + aside)
        curve = low - 2 * here + high
        if curve < 0:
            top[axis] += float(np.clip(0.5 * step * (low - high) / curve, -step, step))
    return top


def _real_sum(product: Complex, moved: Floats) -> float:
    """The correlation of two pictures at a displacement, from the product of their spectra."""
    y = np.exp(-2j * np.pi * np.fft.fftfreq(product.shape[0]) * moved[0]).astype(np.complex64)
    x = np.exp(-2j * np.pi * np.fft.fftfreq(product.shape[1]) * moved[1]).astype(np.complex64)
    # Not by BLAS: its threads wait for each other's cores where something else works, as a training in the background does.
    return float(np.real(np.einsum("i,i->", y, np.einsum("ij,j->i", product, x))))


def correlation(one: Reduced, other: Reduced, moved: Floats) -> float:
    """The correlation coefficient of two pictures, `other` first moved back by (y, x) pixels of the picture."""
    if one.norm == 0 or other.norm == 0:
        return 0.0
    return _real_sum(one.spectrum * other.spectrum.conj(), moved) / (one.norm * other.norm)


def ramp(shape: tuple[int, ...], moved: Floats) -> Complex:
    """The factor by which a spectrum is multiplied to move its picture by (y, x) pixels."""
    y = np.exp(-2j * np.pi * np.fft.fftfreq(shape[0]) * moved[0])
    x = np.exp(-2j * np.pi * np.fft.fftfreq(shape[1]) * moved[1])
    return np.asarray((y[:, None] * x[None, :]).astype(np.complex64))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two slices that were compared: how far (y, x) the later one lies from the earlier one, and how alike they are."""

    first: int
    second: int
    moved: tuple[float, float]
    alike: float


def pairs(pages: Iterable[NDArray[Any]], *, reach: int, limit: int) -> Iterator[tuple[int, list[Pair]]]:
    """Compare each slice with the `reach` slices before it, reduced to about `limit` pixels: (z, its pairs) a slice."""
    before: deque[Reduced] = deque(maxlen=reach)
    for z, page in enumerate(pages):
        here = reduced(page, factor_for(page.shape, limit))
        yield z, compared(z, here, before)
        before.append(here)


def compared(z: int, here: Reduced, before: Sequence[Reduced]) -> list[Pair]:
    """Slice z compared with those before it, given in their order: the nearest pair first."""
    found = []
    for back, other in enumerate(reversed(before), start=1):
        moved, alike = displacement(other, here)
        found.append(Pair(first=z - back, second=z, moved=(float(moved[0]), float(moved[1])), alike=alike))
    return found


def positions(found: Sequence[Pair], count: int) -> Floats:
    """Where each of `count` slices lies (count, 2), by least squares; pairs that contradict the rest are outvoted.

    Weights are those of correlation coefficients, r²/(1 - r²); pairs of unlike slices hardly count. The first lies at (0, 0).
    """
    place = np.zeros((count, 2))
    if not found:
        return place
    first, second = np.array([p.first for p in found]), np.array([p.second for p in found])
    moved, alike = np.array([p.moved for p in found]), np.array([p.alike for p in found])
    sure = np.clip(alike, 0.0, 0.99) ** 2
    weight = np.maximum(sure / (1 - sure), _UNLIKE)
    trust = np.ones_like(moved)
    for _ in range(_ROUNDS):
        for axis in range(2):
            place[:, axis] = chained(first, second, moved[:, axis], weight * trust[:, axis], count)
        left = np.abs(place[second] - place[first] - moved)
        usual = np.maximum(1.4826 * np.median(left, axis=0), _ALWAYS_FINE)
        trust = 1 / (1 + (left / (3 * usual)) ** 2)
    return np.asarray(place - place[0])


def chained(first: NDArray[np.int64], second: NDArray[np.int64], moved: Floats, weight: Floats, count: int) -> Floats:
    """The positions p (count,) with the least sum of weight · (p[second] - p[first] - moved)²; what no pair binds is at 0."""
    from scipy.linalg import solveh_banded

    band = np.zeros((int((second - first).max()) + 1, count))
    right = np.zeros(count)
    np.add.at(band[0], first, weight)
    np.add.at(band[0], second, weight)
    np.subtract.at(band, (second - first, first), weight)
    np.add.at(right, second, weight * moved)
    np.subtract.at(right, first, weight * moved)
    band[0] += 1e-9 * band[0].max()
    return np.asarray(solveh_banded(band, right, lower=True))


Trend = Literal["none", "slant", "bends"]


def trend(place: Floats, kind: Trend, *, slow: float) -> Floats:
    """The part of positions (n, 2) that is the structure's own: none, a steady slant, or bends slower than `slow` slices.

    Jumps are left out of it: steps that stand out by six deviations belong to the drift.
    """
    from scipy.ndimage import gaussian_filter1d

    count = len(place)
    if kind == "none" or count < 3:
        return np.zeros_like(place)
    steps = np.diff(place, axis=0)
    usual = np.median(steps, axis=0)
    spread = 1.4826 * np.median(np.abs(steps - usual), axis=0) + 1e-9
    calm = np.where(np.abs(steps - usual) > _JUMP * spread, usual, steps)
    walk = np.vstack([np.zeros((1, 2)), np.cumsum(calm, axis=0)])
    z = np.arange(count) - (count - 1) / 2
    slope = (z[:, None] * walk).sum(axis=0) / (z**2).sum()
    line = z[:, None] * slope + walk.mean(axis=0)
    if kind == "slant":
        return np.asarray(line)
    return np.asarray(line + gaussian_filter1d(walk - line, slow / 2, axis=0, mode="reflect"))


def measured_positions(
    pages: Iterable[NDArray[Any]], count: int, *, reach: int, limit: int, running_mean: bool = False
) -> Floats:
    """Where each of `count` slices lies (count, 2) in pixels, against the first.

    Each is compared with the `reach` slices before it, or with their running mean, on pictures reduced to about `limit` pixels.
    """
    if running_mean:
        return _against_mean(pages, count, reach=reach, limit=limit)
    return positions([pair for _, found in pairs(pages, reach=reach, limit=limit) for pair in found], count)


def _against_mean(pages: Iterable[NDArray[Any]], count: int, *, reach: int, limit: int) -> Floats:
    place = np.zeros((count, 2))
    before: deque[tuple[int, Reduced]] = deque(maxlen=reach)
    for z, page in enumerate(pages):
        here = reduced(page, factor_for(page.shape, limit))
        if before:
            last = before[-1][0]
            spectrum = sum(
                other.spectrum * ramp(other.spectrum.shape, (place[last] - place[i]) / here.factor) for i, other in before
            )
            mean = Reduced(spectrum=np.asarray(spectrum), norm=float(np.linalg.norm(spectrum)), factor=here.factor)
            place[z] = place[last] + displacement(mean, here)[0]
        before.append((z, here))
    return place
