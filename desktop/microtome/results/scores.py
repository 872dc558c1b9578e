"""How the values of trials are written: shares in percent; R², and minus a loss, as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from microtome.results.fold import COUNTED, TrialState

_SAME = 1e-6  # a value that is that of the best epoch, as journals round it


@dataclass(frozen=True)
class Score:
    """What the values of trials are: shares of right answers, R² of told numbers, or something else (minus a loss)."""

    kind: Literal["share", "R²", "plain"] = "share"

    @classmethod
    def of(cls, trials: Sequence[TrialState]) -> Score:
        """As the trials' epochs tell: those of a network that tells a number have an R²; other shares lie in 0 … 1."""
        if trials and trials[0].objective == "loss":
            return cls("plain")
        told = [t for t in trials if t.epochs and t.epochs[-1].r2 is not None]
        if told:
            best = next((t for t in told if t.outcome in COUNTED and t.value is not None), None)
            epoch = None if best is None else best.best
            if best is None or epoch is None:
                return cls("R²")
            return cls("R²" if math.isclose(best.value or 0.0, epoch.validation_accuracy, abs_tol=_SAME) else "plain")
        return cls("share" if all(0 <= t.value <= 1 for t in trials if t.value is not None) else "plain")

    @property
    def factor(self) -> float:
        """What values are multiplied by before they are drawn."""
        return 100.0 if self.kind == "share" else 1.0

    @property
    def title(self) -> str:
        """Of an axis of values."""
        return {"share": "Value, %", "R²": "R²", "plain": "Value"}[self.kind]

    def words(self, value: float | None, digits: int = 1) -> str:
        """A value as people read it: `93.1 %`, R² with three digits, others with four; `–` where there is none."""
        if value is None:
            return "–"
        if self.kind == "share":
            return f"{100 * value:.{digits}f} %"
        return f"{value:.3f}" if self.kind == "R²" else f"{value:.4g}"

    def between(self, low: float, high: float, digits: int = 1) -> str:
        """An interval: `93.1–97.0 %`, or `0.411 … 0.902`."""
        if self.kind == "share":
            return f"{100 * low:.{digits}f}–{100 * high:.{digits}f} %"
        return f"{self.words(low)} … {self.words(high)}"

    def measured(self, value: float, low: float, high: float) -> str:
        """A value with its interval: `95.2 (93.1–97.0) %`, or `0.744 (0.411 … 0.902)`."""
        if self.kind == "share":
            return f"{100 * value:.1f} ({100 * low:.1f}–{100 * high:.1f}) %"
        return f"{self.words(value)} ({self.between(low, high)})"


LEAST_R2 = -1.05
"""Where an axis of R² begins: first epochs and bad trials lie far below, what matters lies between 0 and 1."""


def score_of(trial: TrialState) -> Score:
    """How one trial's value is written."""
    return Score.of([trial])
