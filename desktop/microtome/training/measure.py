"""How good a network is on a set of images, and the sums that tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.training.data import Images
from microtome.training.device import autocast, memory_format, ran_out_of_memory
from microtome.training.metrics import Measured

_AT_ONCE = 256  # images


def measure(
    network: nn.Module, images: Images, *, classes: int, batch_size: int = _AT_ONCE, precision: str = "auto"
) -> Measured:
    """The loss and the confusion counts of a network on some images, as they are.

    Where memory runs out, it goes on with half as many at once: the same counts, and the same loss up to rounding.
    """
    network.eval()
    while True:
        try:
            return _measured(network, images, classes, batch_size, precision)
        except RuntimeError as error:
            if not ran_out_of_memory(error) or batch_size == 1:
                raise
        batch_size //= 2


def _measured(network: nn.Module, images: Images, classes: int, batch_size: int, precision: str) -> Measured:
    count = Counter(classes, images.labels.device)
    with torch.inference_mode():
        for positions in torch.arange(len(images)).tensor_split(max(1, -(-len(images) // batch_size))):
            batch, labels = images.batch(positions)
            with autocast(batch.device, precision):
                logits = network(batch.contiguous(memory_format=memory_format(batch.device, precision))).float()
            count.add(logits, labels, F.cross_entropy(logits, labels, reduction="sum"))
    return count.measured()


class Counter:
    """Adds up losses and confusion counts on the device, without waiting for it."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self.device = device
        self._classes = classes
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._pairs = torch.zeros(classes * classes, dtype=torch.int64, device=device)

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Count a batch: logits (b, k), labels (b,) and the sum of its losses."""
        self._loss += loss
        pairs = labels * self._classes + logits.argmax(dim=1)
        self._pairs += torch.bincount(pairs, minlength=self._classes**2)

    def finite(self) -> bool:
        """False once a loss was not a number; waits for the device."""
        return math.isfinite(self._loss.item())

    def measured(self) -> Measured:
        """The mean loss and the counts so far."""
        counts: np.ndarray[tuple[int, int], np.dtype[np.int64]] = self._pairs.cpu().numpy()
        loss = self._loss.item() / max(1, int(counts.sum()))
        return Measured(
            loss=loss if math.isfinite(loss) else None, confusion=counts.reshape(self._classes, self._classes).copy()
        )

    def state(self) -> dict[str, Tensor]:
        """The sums so far, to restore them."""
        return {"loss": self._loss.clone(), "pairs": self._pairs.clone()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the sums that state() gave."""
        self._loss.copy_(state["loss"])
        self._pairs.copy_(state["pairs"])
