"""Cut oblique slices out of a volume of any size by trilinear interpolation, the same to the bit for any number of threads."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from microtome.errors import InputError
from microtome.jobs.runner import cores
from microtome.slices.planes.access import Job, fill
from microtome.volumes.volume import Volume

Outside = Literal["nan", "nearest", "wrap"]
_MODES: dict[str, int] = {"nan": 0, "nearest": 1, "wrap": 2}


class HasArray(Protocol):
    """A volume that can give its voxels as an array (z, y, x)."""

    def as_array(self) -> NDArray[Any]: ...


def cut(
    volume: NDArray[Any] | HasArray,
    centres: ArrayLike,
    axes: ArrayLike,
    size: int | tuple[int, int] = (64, 64),
    step: float = 1.0,
    threads: int | None = None,
    outside: Outside = "nan",
) -> NDArray[np.float32]:
    """Cut n plane slices of h × w pixels out of a volume (z, y, x) → float32 (n, h, w), trilinear.

    centres (n, 3): voxel coordinates of the slice centres, integers are voxel centres; axes (n, 2, 3): unit vectors of the
    image's down and right directions in voxel space; size: (h, w), or one number for both; step: voxels a pixel; threads:
    as many as there are cores where None. Pixel (i, j) lies at centre + (i − (h−1)/2)·step·down + (j − (w−1)/2)·step·right.
    The volume's inside is 0 … n−1 on each axis, both included; points outside are NaN, or the nearest voxel's value
    ("nearest"), or those of the periodic continuation ("wrap": voxel n is voxel 0). NaN in the data stays NaN, except
    where its weight is zero. Raises InputError for shapes, numbers or vectors that make no sense.
    """
    places, directions = poses_of(centres, axes)
    norms = np.linalg.norm(directions, axis=2)
    if norms.size and not np.allclose(norms, 1.0, rtol=0, atol=1e-3):
        worst = norms.flat[int(np.argmax(np.abs(norms - 1.0)))]
        raise InputError(f"axes must be unit vectors; one has length {worst:.4g}.", "Divide each by its length.")
    if isinstance(step, bool) or not isinstance(step, int | float | np.number) or not 0 < float(step) < np.inf:
        raise InputError(f"step must be a positive number of voxels a pixel, not {step!r}.")
    return sample(volume, places, directions * float(step), size=size, threads=threads, outside=outside)


def sample(
    volume: NDArray[Any] | HasArray,
    centres: NDArray[np.float64],
    steps: NDArray[np.float64],
    *,
    size: int | tuple[int, int],
    threads: int | None = None,
    outside: Outside = "nan",
) -> NDArray[np.float32]:
    """`cut` with voxel vectors from pixel to pixel, steps (n, 2, 3), in place of unit vectors: for voxels that are no cubes.

    A Volume that is larger than memory is cut where it lies: the result is the same to the bit, only time differs.
    """
    places, vectors = poses_of(centres, steps)
    h, w = pixels_of(size)
    if outside not in _MODES:
        raise InputError(f"outside cannot be {outside!r}.", "Known: nan, nearest, wrap.")
    workers = threads_of(threads)
    voxels = voxels_of(volume)
    out = np.empty((len(places), h, w), np.float32)
    if out.size:
        fill(voxels, Job.of(places, vectors, out, _MODES[outside]), workers)
    return out


def voxels_of(volume: NDArray[Any] | HasArray) -> NDArray[Any] | Volume:
    """The array or the volume that is cut, checked; nothing is read.

    Raises InputError where it is not three-dimensional, is empty or holds no real numbers.
    """
    found: NDArray[Any] | Volume
    if isinstance(volume, np.ndarray | Volume):
        found = volume
    else:
        if not hasattr(volume, "as_array"):
            raise InputError(f"A volume is an array (z, y, x) or an opened volume, not {type(volume).__name__}.")
        found = np.asarray(volume.as_array())
    if len(found.shape) != 3:
        raise InputError(f"A volume has three axes (z, y, x), not {len(found.shape)}.")
    if 0 in found.shape:
        raise InputError(f"The volume is empty: its shape is {found.shape}.")
    if found.dtype.kind not in "biuf":
        raise InputError(f"A volume holds integers or floating-point numbers, not {found.dtype}.")
    return found


def poses_of(centres: ArrayLike, axes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 3) and vectors (n, 2, 3) as arrays; InputError where their shapes do not fit or a number is not finite."""
    places = _numbers(centres, "centres")
    vectors = _numbers(axes, "axes")
    if places.size == 0 and vectors.size == 0:
        return places.reshape(0, 3), vectors.reshape(0, 2, 3)
    if places.ndim != 2 or places.shape[1] != 3:
        raise InputError(f"centres must have the shape (n, 3), not {places.shape}.")
    if vectors.shape != (len(places), 2, 3):
        raise InputError(
            f"axes must have the shape ({len(places)}, 2, 3), as there are {len(places)} centres, not {vectors.shape}."
        )
    return places, vectors


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}.") from error
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite numbers; {np.count_nonzero(~np.isfinite(array))} are not.")
    return array


def pixels_of(size: int | tuple[int, int]) -> tuple[int, int]:
    """(h, w) of a size in pixels, one number for both; InputError below 1."""
    pair = (size, size) if isinstance(size, int | np.integer) else tuple(size)
    if len(pair) != 2 or any(not isinstance(s, int | np.integer) or isinstance(s, bool) or s < 1 for s in pair):
        raise InputError(f"size must be (h, w) in pixels, both at least 1, not {size!r}.")
    return int(pair[0]), int(pair[1])


def threads_of(threads: int | None) -> int:
    """The number of threads to use, all cores where None; InputError below 1."""
    if threads is None:
        return cores()
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise InputError(f"threads must be a whole number of at least 1, not {threads!r}.")
    return int(threads)
