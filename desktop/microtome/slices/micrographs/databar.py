"""The data bar of a micrograph: the strip below the picture in which a microscope writes scale, voltage and date."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.errors import InputError

_LEVELS = 256
_ALIKE = 4  # levels: the ground of a bar after a lossy codec
_GROUND = 0.45  # of a row of text: at least so much of it is the ground of the bar
_ABOVE = 0.3  # of a row of the picture: at most so much has the grey value of the ground
_DIVIDER = 0.9  # of a dividing line or frame
_HIGHEST = 0.35  # of the picture's height
_LOWEST = 5  # rows
_NEAR = 8  # rows above a bar, which are to be picture
_CONTRAST = 40  # levels between ground and letters
_RINGING = 16  # levels around letters after a lossy codec
_LETTERS = 0.5  # of what is not ground: so much must differ as clearly as letters do
_FLAT = 0.995  # of a strip without any letters


def _levels(image: NDArray[Any]) -> NDArray[np.int16]:
    """The image in 256 levels: uint8 as it is, all else from its smallest to its largest value."""
    if image.dtype == np.uint8:
        return image.astype(np.int16)
    values = np.nan_to_num(image.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    scaled: NDArray[np.int16] = ((values - low) * ((_LEVELS - 1) / (high - low if high > low else 1.0))).astype(np.int16)
    return scaled


def find_bar(image: NDArray[Any]) -> int:
    """The height in pixels of the data bar at the bottom of an image (y, x); 0 where there is none for certain.

    A bar is an unbroken run of rows, as wide as the picture, that lie mostly on one ground (or are a dividing line), with
    letters that differ clearly from it or with nothing at all; the rows above must not lie on that ground. So neither a mask,
    nor a frame of black, nor a dark bottom of the specimen with a ragged edge is taken for one.
    """
    height, width = image.shape
    if height < 4 * _LOWEST or width < 4 * _LOWEST:
        return 0
    most = int(_HIGHEST * height)
    levels = _levels(image[height - most - _NEAR - 1 :] if height > most + _NEAR + 1 else image)
    ground = _ground(levels)
    on_ground = (np.abs(levels - ground) <= _ALIKE).mean(axis=1)
    line = _line_share(levels) >= _DIVIDER
    bar_like = (on_ground >= _GROUND) | line
    run = int(np.argmin(bar_like[::-1])) if not bar_like.all() else len(bar_like)
    if not _LOWEST <= run <= most:
        return 0
    above = on_ground[max(0, len(levels) - run - _NEAR) : len(levels) - run]
    bar = levels[len(levels) - run :]
    if float(above.max()) > _ABOVE or float(on_ground[len(levels) - run :].max()) < _DIVIDER:
        return 0
    return run if _is_written(bar, ground) and _picture_above(image, run, ground) else 0


def _ground(levels: NDArray[np.int16]) -> int:
    """The most frequent level of the lowest rows."""
    lowest = levels[-max(_LOWEST, len(levels) // 8) :]
    return int(np.bincount(lowest.ravel(), minlength=_LEVELS).argmax())


def _line_share(levels: NDArray[np.int16]) -> NDArray[np.float64]:
    """The share of each row that is within a few levels of the row's own median: near 1 for a line across."""
    middle = np.median(levels, axis=1, keepdims=True)
    share: NDArray[np.float64] = (np.abs(levels - middle) <= _ALIKE).mean(axis=1)
    return share


def _is_written(bar: NDArray[np.int16], ground: int) -> bool:
    """Whether what is not ground looks like letters and lines, or there is nothing."""
    apart = np.abs(bar - ground)
    if (apart > _ALIKE).mean() <= 1 - _FLAT:
        return True
    other = apart > _RINGING
    return bool(other.any()) and float((apart[other] >= _CONTRAST).mean()) >= _LETTERS


def _picture_above(image: NDArray[Any], run: int, ground: int) -> bool:
    """Whether the picture as a whole is not of the ground's grey: a mask or a mostly black image is not cut."""
    rows = image[: image.shape[0] - run]
    step = max(1, rows.shape[0] // 256)
    levels = _levels(image)[: rows.shape[0] : step]
    return float((np.abs(levels - ground) <= _ALIKE).mean()) <= _ABOVE


def bar_height(image: NDArray[Any], wanted: int, *, name: str) -> int:
    """Rows at the bottom of an image (y, x) that are left out: `wanted`, or what is found where that is −1.

    Raises InputError naming the image where nothing would remain of it.
    """
    rows = find_bar(image) if wanted < 0 else wanted
    if rows >= image.shape[0]:
        raise InputError(
            f"A data bar of {rows} px is as high as {name}, which has {image.shape[0]} rows.", "Give the bar fewer pixels."
        )
    return rows
