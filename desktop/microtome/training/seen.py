"""What the network sees: some images of a batch after their augmentation, in a small file for whoever shows them.

seen.npz (no pickle)  images (n, h, w) or (n, 3, h, w) float16, (value − mean) / deviation, as the network gets them ·
                      labels (n,) the class of the largest share · shares (n, k) float16 of the classes, where images are mixed
                      · classes (k,) names · epoch
                      · values (n,) of a network that tells a number, and their unit
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtome.slices.colour import CHANNELS
from microtome.store.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from microtome.training.regression import Scale

NAME = "seen.npz"
_IMAGES = 25
_EVERY = 2.0  # seconds between two files at least
_COST = 1e-3  # share of the time that may be spent on them


@dataclass(frozen=True)
class Seen:
    """Images (n, h, w), in colour (n, 3, h, w), of a batch of `epoch` (0, 1, …).

    With their classes' numbers (n,) and shares (n, k), and the names (k,).
    """

    images: NDArray[np.float16]
    labels: NDArray[np.int16]
    shares: NDArray[np.float16]
    classes: tuple[str, ...]
    epoch: int
    values: NDArray[np.float64] | None = None  # (n,) where numbers are told, in `unit`
    unit: str = ""


class SeenWriter:
    """Keeps what the network sees in a trial's folder; a call now and then, so that it costs nearly nothing."""

    def __init__(
        self,
        folder: Path,
        classes: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
        scale: Scale | None = None,
        unit: str = "",
    ) -> None:
        self._path, self._classes, self._clock = folder / NAME, classes, clock
        self._scale, self._unit = scale, unit
        self._next = -np.inf

    def __call__(self, epoch: int, images: Tensor, targets: Tensor) -> None:
        """Keep the first images (n, c, h, w) of a batch with their labels (n,) or shares (n, k), unless it was just done."""
        begun = self._clock()
        if begun < self._next:
            return
        first = images[:_IMAGES].float()
        some = (first if first.shape[1] == CHANNELS else first.mean(dim=1)).cpu().numpy()
        wanted = targets[:_IMAGES].cpu().numpy()
        told: dict[str, Any] = {}
        if np.issubdtype(wanted.dtype, np.floating) and wanted.ndim == 1:  # numbers: they have no classes
            if self._scale is not None:
                told = {"values": self._scale.real(wanted), "unit": np.array(self._unit)}
            wanted = np.zeros(len(wanted), dtype=np.int64)
        shares = wanted if wanted.ndim == 2 else np.eye(len(self._classes))[wanted]
        limit = float(np.finfo(np.float16).max)
        with replacing(self._path, durable=False) as file:
            np.savez(
                file,
                images=np.clip(some, -limit, limit).astype(np.float16),
                labels=shares.argmax(axis=1).astype(np.int16),
                shares=shares.astype(np.float16),
                classes=np.array(self._classes),
                epoch=np.int64(epoch),
                **told,
            )
        ended = self._clock()
        self._next = ended + max(_EVERY, (ended - begun) / _COST)


def read_seen(folder: Path) -> Seen | None:
    """What the network of a trial's folder saw last; None where nothing readable is there."""
    try:
        with open(folder / NAME, "rb") as file, np.load(file, allow_pickle=False) as data:
            names = tuple(str(name) for name in data["classes"])
            told = {"values": data["values"], "unit": str(data["unit"])} if "values" in data else {}
            return Seen(data["images"], data["labels"], data["shares"], names, int(data["epoch"]), **told)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
