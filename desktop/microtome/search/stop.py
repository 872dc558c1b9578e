"""Early stopping: which trials have fallen behind, by their values after each epoch."""

from __future__ import annotations

import math
import statistics
from typing import Protocol

DEFAULT = "asha"
"""What "auto" stands for; see decision 0004."""


class StoppingRule(Protocol):
    """Sees every epoch's value (to be maximised) and says which trials should end."""

    def behind(self, trial: int, epoch: int, value: float) -> bool:
        """Take a trial's value after an epoch (0, 1, …); True where the trial should stop now. Telling it twice is harmless."""
        ...


class Never:
    """Every trial runs to its end."""

    def behind(self, trial: int, epoch: int, value: float) -> bool:
        """False."""
        return False


class SuccessiveHalving:
    """Asynchronous successive halving, the stopping variant (Li et al., MLSys 2020, arXiv:1810.05934).

    At the rungs r, rη, rη², … epochs a trial goes on where its value is among the best 1/η of those that got there so far.
    """

    def __init__(self, max_epochs: int | None, *, eta: int = 3, first: int | None = None) -> None:
        self._eta = eta
        # Literature's first rung is 1/27 of a full trial, and never less than an epoch.
        self._first = first or max(1, round((max_epochs or eta) / eta**3))
        self._max = max_epochs
        self._rungs: dict[int, dict[int, float]] = {}  # epochs → trial → value

    def behind(self, trial: int, epoch: int, value: float) -> bool:
        """See StoppingRule."""
        epochs = epoch + 1
        if not self._is_rung(epochs):
            return False
        rung = self._rungs.setdefault(epochs, {})
        rung[trial] = value if math.isfinite(value) else -math.inf
        promoted = sorted(rung.values(), reverse=True)[: max(1, len(rung) // self._eta)]
        return rung[trial] < promoted[-1]

    def _is_rung(self, epochs: int) -> bool:
        if self._max is not None and epochs >= self._max:
            return False
        rung = self._first
        while rung < epochs:
            rung *= self._eta
        return rung == epochs


class Median:
    """A trial stops where its best value lies below the median of the other trials' mean values so far
    (Golovin et al., Google Vizier, KDD 2017)."""

    def __init__(self, max_epochs: int | None, *, others: int = 4) -> None:
        self._warm_up = max(1, (max_epochs or 5) // 5)
        self._max = max_epochs
        self._others = others
        self._values: dict[int, dict[int, float]] = {}  # trial → epoch → value

    def behind(self, trial: int, epoch: int, value: float) -> bool:
        """See StoppingRule."""
        mine = self._values.setdefault(trial, {})
        mine[epoch] = value if math.isfinite(value) else -math.inf
        if epoch < self._warm_up or (self._max is not None and epoch + 1 >= self._max):
            return False
        means = [
            statistics.fmean(v for e, v in values.items() if e <= epoch)
            for other, values in self._values.items()
            if other != trial and epoch in values
        ]
        return len(means) >= self._others and max(mine.values()) < statistics.median(means)


def make_rule(name: str | None, *, max_epochs: int | None) -> StoppingRule:
    """The rule of a name: None or "none", "asha", "median", or "auto"."""
    match DEFAULT if name == "auto" else name:
        case "asha":
            return SuccessiveHalving(max_epochs)
        case "median":
            return Median(max_epochs)
        case None | "none":
            return Never()
        case _:
            from microtome.errors import UnknownNameError, nearest

            raise UnknownNameError(
                f"There is no early stopping “{name}”.", nearest(str(name), ("none", "auto", "asha", "median"))
            )
