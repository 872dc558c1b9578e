"""The error of told numbers in a training: its batches' mean, the sums of an epoch, the measurement of a set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.training.data import Images
from microtome.training.device import autocast, memory_format, ran_out_of_memory
from microtome.training.importance import Drawn
from microtome.training.regression import Fit, Indices, Numbers, Point, Scale, fit_of, points_of

_SUMS = 5  # images, values, their squares, squared errors, absolute errors
_AT_ONCE = 256  # images
_WORST = -1e9  # R² of what is no number: JSON has no infinity


class SquaredError:
    """The mean squared error of a batch on standardised values, or Huber's (which is linear beyond one deviation)."""

    def __init__(self, kind: str) -> None:
        """`kind`: mse or huber."""
        self._huber = kind == "huber"

    def mean(self, answers: Tensor, drawn: Drawn) -> Tensor:
        """Of a batch's answers (n, 1)."""
        return self.each(answers, drawn.targets).mean()

    def total(self, drawn: Drawn) -> int:
        """What a batch's sum of errors is divided by for its mean."""
        return len(drawn.targets)

    def share(self, answers: Tensor, drawn: Drawn, total: Tensor | int) -> Tensor:
        """What some images add to the mean of their batch, whose total is `total`."""
        return self.each(answers, drawn.targets).sum() / total

    def each(self, answers: Tensor, targets: Tensor) -> Tensor:
        """The error (n,) of each answer (n, 1)."""
        loss = F.huber_loss if self._huber else F.mse_loss
        return loss(answers.squeeze(1), targets, reduction="none")


@dataclass(frozen=True, kw_only=True)
class MeasuredValues:
    """A network measured on the numbers of some images: mean loss (None: not a number), the fit, a point a volume."""

    loss: float | None
    fit: Fit | None  # None: what is told is no number
    points: tuple[Point, ...] = ()

    @property
    def accuracy(self) -> float:
        """What is to be maximised: R²."""
        return _WORST if self.fit is None else self.fit.r2

    def per_class(self, classes: object) -> dict[str, tuple[int, int]]:
        """Numbers have no classes."""
        return {}

    def rows(self) -> tuple[tuple[int, ...], ...]:
        """Numbers have no confusion."""
        return ()


class ValueCounter:
    """Adds up an epoch's errors on the device, without waiting for it."""

    def __init__(self, scale: Scale, device: torch.device) -> None:
        self.device = device
        self._scale = scale
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._sums = torch.zeros(_SUMS, dtype=torch.float64, device=device)

    def add(self, answers: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Count a batch: answers (b, 1), standardised values (b,) and the sum of its losses."""
        self._loss += loss
        true = targets.double()
        errors = answers.squeeze(1).double() - true
        ones = torch.ones_like(true)
        self._sums += torch.stack([s.sum() for s in (ones, true, true**2, errors**2, errors.abs())])

    def finite(self) -> bool:
        """False once a loss was not a number; waits for the device."""
        return math.isfinite(self._loss.item())

    def measured(self) -> MeasuredValues:
        """The mean loss and the fit so far, in the values' unit."""
        n, first, second, squares, absolutes = self._sums.tolist()
        loss = self._loss.item() / max(1.0, n)
        if not math.isfinite(loss) or not math.isfinite(squares) or n == 0:
            return MeasuredValues(loss=None, fit=None)
        variance = second / n - (first / n) ** 2
        # Standardised: the training values' own variance is 1.
        r2 = 1 - squares / n / (variance if variance > 1e-12 else 1.0)
        unit = self._scale.deviation
        return MeasuredValues(loss=loss, fit=Fit(n=int(n), mse=squares / n * unit**2, mae=absolutes / n * unit, r2=r2))

    def state(self) -> dict[str, Tensor]:
        """The sums so far, to restore them."""
        return {"loss": self._loss.clone(), "sums": self._sums.clone()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the sums that state() gave."""
        self._loss.copy_(state["loss"])
        self._sums.copy_(state["sums"])


def measure_values(
    network: nn.Module,
    images: Images,
    scale: Scale,
    *,
    kind: str = "mse",
    volumes: Indices | None = None,
    batch_size: int = _AT_ONCE,
    precision: str = "auto",
) -> MeasuredValues:
    """The loss (of that `kind`) and the fit of a network on some images, as they are; `volumes` (n,) of the images.

    Where memory runs out, it goes on with half as many at once.
    """
    network.eval()
    while True:
        try:
            answers = answered(network, images, batch_size=batch_size, precision=precision)
            break
        except RuntimeError as error:
            if not ran_out_of_memory(error) or batch_size == 1:
                raise
        batch_size //= 2
    loss = float(SquaredError(kind).each(answers.to(images.labels.device).unsqueeze(1), images.labels.double()).mean())
    if not math.isfinite(loss):
        return MeasuredValues(loss=None, fit=None)
    true, told = scale.real(images.labels.cpu().numpy()), scale.real(answers.numpy())
    points = () if volumes is None else points_of(true, told, volumes)
    return MeasuredValues(loss=loss, fit=fit_of(true, told, scale.deviation), points=points)


def answered(network: nn.Module, images: Images, *, batch_size: int = _AT_ONCE, precision: str = "auto") -> Tensor:
    """What a network tells of some images: standardised values (n,), float64 on the CPU."""
    found = []
    with torch.inference_mode():
        for positions in torch.arange(len(images)).tensor_split(max(1, -(-len(images) // batch_size))):
            batch, _ = images.batch(positions)
            with autocast(batch.device, precision):
                told = network(batch.contiguous(memory_format=memory_format(batch.device, precision)))
            found.append(told.float().squeeze(1).double().cpu())
    return torch.cat(found)


def values_of(values: Numbers, scale: Scale) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Values (n,) as a network learns them."""
    return scale.standard(values).astype(np.float32)
