"""The axes on which trials are compared: a parameter's range, its scale and choices; where each trial lies on each axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtome.plugin import Parameter
from microtome.results.fold import RunState, TrialState
from microtome.results.scores import Score
from microtome.results.tables import short, varied
from microtome.results.words import number

VALUE = ""
"""The name of the axis of the trials' values."""


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, and from where to where."""

    name: str
    title: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    whole: bool = False

    def place(self, value: Any) -> float | None:
        """0 (bottom) … 1 (top), or None where the value is not on the axis."""
        if self.choices:
            if value not in self.choices:
                return None
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low, high, at = (self._scaled(v) for v in (self.low, self.high, value))
        if not math.isfinite(at):
            return None
        return 0.5 if high <= low else min(1.0, max(0.0, (at - low) / (high - low)))

    def _scaled(self, value: float) -> float:
        if not self.log:
            return float(value)
        return math.log(value) if value > 0 else -math.inf

    def value_at(self, share: float) -> Any:
        """The value at 0 … 1 along the axis: of choices the one whose stretch that is, of a whole-numbered axis the nearest."""
        share = min(1.0, max(0.0, share))
        if self.choices:
            return self.choices[min(len(self.choices) - 1, int(share * len(self.choices)))]
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = low + share * (high - low)
        value = math.exp(at) if self.log else at
        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else value

    def ends(self) -> tuple[str, str]:
        """What is written at the bottom and at the top."""
        return number(self.low), number(self.high)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """(place, words): every choice; decades of a logarithmic axis (or 1, 2, 5 of few); round steps of another."""
        if self.choices:
            return [((i + 0.5) / len(self.choices), number(c)) for i, c in enumerate(self.choices)]
        values = _decades(self.low, self.high, most) if self.log else _steps(self.low, self.high, most)
        places = [(self.place(v), v) for v in values]
        return [(p, number(v)) for p, v in places if p is not None]


def _decades(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    inside = (low * (1 - 1e-9), high * (1 + 1e-9))
    for parts in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{p}e{e}") for e in range(first, last + 1) for p in parts]
        values = [v for v in values if inside[0] <= v <= inside[1]]
        if len(values) <= most:
            return values
    return values[:: math.ceil(len(values) / most)]


def _steps(low: float, high: float, most: int) -> list[float]:
    if not high > low:
        return [low]
    rough = (high - low) / max(1, most - 1)
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * m for m in (1, 2, 5, 10) if base * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    # A product of whole numbers with one step keeps 0 exactly 0.
    return [float(f"{k * step:.6g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


def value_scale(trials: Sequence[TrialState]) -> tuple[float, str]:
    """(factor, title) of the values: shares are shown in percent, R² and minus a loss as they are."""
    score = Score.of(trials)
    return score.factor, score.title


def axes_of(state: RunState, space: Mapping[str, Parameter]) -> list[Axis]:
    """The axes of a run: the parameters that differ, with the space's ranges and scales, and the value."""
    trials = list(state.trials.values())
    made = [_axis(name, trials, space.get(name)) for name in varied(trials)]
    factor, title = value_scale(trials)
    known = [factor * t.value for t in trials if t.value is not None and math.isfinite(t.value)]
    return [*made, Axis(VALUE, title, min(known, default=0.0), max(known, default=factor))]


def _axis(name: str, trials: Sequence[TrialState], axis: Parameter | None) -> Axis:
    values = [t.parameters[name] for t in trials if name in t.parameters]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    if axis is not None and axis.kind == "choice":
        strange = [v for v in dict.fromkeys(values) if v not in axis.choices]
        return Axis(name, short(name), choices=(*axis.choices, *strange))
    if axis is not None:
        # Trials of an earlier, wider space stay on the axis.
        low, high = min([axis.low, *numbers]), max([axis.high, *numbers])
        return Axis(name, short(name), low, high, axis.log and low > 0, whole=axis.kind == "int")
    if len(numbers) == len(values) and numbers:
        return Axis(name, short(name), min(numbers), max(numbers), whole=all(isinstance(v, int) for v in numbers))
    return Axis(name, short(name), choices=tuple(dict.fromkeys(values)))


def places(trials: Sequence[TrialState], axes: Sequence[Axis]) -> NDArray[np.float64]:
    """(trials, axes): where each trial lies, 0 … 1; NaN where it has no such parameter, or no value."""
    made = np.full((len(trials), len(axes)), np.nan)
    if not trials:
        return made
    factor, _ = value_scale(trials)
    for k, axis in enumerate(axes):
        if axis.name == VALUE:
            column: list[Any] = [None if t.value is None else factor * t.value for t in trials]
        else:
            column = [t.parameters.get(axis.name) for t in trials]
        made[:, k] = _column(column, axis)
    return made


def _column(values: Sequence[Any], axis: Axis) -> NDArray[np.float64]:
    if axis.choices:
        where = {c: (i + 0.5) / len(axis.choices) for i, c in enumerate(axis.choices)}
        return np.array([where.get(v, np.nan) for v in values])
    good = [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else np.nan for v in values]
    at = np.array(good)
    at[~np.isfinite(at)] = np.nan
    low, high = axis.low, axis.high
    if axis.log:
        at[at <= 0] = np.nan
        at, low, high = np.log(at), math.log(low), math.log(high)
    if high <= low:
        return np.where(np.isnan(at), np.nan, 0.5)
    placed: NDArray[np.float64] = np.clip((at - low) / (high - low), 0.0, 1.0)
    return placed
