"""What a run means, in sentences: over-fitting, the best epoch, counts, how far a figure may be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from microtome.events import EpochEnded, Evaluated, ImageSetReady, Piloted

_LEAST = 5  # epochs: fewer tell no trend
_LAST = 3  # epochs that say where the curves are now
_RISE = 0.05  # of the lowest validation loss, before a rise counts


@dataclass(frozen=True)
class Trend:
    """What the loss curves say. `epoch` is the epoch (from 1) of the lowest validation loss."""

    word: Literal["none", "learning", "settled", "over-fitting", "not-learning"]
    epoch: int = 0


def trend(epochs: Sequence[EpochEnded]) -> Trend:
    """Read the loss curves.

    over-fitting: since its lowest point the validation loss has risen, by more than a twentieth of it and by more than its
    noise explains, while the training loss went on falling. The median of the last three epochs is compared with that point: a
    single epoch whose loss leaps up, as batch normalisation lets it, says nothing. The lowest of n values that scatter by σ
    lies σ·√(2 ln n) below them all by itself. not-learning: neither loss has come below 97 % of where it began.
    """
    known = [(e.epoch, e.train_loss, e.validation_loss) for e in epochs]
    pairs = [(n, t, v) for n, t, v in known if t is not None and v is not None]
    if len(pairs) < _LEAST:
        return Trend("none")
    train, validation = [t for _, t, _ in pairs], [v for _, _, v in pairs]
    lowest = min(range(len(pairs)), key=lambda i: validation[i])
    number, since = pairs[lowest][0] + 1, len(pairs) - 1 - lowest
    last = slice(-_LAST, None)
    chance = _scatter(validation) * (math.sqrt(2 * math.log(len(pairs))) + 2 / math.sqrt(_LAST))
    rise = median(validation[last]) - validation[lowest]
    if since >= _LAST and rise > max(_RISE * validation[lowest], chance):
        about = train[max(0, lowest - 1) : lowest + 2]
        if fmean(train[last]) < fmean(about) - 2 * _scatter(train) / math.sqrt(_LAST):
            return Trend("over-fitting", number)
    if validation[lowest] > 0.97 * validation[0] and min(train) > 0.97 * train[0]:
        return Trend("not-learning", number)
    return Trend("settled" if since >= _LEAST else "learning", number)


def _scatter(values: Sequence[float]) -> float:
    """The standard deviation about a smooth curve, by the median of how far each value lies from between its neighbours.

    Of values with the deviation σ that distance has σ·√1.5, and its median is 0.6745 times that.
    """
    apart = [abs(b - (a + c) / 2) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return median(apart) / (0.6745 * math.sqrt(1.5))


@dataclass(frozen=True)
class Standing:
    """How a network stands beside the baselines. `names`: those that it does not beat, or, where it beats all, all."""

    word: Literal["unknown", "beats", "level", "behind"]
    names: tuple[str, ...] = ()


def standing(found: Evaluated) -> Standing:
    """Compare by the 95 % intervals of the paired differences on the same images.

    beats: every one lies above 0. behind: one lies below 0 (`names`: those). level: neither. unknown: nothing was compared, as
    in runs of older versions.
    """
    gains = found.baseline_gains
    if not gains:
        return Standing("unknown")
    if better := tuple(name for name, (_, _, high) in gains.items() if high < 0):
        return Standing("behind", better)
    if open_yet := tuple(name for name, (_, low, _) in gains.items() if low <= 0):
        return Standing("level", open_yet)
    return Standing("beats", tuple(gains))


def standing_words(found: Evaluated) -> str:
    """`standing` as a sentence; empty where nothing was compared."""
    there = standing(found)
    names = " and ".join(there.names)
    match there.word:
        case "beats":
            return f"The network does better than {names} on the same images; chance alone would hardly make the difference."
        case "level":
            return f"It is not shown that the network does better than {names}. A network must win against all baselines."
        case "behind":
            return f"{names} did better than the network on the same images. A network must win against all baselines."
        case _:
            return ""


def ranked_baselines(found: Evaluated) -> list[tuple[str, float, tuple[float, float] | None]]:
    """(name, accuracy, interval) of the baselines, the best first; no interval in runs of older versions."""
    ranked = sorted(found.baseline.items(), key=lambda item: -item[1])
    return [(name, accuracy, found.baseline_intervals.get(name)) for name, accuracy in ranked]


def value_words(found: Evaluated) -> str:
    """How well a number is told: `R² 0.82 (95 % interval 0.60 … 0.91), RMSE 1.3 MPa, n = 400 images of 8 volumes`."""
    low, high = found.interval
    return (
        f"R² {found.accuracy:.3f} (95 % interval {low:.3f} … {high:.3f}), RMSE {with_unit(found.rmse, found.unit)}, "
        f"n = {found.n} images of {len(found.points)} volumes"
    )


def promise_words(found: Piloted, seconds: float | None) -> str:
    """What a pilot promised, beside what it took: `Promised: 1 h 50 min to 4 h 5 min, likely 2 h 40 min; it took 3 h 2 min.`"""
    low, likely, high = (duration(3600 * hours) for hours in found.hours)
    took = f"; it took {duration(seconds)}" if seconds else ""
    return f"Promised by a pilot: {low} to {high}, likely {likely}{took}."


def with_unit(value: float | None, unit: str) -> str:
    """A value with four digits and its unit, where it has one; `–` where there is none."""
    return "–" if value is None else f"{value:.4g} {unit}".rstrip()


def chance(classes: int) -> float:
    """The accuracy of guessing among so many classes."""
    return 1.0 / classes if classes else 0.0


def per_class_counts(image_set: ImageSetReady, split: str) -> str:
    """Images a class in a split: `300`, or `280–300` where the classes differ."""
    counts = list(image_set.counts.get(split, {}).values())
    if not counts:
        return "0"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as people read it; `–` where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def interval(low: float, high: float, digits: int = 1) -> str:
    """`93.1–97.0 %`."""
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f} %"


def number(value: object) -> str:
    """A parameter's value as a person writes it: four significant digits, no floating-point noise."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value)


def duration(seconds: float) -> str:
    """A duration as people say it: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
